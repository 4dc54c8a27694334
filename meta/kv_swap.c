/* kv_swap: see the header.
 *
 * A reader-writer lock around the store inside; a change is its writer. A scan's callback may read
 * again: that thread is inside already and must not queue behind a change that waits for it.
 *
 * Locks: s->lock, then s->views_lock. */
#include "meta/kv_swap.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/list.h"
#include <pthread.h>
#include <stdlib.h>

struct kv_swap {
    struct kv kv;
    pthread_rwlock_t lock;
    struct kv *inner; /* under lock; NULL: nothing */
    pthread_mutex_t views_lock;
    struct vs_list views; /* under views_lock; ended by a change alone */
};

struct kv_swap_view {
    struct kv_view view;
    struct kv_swap *swap;
    struct kv_view *inner; /* under swap->lock; NULL: of a store that was replaced */
    struct vs_buf pair;    /* given last: a change may end the view while it is looked at */
    struct vs_list link;
};

/* Whose lock this thread holds for reading. */
static __thread struct kv_swap *inside;

/* Returns what to hand to swap_leave(). */
static struct kv_swap *swap_enter(struct kv_swap *s)
{
    struct kv_swap *before = inside;

    if (before != s) {
        pthread_rwlock_rdlock(&s->lock);
        inside = s;
    }
    return before;
}

static void swap_leave(struct kv_swap *s, struct kv_swap *before)
{
    if (before == s)
        return;
    inside = before;
    pthread_rwlock_unlock(&s->lock);
}

static int swap_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv);
    struct kv_swap *before = swap_enter(s);
    int r = s->inner == NULL ? -EIO : kv_get(s->inner, key, key_len, ret);

    swap_leave(s, before);
    return r;
}

static int swap_scan(struct kv *kv, const void *from, size_t from_len, const void *to,
                     size_t to_len, kv_scan_fn *fn, void *arg)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv);
    struct kv_swap *before = swap_enter(s);
    int r = s->inner == NULL ? -EIO : kv_scan(s->inner, from, from_len, to, to_len, fn, arg);

    swap_leave(s, before);
    return r;
}

static int swap_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv);
    struct kv_swap *before = swap_enter(s);
    int r = s->inner == NULL ? -EIO : kv_write(s->inner, b, sync);

    swap_leave(s, before);
    return r;
}

static int swap_flush(struct kv *kv)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv);
    struct kv_swap *before = swap_enter(s);
    int r = s->inner == NULL ? -EIO : kv_flush(s->inner);

    swap_leave(s, before);
    return r;
}

/* ---- views ---- */

static int swap_view_seek(struct kv_view *view, const void *from, size_t from_len)
{
    struct kv_swap_view *v = vs_container_of(view, struct kv_swap_view, view);
    struct kv_swap *before = swap_enter(v->swap);
    int r = v->inner == NULL ? -ESTALE : kv_view_seek(v->inner, from, from_len);

    swap_leave(v->swap, before);
    return r;
}

static int swap_view_next(struct kv_view *view, const uint8_t **key, size_t *key_len,
                          const uint8_t **value, size_t *value_len)
{
    struct kv_swap_view *v = vs_container_of(view, struct kv_swap_view, view);
    struct kv_swap *before = swap_enter(v->swap);
    int r = v->inner == NULL ? -ESTALE : kv_view_next(v->inner, key, key_len, value, value_len);

    if (r == 1) {
        v->pair.len = 0;
        r = vs_buf_append(&v->pair, *key, *key_len, KV_KEY_BYTES_MAX);
        if (r == 0)
            r = vs_buf_append(&v->pair, *value, *value_len, KV_KEY_BYTES_MAX + KV_VALUE_BYTES_MAX);
        *key = v->pair.data;
        *value = v->pair.data + *key_len;
        r = r == 0 ? 1 : r;
    }
    swap_leave(v->swap, before);
    return r;
}

static void swap_view_close(struct kv_view *view)
{
    struct kv_swap_view *v = vs_container_of(view, struct kv_swap_view, view);
    struct kv_swap *s = v->swap, *before = swap_enter(s);

    pthread_mutex_lock(&s->views_lock);
    vs_list_del(&v->link);
    pthread_mutex_unlock(&s->views_lock);
    kv_view_close(v->inner);
    swap_leave(s, before);
    vs_buf_close(&v->pair);
    free(v);
}

static const struct kv_view_ops swap_view_ops = {
    .seek = swap_view_seek,
    .next = swap_view_next,
    .close = swap_view_close,
};

static int swap_view(struct kv *kv, struct kv_view **ret)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv), *before;
    struct kv_swap_view *v = calloc(1, sizeof(*v));
    int r;

    if (v == NULL)
        return -ENOMEM;
    v->view.ops = &swap_view_ops;
    v->swap = s;
    before = swap_enter(s);
    r = s->inner == NULL ? -EIO : kv_view_open(s->inner, &v->inner);
    if (r == 0) {
        pthread_mutex_lock(&s->views_lock);
        vs_list_add_tail(&s->views, &v->link);
        pthread_mutex_unlock(&s->views_lock);
    }
    swap_leave(s, before);
    if (r < 0)
        free(v);
    else
        *ret = &v->view;
    return r;
}

/* ---- change, life ---- */

int kv_swap_change(struct kv *swap, kv_swap_fn *fn, void *arg)
{
    struct kv_swap *s = vs_container_of(swap, struct kv_swap, kv);
    int r;

    VS_ASSERT(inside != s);
    pthread_rwlock_wrlock(&s->lock);
    for (struct vs_list *l = s->views.next; l != &s->views; l = l->next) {
        struct kv_swap_view *v = vs_container_of(l, struct kv_swap_view, link);

        kv_view_close(v->inner);
        v->inner = NULL;
    }
    r = fn(arg, &s->inner);
    pthread_rwlock_unlock(&s->lock);
    return r;
}

static void swap_close(struct kv *kv)
{
    struct kv_swap *s = vs_container_of(kv, struct kv_swap, kv);

    VS_ASSERT(vs_list_empty(&s->views));
    kv_close(s->inner);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->views_lock);
    free(s);
}

static const struct kv_ops swap_ops = {
    .get = swap_get,
    .scan = swap_scan,
    .write = swap_write,
    .flush = swap_flush,
    .view = swap_view,
    .close = swap_close,
};

int kv_swap_new(struct kv **ret, struct kv *inner)
{
    struct kv_swap *s = calloc(1, sizeof(*s));
    pthread_rwlockattr_t attr;

    if (s == NULL)
        return -ENOMEM;
    s->kv.ops = &swap_ops;
    s->inner = inner;
    vs_list_init(&s->views);
    pthread_rwlockattr_init(&attr); /* these cannot fail on Linux */
    /* A change must not wait for ever while readers follow each other. */
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&s->views_lock, NULL);
    *ret = &s->kv;
    return 0;
}
