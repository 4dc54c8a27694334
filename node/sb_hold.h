/* sb_hold: which records are being sent from their file just now and must not be punched.
 * No lock: the store's. */
#ifndef VS_NODE_SB_HOLD_H
#define VS_NODE_SB_HOLD_H

#include "node/store_hold.h"

#define SB_HOLD_BUCKETS 256u

struct sb_holds {
    struct vs_list buckets[SB_HOLD_BUCKETS]; /* struct store_hold by place */
    unsigned count;
};

void sb_holds_init(struct sb_holds *t);
/* Hold the record at that block of superblock file `sb`. A record may be held many times. */
void sb_holds_add(struct sb_holds *t, struct store_hold *h, uint64_t sb, uint32_t offset_block);
void sb_holds_remove(struct sb_holds *t, struct store_hold *h);
/* Is the record held whose payload begins at `payload_offset`? */
bool sb_holds_cover(const struct sb_holds *t, uint64_t sb, uint64_t payload_offset);

#endif
