/* Bounded little-endian reader and writer for everything that goes to a disk or a wire.
 *
 * Both are sticky: after the first failure every later call does nothing (reads give zeros), so a
 * decoder reads all fields in a row and asks once at the end. Key fields that must sort are written
 * big-endian (vs_wr_be*).
 *
 * Pure: no allocation except growth of the writer's own vs_buf. Threads: none. */
#ifndef VS_COMMON_CODEC_H
#define VS_COMMON_CODEC_H

#include "common/buf.h"

struct vs_rd {
    const uint8_t *pos, *end; /* lent by the caller */
    int err;                  /* 0, or -VS_ECORRUPT after reading past the end */
};

static inline struct vs_rd vs_rd_init(const void *bytes, size_t len)
{
    const uint8_t *first = bytes != NULL ? (const uint8_t *)bytes : (const uint8_t *)"";

    return (struct vs_rd){ first, first + len, 0 };
}
uint8_t vs_rd_u8(struct vs_rd *r);
uint16_t vs_rd_u16(struct vs_rd *r);
uint32_t vs_rd_u32(struct vs_rd *r);
uint64_t vs_rd_u64(struct vs_rd *r);
uint32_t vs_rd_be32(struct vs_rd *r);
uint64_t vs_rd_be64(struct vs_rd *r);
/* Copy exactly `len` bytes to dst (zeros on failure). */
void vs_rd_bytes(struct vs_rd *r, void *dst, size_t len);
/* Borrow `len` bytes inside the input; NULL on failure (also when len is 0 after a failure). */
const uint8_t *vs_rd_view(struct vs_rd *r, size_t len);
/* u32 length (at most len_max) and that many bytes, borrowed. *ret_len is 0 on failure. */
const uint8_t *vs_rd_blob(struct vs_rd *r, size_t len_max, size_t *ret_len);
static inline size_t vs_rd_left(const struct vs_rd *r)
{
    return (size_t)(r->end - r->pos);
}
/* 0 when nothing failed and all input was read; else -VS_ECORRUPT. */
int vs_rd_done(const struct vs_rd *r);

struct vs_wr {
    struct vs_buf *buf; /* the caller's; appended to */
    size_t bytes_max;   /* limit of buf->len */
    int err;            /* 0, -EMSGSIZE or -ENOMEM */
};

static inline struct vs_wr vs_wr_init(struct vs_buf *buf, size_t bytes_max)
{
    return (struct vs_wr){ buf, bytes_max, 0 };
}
void vs_wr_u8(struct vs_wr *w, uint8_t v);
void vs_wr_u16(struct vs_wr *w, uint16_t v);
void vs_wr_u32(struct vs_wr *w, uint32_t v);
void vs_wr_u64(struct vs_wr *w, uint64_t v);
void vs_wr_be32(struct vs_wr *w, uint32_t v);
void vs_wr_be64(struct vs_wr *w, uint64_t v);
void vs_wr_bytes(struct vs_wr *w, const void *bytes, size_t len);
/* u32 length, then the bytes. */
void vs_wr_blob(struct vs_wr *w, const void *bytes, size_t len);

#endif
