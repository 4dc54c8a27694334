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
#include "meta/meta_replica.h"
#include "meta/reg_coord.h"
#include "meta/snap.h"
#include <pthread.h>

#define REPLICA_EPOCH 1 /* of the configuration it is made with */

struct meta_replica {
    struct meta_client client;
    struct journal_link journal_link;
    struct meta_dir dir;
    struct kv *ns;
    struct px_link *link;
    const struct vs_clock *clock;
    unsigned members, patience_ms;
    uint16_t pid[JOURNAL_REPLICAS_MAX];
    struct acceptor_writer *writer;
    struct reg_serve *serve;
    struct reg_coord *coord;
    struct snap *snap;              /* NULL: alone */
    struct journal_member *journal; /* set under lock */
    struct vs_exec *readers;
    struct meta_dumps dumps;
    struct feed *feed;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    unsigned asks; /* on their way */
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

/* meta_replica_list.c: META_SCAN_REGISTERS, of a majority */
void replica_list(struct meta_replica *m, struct meta_req *r);

#endif
