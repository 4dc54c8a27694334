/* The blocks of `faults` and `scrub`: encode and decode.
 *
 * Happy path: fields in a row into a block with a checksum. Failure modes: whatever does not check
 * is -VS_ECORRUPT, and the caller does without it. */
#include "node/sb_format_state.h"

#include "common/assert.h"
#include "common/err.h"
#include "node/sb_block.h"

#include <string.h>

static const char faults_magic[4] = { 'V', 'S', 'F', 'T' };
static const char scrub_magic[4] = { 'V', 'S', 'S', 'P' };

void sb_fault_list_encode(const struct sb_fault_list *l, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    VS_ASSERT(l->count <= SB_FAULTS_MAX);
    sb_block_begin(&b, block, faults_magic, 0);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_u32(&w, l->count);
    for (uint32_t i = 0; i < l->count; i++) {
        vs_wr_u64(&w, l->v[i].at_ns);
        vs_wr_u32(&w, l->v[i].err);
    }
    VS_ASSERT(w.err == 0);
    sb_block_end(block, 0);
}

int sb_fault_list_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_fault_list *ret)
{
    struct sb_fault_list l = { 0 };
    struct vs_rd r;
    uint16_t own;
    int rc;

    rc = sb_block_open(&r, block, faults_magic, 0, &own);
    if (rc < 0)
        return rc;
    l.count = vs_rd_u32(&r);
    if (l.count > SB_FAULTS_MAX)
        return -VS_ECORRUPT;
    for (uint32_t i = 0; i < l.count; i++) {
        l.v[i].at_ns = vs_rd_u64(&r);
        l.v[i].err = vs_rd_u32(&r);
    }
    if (sb_block_close(&r) < 0 || own != 0)
        return -VS_ECORRUPT;
    *ret = l;
    return 0;
}

void sb_fault_list_add(struct sb_fault_list *l, const struct sb_fault *f)
{
    if (l->count == SB_FAULTS_MAX) {
        memmove(&l->v[0], &l->v[1], (SB_FAULTS_MAX - 1) * sizeof(l->v[0]));
        l->count--;
    }
    l->v[l->count++] = *f;
}

bool sb_fault_list_close(const struct sb_fault_list *l, uint64_t window_ns)
{
    for (uint32_t i = 0; i < l->count; i++) {
        for (uint32_t j = i + 1; j < l->count; j++) {
            uint64_t a = l->v[i].at_ns, b = l->v[j].at_ns;

            if ((a < b ? b - a : a - b) <= window_ns)
                return true;
        }
    }
    return false;
}

void sb_scrub_pos_encode(const struct sb_scrub_pos *p, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    sb_block_begin(&b, block, scrub_magic, 0);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_u64(&w, p->pass);
    vs_wr_u64(&w, p->ended);
    vs_wr_u64(&w, p->began_ns);
    vs_wr_u64(&w, p->ended_ns);
    vs_wr_u64(&w, p->next);
    vs_wr_u64(&w, p->fresh);
    vs_wr_u64(&w, p->fresh_to);
    vs_wr_u64(&w, p->done_bytes);
    vs_wr_u64(&w, p->found);
    VS_ASSERT(w.err == 0);
    sb_block_end(block, 0);
}

int sb_scrub_pos_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_scrub_pos *ret)
{
    struct sb_scrub_pos p;
    struct vs_rd r;
    uint16_t own;
    int rc;

    rc = sb_block_open(&r, block, scrub_magic, 0, &own);
    if (rc < 0)
        return rc;
    p.pass = vs_rd_u64(&r);
    p.ended = vs_rd_u64(&r);
    p.began_ns = vs_rd_u64(&r);
    p.ended_ns = vs_rd_u64(&r);
    p.next = vs_rd_u64(&r);
    p.fresh = vs_rd_u64(&r);
    p.fresh_to = vs_rd_u64(&r);
    p.done_bytes = vs_rd_u64(&r);
    p.found = vs_rd_u64(&r);
    if (sb_block_close(&r) < 0 || own != 0 || p.ended > p.pass || p.next > SB_ID_MAX ||
        p.fresh > SB_ID_MAX || p.fresh_to > SB_ID_MAX)
        return -VS_ECORRUPT;
    *ret = p;
    return 0;
}
