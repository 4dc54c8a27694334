/* What the files of a replica in a change of membership share.
 *
 * Locks: mv->steps (held through a step: one at a time), then mv->lock. */
#ifndef VS_META_META_MOVE_IMPL_H
#define VS_META_META_MOVE_IMPL_H

#include "common/exec.h"
#include "meta/meta_move.h"
#include "meta/px_msg_move.h"
#include <pthread.h>

struct meta_move {
    struct meta_move_config config;
    struct vs_exec *exec;
    struct vs_job serve, poll, tell, learn;
    pthread_mutex_t steps;

    pthread_mutex_t lock;
    pthread_cond_t stored;
    /* under lock */
    struct acceptor_members now;
    struct vs_list asks; /* meta_replica_frame.link */
    unsigned ask_count;
    bool is_serving, is_polling, is_telling, is_learning; /* their jobs are submitted */
    bool is_left_out; /* it was said that this replica may not vote any more */
    bool is_quit;
    uint32_t learn_from;
};

static inline struct px_head move_head(const struct meta_move *mv, uint64_t epoch)
{
    return (struct px_head){
        .cluster = mv->config.cluster, .epoch = epoch, .pid = mv->config.pid, .inc = mv->config.inc
    };
}

struct acceptor_members move_now(struct meta_move *mv);
/* Leave the epoch for that of `set`. 0: durably, or it was left before for the same. */
int move_leave(struct meta_move *mv, const struct member_set *set);

/* meta_move_serve.c: answers what waits. */
void move_serve_job(struct vs_job *job);

#endif
