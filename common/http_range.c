/* Range headers. Happy path: "bytes=", two numbers, one of which may be missing. Failure modes: all
 * that is not that is one answer, -ERANGE, for a reader that asks so must not get other bytes. */
#include "common/http_range.h"

#include "common/err.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Digits at *pos; false when there are none or too many. */
static bool number(const char **pos, uint64_t *ret)
{
    uint64_t v = 0;

    if (**pos < '0' || **pos > '9')
        return false;
    for (; **pos >= '0' && **pos <= '9'; (*pos)++) {
        uint64_t d = (uint64_t)(**pos - '0');

        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

int http_range_parse(const char *text, uint64_t total, uint64_t *ret_first, uint64_t *ret_bytes)
{
    const char *pos = text;
    uint64_t first, last = UINT64_MAX;

    if (strncasecmp(pos, "bytes=", 6) != 0)
        return strchr(text, '=') != NULL && text[0] != '=' ? 0 : -ERANGE;
    pos += 6;
    if (*pos == '-') { /* the last so many */
        pos++;
        if (!number(&pos, &last) || *pos != '\0' || last == 0 || total == 0)
            return -ERANGE;
        *ret_bytes = last < total ? last : total;
        *ret_first = total - *ret_bytes;
        return 1;
    }
    if (!number(&pos, &first) || *pos != '-')
        return -ERANGE;
    pos++;
    if (*pos != '\0' && !number(&pos, &last))
        return -ERANGE;
    if (*pos != '\0' || last < first || first >= total)
        return -ERANGE;
    *ret_first = first;
    *ret_bytes = (last < total ? last : total - 1) - first + 1;
    return 1;
}
