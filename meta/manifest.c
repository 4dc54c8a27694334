/* Head and segments of a manifest, as bytes and back.
 *
 * Happy path: one check function per object says whether it is possible at all; encoders refuse
 * what fails it, decoders call it last, so that whatever is decoded can be used without looking
 * again. Failure modes: bytes of a newer format, bytes that are not whole, an impossible object.
 *
 * Little-endian; docs/FORMAT.md, "Manifest". */
#include "meta/manifest.h"

#include "common/assert.h"
#include "common/codec.h"
#include "common/err.h"
#include "meta/place_value.h"

#include <stdlib.h>
#include <string.h>

#define MF_FORMAT      1
#define MF_HAS_SHA     1u
#define MF_REF_BYTES   (VS_ID_BYTES + 12)
#define MF_CHUNK_CODED (VS_ID_BYTES + 16)
#define MF_SIZE_MAX    ((uint64_t)INT64_MAX)

void mf_root_add(struct vs_sha *root, const struct mf_chunk *chunk)
{
    uint8_t bytes[20 + VS_ID_BYTES];
    uint32_t crc = vs_id_is_zero(&chunk->id) ? 0 : chunk->crc;

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(chunk->offset >> 8 * i);
        bytes[8 + i] = (uint8_t)(chunk->bytes >> 8 * i);
    }
    for (unsigned i = 0; i < 4; i++)
        bytes[16 + i] = (uint8_t)(crc >> 8 * i);
    memcpy(bytes + 20, chunk->id.b, VS_ID_BYTES);
    vs_sha_update(root, bytes, sizeof(bytes));
}

/* ---- head --------------------------------------------------------------------------------------
 */

static bool mf_head_ok(const struct mf_head *h)
{
    uint64_t chunks = 0;

    if (h->size > MF_SIZE_MAX || h->segment_count > MF_SEGMENTS_MAX)
        return false;
    if ((h->size == 0) != (h->segment_count == 0) || h->hole_count > h->chunk_count)
        return false;
    if ((uint64_t)h->cuts_at_keyframe + h->cuts_by_size != h->cuts_interior)
        return false;
    for (uint32_t i = 0; i < h->segment_count; i++) {
        const struct mf_segment_ref *s = &h->segments[i];

        if (vs_id_type(&s->id) != VS_ID_SEGMENT || s->count < 1 || s->count > MF_SEGMENT_CHUNKS)
            return false;
        if (i == 0 ? s->offset != 0 : s->offset <= h->segments[i - 1].offset)
            return false;
        if (s->offset >= h->size)
            return false;
        chunks += s->count;
    }
    return chunks == h->chunk_count;
}

int mf_head_encode(const struct mf_head *head, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, SIZE_MAX);

    if (!mf_head_ok(head))
        return -EINVAL;
    vs_wr_u8(&w, MF_FORMAT);
    vs_wr_u8(&w, head->has_sha ? MF_HAS_SHA : 0);
    vs_wr_u64(&w, head->size);
    vs_wr_u64(&w, head->chunk_count);
    vs_wr_u64(&w, head->hole_count);
    if (head->has_sha)
        vs_wr_bytes(&w, head->sha256, VS_SHA256_BYTES);
    vs_wr_bytes(&w, head->root, VS_SHA256_BYTES);
    vs_wr_u32(&w, head->cuts_interior);
    vs_wr_u32(&w, head->cuts_at_keyframe);
    vs_wr_u32(&w, head->cuts_by_size);
    vs_wr_u32(&w, head->segment_count);
    for (uint32_t i = 0; i < head->segment_count; i++) {
        vs_wr_bytes(&w, head->segments[i].id.b, VS_ID_BYTES);
        vs_wr_u64(&w, head->segments[i].offset);
        vs_wr_u32(&w, head->segments[i].count);
    }
    return w.err;
}

static int mf_head_decode_segments(struct vs_rd *r, struct mf_head *h)
{
    h->segment_count = vs_rd_u32(r);
    if (r->err < 0 || vs_rd_left(r) / MF_REF_BYTES != h->segment_count ||
        vs_rd_left(r) % MF_REF_BYTES != 0 || h->segment_count > MF_SEGMENTS_MAX)
        return -VS_ECORRUPT;
    if (h->segment_count == 0)
        return 0;
    h->segments = calloc(h->segment_count, sizeof(*h->segments));
    if (h->segments == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < h->segment_count; i++) {
        vs_rd_bytes(r, h->segments[i].id.b, VS_ID_BYTES);
        h->segments[i].offset = vs_rd_u64(r);
        h->segments[i].count = vs_rd_u32(r);
    }
    return vs_rd_done(r);
}

int mf_head_decode(const void *bytes, size_t len, struct mf_head *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    struct mf_head h = { 0 };
    uint8_t format, flags;
    int err;

    format = vs_rd_u8(&r);
    if (r.err < 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > MF_FORMAT)
        return -VS_ENEWER;
    flags = vs_rd_u8(&r);
    if ((flags & ~MF_HAS_SHA) != 0)
        return -VS_ECORRUPT;
    h.size = vs_rd_u64(&r);
    h.chunk_count = vs_rd_u64(&r);
    h.hole_count = vs_rd_u64(&r);
    h.has_sha = (flags & MF_HAS_SHA) != 0;
    if (h.has_sha)
        vs_rd_bytes(&r, h.sha256, VS_SHA256_BYTES);
    vs_rd_bytes(&r, h.root, VS_SHA256_BYTES);
    h.cuts_interior = vs_rd_u32(&r);
    h.cuts_at_keyframe = vs_rd_u32(&r);
    h.cuts_by_size = vs_rd_u32(&r);
    err = mf_head_decode_segments(&r, &h);
    if (err == 0 && !mf_head_ok(&h))
        err = -VS_ECORRUPT;
    if (err < 0) {
        mf_head_close(&h);
        return err;
    }
    *ret = h;
    return 0;
}

void mf_head_close(struct mf_head *head)
{
    free(head->segments);
    *head = (struct mf_head){ 0 };
}

int mf_head_find(const struct mf_head *head, uint64_t offset)
{
    uint32_t low = 0, high = head->segment_count;

    if (offset >= head->size || high == 0)
        return -ENOENT;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (head->segments[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return (int)low;
}

/* ---- segment -----------------------------------------------------------------------------------
 */

static bool mf_chunk_ok(const struct mf_chunk *c)
{
    if (c->bytes == 0 || c->bytes > MF_SIZE_MAX - c->offset || c->cut > MF_CUT_EXEMPT)
        return false;
    if (vs_id_is_zero(&c->id))
        return true;
    return vs_id_type(&c->id) == VS_ID_CHUNK && c->bytes <= MF_CHUNK_BYTES_MAX &&
           vs_redundancy_check(&c->red) == 0;
}

static bool mf_segment_ok(const struct mf_chunk *chunks, uint32_t count)
{
    if (count < 1 || count > MF_SEGMENT_CHUNKS || chunks[0].offset > MF_SIZE_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && chunks[i].offset != chunks[i - 1].offset + chunks[i - 1].bytes)
            return false;
        if (!mf_chunk_ok(&chunks[i]))
            return false;
    }
    return true;
}

int mf_segment_encode(const struct mf_chunk *chunks, uint32_t count, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, SIZE_MAX);

    if (!mf_segment_ok(chunks, count))
        return -EINVAL;
    vs_wr_u8(&w, PLACE_SEGMENT);
    vs_wr_u8(&w, MF_FORMAT);
    vs_wr_u16(&w, (uint16_t)count);
    vs_wr_u64(&w, chunks[0].offset);
    for (uint32_t i = 0; i < count; i++) {
        const struct mf_chunk *c = &chunks[i];
        bool hole = vs_id_is_zero(&c->id);

        vs_wr_bytes(&w, c->id.b, VS_ID_BYTES);
        vs_wr_u64(&w, c->bytes);
        vs_wr_u32(&w, hole ? 0 : c->crc);
        vs_wr_u8(&w, c->cut);
        vs_wr_u8(&w, hole ? 0 : c->red.kind);
        vs_wr_u8(&w, hole ? 0 : c->red.k);
        vs_wr_u8(&w, hole ? 0 : c->red.m);
    }
    return w.err;
}

int mf_segment_decode(const void *bytes, size_t len, struct mf_chunk *chunks)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    uint64_t offset;
    uint8_t state, format;
    uint16_t count;

    state = vs_rd_u8(&r);
    format = vs_rd_u8(&r);
    if (r.err < 0 || format == 0)
        return -VS_ECORRUPT;
    if (state == PLACE_TOMB)
        return -ENOENT;
    if (state != PLACE_SEGMENT)
        return -VS_ECORRUPT;
    if (format > MF_FORMAT)
        return -VS_ENEWER;
    count = vs_rd_u16(&r);
    offset = vs_rd_u64(&r);
    if (r.err < 0 || count > MF_SEGMENT_CHUNKS || vs_rd_left(&r) != count * (size_t)MF_CHUNK_CODED)
        return -VS_ECORRUPT;
    for (uint16_t i = 0; i < count; i++) {
        struct mf_chunk *c = &chunks[i];

        *c = (struct mf_chunk){ .offset = offset };
        vs_rd_bytes(&r, c->id.b, VS_ID_BYTES);
        c->bytes = vs_rd_u64(&r);
        c->crc = vs_rd_u32(&r);
        c->cut = vs_rd_u8(&r);
        c->red.kind = vs_rd_u8(&r);
        c->red.k = vs_rd_u8(&r);
        c->red.m = vs_rd_u8(&r);
        offset += c->bytes; /* wraps only for what mf_segment_ok() refuses */
        if (vs_id_is_zero(&c->id) && (c->crc | c->red.kind | c->red.k | c->red.m) != 0)
            return -VS_ECORRUPT;
    }
    VS_ASSERT(vs_rd_done(&r) == 0);
    return mf_segment_ok(chunks, count) ? count : -VS_ECORRUPT;
}

int mf_segment_find(const struct mf_chunk *chunks, uint32_t count, uint64_t offset)
{
    uint32_t low = 0, high = count;

    if (count == 0 || offset < chunks[0].offset ||
        offset >= chunks[count - 1].offset + chunks[count - 1].bytes)
        return -ENOENT;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (chunks[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return (int)low;
}
