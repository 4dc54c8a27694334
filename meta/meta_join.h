/* meta_join: a newcomer that takes a lost replica's place (docs/CHUNKPAXOS.md, "Membership"): from
 * an empty directory to one that meta_replica_open() opens as a member of the next epoch.
 *
 * Happy path: the others say which configuration there is; the journal decides on the next one; the
 * registers of every member that stays are copied, and the namespace of one, while they go on; the
 * members that stay are fenced; what they have beyond the copies is taken, per register and slot of
 * the journal the highest that F has accepted; with that durable, the epoch is open. Failure:
 * before it is open nothing here counts: whatever goes wrong, and after a crash, everything is
 * begun anew. The same call on a directory that is a member already does nothing. An id that was a
 * member before, and has lost its disk, is refused for ever: it has promised what it does not know.
 *
 * Threads: one; it blocks, and waits for replicas that do not answer until it is told to stop. */
#ifndef VS_META_META_JOIN_H
#define VS_META_META_JOIN_H

#include "common/clock.h"
#include "common/id.h"
#include "common/member_set.h"
#include "meta/px_link.h"

#define META_JOIN_ASK_MS    3000
#define META_JOIN_AGAIN_NS  (300 * VS_NS_PER_MS) /* before it is begun anew */
#define META_JOIN_FENCE_MS  5000                 /* for all that stay; then a majority will do */
#define META_JOIN_KNOWN_MS  10000                /* for all to apply the journal's decision */
#define META_JOIN_PAGES_MAX (1u << 24)

struct meta_join_config {
    const char *dir; /* made if it is not there; lent, like all below */
    struct vs_id cluster;
    uint16_t pid, lost;
    const char *url; /* where the others reach this one; may be empty if their link knows */
    struct member peer[MEMBER_SET_MAX]; /* the others, as far as known; with their addresses */
    unsigned peer_count;
    struct px_link *link;
    const struct vs_clock *clock;
    const _Atomic int *is_stopping;
    unsigned fence_ms, known_ms;               /* for tests; 0: META_JOIN_FENCE_MS, ..KNOWN_MS */
    uint64_t *rest;                            /* for tests: registers taken behind the fence */
    void (*step)(void *arg, const char *what); /* for tests; may be NULL */
    void *arg;
};

/* 0: it is a member. -ECANCELED: told to stop; -EEXIST: there is other metadata in dir;
 * -VS_EFORGOT: this id was a member before; -ENOENT: `lost` is no member; -EINVAL: such a
 * configuration may not follow; else what the disk says. */
int meta_join(const struct meta_join_config *config);

#endif
