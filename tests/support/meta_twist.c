/* meta_twist: see the header. A request is wrapped in one of our own, so that its private fields
 * stay ours while the inner client uses those of the wrapper. */
#include "tests/support/meta_twist.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <stdlib.h>

struct meta_twist {
    struct meta_client client;
    struct meta_client *inner;
    pthread_mutex_t lock;
    meta_twist_fn *fn; /* under lock */
    void *arg;         /* under lock */
};

struct twist_wrap {
    struct meta_twist *twist;
    struct meta_req *outer, inner;
};

static void twist_done(struct meta_req *inner)
{
    struct twist_wrap *w = vs_container_of(inner, struct twist_wrap, inner);
    struct meta_twist *t = w->twist;
    struct meta_req *outer = w->outer;
    meta_done_fn *done = outer->done;
    void *waiter = outer->waiter, *arg;
    meta_twist_fn *fn;

    *outer = w->inner;
    outer->done = done;
    outer->waiter = waiter;
    outer->client = t;
    free(w);
    {
        VS_LOCK_SCOPE(&t->lock);
        fn = t->fn;
        arg = t->arg;
    }
    if (fn != NULL)
        fn(arg, outer);
    done(outer);
}

static void twist_submit(struct meta_client *c, struct meta_req *r)
{
    struct twist_wrap *w = calloc(1, sizeof(*w));

    VS_ASSERT(w != NULL);
    w->twist = vs_container_of(c, struct meta_twist, client);
    w->outer = r;
    w->inner = *r;
    w->inner.done = twist_done;
    meta_submit(w->twist->inner, &w->inner);
}

static void twist_stop(struct meta_client *c)
{
    struct meta_twist *t = vs_container_of(c, struct meta_twist, client);

    meta_client_stop(t->inner);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static const struct meta_client_ops twist_ops = { .submit = twist_submit, .stop = twist_stop };

struct meta_client *meta_twist_new(struct meta_client *inner)
{
    struct meta_twist *t = calloc(1, sizeof(*t));

    VS_ASSERT(t != NULL);
    t->client = *inner;
    t->client.ops = &twist_ops;
    t->inner = inner;
    pthread_mutex_init(&t->lock, NULL);
    return &t->client;
}

void meta_twist_set(struct meta_client *c, meta_twist_fn *fn, void *arg)
{
    struct meta_twist *t = vs_container_of(c, struct meta_twist, client);
    VS_LOCK_SCOPE(&t->lock);

    t->fn = fn;
    t->arg = arg;
}
