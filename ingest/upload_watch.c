/* The watch over silent stores.
 *
 * Happy path: while chunks are being put, a timer looks at what the stores owe; nobody owes for
 * long. Failure modes: a store that owes is left out of the chunks that wait for it, and of those
 * that follow, until it answers something; where no form is left without it (one disk below all
 * stores, spinning up), the chunks wait, and fail after UM_STALL_MS. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <string.h>

/* Mark stores that owe this chunk an answer for too long; a mask of them. */
static uint64_t overdue_locked(struct up_chunk *c, int64_t now_ns)
{
    struct up_attempt *a = c->attempt;
    uint64_t overdue = 0;

    for (unsigned i = 0; i < a->place.count; i++) {
        struct up_store *known = up_store_record_locked(c->env, a->place.entry[i]);

        if (a->state[i] != UM_PUT_WAITING || !um_is_silent(a->asked_ns, known->answered_ns, now_ns))
            continue;
        overdue |= UINT64_C(1) << a->place.entry[i];
        if (known->who == a->put[i].who)
            known->silent = true;
    }
    return overdue;
}

static void look_at_locked(struct up_chunk *c, const struct um_store looked[UM_STORES_MAX],
                           unsigned count)
{
    int64_t now_ns = upload_now_ns(c->env);
    uint64_t overdue = overdue_locked(c, now_ns), left_out = c->left_out;
    struct um_store stores[UM_STORES_MAX];
    struct um_place place;
    bool replaceable;

    if (overdue == 0)
        return;
    if (!up_chunk_is_wanted(c)) {
        up_chunk_end_locked(c);
        return;
    }
    memcpy(stores, looked, count * sizeof(stores[0]));
    c->left_out |= overdue;
    up_stores_judge_locked(c, stores, count);
    replaceable = um_place(stores, count, c->turn, c->bytes, false, &place) == 0;
    switch (um_after_silence(replaceable, c->attempt->asked_ns, now_ns)) {
    case UM_RECODE:
        if (c->stalled) { /* all were silent, and now they come back one by one: one more look */
            c->stalled = false;
            c->left_out = left_out;
            break;
        }
        up_chunk_recode_locked(c);
        break;
    case UM_FAIL:
        up_chunk_fail_locked(c, -EIO);
        break;
    default:
        c->left_out = left_out; /* it is still waited for */
        c->stalled = true;
        break;
    }
}

static void watch_job(struct vs_job *job)
{
    struct upload_env *env = vs_container_of(job, struct upload_env, watch_job);
    struct um_store looked[UM_STORES_MAX];
    struct vs_list *pos, *tmp;
    unsigned count = up_stores_look(env, looked);

    pthread_mutex_lock(&env->lock);
    vs_list_for_each (pos, tmp, &env->putting)
        look_at_locked(vs_container_of(pos, struct up_chunk, queue), looked, count);
    env->watching = false;
    if (!vs_list_empty(&env->putting))
        up_watch_locked(env);
    upload_object_end_locked(env);
    pthread_mutex_unlock(&env->lock);
}

void up_watch_locked(struct upload_env *env)
{
    if (env->watching)
        return;
    env->watching = true;
    upload_object_locked(env);
    env->watch_job.fn = watch_job;
    vs_exec_after(env->exec, &env->watch_job, UPLOAD_WATCH_MS * VS_NS_PER_MS);
}

void up_watch_stop_locked(struct upload_env *env)
{
    if (!env->watching || vs_exec_cancel_after(env->exec, &env->watch_job) == 0)
        return;
    env->watching = false;
    upload_object_end_locked(env);
}
