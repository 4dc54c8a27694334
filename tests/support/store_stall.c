/* store_stall: see store_stall.h. A put is wrapped in one of our own, so that its private fields
 * stay ours while the inner store uses those of the wrapper. */
#include "tests/support/store_stall.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>

struct stall {
    struct chunk_store store;
    struct chunk_store *inner;
    struct vs_exec *exec;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* something was held, or answered */
    /* under lock */
    bool hold;
    int fail;
    unsigned lies, puts, dels, held_count, in_flight;
    int64_t delay_ns;
    enum store_state state;
    int64_t free_bytes;
    struct vs_list held; /* wraps */
};

struct wrap {
    struct stall *stall;
    struct store_put *outer;
    struct store_put inner;
    bool lie;
    int fail;
    struct vs_job job;
    struct vs_list link;
};

static struct stall *stall_of(struct chunk_store *s)
{
    return vs_container_of(s, struct stall, store);
}

static void wrap_end(struct wrap *w, int status, uint32_t table_crc)
{
    struct stall *s = w->stall;
    struct store_put *outer = w->outer;

    outer->status = status;
    outer->table_crc = table_crc;
    free(w);
    outer->done(outer);
    VS_LOCK_SCOPE(&s->lock);
    if (--s->in_flight == 0)
        pthread_cond_broadcast(&s->moved);
}

static void inner_done(struct store_put *p)
{
    struct wrap *w = vs_container_of(p, struct wrap, inner);

    wrap_end(w, p->status, w->lie ? ~p->table_crc : p->table_crc);
}

static void wrap_go(struct vs_job *job)
{
    struct wrap *w = vs_container_of(job, struct wrap, job);

    if (w->fail < 0) {
        wrap_end(w, w->fail, 0);
        return;
    }
    w->inner = *w->outer;
    w->inner.done = inner_done;
    chunk_store_put(w->stall->inner, &w->inner);
}

static void stall_put(struct chunk_store *store, struct store_put *p)
{
    struct stall *s = stall_of(store);
    struct wrap *w = calloc(1, sizeof(*w));
    VS_LOCK_SCOPE(&s->lock);

    VS_ASSERT(w != NULL);
    *w = (struct wrap){ .stall = s, .outer = p, .fail = s->fail, .job.fn = wrap_go };
    s->puts++;
    s->in_flight++;
    if (s->lies > 0) {
        s->lies--;
        w->lie = true;
    }
    if (s->hold) {
        s->held_count++;
        vs_list_add_tail(&s->held, &w->link);
        pthread_cond_broadcast(&s->moved);
    } else if (s->delay_ns > 0) {
        vs_exec_after(s->exec, &w->job, s->delay_ns);
    } else {
        vs_exec_submit(s->exec, &w->job);
    }
}

static void stall_get(struct chunk_store *s, struct store_get *g)
{
    chunk_store_get(stall_of(s)->inner, g);
}

static void stall_del(struct chunk_store *store, struct store_del *d)
{
    struct stall *s = stall_of(store);

    pthread_mutex_lock(&s->lock);
    s->dels++;
    pthread_mutex_unlock(&s->lock);
    chunk_store_del(s->inner, d);
}

static void stall_stat(struct chunk_store *s, struct store_stat *st)
{
    chunk_store_stat(stall_of(s)->inner, st);
}

static void stall_list(struct chunk_store *s, struct store_list *l)
{
    chunk_store_list(stall_of(s)->inner, l);
}

static void stall_say_health(struct chunk_store *store, struct store_health *ret)
{
    struct stall *s = stall_of(store);

    chunk_store_health(s->inner, ret);
    VS_LOCK_SCOPE(&s->lock);
    if (s->state != STORE_UP && ret->state == STORE_UP) {
        ret->state = s->state;
        snprintf(ret->why, sizeof(ret->why), "the test says so");
    }
    if (s->free_bytes >= 0)
        ret->free_bytes = (uint64_t)s->free_bytes;
}

static void release_locked(struct stall *s, int fail)
{
    struct wrap *w;

    while ((w = vs_list_first(&s->held, struct wrap, link)) != NULL) {
        vs_list_del(&w->link);
        s->held_count--;
        if (fail < 0)
            w->fail = fail;
        vs_exec_submit(s->exec, &w->job);
    }
}

static void stall_stop(struct chunk_store *store)
{
    struct stall *s = stall_of(store);

    pthread_mutex_lock(&s->lock);
    release_locked(s, -ECANCELED);
    while (s->in_flight > 0)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    chunk_store_stop(s->inner);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct chunk_store_ops stall_ops = {
    .put = stall_put,
    .get = stall_get,
    .del = stall_del,
    .stat = stall_stat,
    .list = stall_list,
    .health = stall_say_health,
    .stop = stall_stop,
};

struct chunk_store *store_stall_new(struct chunk_store *inner, struct vs_exec *exec)
{
    struct stall *s = calloc(1, sizeof(*s));

    VS_ASSERT(s != NULL);
    s->store.ops = &stall_ops;
    s->inner = inner;
    s->exec = exec;
    s->free_bytes = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    vs_list_init(&s->held);
    return &s->store;
}

void store_stall_hold(struct chunk_store *store, bool hold)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    s->hold = hold;
    if (!hold)
        release_locked(s, 0);
}

unsigned store_stall_held(struct chunk_store *store)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    return s->held_count;
}

void store_stall_await_held(struct chunk_store *store, unsigned count)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    while (s->held_count < count)
        pthread_cond_wait(&s->moved, &s->lock);
}

void store_stall_fail(struct chunk_store *store, int status)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    s->fail = status;
}

void store_stall_lie(struct chunk_store *store, unsigned count)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    s->lies = count;
}

void store_stall_delay(struct chunk_store *store, int64_t delay_ns)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    s->delay_ns = delay_ns;
}

void store_stall_health(struct chunk_store *store, enum store_state state, int64_t free_bytes)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    s->state = state;
    s->free_bytes = free_bytes;
}

unsigned store_stall_puts(struct chunk_store *store)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    return s->puts;
}

unsigned store_stall_dels(struct chunk_store *store)
{
    struct stall *s = stall_of(store);
    VS_LOCK_SCOPE(&s->lock);

    return s->dels;
}
