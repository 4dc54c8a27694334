/* journal_rig: the journal of one replica alone, on stores in memory, for tests: an acceptor, a
 * namespace that can be told to fail, and calls that wait for their answer. */
#ifndef VS_TESTS_JOURNAL_RIG_H
#define VS_TESTS_JOURNAL_RIG_H

#include "meta/journal_member.h"
#include <pthread.h>
#include <stdatomic.h>

/* A namespace store that counts flushes and can be told to fail. */
struct spy_kv {
    struct kv kv;
    struct kv *below;
    atomic_uint flushes;
    atomic_bool fail_writes;
};

struct journal_rig {
    struct kv *acceptor;
    struct spy_kv ns;
    struct acceptor_store *store;
    struct acceptor_writer *writer;
    struct journal_member *journal;
    struct journal_link link;
    uint32_t ring, kept; /* for the next open; 0: as always */
};

/* A new cluster, opened. */
struct journal_rig *journal_rig_new(void);
void journal_rig_free(struct journal_rig *f);
/* What a start and a clean stop do. */
void journal_rig_open(struct journal_rig *f);
/* The same, which need not succeed: then it is closed. */
int journal_rig_try(struct journal_rig *f);
void journal_rig_close(struct journal_rig *f);

/* Counts answers: `left` requests have it as their waiter. */
struct journal_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned left; /* under lock */
};

#define JOURNAL_WAITER(count)                                                                      \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, count                                 \
    }

void journal_waiter_done(struct meta_req *r);
void journal_waiter_wait(struct journal_waiter *w);

/* Submit and wait; the status. */
int journal_rig_run(struct journal_rig *f, struct meta_req *r);
/* The first of `count` fresh inode numbers: a change whose answer depends on all before it. */
uint64_t journal_rig_reserve(struct journal_rig *f, uint64_t count);
/* Highest slot that is durable. */
uint64_t journal_rig_last_slot(struct journal_rig *f);

/* A copy in memory of all that a store holds. */
struct kv *kv_copy(struct kv *from);
void kv_expect_same(struct kv *a, struct kv *b);

#endif
