/* reg_fresh: see the header. Ids are given out in ranges, so their bits lie together in blocks,
 * found by number. Failure modes: no memory for a block: its ids are not fresh. */
#include "meta/reg_fresh.h"

#include <stdlib.h>
#include <uthash.h>

struct reg_fresh_block {
    uint64_t number;
    UT_hash_handle hh;
    uint64_t bits[REG_FRESH_BLOCK_IDS / 64];
};

static struct reg_fresh_block *block_of(struct reg_fresh *f, uint64_t number)
{
    unsigned max = f->blocks_max > 0 ? f->blocks_max : REG_FRESH_BLOCKS_MAX;
    struct reg_fresh_block *b;

    HASH_FIND(hh, f->blocks, &number, sizeof(number), b);
    if (b != NULL || HASH_COUNT(f->blocks) >= max)
        return b;
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->number = number;
    HASH_ADD(hh, f->blocks, number, sizeof(b->number), b);
    return b;
}

bool reg_fresh_take(struct reg_fresh *f, const struct vs_id *id)
{
    uint64_t seq = vs_id_seq(id), at = seq % REG_FRESH_BLOCK_IDS, bit = UINT64_C(1) << at % 64;
    struct reg_fresh_block *b;

    if (vs_id_pid(id) != f->pid || vs_id_inc(id) != f->inc)
        return false;
    b = block_of(f, seq / REG_FRESH_BLOCK_IDS);
    if (b == NULL || (b->bits[at / 64] & bit) != 0)
        return false;
    b->bits[at / 64] |= bit;
    return true;
}

void reg_fresh_close(struct reg_fresh *f)
{
    struct reg_fresh_block *b, *next;

    HASH_ITER (hh, f->blocks, b, next) {
        HASH_DEL(f->blocks, b);
        free(b);
    }
}
