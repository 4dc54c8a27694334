/* Payloads of TOMB and SEAL records: encode and decode.
 *
 * Happy path: a TOMB is a row of entries; a SEAL is a head, a row of entries, zeros up to a whole
 * block, and a trailer by which it is found from the end of its file.
 * Failure modes: payloads are checked against their record's checksums before they come here;
 * lengths and numbers are checked once more all the same. */
#include "node/sb_format.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_block.h"

#include <string.h>

#define TOMB_BYTES_MAX     (SB_TOMB_ENTRIES_MAX * SB_TOMB_ENTRY_BYTES)
#define SEAL_HEAD_BYTES    16
#define SEAL_TRAILER_BYTES 24
#define SEAL_BYTES_MAX     sb_seal_bytes(SB_SEAL_ENTRIES_MAX)

_Static_assert(SEAL_HEAD_BYTES + SB_SEAL_ENTRIES_MAX * SB_SEAL_ENTRY_BYTES + 2 * SB_BLOCK_BYTES <
                   FRAG_BYTES_MAX,
               "the largest SEAL is a record like any other");

static const char trailer_magic[4] = { 'V', 'S', 'S', 'E' };

static void put_key(struct vs_wr *w, const struct frag_key *key, uint8_t own)
{
    vs_wr_bytes(w, key->chunk.b, VS_ID_BYTES);
    vs_wr_u32(w, key->generation);
    vs_wr_u8(w, key->fragment);
    vs_wr_u8(w, own);
    vs_wr_u16(w, 0);
}

static void get_key(struct vs_rd *r, struct frag_key *key, uint8_t *ret_own)
{
    vs_rd_bytes(r, key->chunk.b, VS_ID_BYTES);
    key->generation = vs_rd_u32(r);
    key->fragment = vs_rd_u8(r);
    *ret_own = vs_rd_u8(r);
    if (vs_rd_u16(r) != 0)
        r->err = -VS_ECORRUPT;
}

static bool place_ok(uint64_t sb, uint64_t offset)
{
    return sb >= 1 && sb <= SB_ID_MAX && offset % SB_BLOCK_BYTES == 0 &&
           offset >= SB_RECORDS_OFFSET && offset / SB_BLOCK_BYTES <= UINT32_MAX;
}

/* ---- TOMB -------------------------------------------------------------------------------------
 */

int sb_tomb_append(struct vs_buf *payload, const struct sb_tomb *t)
{
    struct vs_wr w = vs_wr_init(payload, TOMB_BYTES_MAX);

    put_key(&w, &t->key, 0);
    vs_wr_u64(&w, t->sb);
    vs_wr_u64(&w, t->offset);
    vs_wr_u64(&w, t->birth);
    return w.err;
}

int sb_tomb_count(size_t payload_bytes)
{
    if (payload_bytes % SB_TOMB_ENTRY_BYTES != 0 || payload_bytes > TOMB_BYTES_MAX)
        return -VS_ECORRUPT;
    return (int)(payload_bytes / SB_TOMB_ENTRY_BYTES);
}

int sb_tomb_decode(const uint8_t *payload, unsigned i, struct sb_tomb *ret)
{
    struct vs_rd r = vs_rd_init(payload + (size_t)i * SB_TOMB_ENTRY_BYTES, SB_TOMB_ENTRY_BYTES);
    struct sb_tomb t;
    uint8_t own;

    get_key(&r, &t.key, &own);
    t.sb = vs_rd_u64(&r);
    t.offset = vs_rd_u64(&r);
    t.birth = vs_rd_u64(&r);
    if (vs_rd_done(&r) < 0 || own != 0 || !place_ok(t.sb, t.offset) || t.birth > SB_SEQ_MAX)
        return -VS_ECORRUPT;
    *ret = t;
    return 0;
}

/* ---- SEAL -------------------------------------------------------------------------------------
 */

int sb_seal_begin(struct vs_buf *payload, const struct sb_seal_head *head)
{
    struct vs_wr w = vs_wr_init(payload, SEAL_BYTES_MAX);

    VS_ASSERT(payload->len == 0);
    vs_wr_u32(&w, head->count);
    vs_wr_u32(&w, 0);
    vs_wr_u64(&w, head->data_bytes);
    return w.err;
}

int sb_seal_append(struct vs_buf *payload, const struct sb_seal_entry *e)
{
    struct vs_wr w = vs_wr_init(payload, SEAL_BYTES_MAX);

    put_key(&w, &e->key, e->type);
    vs_wr_u32(&w, e->offset_block);
    vs_wr_u32(&w, e->payload_bytes);
    vs_wr_u32(&w, e->hdr_crc);
    vs_wr_u32(&w, 0);
    vs_wr_u64(&w, e->seq);
    vs_wr_u64(&w, e->birth);
    return w.err;
}

int sb_seal_end(struct vs_buf *payload, uint64_t seal_offset)
{
    static const uint8_t zeros[SB_BLOCK_BYTES];
    struct vs_wr w = vs_wr_init(payload, SEAL_BYTES_MAX);
    size_t begin;

    vs_wr_bytes(&w, zeros,
                (SB_BLOCK_BYTES - (payload->len + SEAL_TRAILER_BYTES) % SB_BLOCK_BYTES) %
                    SB_BLOCK_BYTES);
    begin = payload->len;
    vs_wr_bytes(&w, trailer_magic, sizeof(trailer_magic));
    vs_wr_u16(&w, SB_FORMAT_VERSION);
    vs_wr_u16(&w, 0);
    vs_wr_u64(&w, seal_offset);
    vs_wr_u32(&w, 0);
    if (w.err == 0)
        vs_wr_u32(&w, vs_crc32c(0, payload->data + begin, SEAL_TRAILER_BYTES - 4));
    return w.err;
}

int sb_seal_decode_head(const uint8_t *payload, size_t bytes, struct sb_seal_head *ret)
{
    struct vs_rd r = vs_rd_init(payload, bytes);
    struct sb_seal_head h;
    uint32_t zero;

    h.count = vs_rd_u32(&r);
    zero = vs_rd_u32(&r);
    h.data_bytes = vs_rd_u64(&r);
    if (r.err < 0 || zero != 0 || h.count > SB_SEAL_ENTRIES_MAX || bytes != sb_seal_bytes(h.count))
        return -VS_ECORRUPT;
    *ret = h;
    return 0;
}

int sb_seal_decode(const uint8_t *payload, uint32_t i, struct sb_seal_entry *ret)
{
    struct vs_rd r = vs_rd_init(payload + SEAL_HEAD_BYTES + (size_t)i * SB_SEAL_ENTRY_BYTES,
                                SB_SEAL_ENTRY_BYTES);
    struct sb_seal_entry e;
    uint32_t zero;

    get_key(&r, &e.key, &e.type);
    e.offset_block = vs_rd_u32(&r);
    e.payload_bytes = vs_rd_u32(&r);
    e.hdr_crc = vs_rd_u32(&r);
    zero = vs_rd_u32(&r);
    e.seq = vs_rd_u64(&r);
    e.birth = vs_rd_u64(&r);
    if (vs_rd_done(&r) < 0 || zero != 0 || (e.type != SB_DATA && e.type != SB_TOMB) ||
        e.payload_bytes > FRAG_BYTES_MAX || e.seq > SB_SEQ_MAX || e.birth > SB_SEQ_MAX ||
        !place_ok(1, (uint64_t)e.offset_block * SB_BLOCK_BYTES))
        return -VS_ECORRUPT;
    *ret = e;
    return 0;
}

int sb_seal_trailer(const uint8_t last_block[SB_BLOCK_BYTES], uint64_t *ret_offset)
{
    const uint8_t *trailer = last_block + SB_BLOCK_BYTES - SEAL_TRAILER_BYTES;
    struct vs_rd r = vs_rd_init(trailer + 6, SEAL_TRAILER_BYTES - 6);
    uint16_t zero;
    uint64_t offset;

    if (memcmp(trailer, trailer_magic, sizeof(trailer_magic)) != 0)
        return -VS_ECORRUPT;
    zero = vs_rd_u16(&r);
    offset = vs_rd_u64(&r);
    if (zero != 0 || vs_rd_u32(&r) != 0 ||
        vs_rd_u32(&r) != vs_crc32c(0, trailer, SEAL_TRAILER_BYTES - 4) || !place_ok(1, offset))
        return -VS_ECORRUPT;
    *ret_offset = offset;
    return 0;
}
