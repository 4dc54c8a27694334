/* waiter: one event, waited for by one thread: turns an asynchronous call into a blocking one, for
 * threads that may wait (ops, workers, commands; never one that completions run on).
 *
 * Lives on the waiter's stack: waiter_wake() does not touch it any more once the waiter runs. */
#ifndef VS_FS_WAITER_H
#define VS_FS_WAITER_H

#include "common/cleanup.h"
#include <stdbool.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

#define WAITER_INIT                                                                                \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }

static inline void waiter_wake(struct waiter *w)
{
    VS_LOCK_SCOPE(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond); /* under the lock: the waiter's stack lives until we let go */
}

static inline void waiter_wait(struct waiter *w)
{
    VS_LOCK_SCOPE(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->cond, &w->lock);
    w->done = false;
}

#endif
