/* up_attempt: one generation of a chunk's fragments on its way to the stores.
 *
 * Happy path: all puts are answered, durable, with the receipt we computed ourselves: the chunk
 * waits for its register. Failure modes: a failed put, or one whose receipt differs, sends the
 * chunk back to be coded without that store at once; a watch looks for stores that owe an answer
 * for too long, does without them where it can, and else waits. Answers that come after the chunk
 * has gone on are counted; what became durable of a superseded generation is deleted. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is known of the stores ---- */

unsigned up_stores_look(struct upload_env *env, struct um_store stores[UM_STORES_MAX])
{
    unsigned count = env->stores->count; /* more may join meanwhile */

    for (unsigned i = 0; i < count; i++) {
        const struct store_set_entry *e = &env->stores->entries[i];
        struct store_health health;

        store_set_health(env->stores, i, &health);
        stores[i] = (struct um_store){ .up = health.state == STORE_UP,
                                       .suspect = atomic_load(&e->takes) == STORE_TAKES_LAST,
                                       .closed = atomic_load(&e->takes) == STORE_TAKES_NOTHING,
                                       .domain = atomic_load(&e->domain),
                                       .free_bytes = health.free_bytes };
    }
    return count;
}

/* The record of entry i; a new one when another store took its place. */
struct up_store *up_store_record_locked(struct upload_env *env, unsigned i)
{
    const struct chunk_store *who = atomic_load(&env->stores->entries[i].store);

    if (env->store[i].who != who)
        env->store[i] = (struct up_store){ .who = who };
    return &env->store[i];
}

void up_stores_judge_locked(struct up_chunk *c, struct um_store stores[UM_STORES_MAX],
                            unsigned count)
{
    struct upload_env *env = c->env;
    int64_t now_ns = upload_now_ns(env);

    for (unsigned i = 0; i < count; i++) {
        const struct up_store *known = up_store_record_locked(env, i);

        stores[i].silent = known->silent;
        stores[i].left_out = (c->left_out >> i & 1) != 0;
        stores[i].full =
            (c->full >> i & 1) != 0 ||
            (known->full_ns != 0 && now_ns - known->full_ns < UPLOAD_FULL_MS * VS_NS_PER_MS);
    }
}

/* ---- references ---- */

static void attempt_unref_locked(struct up_attempt *a)
{
    struct upload_env *env = a->env;
    struct upload_session *session = a->session;
    bool asked = a->asked;

    VS_ASSERT(a->refs > 0);
    if (--a->refs > 0)
        return;
    up_buf_put(a->buf);
    up_buf_put(a->parity);
    free(a);
    if (asked) {
        upload_session_user_end_locked(session);
        upload_object_end_locked(env);
    }
}

/* ---- deleting what a newer generation has superseded ---- */

static void del_done(struct store_del *d)
{
    struct up_put *p = vs_container_of(d, struct up_put, del);
    struct upload_env *env = p->attempt->env;

    /* Where it failed, the store asks about the fragment one day and hears that it may go. */
    if (d->status < 0 && d->status != -ENOENT && env->missed != NULL)
        atomic_store(env->missed, true);
    pthread_mutex_lock(&env->lock);
    attempt_unref_locked(p->attempt);
    pthread_mutex_unlock(&env->lock);
}

static void sweep_job(struct vs_job *job)
{
    struct up_attempt *a = vs_container_of(job, struct up_attempt, job);
    struct upload_env *env = a->env;
    struct up_put *due[VS_EC_N_MAX];
    unsigned count = 0;

    pthread_mutex_lock(&env->lock);
    a->sweeping = false;
    for (unsigned i = 0; i < a->place.count; i++) {
        struct up_put *p = &a->put[i];

        if (p->stored && !p->delete_asked) {
            p->delete_asked = true;
            due[count++] = p;
            a->refs++;
        }
    }
    pthread_mutex_unlock(&env->lock);
    for (unsigned i = 0; i < count; i++) {
        struct chunk_store *store = store_set_get(env->stores, a->frag[due[i] - a->put].node);

        due[i]->del = (struct store_del){ .key = due[i]->req.key,
                                          .done = del_done,
                                          .status = store != NULL ? 0 : -VS_EDOWN };
        if (store != NULL)
            chunk_store_del(store, &due[i]->del);
        else
            del_done(&due[i]->del);
    }
    pthread_mutex_lock(&env->lock);
    attempt_unref_locked(a);
    pthread_mutex_unlock(&env->lock);
}

static void sweep_locked(struct up_attempt *a)
{
    bool due = false;

    for (unsigned i = 0; i < a->place.count; i++)
        due = due || (a->put[i].stored && !a->put[i].delete_asked);
    if (!due || a->sweeping)
        return;
    a->sweeping = true;
    a->refs++;
    a->job.fn = sweep_job;
    vs_exec_submit(a->env->exec, &a->job);
}

void up_attempt_leave_locked(struct up_attempt *a, bool superseded)
{
    vs_list_del(&a->link);
    a->chunk = NULL;
    a->superseded = superseded;
    if (superseded)
        sweep_locked(a);
    attempt_unref_locked(a);
}

/* ---- what an answer means ---- */

static void parity_uncharge_locked(struct up_chunk *c)
{
    uint64_t bytes = c->parity_charged;

    c->parity_charged = 0;
    upload_uncharge_locked(c->env, bytes);
}

void up_chunk_recode_locked(struct up_chunk *c)
{
    vs_list_add_tail(&c->old, &c->attempt->link);
    c->attempt = NULL;
    up_chunk_code_locked(c);
    parity_uncharge_locked(c);
}

static void chunk_durable_locked(struct up_chunk *c)
{
    up_buf_put(c->attempt->parity); /* every put has been answered */
    c->attempt->parity = NULL;
    up_chunk_move_locked(c, UM_PLACING);
    up_regs_due_locked(c->env);
    up_chunk_slots_locked(c->env);
    parity_uncharge_locked(c);
}

static void chunk_answered_locked(struct up_chunk *c)
{
    enum um_verdict verdict = um_after_put(c->attempt->state, c->attempt->place.count);

    if (verdict == UM_WAIT)
        return;
    if (!up_chunk_is_wanted(c))
        up_chunk_end_locked(c);
    else if (verdict == UM_DURABLE)
        chunk_durable_locked(c);
    else
        up_chunk_recode_locked(c);
}

static void put_answered_locked(struct up_put *p, int status, bool by_store)
{
    struct up_attempt *a = p->attempt;
    struct up_chunk *c = a->chunk;
    unsigned i = (unsigned)(p - a->put), entry = a->place.entry[i];
    struct up_store *known = up_store_record_locked(a->env, entry);

    if (by_store && known->who == p->who) {
        known->answered_ns = upload_now_ns(a->env);
        known->silent = false;
        if (status == -ENOSPC)
            known->full_ns = known->answered_ns;
    }
    p->stored = status == 0;
    if (status == 0 && p->req.table_crc != a->frag[i].table_crc)
        status = -VS_ECORRUPT; /* something else than what we hashed was written */
    a->state[i] = status == 0 ? UM_PUT_DURABLE : UM_PUT_FAILED;
    if (c != NULL && c->attempt == a) {
        if (status == -ENOSPC)
            c->full |= UINT64_C(1) << entry;
        else if (status < 0)
            c->left_out |= UINT64_C(1) << entry;
        chunk_answered_locked(c);
    } else if (a->superseded) {
        sweep_locked(a);
    }
    attempt_unref_locked(a);
}

static void put_done(struct store_put *req)
{
    struct up_put *p = vs_container_of(req, struct up_put, req);
    struct upload_env *env = p->attempt->env;

    pthread_mutex_lock(&env->lock);
    put_answered_locked(p, req->status, true);
    pthread_mutex_unlock(&env->lock);
}

/* ---- asking ---- */

void up_attempt_put_ref_locked(struct up_chunk *c)
{
    struct up_attempt *a = c->attempt;

    VS_ASSERT(!a->asked);
    a->asked = true;
    a->chunk = c;
    a->refs += 1 + a->place.count;
    a->asked_ns = upload_now_ns(a->env);
    a->note.session = a->session->number;
    upload_session_user_locked(a->session);
    upload_object_locked(a->env);
    for (unsigned i = 0; i < a->place.count; i++) {
        struct up_put *p = &a->put[i];

        p->attempt = a;
        p->who = store_set_get(a->env->stores, a->frag[i].node);
        p->req = (struct store_put){ .key = { c->id, (uint8_t)i, a->generation },
                                     .note = &a->note,
                                     .data = a->fragment[i],
                                     .bytes = a->fragment_bytes,
                                     .done = put_done };
        memcpy(p->req.sha256, a->frag[i].sha256, sizeof(p->req.sha256));
    }
    up_watch_locked(a->env);
}

void up_attempt_put(struct up_attempt *a)
{
    struct upload_env *env = a->env;

    for (unsigned i = 0; i < a->place.count; i++) {
        struct up_put *p = &a->put[i];

        if (p->who != NULL) {
            chunk_store_put(p->who, &p->req);
            continue;
        }
        pthread_mutex_lock(&env->lock);
        put_answered_locked(p, -VS_EDOWN, false);
        pthread_mutex_unlock(&env->lock);
    }
    pthread_mutex_lock(&env->lock);
    attempt_unref_locked(a);
    pthread_mutex_unlock(&env->lock);
}
