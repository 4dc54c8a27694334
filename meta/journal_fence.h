/* journal_fence: what the journal of epoch e+1 begins with (docs/CHUNKPAXOS.md, "Membership"): of
 * all that the fenced majority F of epoch e has accepted, per slot the record of the highest
 * ballot. What was chosen in e is among it, since two majorities meet.
 *
 * A newcomer starts from it, promised to the highest ballot in it, beside a snapshot that reaches
 * the slot before `first`. A member of e+1 outside F replaces its records by it and keeps its
 * promise.
 *
 * Pure. Threads: the owner's. */
#ifndef VS_META_JOURNAL_FENCE_H
#define VS_META_JOURNAL_FENCE_H

#include "meta/journal.h"

struct journal_base {
    struct journal_slot *slots; /* lent; slot n at n % ring; `ballot` and `entry` count */
    uint32_t ring;              /* as the replicas' */
    uint64_t first;             /* lowest slot */
    uint64_t last;              /* highest slot with a record; 0: none */
    struct px_ballot promised;
};

void journal_base_init(struct journal_base *b, struct journal_slot *slots, uint32_t ring);
void journal_base_close(struct journal_base *b); /* puts all entries; forgives zeroed and twice */

/* A member of F keeps slots from `first` on. To be told before its records. */
void journal_base_head(struct journal_base *b, uint64_t first);
/* One of its records; the entry gets a reference of its own if it is taken.
 * -VS_ECORRUPT: beyond what a replica can hold. */
int journal_base_record(struct journal_base *b, uint64_t slot, const struct px_ballot *ballot,
                        struct journal_entry *entry);

#endif
