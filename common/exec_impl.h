/* What an executor is made of; for the files exec*.c only. */
#ifndef VS_COMMON_EXEC_IMPL_H
#define VS_COMMON_EXEC_IMPL_H

#include "common/exec.h"

struct vs_exec_ops {
    void (*submit)(struct vs_exec *e, struct vs_job *job);
    void (*after)(struct vs_exec *e, struct vs_job *job, int64_t delay_ns);
    int (*cancel_after)(struct vs_exec *e, struct vs_job *job);
    void (*stop)(struct vs_exec *e);
};

/* Implementations embed it first. */
struct vs_exec {
    const struct vs_exec_ops *ops;
};

/* Jobs by time, the earliest first; equal times in the order they came. No lock: the executor's.
 * A job is on at most one list, so that taking it off needs no list. */
struct vs_exec_queue {
    struct vs_list ready;  /* to run now */
    struct vs_list timers; /* by due_ns */
};

/* now + delay, or INT64_MAX (never) when that is beyond time. */
static inline int64_t vs_exec_due_ns(int64_t now_ns, int64_t delay_ns)
{
    return delay_ns < INT64_MAX - now_ns ? now_ns + delay_ns : INT64_MAX;
}

void vs_exec_queue_init(struct vs_exec_queue *q);
void vs_exec_queue_add(struct vs_exec_queue *q, struct vs_job *job);
/* Add a job for a time; true when it is now the earliest. */
bool vs_exec_queue_add_timer(struct vs_exec_queue *q, struct vs_job *job, int64_t due_ns);
/* Move what is due at now_ns to the ready jobs. */
void vs_exec_queue_ripen(struct vs_exec_queue *q, int64_t now_ns);
/* Take the next ready job, or NULL. */
struct vs_job *vs_exec_queue_take(struct vs_exec_queue *q);
/* Take a job back: 1, or 0 when it is on no list any more. */
int vs_exec_queue_cancel(struct vs_job *job);
/* Take all jobs off that are not ready. */
void vs_exec_queue_drop_timers(struct vs_exec_queue *q);
/* Time of the earliest timer; INT64_MAX without one. */
int64_t vs_exec_queue_next_ns(const struct vs_exec_queue *q);

#endif
