/* Executor with threads.
 *
 * Happy path: threads sleep on one condition variable; a submit wakes one of them. Of the sleeping
 * threads at most one, the timekeeper, sleeps with a deadline (the earliest timer), so that a timer
 * wakes one thread and not all. A thread that leaves its sleep with a job wakes another one if
 * there is more to do or to watch; so one thread on its way out of sleep is enough, and a burst of
 * submits wakes one. It is woken when the lock is free: else it would run into it and sleep again,
 * which costs more than most jobs.
 * Failure modes: only the start can fail, and then nothing is left behind. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/exec_impl.h"
#include "common/thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREAD_NAME_BYTES 16 /* pthread_setname_np(3), NUL included */

struct threads_exec {
    struct vs_exec exec;
    pthread_mutex_t lock; /* not held while a job runs */
    pthread_cond_t wake;  /* CLOCK_MONOTONIC */
    /* under lock */
    struct vs_exec_queue queue;
    unsigned idle;   /* threads asleep */
    bool waking;     /* one of them was told to wake, and has not yet */
    bool timekeeper; /* one of them watches the earliest timer */
    bool stopping;
    /* free of it */
    atomic_uint wakers; /* inside threads_wake(): the condition must stay */
    /* fixed once started */
    char name[THREAD_NAME_BYTES];
    unsigned thread_count;
    pthread_t threads[VS_EXEC_THREADS_MAX];
};

/* The executor whose thread this is: stopping it from here would wait for itself. */
static __thread const struct threads_exec *threads_self;

static const struct vs_exec_ops threads_ops;

static struct threads_exec *threads_of(struct vs_exec *e)
{
    return vs_container_of(e, struct threads_exec, exec);
}

/* Under t->lock: must the caller wake a thread, with threads_wake() when it has given up the lock?
 */
static bool threads_must_wake(struct threads_exec *t)
{
    if (t->idle == 0 || t->waking)
        return false;
    t->waking = true;
    atomic_fetch_add(&t->wakers, 1);
    return true;
}

static void threads_wake(struct threads_exec *t)
{
    pthread_cond_signal(&t->wake);
    atomic_fetch_sub(&t->wakers, 1);
}

static void threads_submit(struct vs_exec *e, struct vs_job *job)
{
    struct threads_exec *t = threads_of(e);
    bool wake;

    pthread_mutex_lock(&t->lock);
    vs_exec_queue_add(&t->queue, job);
    wake = threads_must_wake(t);
    pthread_mutex_unlock(&t->lock);
    if (wake)
        threads_wake(t);
}

static void threads_after(struct vs_exec *e, struct vs_job *job, int64_t delay_ns)
{
    struct threads_exec *t = threads_of(e);
    int64_t due_ns = vs_exec_due_ns(vs_now_ns(&vs_clock_system), delay_ns);
    VS_LOCK_SCOPE(&t->lock);

    if (!vs_exec_queue_add_timer(&t->queue, job, due_ns) || t->idle == 0)
        return;
    /* The deadline came nearer. A signal may miss the timekeeper; without one, anybody will do. */
    if (t->timekeeper)
        pthread_cond_broadcast(&t->wake);
    else
        pthread_cond_signal(&t->wake);
}

static int threads_cancel_after(struct vs_exec *e, struct vs_job *job)
{
    struct threads_exec *t = threads_of(e);
    VS_LOCK_SCOPE(&t->lock);

    return vs_exec_queue_cancel(job);
}

/* Under t->lock: sleep until there may be something to do. */
static void threads_sleep(struct threads_exec *t)
{
    int64_t due_ns = vs_exec_queue_next_ns(&t->queue);

    t->idle++;
    if (due_ns < INT64_MAX && !t->timekeeper) {
        t->timekeeper = true;
        vs_cond_wait_until(&t->wake, &t->lock, due_ns);
        t->timekeeper = false;
    } else {
        pthread_cond_wait(&t->wake, &t->lock);
    }
    t->idle--;
    t->waking = false;
}

/* Under t->lock: this thread is about to be busy; is there work or a deadline left for a sleeper?
 * Then as threads_must_wake(). */
static bool threads_hand_over(struct threads_exec *t)
{
    bool unwatched = !t->timekeeper && vs_exec_queue_next_ns(&t->queue) < INT64_MAX;

    return (unwatched || !vs_list_empty(&t->queue.ready)) && threads_must_wake(t);
}

static void *threads_main(void *arg)
{
    struct threads_exec *t = arg;

    threads_self = t;
    pthread_setname_np(pthread_self(), t->name);
    pthread_mutex_lock(&t->lock);
    for (;;) {
        struct vs_job *job;

        vs_exec_queue_ripen(&t->queue, vs_now_ns(&vs_clock_system));
        job = vs_exec_queue_take(&t->queue);
        if (job != NULL) {
            bool wake = threads_hand_over(t);

            pthread_mutex_unlock(&t->lock);
            if (wake)
                threads_wake(t);
            job->fn(job); /* may free the job */
            pthread_mutex_lock(&t->lock);
        } else if (t->stopping) {
            break;
        } else {
            threads_sleep(t);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void threads_stop(struct vs_exec *e)
{
    struct threads_exec *t = threads_of(e);

    VS_ASSERT(threads_self != t);
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->thread_count; i++)
        VS_ASSERT(pthread_join(t->threads[i], NULL) == 0);

    VS_ASSERT(vs_list_empty(&t->queue.ready));
    vs_exec_queue_drop_timers(&t->queue);
    while (atomic_load(&t->wakers) > 0) /* a job may end before the submit that brought it */
        sched_yield();
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static const struct vs_exec_ops threads_ops = {
    .submit = threads_submit,
    .after = threads_after,
    .cancel_after = threads_cancel_after,
    .stop = threads_stop,
};

static int threads_spawn(struct threads_exec *t, unsigned threads)
{
    int r = 0;

    while (r == 0 && t->thread_count < threads) {
        r = vs_thread_start(&t->threads[t->thread_count], threads_main, t);
        if (r == 0)
            t->thread_count++;
    }
    return r;
}

int vs_exec_start(struct vs_exec **ret, const char *name, unsigned threads)
{
    struct threads_exec *t;
    int r;

    if (threads < 1 || threads > VS_EXEC_THREADS_MAX)
        return -EINVAL;
    t = malloc(sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    *t = (struct threads_exec){ .exec.ops = &threads_ops };
    snprintf(t->name, sizeof(t->name), "%s", name);
    pthread_mutex_init(&t->lock, NULL);
    vs_cond_init(&t->wake);
    vs_exec_queue_init(&t->queue);

    r = threads_spawn(t, threads);
    if (r < 0) {
        threads_stop(&t->exec);
        return r;
    }
    *ret = &t->exec;
    return 0;
}
