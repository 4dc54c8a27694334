/* upload_session: ids, reserved in the journal before they are used.
 *
 * Happy path: the first id opens the session with a few, more are reserved in growing steps before
 * they run out. Ids that uploads gave up are kept for the commit entry to release. Failure modes: a
 * journal that refuses ends everybody who waits, sticky. A session that is freed without a commit
 * is aborted once the last of its puts has been answered, so that the collector, which then removes
 * what was written in it, finds all of it. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>

static void session_ask_locked(struct upload_session *s);

int upload_session_new(struct upload_session **ret, struct upload_env *env)
{
    struct upload_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    s->env = env;
    s->mount = env->mount;
    vs_list_init(&s->wants);
    pthread_mutex_lock(&env->lock);
    upload_object_locked(env);
    pthread_mutex_unlock(&env->lock);
    *ret = s;
    return 0;
}

void upload_session_set_mount(struct upload_session *s, uint64_t mount)
{
    VS_LOCK_SCOPE(&s->env->lock);

    VS_ASSERT(s->last_count == 0);
    s->mount = mount;
}

uint64_t upload_session_number(const struct upload_session *s)
{
    VS_LOCK_SCOPE(&s->env->lock);

    return s->number;
}

/* A copy: the list moves when more ids arrive, which may have been asked for already. */
int upload_session_given_up(const struct upload_session *s, struct vs_id **ret, size_t *ret_count)
{
    VS_LOCK_SCOPE(&s->env->lock);
    size_t count = s->given_up_count;

    if (ret != NULL) {
        struct vs_id *ids = calloc(count + 1, sizeof(*ids));

        if (ids == NULL)
            return -ENOMEM;
        for (size_t i = 0; i < count; i++)
            ids[i] = s->given_up[i];
        *ret = ids;
    }
    *ret_count = count;
    return 0;
}

void upload_session_committed(struct upload_session *s)
{
    VS_LOCK_SCOPE(&s->env->lock);

    s->committed = true;
}

static void session_destroy_locked(struct upload_session *s)
{
    struct upload_env *env = s->env;

    VS_ASSERT(vs_list_empty(&s->wants));
    env->sessions -= s->number != 0;
    free(s->given_up);
    free(s);
    upload_object_end_locked(env);
}

static void abort_done(struct meta_req *req)
{
    struct upload_session *s = vs_container_of(req, struct upload_session, req);
    struct upload_env *env = s->env;

    /* Refused or unreachable: the reaper, or the next start, aborts it as well. */
    pthread_mutex_lock(&env->lock);
    session_destroy_locked(s);
    pthread_mutex_unlock(&env->lock);
}

/* Of the entry's clock; the session's own entries carry no names. */
static struct ns_time entry_time(const struct upload_env *env)
{
    int64_t now_ns = vs_real_ns(env->clock);

    return (struct ns_time){ now_ns / VS_NS_PER_S, (uint32_t)(now_ns % VS_NS_PER_S) };
}

static void submit_job(struct vs_job *job)
{
    struct upload_session *s = vs_container_of(job, struct upload_session, job);

    meta_submit(s->env->meta, &s->req);
}

static void session_submit_locked(struct upload_session *s, const struct ns_entry *entry,
                                  meta_done_fn *done)
{
    s->entry = *entry;
    s->entry.now = entry_time(s->env);
    s->req = (struct meta_req){ .op = META_CHANGE, .entry = &s->entry, .done = done };
    s->job.fn = submit_job;
    vs_exec_submit(s->env->exec, &s->job);
}

static void session_end_if_unused_locked(struct upload_session *s)
{
    struct ns_entry entry = { .kind = NS_E_SESSION_ABORT, .session = s->number };

    if (!s->freed || s->users > 0)
        return;
    if (s->committed || s->number == 0) {
        session_destroy_locked(s);
        return;
    }
    session_submit_locked(s, &entry, abort_done);
}

void upload_session_free(struct upload_session *s)
{
    struct upload_env *env;

    if (s == NULL)
        return;
    env = s->env;
    pthread_mutex_lock(&env->lock);
    VS_ASSERT(!s->freed);
    s->freed = true;
    session_end_if_unused_locked(s);
    pthread_mutex_unlock(&env->lock);
}

void upload_session_user_locked(struct upload_session *s)
{
    s->users++;
}

void upload_session_user_end_locked(struct upload_session *s)
{
    VS_ASSERT(s->users > 0);
    s->users--;
    session_end_if_unused_locked(s);
}

/* Room to give every reserved id up, so that giving up cannot fail. */
static int given_up_reserve_locked(struct upload_session *s, unsigned more)
{
    struct vs_id *grown = realloc(s->given_up, (s->given_up_cap + more) * sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    s->given_up = grown;
    s->given_up_cap += more;
    return 0;
}

void upload_session_give_up_locked(struct upload_session *s, const struct vs_id *id)
{
    VS_ASSERT(s->given_up_count < s->given_up_cap);
    s->given_up[s->given_up_count++] = *id;
}

static unsigned session_left(const struct upload_session *s)
{
    return s->range[0].left + s->range[1].left;
}

bool upload_session_take_locked(struct upload_session *s, enum vs_id_type type, struct vs_id *ret)
{
    unsigned i = s->range[0].left > 0 ? 0 : 1;

    if (s->range[i].left == 0)
        return false;
    *ret = vs_id_make(s->pid, s->inc, s->range[i].next, type);
    s->range[i].next++;
    s->range[i].left--;
    if (s->range[0].left == 0) {
        s->range[0] = s->range[1];
        s->range[1].left = 0;
    }
    if (s->range[1].left == 0 && um_ids_are_low(session_left(s), s->last_count))
        session_ask_locked(s);
    return true;
}

/* Serve in order, until the ids run out. */
static void session_serve_locked(struct upload_session *s)
{
    struct up_want *w;

    while ((w = vs_list_first(&s->wants, struct up_want, link)) != NULL) {
        if (s->status == 0 && session_left(s) == 0) {
            session_ask_locked(s);
            return;
        }
        vs_list_del(&w->link);
        w->served(w, s->status);
    }
}

static void ask_done(struct meta_req *req)
{
    struct upload_session *s = vs_container_of(req, struct upload_session, req);
    struct upload_env *env = s->env;
    int r = req->status == -ECANCELED ? -EIO : req->status; /* it was given up meanwhile */

    pthread_mutex_lock(&env->lock);
    s->asking = false;
    if (r == 0 && s->number == 0) {
        s->number = req->answer.session; /* from now on it must be committed or aborted */
        env->sessions++;
    }
    if (r == 0)
        r = given_up_reserve_locked(s, (unsigned)s->entry.count);
    if (r < 0) {
        s->status = r;
    } else {
        unsigned i = s->range[0].left == 0 ? 0 : 1;

        s->range[i].next = req->answer.first;
        s->range[i].left = (unsigned)s->entry.count;
    }
    session_serve_locked(s);
    upload_session_user_end_locked(s);
    pthread_mutex_unlock(&env->lock);
}

/* One range is asked for at a time, and only while the second one is free. */
static void session_ask_locked(struct upload_session *s)
{
    struct ns_entry entry = { .session = s->number };

    if (s->asking || s->status < 0 || s->range[1].left > 0)
        return;
    s->asking = true;
    s->last_count = um_ids_next(s->last_count);
    entry.kind = s->number == 0 ? NS_E_SESSION_OPEN : NS_E_SESSION_EXTEND;
    entry.count = s->last_count;
    entry.mount = s->mount;
    if (s->number == 0)
        meta_client_owner(s->env->meta, &s->pid, &s->inc); /* of all its ids, for its life */
    entry.pid = s->pid;
    entry.inc = s->inc;
    upload_session_user_locked(s);
    session_submit_locked(s, &entry, ask_done);
}

void upload_session_want_locked(struct upload_session *s, struct up_want *w)
{
    vs_list_add_tail(&s->wants, &w->link);
    session_serve_locked(s);
}

void upload_session_prepare_locked(struct upload_session *s)
{
    if (s->last_count == 0)
        session_ask_locked(s);
}
