/* The value of a chunk's register, as bytes and back.
 *
 * Happy path: state, format, then what both states have, then a LIVE value's fragments. Failure
 * modes: bytes of a newer format, bytes that are not whole, a placement that cannot be.
 *
 * Little-endian; docs/FORMAT.md, "Placement value". */
#include "meta/place_value.h"

#include "common/codec.h"
#include "common/err.h"
#include "meta/manifest.h"

#define PLACE_FORMAT 1

static bool place_value_ok(const struct place_value *v)
{
    if (v->state == PLACE_TOMB)
        return true;
    if (v->state != PLACE_LIVE || v->generation == 0)
        return false;
    if (v->chunk_bytes == 0 || v->chunk_bytes > MF_CHUNK_BYTES_MAX)
        return false;
    if (vs_redundancy_check(&v->red) < 0)
        return false;
    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m; i++)
        if (v->frag[i].node == 0 || v->frag[i].generation == 0 ||
            v->frag[i].generation > v->generation)
            return false;
    return true;
}

int place_value_encode(const struct place_value *v, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, ret->len + PLACE_VALUE_BYTES_MAX);

    if (!place_value_ok(v))
        return -EINVAL;
    vs_wr_u8(&w, v->state);
    vs_wr_u8(&w, PLACE_FORMAT);
    vs_wr_u64(&w, v->session);
    vs_wr_u32(&w, v->generation);
    vs_wr_u32(&w, v->chunk_bytes);
    if (v->state == PLACE_TOMB)
        return w.err;
    vs_wr_u8(&w, v->red.kind);
    vs_wr_u8(&w, v->red.k);
    vs_wr_u8(&w, v->red.m);
    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m; i++) {
        vs_wr_u32(&w, v->frag[i].node);
        vs_wr_u32(&w, v->frag[i].generation);
        vs_wr_u32(&w, v->frag[i].table_crc);
        vs_wr_bytes(&w, v->frag[i].sha256, VS_SHA256_BYTES);
    }
    return w.err;
}

int place_value_decode(const void *bytes, size_t len, struct place_value *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    struct place_value v = { 0 };
    uint8_t format;

    v.state = vs_rd_u8(&r);
    format = vs_rd_u8(&r);
    if (r.err < 0 || format == 0 || (v.state != PLACE_LIVE && v.state != PLACE_TOMB))
        return -VS_ECORRUPT;
    if (format > PLACE_FORMAT)
        return -VS_ENEWER;
    v.session = vs_rd_u64(&r);
    v.generation = vs_rd_u32(&r);
    v.chunk_bytes = vs_rd_u32(&r);
    if (v.state == PLACE_LIVE) {
        v.red.kind = vs_rd_u8(&r);
        v.red.k = vs_rd_u8(&r);
        v.red.m = vs_rd_u8(&r);
        if (r.err < 0 || vs_redundancy_check(&v.red) < 0) /* before it counts fragments */
            return -VS_ECORRUPT;
        for (unsigned i = 0; i < (unsigned)v.red.k + v.red.m; i++) {
            v.frag[i].node = vs_rd_u32(&r);
            v.frag[i].generation = vs_rd_u32(&r);
            v.frag[i].table_crc = vs_rd_u32(&r);
            vs_rd_bytes(&r, v.frag[i].sha256, VS_SHA256_BYTES);
        }
    }
    if (vs_rd_done(&r) < 0 || !place_value_ok(&v))
        return -VS_ECORRUPT;
    *ret = v;
    return 0;
}
