/* The queue and the timer list that both executors share. Pure; cannot fail: the nodes are the
 * callers' memory. */
#include "common/assert.h"
#include "common/exec_impl.h"

void vs_exec_queue_init(struct vs_exec_queue *q)
{
    vs_list_init(&q->ready);
    vs_list_init(&q->timers);
}

void vs_exec_queue_add(struct vs_exec_queue *q, struct vs_job *job)
{
    VS_ASSERT(job->fn != NULL);
    vs_list_add_tail(&q->ready, &job->link);
}

bool vs_exec_queue_add_timer(struct vs_exec_queue *q, struct vs_job *job, int64_t due_ns)
{
    struct vs_list *before;

    VS_ASSERT(job->fn != NULL);
    job->due_ns = due_ns;

    /* From the end: most new timers are the latest. */
    for (before = q->timers.prev; before != &q->timers; before = before->prev)
        if (vs_container_of(before, struct vs_job, link)->due_ns <= due_ns)
            break;
    vs_list_add(before, &job->link);
    return q->timers.next == &job->link;
}

void vs_exec_queue_ripen(struct vs_exec_queue *q, int64_t now_ns)
{
    struct vs_job *job;

    while ((job = vs_list_first(&q->timers, struct vs_job, link)) != NULL &&
           job->due_ns <= now_ns && job->due_ns < INT64_MAX) {
        vs_list_del(&job->link);
        vs_list_add_tail(&q->ready, &job->link);
    }
}

struct vs_job *vs_exec_queue_take(struct vs_exec_queue *q)
{
    struct vs_job *job = vs_list_first(&q->ready, struct vs_job, link);

    if (job != NULL)
        vs_list_del(&job->link);
    return job;
}

int vs_exec_queue_cancel(struct vs_job *job)
{
    if (job->link.next == NULL || vs_list_empty(&job->link)) /* zeroed: never given */
        return 0;
    vs_list_del(&job->link);
    return 1;
}

void vs_exec_queue_drop_timers(struct vs_exec_queue *q)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &q->timers)
        vs_list_del(pos);
}

int64_t vs_exec_queue_next_ns(const struct vs_exec_queue *q)
{
    const struct vs_job *job = vs_list_first(&q->timers, struct vs_job, link);

    return job != NULL ? job->due_ns : INT64_MAX;
}
