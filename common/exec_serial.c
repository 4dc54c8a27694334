/* Serial executor: jobs run inside vs_exec_run_all(), on the thread that calls it, in the order
 * they were submitted or came due. Its clock moves only when told, so a test decides what is late.
 *
 * Failure modes: a job that submits itself for ever would hang a test; that is an assertion after
 * SERIAL_JOBS_MAX jobs. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/exec_impl.h"

#include <stdlib.h>

#define SERIAL_JOBS_MAX 100000000u

struct serial_exec {
    struct vs_exec exec;
    pthread_mutex_t lock; /* jobs come from other threads too; not held while one runs */
    struct vs_exec_queue queue;
    int64_t now_ns;
};

static const struct vs_exec_ops serial_ops;

static struct serial_exec *serial_of(struct vs_exec *e)
{
    VS_ASSERT(e->ops == &serial_ops);
    return vs_container_of(e, struct serial_exec, exec);
}

static void serial_submit(struct vs_exec *e, struct vs_job *job)
{
    struct serial_exec *s = serial_of(e);
    VS_LOCK_SCOPE(&s->lock);

    vs_exec_queue_add(&s->queue, job);
}

static void serial_after(struct vs_exec *e, struct vs_job *job, int64_t delay_ns)
{
    struct serial_exec *s = serial_of(e);
    VS_LOCK_SCOPE(&s->lock);

    vs_exec_queue_add_timer(&s->queue, job, vs_exec_due_ns(s->now_ns, delay_ns));
}

static int serial_cancel_after(struct vs_exec *e, struct vs_job *job)
{
    struct serial_exec *s = serial_of(e);
    VS_LOCK_SCOPE(&s->lock);

    return vs_exec_queue_cancel(job);
}

static struct vs_job *serial_take(struct serial_exec *s)
{
    VS_LOCK_SCOPE(&s->lock);

    vs_exec_queue_ripen(&s->queue, s->now_ns);
    return vs_exec_queue_take(&s->queue);
}

unsigned vs_exec_run_all(struct vs_exec *e)
{
    struct serial_exec *s = serial_of(e);
    struct vs_job *job;
    unsigned count = 0;

    while ((job = serial_take(s)) != NULL) {
        VS_ASSERT(count < SERIAL_JOBS_MAX);
        count++;
        job->fn(job);
    }
    return count;
}

void vs_exec_advance(struct vs_exec *e, int64_t delta_ns)
{
    struct serial_exec *s = serial_of(e);
    VS_LOCK_SCOPE(&s->lock);

    VS_ASSERT(delta_ns >= 0);
    s->now_ns = vs_exec_due_ns(s->now_ns, delta_ns);
}

static void serial_stop(struct vs_exec *e)
{
    struct serial_exec *s = serial_of(e);

    vs_exec_run_all(e);
    vs_exec_queue_drop_timers(&s->queue);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct vs_exec_ops serial_ops = {
    .submit = serial_submit,
    .after = serial_after,
    .cancel_after = serial_cancel_after,
    .stop = serial_stop,
};

int vs_exec_serial_new(struct vs_exec **ret)
{
    struct serial_exec *s;

    s = malloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    *s = (struct serial_exec){ .exec.ops = &serial_ops };
    pthread_mutex_init(&s->lock, NULL);
    vs_exec_queue_init(&s->queue);
    *ret = &s->exec;
    return 0;
}
