/* vs_buf: bytes on the heap with a length, grown up to a limit that its owner names.
 *
 * Threads: none; the owner serialises calls. A zeroed struct is a valid empty buffer. */
#ifndef VS_COMMON_BUF_H
#define VS_COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

struct vs_buf {
    uint8_t *data; /* owned; NULL when cap is 0 */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
};

/* Make room for `extra` more bytes behind len, total at most `bytes_max`.
 * -EMSGSIZE over the limit, -ENOMEM; the buffer is unchanged on error. */
int vs_buf_reserve(struct vs_buf *b, size_t extra, size_t bytes_max);

/* Append bytes (as vs_buf_reserve). */
int vs_buf_append(struct vs_buf *b, const void *bytes, size_t len, size_t bytes_max);

/* Free the memory; the struct is empty and usable again. Forgives zeroed and closed buffers. */
void vs_buf_close(struct vs_buf *b);

#endif
