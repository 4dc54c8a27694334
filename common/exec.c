/* Executor calls, handed to the implementation. */
#include "common/assert.h"
#include "common/exec_impl.h"

void vs_exec_submit(struct vs_exec *e, struct vs_job *job)
{
    e->ops->submit(e, job);
}

void vs_exec_after(struct vs_exec *e, struct vs_job *job, int64_t delay_ns)
{
    VS_ASSERT(delay_ns >= 0);
    e->ops->after(e, job, delay_ns);
}

int vs_exec_cancel_after(struct vs_exec *e, struct vs_job *job)
{
    return e->ops->cancel_after(e, job);
}

void vs_exec_stop(struct vs_exec *e)
{
    if (e != NULL)
        e->ops->stop(e);
}
