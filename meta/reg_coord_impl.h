/* What the files of the coordinator share: requests as operations, frames on their way. */
#ifndef VS_META_REG_COORD_IMPL_H
#define VS_META_REG_COORD_IMPL_H

#include "common/rand.h"
#include "meta/reg_coord.h"
#include "meta/reg_fresh.h"
#include <pthread.h>

struct reg_call;

struct reg_op {
    struct px_coord_op coord;
    struct reg_call *call;
    struct meta_reg *reg;
    struct px_op id;
    struct vs_list waiting; /* for its register, or for room */
    bool is_over, is_fresh;
    uint8_t *large; /* PX_VALUE_BYTES_MAX, once a value did not fit */
    uint8_t small[REG_COORD_SMALL_BYTES];
};

struct reg_call {
    struct meta_req *r;
    struct vs_list link; /* oldest first */
    int64_t deadline_ns;
    bool is_expired;
    uint32_t left;
    struct reg_op op[];
};

/* Some asks on their way to one acceptor, or what came back. */
struct reg_frame {
    struct reg_coord *coord;
    struct vs_list link;
    unsigned to;
    bool is_last; /* of those that left together */
    struct vs_buf bytes;
    struct px_link_ask ask;         /* to another replica */
    struct meta_replica_frame mine; /* to the own acceptor */
};

struct reg_coord {
    struct reg_coord_config config;
    struct px_coord coord; /* this and what follows: the thread's */
    struct px_coord_op **memory;
    struct reg_fresh fresh;
    struct px_head head;
    unsigned own;
    uint64_t op_seq;
    struct vs_list calls, waiting;
    unsigned frames[PX_ACCEPTORS_MAX], frame_count; /* on their way */
    struct px_ask ask[REG_SERVE_ASKS_MAX];
    struct vs_rand rand;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct vs_list submitted, returned; /* meta_req.link; reg_frame.link */
    bool is_stopping;
    bool is_configured; /* `next` waits to come into effect */
    struct {
        uint64_t epoch;
        unsigned members;
        uint32_t pid[PX_ACCEPTORS_MAX];
    } next;
};

static inline uint64_t reg_now_us(const struct reg_coord *c)
{
    return (uint64_t)vs_now_ns(c->config.clock) / 1000;
}

/* reg_coord_call.c */
void reg_call_begin(struct reg_coord *c, struct meta_req *r);
/* Operations that may begin now. */
void reg_calls_go_on(struct reg_coord *c);
void reg_op_done(struct reg_coord *c, struct reg_op *op);
/* Requests whose time is up. */
void reg_calls_expire(struct reg_coord *c);

/* reg_coord_frame.c */
void reg_frames_send(struct reg_coord *c, unsigned to, unsigned count);
void reg_frame_returned(struct reg_coord *c, struct reg_frame *f);

#endif
