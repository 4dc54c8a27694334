/* Executors: queues of jobs with threads, and a serial twin that runs them when told (for tests).
 *
 * A job is the caller's memory, embedded in a request; its fn runs exactly once, on a thread of the
 * executor, never inside vs_exec_submit(). The queue is intrusive, so submit cannot fail; whoever
 * submits bounds the number of requests in flight.
 *
 * Threads: submit from any thread, also from inside a job. Locks: none held while fn runs. */
#ifndef VS_COMMON_EXEC_H
#define VS_COMMON_EXEC_H

#include "common/list.h"
#include <stdint.h>

struct vs_job;
typedef void vs_job_fn(struct vs_job *job);

struct vs_job {
    vs_job_fn *fn;
    struct vs_list link; /* private */
    int64_t due_ns;      /* private: vs_exec_after */
};

struct vs_exec;

#define VS_EXEC_THREADS_MAX 64

/* Start `threads` threads named `name` (15 characters are kept). -EINVAL, -ENOMEM, -EAGAIN. */
int vs_exec_start(struct vs_exec **ret, const char *name, unsigned threads);

/* Serial twin: nothing runs until vs_exec_run_all(); vs_exec_after() jobs run when the twin's
 * clock, turned by vs_exec_advance(), has passed. */
int vs_exec_serial_new(struct vs_exec **ret);
/* Run jobs until the queue is empty; the number run. Serial twin only. */
unsigned vs_exec_run_all(struct vs_exec *e);
void vs_exec_advance(struct vs_exec *e, int64_t delta_ns);

/* Run job->fn soon. */
void vs_exec_submit(struct vs_exec *e, struct vs_job *job);

/* Run job->fn once, no earlier than `delay_ns` from now. */
void vs_exec_after(struct vs_exec *e, struct vs_job *job, int64_t delay_ns);

/* Take back a job given to vs_exec_after(): 1 = it will not run, 0 = it has run or is running. */
int vs_exec_cancel_after(struct vs_exec *e, struct vs_job *job);

/* Run what is queued (delayed jobs are dropped unless due), join the threads, free.
 * Forgives NULL. No job may be submitted once this has begun, except by jobs that are running. */
void vs_exec_stop(struct vs_exec *e);

#endif
