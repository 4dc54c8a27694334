/* Growing byte buffer with a limit.
 *
 * Happy path: capacity doubles, so that n appends cost O(n) copies, but never beyond the limit.
 * Failure modes: over the limit or out of memory, and then the buffer is as it was. */
#include "common/buf.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 64u

int vs_buf_reserve(struct vs_buf *b, size_t extra, size_t bytes_max)
{
    size_t need, cap;
    uint8_t *data;

    VS_ASSERT(b->len <= b->cap);

    if (b->len > bytes_max || extra > bytes_max - b->len)
        return -EMSGSIZE;
    need = b->len + extra;
    if (need <= b->cap)
        return 0;

    cap = b->cap > bytes_max / 2 ? bytes_max : b->cap * 2;
    if (cap < BUF_FIRST_BYTES)
        cap = BUF_FIRST_BYTES;
    if (cap < need)
        cap = need;
    if (cap > bytes_max)
        cap = bytes_max;

    data = realloc(b->data, cap);
    if (data == NULL)
        return -ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int vs_buf_append(struct vs_buf *b, const void *bytes, size_t len, size_t bytes_max)
{
    int r;

    r = vs_buf_reserve(b, len, bytes_max);
    if (r < 0)
        return r;
    if (len > 0) /* memcpy wants valid pointers even for nothing */
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    return 0;
}

void vs_buf_close(struct vs_buf *b)
{
    free(b->data);
    *b = (struct vs_buf){ 0 };
}
