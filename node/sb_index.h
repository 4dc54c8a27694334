/* sb_index: key -> place of every fragment of a store, in key order.
 *
 * A sorted array cut into leaves of up to 128 entries, with one array of the leaves' first keys
 * over them: two binary searches per look-up, pages of keys in order for free (listing,
 * checkpoints). Leaves share with their neighbours before they split, and join them when they
 * empty (B*-tree, Knuth, TAOCP 3, 6.2.4): 41 bytes per fragment when keys ascend, as chunk ids
 * mostly do, in one stream or in many; below 60 when they come and go at random.
 *
 * Pure; allocates leaves. No lock: the owner serialises calls. Pointers to entries are good until
 * the next insert or remove. */
#ifndef VS_NODE_SB_INDEX_H
#define VS_NODE_SB_INDEX_H

#include "node/frag.h"

#define SB_INDEX_ENTRIES_MAX (UINT32_C(1) << 30)

enum sb_entry_flag {
    SB_BAD = 1,  /* known to be damaged: served (the reader checks), replaced by the next put */
    SB_LIVE = 2, /* durable and visible; without it the place is not to be used */
    SB_BUSY = 4, /* a put or a delete of it is in flight */
    SB_DEAD = 8, /* during recovery: killed by a TOMB of that birth */
};

/* 40 bytes; the halves of `birth` keep the alignment at 4. */
struct sb_entry {
    struct vs_id chunk;
    uint32_t generation;
    uint32_t sb;            /* superblock file */
    uint32_t offset_block;  /* of the record in it, in 4 KiB blocks */
    uint32_t payload_bytes; /* without padding */
    uint32_t birth_low;
    uint16_t birth_high; /* numbers are at most SB_SEQ_MAX, 48 bits */
    uint8_t fragment;
    uint8_t flags; /* enum sb_entry_flag */
};
_Static_assert(sizeof(struct sb_entry) == 40, "memory per fragment");

static inline uint64_t sb_entry_birth(const struct sb_entry *e)
{
    return (uint64_t)e->birth_high << 32 | e->birth_low;
}

static inline void sb_entry_set_birth(struct sb_entry *e, uint64_t birth)
{
    e->birth_low = (uint32_t)birth;
    e->birth_high = (uint16_t)(birth >> 32);
}

static inline struct frag_key sb_entry_key(const struct sb_entry *e)
{
    return (struct frag_key){ e->chunk, e->fragment, e->generation };
}

struct sb_leaf;
struct sb_index_slot;

struct sb_index {
    uint32_t count;              /* entries */
    struct sb_index_slot *slots; /* private: leaves in key order */
    uint32_t slots_count, slots_cap;
};

/* Make it empty: a zeroed struct is an empty index. Forgives closed ones. */
void sb_index_close(struct sb_index *x);

/* The entry, or NULL. */
struct sb_entry *sb_index_find(const struct sb_index *x, const struct frag_key *key);

/* Add an entry with this key and everything else zero. -EEXIST, -ENOMEM, -ENOSPC at the limit. */
int sb_index_insert(struct sb_index *x, const struct frag_key *key, struct sb_entry **ret);

/* Take the entry out; false when it was not there. */
bool sb_index_remove(struct sb_index *x, const struct frag_key *key);

/* The first entry behind `key` (NULL: the first of all), or NULL. */
struct sb_entry *sb_index_after(const struct sb_index *x, const struct frag_key *key);

/* Up to `max` entries behind `key` (NULL: from the first), copied; the number of them. */
uint32_t sb_index_page(const struct sb_index *x, const struct frag_key *key, struct sb_entry *dst,
                       uint32_t max);

/* Memory in use, in bytes. */
uint64_t sb_index_bytes(const struct sb_index *x);

#endif
