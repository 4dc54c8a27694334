/* periodic: a function called again and again on an executor, with a stop that waits for it.
 *
 * Happy path: a call, a pause, a call: two never run at the same time, and one that takes long
 * puts the next off. Embedded in what it works for; zeroed, it was not started, and its stop does
 * nothing. Starting cannot fail.
 *
 * Threads: start by the owner; the calls on the executor's; stop from any but the call itself, also
 * from several at the same time. No lock of it is held during a call. */
#ifndef VS_COMMON_PERIODIC_H
#define VS_COMMON_PERIODIC_H

#include "common/exec.h"
#include <pthread.h>
#include <stdbool.h>

struct vs_periodic;
typedef void vs_periodic_fn(struct vs_periodic *p);

struct vs_periodic {
    struct vs_exec *exec; /* private, all of it */
    vs_periodic_fn *fn;
    int64_t pause_ns;
    struct vs_job job;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_due, is_stopping; /* under lock; due: the job is with exec, or runs */
};

/* Call `fn(p)` on `exec`, which stays until the stop: first in `first_ns`, then `pause_ns` after
 * each call has returned. */
void vs_periodic_start(struct vs_periodic *p, struct vs_exec *exec, int64_t first_ns,
                       int64_t pause_ns, vs_periodic_fn *fn);

/* When this returns, no call runs, and none begins any more. Forgives zeroed, twice. */
void vs_periodic_stop(struct vs_periodic *p);

#endif
