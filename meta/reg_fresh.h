/* reg_fresh: was anything proposed for this id before, in this life of its owner?
 *
 * The owner may leave out phase 1 only while it proposes one value per id (docs/CHUNKPAXOS.md,
 * "Proposers"): two values with one ballot would be two answers to one question. So each id gets
 * its round 0 once; whoever comes again, also with the same value, takes the classic path. One bit
 * per id is kept, never forgotten; when there is no room, nothing is fresh any more, which costs a
 * round trip.
 *
 * Threads: none. */
#ifndef VS_META_REG_FRESH_H
#define VS_META_REG_FRESH_H

#include "common/id.h"

#define REG_FRESH_BLOCK_IDS  65536
#define REG_FRESH_BLOCKS_MAX 4096 /* 2.7e8 ids; 32 MiB */

struct reg_fresh_block;

struct reg_fresh {
    uint16_t pid; /* the owner */
    uint32_t inc;
    unsigned blocks_max; /* 0: REG_FRESH_BLOCKS_MAX */
    struct reg_fresh_block *blocks;
};

/* True once for each id of the owner. */
bool reg_fresh_take(struct reg_fresh *f, const struct vs_id *id);
/* Forgives a zeroed struct. */
void reg_fresh_close(struct reg_fresh *f);

#endif
