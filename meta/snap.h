/* snap: snapshots of the namespace between replicas: gives its own to who asks, and replaces its
 * own by another replica's when the journal says so.
 *
 * Happy path: the leader does not keep any more what this replica lacks, so the journal says
 * install; pieces are asked for one after the other and written to a store beside the one in use
 * (meta/ns_store.h); when the whole dump has checked and is durable it takes the place, and the
 * journal goes on from its slot. Failure: whatever goes wrong (the other dies, its snapshot lapses,
 * a checksum, the disk) it comes to nothing: the namespace in use stays as it is, the journal is
 * told so a moment later, and says again whom to ask.
 *
 * Threads: every call from any, none blocks but quit and free. */
#ifndef VS_META_SNAP_H
#define VS_META_SNAP_H

#include "common/clock.h"
#include "meta/meta_replica.h"
#include "meta/ns_store.h"
#include "meta/px_link.h"
#include "meta/px_msg_snap.h"

#define SNAP_ASKS_MAX       16 /* waiting to be answered; more get -EAGAIN */
#define SNAP_ASK_TIMEOUT_MS 3000
#define SNAP_ASK_TRIES_MAX  5
#define SNAP_AGAIN_NS       (500 * VS_NS_PER_MS) /* before a failure is told */

struct snap;

struct snap_config {
    struct ns_store *store; /* lent until free, like all below */
    const struct vs_clock *clock;
    struct px_link *link;
    struct vs_id cluster;
    uint32_t pid, inc;
    /* What snap_install() came to: the slot of the namespace that is in use now, durably; 0: as
     * before. Once for each, on a thread of its own; not after snap_quit(). */
    void (*installed)(void *arg, uint64_t slot);
    void *arg;
};

/* -ENOMEM, -EAGAIN */
int snap_new(struct snap **ret, const struct snap_config *config);
/* What is being installed comes to nothing, within SNAP_ASK_TIMEOUT_MS; nothing is installed any
 * more, `installed` is not called any more. Forgives NULL. */
void snap_quit(struct snap *s);
/* When nobody calls any more. Whoever waits is answered. Forgives NULL and one that was not quit.
 */
void snap_free(struct snap *s);

/* Replace the namespace by a snapshot of `from`. One at a time: not again before `installed`. */
void snap_install(struct snap *s, uint32_t from);
/* A frame of kind PX_FRAME_SNAP; its `done` runs on a thread of this. */
void snap_receive(struct snap *s, struct meta_replica_frame *f);

/* One transfer, on the calling thread. *ret_slot: what is in use now. -EALREADY: what is here is
 * not older; -ECANCELED: *is_stopping was set; else what went wrong. */
int snap_take(const struct snap_config *config, uint32_t from, const _Atomic int *is_stopping,
              uint64_t *ret_slot);

#endif
