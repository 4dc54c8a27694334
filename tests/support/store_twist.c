/* store_twist: see the header. Gets and lists are wrapped in requests of our own, so that their
 * private fields stay ours while the inner store uses those of the wrapper. */
#include "tests/support/store_twist.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <string.h>

struct twisted {
    struct chunk_store store;
    struct chunk_store *inner;
    pthread_mutex_t lock;
    struct store_twist twist; /* under lock */
    unsigned gets, lists;     /* under lock */
};

static struct twisted *twisted_of(struct chunk_store *s)
{
    return vs_container_of(s, struct twisted, store);
}

static struct store_twist twist_now(struct twisted *t)
{
    VS_LOCK_SCOPE(&t->lock);
    return t->twist;
}

struct get_wrap {
    struct twisted *twisted;
    struct store_get *outer, inner;
};

static void get_done(struct store_get *g)
{
    struct get_wrap *w = vs_container_of(g, struct get_wrap, inner);
    struct store_twist twist = twist_now(w->twisted);
    struct store_get *outer = w->outer;

    outer->status = g->status;
    outer->got_bytes = g->got_bytes;
    outer->payload_bytes = g->payload_bytes;
    memcpy(outer->crc, g->crc, sizeof(outer->crc));
    free(w);
    if (twist.answered != NULL)
        twist.answered(twist.arg, outer);
    outer->done(outer);
}

static void twisted_get(struct chunk_store *s, struct store_get *g)
{
    struct twisted *t = twisted_of(s);
    struct store_twist twist = twist_now(t);
    struct get_wrap *w = calloc(1, sizeof(*w));

    VS_ASSERT(w != NULL);
    w->twisted = t;
    w->outer = g;
    w->inner = *g;
    w->inner.done = get_done;
    {
        VS_LOCK_SCOPE(&t->lock);
        t->gets++;
    }
    if (twist.asked != NULL)
        twist.asked(twist.arg, &w->inner);
    chunk_store_get(t->inner, &w->inner);
}

struct list_wrap {
    struct twisted *twisted;
    struct store_list *outer, inner;
};

static void list_done(struct store_list *l)
{
    struct list_wrap *w = vs_container_of(l, struct list_wrap, inner);
    struct store_twist twist = twist_now(w->twisted);
    struct store_list *outer = w->outer;

    outer->status = l->status;
    outer->keys_count = l->keys_count;
    free(w);
    if (twist.listed != NULL)
        twist.listed(twist.arg, outer);
    outer->done(outer);
}

static void twisted_list(struct chunk_store *s, struct store_list *l)
{
    struct twisted *t = twisted_of(s);
    struct list_wrap *w = calloc(1, sizeof(*w));

    VS_ASSERT(w != NULL);
    w->twisted = t;
    w->outer = l;
    w->inner = *l;
    w->inner.done = list_done;
    {
        VS_LOCK_SCOPE(&t->lock);
        t->lists++;
    }
    chunk_store_list(t->inner, &w->inner);
}

static void twisted_put(struct chunk_store *s, struct store_put *p)
{
    chunk_store_put(twisted_of(s)->inner, p);
}

static void twisted_del(struct chunk_store *s, struct store_del *d)
{
    chunk_store_del(twisted_of(s)->inner, d);
}

static void twisted_stat(struct chunk_store *s, struct store_stat *st)
{
    chunk_store_stat(twisted_of(s)->inner, st);
}

static void twisted_health(struct chunk_store *s, struct store_health *ret)
{
    struct twisted *t = twisted_of(s);
    struct store_twist twist = twist_now(t);

    chunk_store_health(t->inner, ret);
    if (twist.healthy != NULL)
        twist.healthy(twist.arg, ret);
}

static void twisted_stop(struct chunk_store *s)
{
    struct twisted *t = twisted_of(s);

    chunk_store_stop(t->inner);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static const struct chunk_store_ops twisted_ops = {
    .put = twisted_put,
    .get = twisted_get,
    .del = twisted_del,
    .stat = twisted_stat,
    .list = twisted_list,
    .health = twisted_health,
    .stop = twisted_stop,
};

struct chunk_store *store_twist_new(struct chunk_store *inner)
{
    struct twisted *t = calloc(1, sizeof(*t));

    VS_ASSERT(t != NULL);
    t->store.ops = &twisted_ops;
    t->inner = inner;
    pthread_mutex_init(&t->lock, NULL);
    return &t->store;
}

struct chunk_store *store_twist_entry(struct store_set *set, unsigned i)
{
    struct chunk_store *twist = store_twist_new(atomic_load(&set->entries[i].store));

    atomic_store(&set->entries[i].store, twist);
    return twist;
}

void store_twist_set(struct chunk_store *s, const struct store_twist *twist)
{
    struct twisted *t = twisted_of(s);
    VS_LOCK_SCOPE(&t->lock);

    t->twist = twist != NULL ? *twist : (struct store_twist){ 0 };
}

unsigned store_twist_gets(struct chunk_store *s)
{
    struct twisted *t = twisted_of(s);
    VS_LOCK_SCOPE(&t->lock);

    return t->gets;
}

unsigned store_twist_lists(struct chunk_store *s)
{
    struct twisted *t = twisted_of(s);
    VS_LOCK_SCOPE(&t->lock);

    return t->lists;
}
