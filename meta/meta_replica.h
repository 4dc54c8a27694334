/* meta_replica: one of the metadata replicas of a cluster, as it runs: its acceptor, its journal,
 * its namespace, its coordinator of registers, behind a meta_client. meta_local is the same with
 * one member and no link.
 *
 * Happy path: a change goes to the journal if this replica leads, else to the leader as a question
 * that may not be passed on again; a strict read likewise, and is served from what is applied once
 * a majority has confirmed the leader; registers are proposed here, whoever leads, by frames to all
 * acceptors. Failure: no leader, or no majority, in META_REPLICA_PATIENCE_MS: -VS_EDOWN, never an
 * empty answer. What may be answered by this replica alone (a hint, the change feed) always is.
 *
 * Threads: any. */
#ifndef VS_META_META_REPLICA_H
#define VS_META_META_REPLICA_H

#include "common/clock.h"
#include "common/member_set.h"
#include "meta/journal.h"
#include "meta/meta_client.h"
#include "meta/px_link.h"

#define META_REPLICA_PATIENCE_MS 5000

struct meta_replica;
struct px_count;

struct meta_replica_config {
    const char *dir; /* holds acceptor/ and namespace/ */
    bool create;     /* make it: dir must hold neither; all members are made with the same cluster,
                        born, root_uid, root_gid */
    struct vs_id cluster;
    int64_t born_ns; /* create: the time of its first entry, since 1970 */
    uint32_t root_uid, root_gid;
    uint16_t pid;          /* of this replica; also checked when it is opened; 0: whoever it is,
                              with one member that is not made */
    unsigned member_count; /* 1, 3 or 5; with itself */
    uint16_t members[JOURNAL_REPLICAS_MAX];
    unsigned read_threads; /* 0: 2 */
    unsigned patience_ms;  /* 0: META_REPLICA_PATIENCE_MS */
    bool in_memory;        /* tests */
    uint32_t ring, kept;   /* tests: of journal_member_config */
    const struct vs_clock *clock;
    struct px_link *link;   /* lent until stop; may be NULL with one member */
    struct px_count *count; /* likewise; of reg_coord_config */
    /* It does not vote until meta_rejoin() was called on its directory, so it had better be stopped
     * and opened again. Once, on a thread of this; NULL: nobody wants to know. */
    void (*late)(void *arg);
    void *arg;
};

/* Errors as meta_local_open(); -EINVAL: the members are not 1, 3 or 5 different ones with pid;
 * -ESTALE: there is metadata of another cluster or replica; -EDOM: its cluster has another number
 * of members. Which members there are, the first open makes durable; those of later ones are
 * nothing but a count. */
int meta_replica_open(struct meta_replica **ret, const struct meta_replica_config *config);
/* A polite end has begun: leads no more, so that the others find a leader meanwhile; a request that
 * needs one is -VS_EDOWN at once: it is better asked elsewhere. */
void meta_replica_resign(struct meta_replica *m);
/* Whoever waits is answered. Forgives NULL. */
void meta_replica_stop(struct meta_replica *m);

/* Borrowed; meta_client_stop() does nothing to it. */
struct meta_client *meta_replica_client(struct meta_replica *m);

/* A frame of another replica. */
struct meta_replica_frame {
    uint32_t from; /* proven by the link */
    const void *bytes;
    size_t len; /* lent until done */
    void (*done)(struct meta_replica_frame *f);
    int status;           /* out: 0; -VS_ECORRUPT, -VS_ENEWER, -EAGAIN, -ENOMEM; -ESTALE: of
                             another cluster or a former life */
    struct vs_buf answer; /* out: frames; empty for the journal's; the receiver closes it */
    struct vs_list link;  /* private */
    void *state;
};

/* `done` runs exactly once, maybe inside the call. Nothing is received before open has returned,
 * nothing once stop has begun. */
void meta_replica_receive(struct meta_replica *m, struct meta_replica_frame *f);

struct meta_replica_state {
    uint32_t leader; /* pid; 0: not known */
    bool leading;
    bool voting; /* in `epoch`; else it has left the one before, and waits for this one to open */
    uint64_t epoch, applied_slot, commit_slot;
};
/* The members as this replica knows them; addresses as they were when each joined, "" of those that
 * were there from the beginning. False: it does not vote among them now. */
bool meta_replica_members(struct meta_replica *m, struct member_set *ret);

void meta_replica_state(struct meta_replica *m, struct meta_replica_state *ret);

#endif
