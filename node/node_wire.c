/* Results of a chunk store as HTTP says them, and back. Happy path: a table. Failure modes: what
 * the table does not know is "down", in both directions: nothing is known, ask another store. */
#include "node/node_wire.h"

#include "common/err.h"

#include <stddef.h>
#include <string.h>

struct wire_error {
    int err;
    unsigned http;
    const char *word;
};

static const struct wire_error wire_errors[] = {
    { -ENOENT, 404, "missing" },
    { -ENOSPC, 507, "full" },
    { -VS_EEXISTS_OTHER, 409, "exists" },
    { -EINVAL, 400, "invalid" },
    { -EAGAIN, 503, "busy" },
    { -ENOMEM, 503, "busy" },
    { -EROFS, 403, "readonly" },
    { -VS_ECORRUPT, 500, "corrupt" },
    { -VS_EDOWN, 500, "down" },
};
#define WIRE_ERRORS (sizeof(wire_errors) / sizeof(wire_errors[0]))

static const struct wire_error *wire_error_of(int err)
{
    for (size_t i = 0; i < WIRE_ERRORS; i++)
        if (wire_errors[i].err == err)
            return &wire_errors[i];
    return &wire_errors[WIRE_ERRORS - 1];
}

unsigned node_http_status(int err)
{
    return err >= 0 ? 200 : wire_error_of(err)->http;
}

const char *node_error_word(int err)
{
    return err >= 0 ? "" : wire_error_of(err)->word;
}

int node_error_from_http(unsigned http_status, const char *word)
{
    if (word == NULL)
        word = "";
    if (http_status >= 200 && http_status < 300)
        return 0;
    switch (http_status) {
    case 404: /* a lie about a missing fragment starts repairs: only a node is believed */
        return strcmp(word, "missing") == 0 ? -ENOENT : -VS_EDOWN;
    case 403:
        return strcmp(word, "readonly") == 0 ? -EROFS : -VS_EDOWN;
    case 500:
        return strcmp(word, "corrupt") == 0 ? -VS_ECORRUPT : -VS_EDOWN;
    case 400:
    case 413:
    case 414:
    case 416:
    case 431:
        return -EINVAL;
    case 409:
        return -VS_EEXISTS_OTHER;
    case 503:
        return -EAGAIN;
    case 507:
        return -ENOSPC;
    default:
        return -VS_EDOWN;
    }
}
