/* store_late: see the header. */
#include "tests/support/store_late.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdio.h>

struct late {
    struct chunk_store base;
    struct chunk_store *inner;
    struct vs_exec *exec;
    pthread_mutex_t lock;
    bool hold;
    enum store_state state;
    struct store_get *held[STORE_LATE_HELD_MAX];
    unsigned held_count, gets, cancels;
};

static struct late *late_of(struct chunk_store *s)
{
    return vs_container_of(s, struct late, base);
}

static void late_get(struct chunk_store *s, struct store_get *g)
{
    struct late *l = late_of(s);

    {
        VS_LOCK_SCOPE(&l->lock);
        l->gets++;
        if (l->hold) {
            VS_ASSERT(l->held_count < STORE_LATE_HELD_MAX);
            l->held[l->held_count++] = g;
            return;
        }
    }
    chunk_store_get(l->inner, g);
}

static void cancelled_job(struct vs_job *job)
{
    struct store_get *g = vs_container_of(job, struct store_get, job);

    g->status = -ECANCELED;
    g->done(g);
}

static void late_cancel(struct chunk_store *s, struct store_get *g)
{
    struct late *l = late_of(s);
    VS_LOCK_SCOPE(&l->lock);

    for (unsigned i = 0; i < l->held_count; i++) {
        if (l->held[i] != g)
            continue;
        l->held[i] = l->held[--l->held_count];
        l->cancels++;
        g->job.fn = cancelled_job;
        vs_exec_submit(l->exec, &g->job);
        return;
    }
}

static void late_put(struct chunk_store *s, struct store_put *p)
{
    chunk_store_put(late_of(s)->inner, p);
}

static void late_del(struct chunk_store *s, struct store_del *d)
{
    chunk_store_del(late_of(s)->inner, d);
}

static void late_stat(struct chunk_store *s, struct store_stat *st)
{
    chunk_store_stat(late_of(s)->inner, st);
}

static void late_list(struct chunk_store *s, struct store_list *list)
{
    chunk_store_list(late_of(s)->inner, list);
}

static void late_health(struct chunk_store *s, struct store_health *ret)
{
    struct late *l = late_of(s);

    chunk_store_health(l->inner, ret);
    VS_LOCK_SCOPE(&l->lock);
    ret->state = l->state;
    snprintf(ret->why, sizeof(ret->why), "%s", l->state == STORE_UP ? "" : "A test says so.");
}

static void late_stop(struct chunk_store *s)
{
    struct late *l = late_of(s);

    VS_ASSERT(l->held_count == 0);
    chunk_store_stop(l->inner);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static const struct chunk_store_ops late_ops = {
    .put = late_put,
    .get = late_get,
    .del = late_del,
    .stat = late_stat,
    .list = late_list,
    .health = late_health,
    .cancel = late_cancel,
    .stop = late_stop,
};

struct chunk_store *store_late_entry(struct store_set *set, unsigned i, struct vs_exec *exec)
{
    struct late *l = calloc(1, sizeof(*l));

    VS_ASSERT(l != NULL);
    l->base.ops = &late_ops;
    l->inner = atomic_load(&set->entries[i].store);
    l->exec = exec;
    l->state = STORE_UP;
    pthread_mutex_init(&l->lock, NULL);
    atomic_store(&set->entries[i].store, &l->base);
    return &l->base;
}

void store_late_hold(struct chunk_store *s, bool hold)
{
    struct late *l = late_of(s);
    struct store_get *held[STORE_LATE_HELD_MAX];
    unsigned count = 0;

    pthread_mutex_lock(&l->lock);
    l->hold = hold;
    while (!hold && l->held_count > 0)
        held[count++] = l->held[--l->held_count];
    pthread_mutex_unlock(&l->lock);
    while (count > 0)
        chunk_store_get(l->inner, held[--count]);
}

unsigned store_late_held(struct chunk_store *s)
{
    VS_LOCK_SCOPE(&late_of(s)->lock);
    return late_of(s)->held_count;
}

unsigned store_late_gets(struct chunk_store *s)
{
    VS_LOCK_SCOPE(&late_of(s)->lock);
    return late_of(s)->gets;
}

unsigned store_late_cancels(struct chunk_store *s)
{
    VS_LOCK_SCOPE(&late_of(s)->lock);
    return late_of(s)->cancels;
}

void store_late_state(struct chunk_store *s, enum store_state state)
{
    VS_LOCK_SCOPE(&late_of(s)->lock);
    late_of(s)->state = state;
}
