/* periodic: see the header.
 *
 * Lock order: p->lock, then the executor's. The lock is left as it is by the stop, so that a second
 * one finds it; it holds nothing that would have to be given back. */
#include "common/periodic.h"

#include "common/assert.h"
#include "common/cleanup.h"

static void periodic_job(struct vs_job *job)
{
    struct vs_periodic *p = vs_container_of(job, struct vs_periodic, job);

    p->fn(p);
    VS_LOCK_SCOPE(&p->lock);
    if (p->is_stopping) {
        p->is_due = false;
        pthread_cond_broadcast(&p->ended);
    } else {
        vs_exec_after(p->exec, &p->job, p->pause_ns);
    }
}

void vs_periodic_start(struct vs_periodic *p, struct vs_exec *exec, int64_t first_ns,
                       int64_t pause_ns, vs_periodic_fn *fn)
{
    VS_ASSERT(p->exec == NULL);
    *p = (struct vs_periodic){
        .exec = exec, .fn = fn, .pause_ns = pause_ns, .job.fn = periodic_job, .is_due = true
    };
    pthread_mutex_init(&p->lock, NULL); /* these cannot fail on Linux */
    pthread_cond_init(&p->ended, NULL);
    vs_exec_after(exec, &p->job, first_ns);
}

void vs_periodic_stop(struct vs_periodic *p)
{
    if (p->exec == NULL)
        return;
    VS_LOCK_SCOPE(&p->lock);
    p->is_stopping = true;
    if (vs_exec_cancel_after(p->exec, &p->job) == 1)
        p->is_due = false;
    while (p->is_due)
        pthread_cond_wait(&p->ended, &p->lock);
}
