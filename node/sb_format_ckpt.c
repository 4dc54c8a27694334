/* Checkpoint files: encode and decode.
 *
 * Happy path: a header block says how many files and dead ranges follow, the end of the file how
 * many entries; each has a fixed size, so that the length of the whole file follows. Failure modes:
 * counts beyond the limits are refused before anybody allocates by them. */
#include "node/sb_format.h"

#include "common/assert.h"
#include "common/err.h"
#include "node/sb_block.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CRC_BYTES 4

static const char ckpt_magic[4] = { 'V', 'S', 'C', 'K' };

void sb_ckpt_name(uint64_t number, char name[SB_CKPT_NAME_BYTES])
{
    snprintf(name, SB_CKPT_NAME_BYTES, "idx-%016" PRIx64 ".ckpt", number);
}

uint64_t sb_ckpt_name_parse(const char *name)
{
    return sb_name_number(name, "idx-", ".ckpt");
}

uint64_t sb_ckpt_body_bytes(const struct sb_ckpt_head *h, uint64_t entry_count)
{
    return SB_BLOCK_BYTES + (uint64_t)h->file_count * SB_CKPT_FILE_BYTES +
           (uint64_t)h->dead_count * SB_CKPT_DEAD_BYTES + entry_count * SB_CKPT_ENTRY_BYTES;
}

uint64_t sb_ckpt_total_bytes(const struct sb_ckpt_head *h, uint64_t entry_count)
{
    uint64_t body = sb_ckpt_body_bytes(h, entry_count);
    uint64_t units = (body + SB_CKPT_CRC_UNIT_BYTES - 1) / SB_CKPT_CRC_UNIT_BYTES;

    return body + units * CRC_BYTES + SB_CKPT_TAIL_BYTES;
}

void sb_ckpt_encode_head(const struct sb_ckpt_head *h, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    VS_ASSERT(h->file_count <= SB_CKPT_FILES_MAX && h->dead_count <= SB_CKPT_DEAD_MAX);
    sb_block_begin(&b, block, ckpt_magic, h->flags);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_u32(&w, h->file_count);
    vs_wr_u64(&w, h->number);
    vs_wr_bytes(&w, h->cluster.b, VS_ID_BYTES);
    vs_wr_bytes(&w, h->node.b, VS_ID_BYTES);
    vs_wr_u64(&w, h->created_ns);
    vs_wr_u64(&w, h->synced_seq);
    vs_wr_u64(&w, h->run_seq);
    vs_wr_u64(&w, h->next_seq);
    vs_wr_u64(&w, h->next_sb);
    vs_wr_u32(&w, h->dead_count);
    VS_ASSERT(w.err == 0);
    sb_block_end(block, 0);
}

int sb_ckpt_decode_head(const uint8_t block[SB_BLOCK_BYTES], struct sb_ckpt_head *ret)
{
    struct sb_ckpt_head h;
    struct vs_rd r;
    int rc;

    rc = sb_block_open(&r, block, ckpt_magic, 0, &h.flags);
    if (rc < 0)
        return rc;
    h.file_count = vs_rd_u32(&r);
    h.number = vs_rd_u64(&r);
    vs_rd_bytes(&r, h.cluster.b, VS_ID_BYTES);
    vs_rd_bytes(&r, h.node.b, VS_ID_BYTES);
    h.created_ns = vs_rd_u64(&r);
    h.synced_seq = vs_rd_u64(&r);
    h.run_seq = vs_rd_u64(&r);
    h.next_seq = vs_rd_u64(&r);
    h.next_sb = vs_rd_u64(&r);
    h.dead_count = vs_rd_u32(&r);
    if (sb_block_close(&r) < 0 || (h.flags & ~SB_CKPT_CLEAN) != 0 ||
        h.file_count > SB_CKPT_FILES_MAX || h.dead_count > SB_CKPT_DEAD_MAX || h.next_sb == 0 ||
        h.next_seq == 0 || h.next_seq > 2 * SB_SEQ_MAX)
        return -VS_ECORRUPT;
    *ret = h;
    return 0;
}

void sb_ckpt_put_file(struct vs_wr *w, const struct sb_ckpt_file *f)
{
    vs_wr_u64(w, f->sb);
    vs_wr_u64(w, f->salt);
    vs_wr_u64(w, f->scanned_to);
    vs_wr_u64(w, f->run_seq);
    vs_wr_u64(w, f->prev_sb);
    vs_wr_u64(w, f->prev_seq);
    vs_wr_u64(w, f->last_seq);
    vs_wr_u32(w, f->state);
    vs_wr_u32(w, f->records);
}

int sb_ckpt_get_file(struct vs_rd *r, struct sb_ckpt_file *ret)
{
    struct sb_ckpt_file f;

    f.sb = vs_rd_u64(r);
    f.salt = vs_rd_u64(r);
    f.scanned_to = vs_rd_u64(r);
    f.run_seq = vs_rd_u64(r);
    f.prev_sb = vs_rd_u64(r);
    f.prev_seq = vs_rd_u64(r);
    f.last_seq = vs_rd_u64(r);
    f.state = vs_rd_u32(r);
    f.records = vs_rd_u32(r);
    if (r->err < 0 || f.sb == 0 || f.sb > SB_ID_MAX || f.scanned_to % SB_BLOCK_BYTES != 0 ||
        f.scanned_to / SB_BLOCK_BYTES > UINT32_MAX || f.state < SB_STATE_OPEN ||
        f.state > SB_STATE_DOOMED)
        return -VS_ECORRUPT;
    *ret = f;
    return 0;
}

void sb_ckpt_put_entry(struct vs_wr *w, const struct sb_ckpt_entry *e)
{
    vs_wr_bytes(w, e->key.chunk.b, VS_ID_BYTES);
    vs_wr_u32(w, e->key.generation);
    vs_wr_u8(w, e->key.fragment);
    vs_wr_u8(w, e->flags);
    vs_wr_u16(w, 0);
    vs_wr_u32(w, (uint32_t)e->sb);
    vs_wr_u32(w, e->offset_block);
    vs_wr_u32(w, e->payload_bytes);
    vs_wr_u32(w, 0);
    vs_wr_u64(w, e->birth);
}

int sb_ckpt_get_entry(struct vs_rd *r, struct sb_ckpt_entry *ret)
{
    struct sb_ckpt_entry e;
    uint32_t zero;

    vs_rd_bytes(r, e.key.chunk.b, VS_ID_BYTES);
    e.key.generation = vs_rd_u32(r);
    e.key.fragment = vs_rd_u8(r);
    e.flags = vs_rd_u8(r);
    zero = vs_rd_u16(r);
    e.sb = vs_rd_u32(r);
    e.offset_block = vs_rd_u32(r);
    e.payload_bytes = vs_rd_u32(r);
    zero |= vs_rd_u32(r);
    e.birth = vs_rd_u64(r);
    if (r->err < 0 || zero != 0 || (e.flags & ~SB_ENTRY_BAD) != 0 || e.sb == 0 ||
        e.key.generation == 0 || e.payload_bytes > FRAG_BYTES_MAX || e.birth > SB_SEQ_MAX ||
        (uint64_t)e.offset_block * SB_BLOCK_BYTES < SB_RECORDS_OFFSET)
        return -VS_ECORRUPT;
    *ret = e;
    return 0;
}

void sb_ckpt_put_dead(struct vs_wr *w, const struct sb_ckpt_dead *d)
{
    vs_wr_u64(w, d->sb);
    vs_wr_u64(w, d->offset);
    vs_wr_u64(w, d->bytes);
}

int sb_ckpt_get_dead(struct vs_rd *r, struct sb_ckpt_dead *ret)
{
    struct sb_ckpt_dead d;

    d.sb = vs_rd_u64(r);
    d.offset = vs_rd_u64(r);
    d.bytes = vs_rd_u64(r);
    if (r->err < 0 || d.sb == 0 || d.sb > SB_ID_MAX || d.offset % SB_BLOCK_BYTES != 0 ||
        d.bytes % SB_BLOCK_BYTES != 0 || d.offset / SB_BLOCK_BYTES > UINT32_MAX ||
        d.bytes > FRAG_BYTES_MAX)
        return -VS_ECORRUPT;
    *ret = d;
    return 0;
}
