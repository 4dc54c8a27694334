/* thread: see the header. */
#include "common/thread.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"

#include <signal.h>
#include <time.h>

int vs_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread starts with its maker's */
    err = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

void vs_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool vs_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    int64_t since_start_ns = until_ns > 0 ? until_ns : 0;
    struct timespec until = { since_start_ns / VS_NS_PER_S, since_start_ns % VS_NS_PER_S };
    int err = until_ns == INT64_MAX ? pthread_cond_wait(cond, lock)
                                    : pthread_cond_timedwait(cond, lock, &until);

    VS_ASSERT(err == 0 || err == ETIMEDOUT);
    return err == 0;
}
