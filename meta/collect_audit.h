/* collect_audit: asks about every fragment of one store, and removes those that nothing refers to.
 *
 * First all are looked at and the doomed are noted; should they be too many (the brake), none is
 * removed. Then the doomed are asked about once more, page by page, and go. Rules of what may go:
 * meta/collect.h; docs/CHUNKPAXOS.md section 8.
 *
 * Threads: one at a time; each step blocks. */
#ifndef VS_META_COLLECT_AUDIT_H
#define VS_META_COLLECT_AUDIT_H

#include "meta/collect_step.h"

#define AUDIT_BRAKE_FRAGMENTS 1000 /* more than these, and */
#define AUDIT_BRAKE_PERCENT   1    /* more than this share of a store: nothing is removed */

struct collect_audit {
    uint32_t node;
    char name[64];
    struct chunk_store *store; /* lent */
    struct frag_key after;     /* looked at so far */
    uint64_t seen, removed;
    struct frag_key *doomed; /* owned */
    uint32_t doomed_count, doomed_max, doomed_at;
    bool is_removing;
    bool
        is_forced; /* a person has said so: however many they are, and whoever gave out their ids */
    bool is_look;  /* only count them */
    bool is_many;  /* out: at the brake */
};

/* Begin with entry `i` of the set; is_look may be set after it. -VS_EDOWN it has no store; -ENOMEM.
 */
int collect_audit_begin(struct collect_audit *a, const struct collect_env *env, unsigned i,
                        bool is_forced);

/* One page: 1 there is more, 0 the end, or a negative code. */
int collect_audit_step(struct collect_audit *a, const struct collect_env *env);

void collect_audit_close(struct collect_audit *a); /* forgives zeroed and closed */

#endif
