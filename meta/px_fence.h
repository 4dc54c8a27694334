/* px_fence: who may vote: a replica that starts, and a change of membership from epoch e to e+1
 * with at least one newcomer (docs/CHUNKPAXOS.md, "Membership").
 *
 * The newcomer copies in the background from each acceptor of e by itself, and notes per acceptor
 * up to which batch it has everything (the mark). Then it fences: a majority F of e stores e+1
 * durably and answers nothing in e any more. From every member of F it takes what lies above that
 * member's mark. Per register the highest accepted record of F is what e+1 begins with. Then e+1
 * opens. A member of e+1 outside F, further newcomers too, replaces its accepted records by those
 * before it votes.
 *
 * Pure. Acceptors of e are numbered as in its configuration; masks have bit i for acceptor i. */
#ifndef VS_META_PX_FENCE_H
#define VS_META_PX_FENCE_H

#include "meta/px_acceptor.h"

/* May a replica that starts vote? identity: acceptor/ says who it is. recorded: synced batches it
 * is known to have had; found: how many it has. */
bool px_may_vote(bool identity, uint64_t recorded, uint64_t found);

/* May n_next acceptors follow n? Members of F keep their own records, so any majority of e+1 that
 * they make up alone must meet every majority of e: not when their number shrinks. */
bool px_fence_sizes(unsigned n, unsigned n_next);

/* The newcomer's progress; lost with the process, which then begins again. */
struct px_fence {
    unsigned acceptors; /* of e */
    uint32_t copied;    /* whose records up to mark[] are here */
    uint32_t marked;    /* who has a mark */
    uint64_t mark[PX_ACCEPTORS_MAX];
    uint32_t fenced;  /* who has left e for good, with whole records */
    uint32_t members; /* F; 0: not decided yet */
    uint32_t taken;   /* of F: who has given all */
};

void px_fence_begin(struct px_fence *f, unsigned acceptors);

/* Does the background copy want records from this acceptor? */
bool px_fence_wants_copy(const struct px_fence *f, unsigned from);
/* Its answer: batches up to `mark`, durable there. */
void px_fence_copied(struct px_fence *f, unsigned from, bool records, uint64_t mark);

/* It has stored e+1 durably. whole: it voted in e until then; else its records are not of e. */
void px_fence_fenced(struct px_fence *f, unsigned from, bool whole);
/* Decide F if a majority is fenced: true when F is decided. The caller may wait for more: best is F
 * = all that stay, which leaves nobody to catch up. */
bool px_fence_close(struct px_fence *f);

/* Is anything still wanted of this acceptor? *ret_above: only what changed after that batch. */
bool px_fence_wants_rest(const struct px_fence *f, unsigned from, uint64_t *ret_above);
void px_fence_taken(struct px_fence *f, unsigned from);
/* Everything of F is here: e+1 opens once what px_fence_merge() made of it is durable. */
bool px_fence_may_open(const struct px_fence *f);

/* Does a record of this acceptor count for what e+1 begins with? */
bool px_fence_counts(const struct px_fence *f, unsigned from);
/* `start`: what e+1 begins with, so far (zeroed: absent). The higher accepted record stays;
 * promised is its ballot. Values are lent on. */
void px_fence_merge(struct px_reg *start, const struct px_reg *theirs);

/* The record of a member that was not in F: its promises stay, its accepted record becomes `start`
 * (absent: nothing is accepted). */
void px_fence_adopt(struct px_reg *own, const struct px_reg *start);

#endif
