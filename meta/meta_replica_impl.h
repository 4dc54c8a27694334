/* What the files of a running replica share: its parts, one request on its way.
 *
 * Locks: m->lock guards what the fields below it say; callbacks run without it. */
#ifndef VS_META_META_REPLICA_IMPL_H
#define VS_META_META_REPLICA_IMPL_H

#include "common/exec.h"
#include "meta/feed.h"
#include "meta/journal_member.h"
#include "meta/meta_dir.h"
#include "meta/meta_dumps.h"
#include "meta/meta_move.h"
#include "meta/meta_replica.h"
#include "meta/reg_coord.h"
#include "meta/snap.h"
#include <pthread.h>

struct meta_replica {
    struct meta_client client;
    struct journal_link journal_link;
    struct meta_dir dir;
    struct kv *ns;
    struct px_link *link;
    struct px_count *count;
    const struct vs_clock *clock;
    unsigned patience_ms;
    bool is_alone;
    void (*late)(void *arg);
    void *late_arg;
    struct acceptor_members begun; /* where it stood at the start */
    struct acceptor_writer *writer;
    struct reg_serve *serve;
    struct reg_coord *coord;
    struct snap *snap;              /* NULL: alone; as the next */
    struct meta_move *move;         /* set under lock */
    struct journal_member *journal; /* set under lock */
    struct vs_exec *readers;
    struct meta_dumps dumps;
    struct feed *feed;
    struct feed *entries;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    struct member_set members; /* as they are now */
    unsigned asks;             /* on their way */
    bool is_stopping;
};

/* A request that the journal's leader answers: a change, or a strict read. */
struct replica_ask {
    struct meta_replica *m;
    struct meta_req *r; /* the caller's */
    struct meta_req change;
    struct ns_entry entry;
    struct journal_member_read read;
    struct px_link_ask pass;
    struct vs_buf frame;
    struct vs_job job;
    int64_t deadline_ns;
    unsigned tries;
};

/* meta_replica_ask.c */
void replica_ask(struct meta_replica *m, struct meta_req *r);
/* Whatever a replica answers from what it holds. On a reading thread. */
int replica_read_here(struct meta_replica *m, struct meta_req *r);
/* One more request of ours on its way, or one less: stop waits for them. */
void replica_enter(struct meta_replica *m);
void replica_leave(struct meta_replica *m);

/* meta_replica_move.c: who the members are, as it was stored; changes of that. */
int replica_open_members(struct meta_replica *m, const struct meta_replica_config *c);
int replica_open_move(struct meta_replica *m);
void replica_heard(struct journal_link *l, uint64_t epoch, uint32_t from);
/* How many there are now, and their pids. */
unsigned replica_members(struct meta_replica *m, uint16_t pid[JOURNAL_REPLICAS_MAX]);

/* meta_replica_list.c: META_SCAN_REGISTERS, of a majority */
void replica_list(struct meta_replica *m, struct meta_req *r);

#endif
