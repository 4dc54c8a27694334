/* Names: the check every entry's names go through, and "name (2).ext".
 *
 * Failure modes: a bad name is refused before anything is looked up; numbering cannot fail, since
 * even an endless extension is cut like a stem. */
#include "meta/ns_name.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

static bool name_is(const char *name, size_t len, const char *what)
{
    return len == strlen(what) && memcmp(name, what, len) == 0;
}

int ns_name_check(const char *name, size_t len)
{
    if (len == 0)
        return -ENOENT;
    if (len > NS_NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    if (memchr(name, '/', len) != NULL || memchr(name, '\0', len) != NULL)
        return -EINVAL;
    return name_is(name, len, ".") || name_is(name, len, "..") ? -EINVAL : 0;
}

int ns_name_reserved(uint64_t dir, const char *name, size_t len)
{
    if (dir == NS_INO_ROOT && name_is(name, len, ".vstack"))
        return -EEXIST;
    if (dir == NS_INO_INBOX && (name_is(name, len, "inbox") || name_is(name, len, ".vstack")))
        return -EINVAL;
    return 0;
}

/* Bytes of the stem that fit `room` without cutting a UTF-8 character in two. */
static size_t name_cut(const char *stem, size_t len, size_t room)
{
    size_t start = room;
    uint32_t code;

    if (len <= room)
        return len;
    while (start > 0 && ((uint8_t)stem[start] & 0xc0) == 0x80)
        start--;
    if (start < room &&
        start + vs_utf8_char((const uint8_t *)stem + start, len - start, &code) > room)
        return start;
    return room;
}

uint8_t ns_name_numbered(const char *name, size_t len, unsigned number, char ret[NS_NAME_BYTES_MAX])
{
    char suffix[16];
    size_t stem = len, ext, suffix_len;

    VS_ASSERT(len > 0 && len <= NS_NAME_BYTES_MAX && number <= NS_NAME_NUMBER_MAX);
    suffix_len = (size_t)snprintf(suffix, sizeof(suffix), " (%u)", number);
    while (stem > 0 && name[stem - 1] != '.')
        stem--;
    stem = stem <= 1 ? len : stem - 1;
    if (len - stem + suffix_len >= NS_NAME_BYTES_MAX) /* that is no extension */
        stem = len;
    ext = len - stem;
    len = name_cut(name, stem, NS_NAME_BYTES_MAX - suffix_len - ext);
    memcpy(ret, name, len);
    memcpy(ret + len, suffix, suffix_len);
    memcpy(ret + len + suffix_len, name + stem, ext);
    return (uint8_t)(len + suffix_len + ext);
}
