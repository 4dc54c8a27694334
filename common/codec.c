/* Bounded reader and writer of little-endian fields.
 *
 * Happy path: fields in a row, one question at the end.
 * Failure modes: a reader that would pass the end takes nothing, gives zeros, and stays failed; a
 * writer that meets its limit appends nothing more. A message is therefore whole or refused. */
#include "common/codec.h"

#include "common/err.h"

#include <endian.h>
#include <string.h>

const uint8_t *vs_rd_view(struct vs_rd *r, size_t len)
{
    const uint8_t *view = r->pos;

    if (r->err == 0 && len > vs_rd_left(r))
        r->err = -VS_ECORRUPT;
    if (r->err < 0)
        return NULL;
    r->pos += len;
    return view;
}

void vs_rd_bytes(struct vs_rd *r, void *dst, size_t len)
{
    const uint8_t *view = vs_rd_view(r, len);

    if (len == 0)
        return;
    if (view != NULL)
        memcpy(dst, view, len);
    else
        memset(dst, 0, len);
}

uint8_t vs_rd_u8(struct vs_rd *r)
{
    uint8_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return v;
}

uint16_t vs_rd_u16(struct vs_rd *r)
{
    uint16_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return le16toh(v);
}

uint32_t vs_rd_u32(struct vs_rd *r)
{
    uint32_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return le32toh(v);
}

uint64_t vs_rd_u64(struct vs_rd *r)
{
    uint64_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return le64toh(v);
}

uint32_t vs_rd_be32(struct vs_rd *r)
{
    uint32_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return be32toh(v);
}

uint64_t vs_rd_be64(struct vs_rd *r)
{
    uint64_t v;

    vs_rd_bytes(r, &v, sizeof(v));
    return be64toh(v);
}

const uint8_t *vs_rd_blob(struct vs_rd *r, size_t len_max, size_t *ret_len)
{
    const uint8_t *view;
    uint32_t len;

    len = vs_rd_u32(r);
    if (len > len_max) /* refused before anybody allocates by it */
        r->err = -VS_ECORRUPT;
    view = vs_rd_view(r, len);
    *ret_len = view != NULL ? len : 0;
    return view;
}

int vs_rd_done(const struct vs_rd *r)
{
    return r->err == 0 && vs_rd_left(r) == 0 ? 0 : -VS_ECORRUPT;
}

void vs_wr_bytes(struct vs_wr *w, const void *bytes, size_t len)
{
    if (w->err == 0)
        w->err = vs_buf_append(w->buf, bytes, len, w->bytes_max);
}

void vs_wr_u8(struct vs_wr *w, uint8_t v)
{
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_u16(struct vs_wr *w, uint16_t v)
{
    v = htole16(v);
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_u32(struct vs_wr *w, uint32_t v)
{
    v = htole32(v);
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_u64(struct vs_wr *w, uint64_t v)
{
    v = htole64(v);
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_be32(struct vs_wr *w, uint32_t v)
{
    v = htobe32(v);
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_be64(struct vs_wr *w, uint64_t v)
{
    v = htobe64(v);
    vs_wr_bytes(w, &v, sizeof(v));
}

void vs_wr_blob(struct vs_wr *w, const void *bytes, size_t len)
{
    if (w->err == 0 && len > UINT32_MAX)
        w->err = -EMSGSIZE;
    vs_wr_u32(w, (uint32_t)len);
    vs_wr_bytes(w, bytes, len);
}
