/* kv_mem: the key-value vtable in memory, for tests beside RocksDB: a skip list (Pugh, 1990) under
 * one reader-writer lock. Nothing survives close; sync and flush have nothing to do.
 *
 * Failure: -ENOMEM in the middle of a batch would leave half of it, so all nodes of a batch are
 * made before the first one is linked. */
#include "common/assert.h"
#include "common/err.h"
#include "common/list.h"
#include "common/rand.h"
#include "meta/kv.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KV_MEM_LEVELS 20 /* plenty for 4^20 keys */

struct kv_mem_node {
    uint8_t *value; /* behind the key, same allocation */
    size_t key_len, value_len;
    bool is_del; /* only while a batch is being made */
    unsigned levels;
    struct kv_mem_node *next[]; /* `levels` of them, then the key */
};

struct kv_mem {
    struct kv kv;
    pthread_rwlock_t lock;
    struct vs_rand rand;      /* under lock: heights */
    struct kv_mem_node *head; /* has all levels and no key */
};

static uint8_t *kv_mem_key(struct kv_mem_node *n)
{
    return (uint8_t *)&n->next[n->levels];
}

static int kv_mem_cmp(struct kv_mem_node *n, const void *key, size_t key_len)
{
    size_t len = n->key_len < key_len ? n->key_len : key_len;
    int c = len > 0 ? memcmp(kv_mem_key(n), key, len) : 0;

    if (c != 0)
        return c;
    return n->key_len < key_len ? -1 : n->key_len > key_len;
}

/* First node with a key >= key; `before` gets the last smaller node of each level. */
static struct kv_mem_node *kv_mem_seek(struct kv_mem *m, const void *key, size_t key_len,
                                       struct kv_mem_node *before[KV_MEM_LEVELS])
{
    struct kv_mem_node *n = m->head;

    for (int level = KV_MEM_LEVELS - 1; level >= 0; level--) {
        while (n->next[level] != NULL && kv_mem_cmp(n->next[level], key, key_len) < 0)
            n = n->next[level];
        before[level] = n;
    }
    return n->next[0];
}

static int kv_mem_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    struct kv_mem *m = vs_container_of(kv, struct kv_mem, kv);
    struct kv_mem_node *before[KV_MEM_LEVELS], *n;
    int r = -ENOENT;

    pthread_rwlock_rdlock(&m->lock);
    n = kv_mem_seek(m, key, key_len, before);
    if (n != NULL && kv_mem_cmp(n, key, key_len) == 0) {
        ret->len = 0;
        r = vs_buf_append(ret, n->value, n->value_len, KV_VALUE_BYTES_MAX);
    }
    pthread_rwlock_unlock(&m->lock);
    return r;
}

static int kv_mem_scan(struct kv *kv, const void *from, size_t from_len, const void *to,
                       size_t to_len, kv_scan_fn *fn, void *arg)
{
    struct kv_mem *m = vs_container_of(kv, struct kv_mem, kv);
    struct kv_mem_node *before[KV_MEM_LEVELS], *n;
    int r = 0;

    pthread_rwlock_rdlock(&m->lock); /* held through fn: the scan is of one moment */
    for (n = kv_mem_seek(m, from, from_len, before); n != NULL && r == 0; n = n->next[0]) {
        if (to_len > 0 && kv_mem_cmp(n, to, to_len) >= 0)
            break;
        r = fn(arg, kv_mem_key(n), n->key_len, n->value, n->value_len);
    }
    pthread_rwlock_unlock(&m->lock);
    return r;
}

/* Nodes of a batch in its order, linked through next[0] until they are put in. */
struct kv_mem_making {
    struct kv_mem *m;
    struct kv_mem_node *first, *last;
};

static int kv_mem_make(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    struct kv_mem_making *making = arg;
    struct kv_mem_node *n;
    unsigned levels = 1;

    while (levels < KV_MEM_LEVELS && vs_rand_below(&making->m->rand, 4) == 0)
        levels++;
    n = calloc(1, sizeof(*n) + levels * sizeof(n->next[0]) + key_len + value_len);
    if (n == NULL)
        return -ENOMEM;
    n->levels = levels;
    n->key_len = key_len;
    n->value_len = value_len;
    n->is_del = value == NULL;
    memcpy(kv_mem_key(n), key, key_len);
    n->value = kv_mem_key(n) + key_len;
    if (value_len > 0)
        memcpy(n->value, value, value_len);
    if (making->last == NULL)
        making->first = n;
    else
        making->last->next[0] = n;
    making->last = n;
    return 0;
}

static void kv_mem_free_nodes(struct kv_mem_node *n)
{
    while (n != NULL) {
        struct kv_mem_node *next = n->next[0];

        free(n);
        n = next;
    }
}

/* Takes the node over. */
static void kv_mem_apply(struct kv_mem *m, struct kv_mem_node *n)
{
    struct kv_mem_node *before[KV_MEM_LEVELS], *old;

    old = kv_mem_seek(m, kv_mem_key(n), n->key_len, before);
    if (old != NULL && kv_mem_cmp(old, kv_mem_key(n), n->key_len) == 0) {
        for (unsigned level = 0; level < old->levels; level++)
            before[level]->next[level] = old->next[level];
        free(old);
    }
    if (n->is_del) {
        free(n);
        return;
    }
    for (unsigned level = 0; level < n->levels; level++) {
        n->next[level] = before[level]->next[level];
        before[level]->next[level] = n;
    }
}

static int kv_mem_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    struct kv_mem *m = vs_container_of(kv, struct kv_mem, kv);
    struct kv_mem_making making = { .m = m };
    int r;

    (void)sync;
    pthread_rwlock_wrlock(&m->lock);
    r = kv_batch_each(b, kv_mem_make, &making);
    if (r < 0)
        kv_mem_free_nodes(making.first);
    while (r == 0 && making.first != NULL) {
        struct kv_mem_node *n = making.first;

        making.first = n->next[0];
        kv_mem_apply(m, n);
    }
    pthread_rwlock_unlock(&m->lock);
    return r;
}

static int kv_mem_flush(struct kv *kv)
{
    (void)kv;
    return 0;
}

/* A copy: the twin is small. */
struct kv_mem_view {
    struct kv_view view;
    struct kv *copy;
    struct kv_mem_node *at; /* to be given next */
};

static int kv_mem_view_seek(struct kv_view *view, const void *from, size_t from_len)
{
    struct kv_mem_view *v = vs_container_of(view, struct kv_mem_view, view);
    struct kv_mem *m = vs_container_of(v->copy, struct kv_mem, kv);
    struct kv_mem_node *before[KV_MEM_LEVELS];

    v->at = kv_mem_seek(m, from, from_len, before);
    return 0;
}

static int kv_mem_view_next(struct kv_view *view, const uint8_t **key, size_t *key_len,
                            const uint8_t **value, size_t *value_len)
{
    struct kv_mem_view *v = vs_container_of(view, struct kv_mem_view, view);
    struct kv_mem_node *n = v->at;

    if (n == NULL)
        return 0;
    *key = kv_mem_key(n);
    *key_len = n->key_len;
    *value = n->value;
    *value_len = n->value_len;
    v->at = n->next[0];
    return 1;
}

static void kv_mem_view_close(struct kv_view *view)
{
    struct kv_mem_view *v = vs_container_of(view, struct kv_mem_view, view);

    kv_close(v->copy);
    free(v);
}

static const struct kv_view_ops kv_mem_view_ops = {
    .seek = kv_mem_view_seek,
    .next = kv_mem_view_next,
    .close = kv_mem_view_close,
};

static int kv_mem_copy_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct kv *copy = arg;
    struct kv_batch *b;
    int r = kv_batch_new(&b);

    if (r < 0)
        return r;
    kv_batch_put(b, key, key_len, value, value_len);
    r = kv_write(copy, b, false);
    kv_batch_free(b);
    return r;
}

static int kv_mem_view(struct kv *kv, struct kv_view **ret)
{
    struct kv_mem_view *v = calloc(1, sizeof(*v));
    int r = v == NULL ? -ENOMEM : kv_mem_new(&v->copy);

    if (r == 0)
        r = kv_mem_scan(kv, "", 0, "", 0, kv_mem_copy_one, v->copy);
    if (r < 0) {
        if (v != NULL)
            kv_close(v->copy);
        free(v);
        return r;
    }
    v->view.ops = &kv_mem_view_ops;
    (void)kv_mem_view_seek(&v->view, "", 0);
    *ret = &v->view;
    return 0;
}

static void kv_mem_close(struct kv *kv)
{
    struct kv_mem *m = vs_container_of(kv, struct kv_mem, kv);

    kv_mem_free_nodes(m->head);
    pthread_rwlock_destroy(&m->lock);
    free(m);
}

static const struct kv_ops kv_mem_ops = {
    .get = kv_mem_get,
    .scan = kv_mem_scan,
    .write = kv_mem_write,
    .flush = kv_mem_flush,
    .view = kv_mem_view,
    .close = kv_mem_close,
};

int kv_mem_new(struct kv **ret)
{
    struct kv_mem *m = calloc(1, sizeof(*m));
    struct kv_mem_node *head = calloc(1, sizeof(*head) + KV_MEM_LEVELS * sizeof(head->next[0]));

    if (m == NULL || head == NULL) {
        free(m);
        free(head);
        return -ENOMEM;
    }
    m->kv.ops = &kv_mem_ops;
    m->head = head;
    head->levels = KV_MEM_LEVELS;
    VS_ASSERT(pthread_rwlock_init(&m->lock, NULL) == 0);
    *ret = &m->kv;
    return 0;
}
