/* meta_move: a running replica in a change of membership (docs/CHUNKPAXOS.md, "Membership"): it
 * leaves an epoch when a newcomer fences it, and votes in the next one when that is open.
 *
 * Happy path: FENCE names the configuration that the journal has decided on; the journal accepts
 * nothing more, that this replica has left is made durable, and only then it is said. From then on
 * all members are asked again and again whether the epoch is open; if so, and if this replica is of
 * those that may vote with the records they have (F), it votes. The newcomer is told what the
 * acceptor holds. Failure: a start in the middle goes on where it was; who hears of a newer epoch
 * by other ways leaves its own as well; a member that is not of F is started again, to take what
 * the others have (meta_rejoin); who is no member any more never votes again, and says what to do.
 *
 * Threads: every call from any; `done` of a frame on a thread of this. */
#ifndef VS_META_META_MOVE_H
#define VS_META_META_MOVE_H

#include "common/clock.h"
#include "meta/acceptor_writer.h"
#include "meta/journal_member.h"
#include "meta/meta_replica.h"
#include "meta/px_link.h"
#include "meta/reg_coord.h"
#include "meta/reg_serve.h"

#define META_MOVE_ASKS_MAX 64                   /* waiting; more get -EAGAIN */
#define META_MOVE_POLL_NS  (100 * VS_NS_PER_MS) /* is it open? */
#define META_MOVE_TELL_NS  (VS_NS_PER_S)        /* that it is, until the journal says so */
#define META_MOVE_ASK_MS   1000

struct meta_move;

struct meta_move_config {
    struct acceptor_store *store; /* lent, like all below, until free */
    struct acceptor_writer *writer;
    struct reg_serve *serve;
    struct reg_coord *coord;
    struct journal_member *journal;
    struct kv *ns;
    struct px_link *link;
    const struct vs_clock *clock;
    struct vs_id cluster;
    uint32_t pid, inc;
    struct acceptor_members now; /* where it stands */
    /* It votes in this configuration from now on. On a thread of this. */
    void (*moved)(void *arg, const struct member_set *set);
    /* It is a member of an epoch that was opened without it, and may vote once it has been started
     * again and has taken what the others have (meta_rejoin). Once. */
    void (*late)(void *arg);
    void *arg;
};

/* -ENOMEM, -EAGAIN */
int meta_move_new(struct meta_move **ret, const struct meta_move_config *config);
/* Nothing changes any more; within META_MOVE_ASK_MS. Before the journal is stopped. Forgives NULL.
 */
void meta_move_quit(struct meta_move *mv);
/* Forgives NULL and one that was not quit. */
void meta_move_free(struct meta_move *mv);

bool meta_move_votes(struct meta_move *mv);

/* A frame of kind PX_FRAME_MOVE. */
void meta_move_receive(struct meta_move *mv, struct meta_replica_frame *f);
/* Replica `from` has said that there is a newer epoch. */
void meta_move_heard(struct meta_move *mv, uint64_t epoch, uint32_t from);

#endif
