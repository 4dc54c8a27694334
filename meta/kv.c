/* kv: the vtable's wrappers with the contract asserted around them, and batches of operations.
 *
 * Happy path: a batch keeps its operations in order in one growing arena, with a hash table over
 * the keys so that the newest operation on a key is found at once. Failure: the first put or del
 * that finds no memory (or a value over its limit) marks the batch, and kv_write refuses it. */
#include "meta/kv.h"
#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include <stdlib.h>
#include <string.h>

#define KV_BATCH_BYTES_MAX  (128u << 20)
#define KV_BATCH_KEEP_BYTES (1u << 20) /* a cleared batch keeps at most this much memory */
#define KV_BATCH_OPS_MAX    (1u << 21)
#define KV_BATCH_OPS_MIN    64u

#define KV_NONE UINT32_MAX

/* One operation; its key and value are in the arena, one behind the other. */
struct kv_op {
    uint32_t at;        /* offset in the arena */
    uint32_t key_len;   /* bytes */
    uint32_t value_len; /* bytes; KV_NONE: a delete */
    uint32_t older;     /* next operation of the same bucket, older; KV_NONE: none */
};

struct kv_batch {
    struct vs_buf arena;
    struct kv_op *ops;
    uint32_t *buckets; /* newest operation of the bucket; as many as ops_cap, a power of two */
    uint32_t ops_count, ops_cap;
    int err; /* first failure, kept until clear */
};

int kv_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    VS_ASSERT(key_len > 0 && key_len <= KV_KEY_BYTES_MAX);
    return kv->ops->get(kv, key, key_len, ret);
}

int kv_scan(struct kv *kv, const void *from, size_t from_len, const void *to, size_t to_len,
            kv_scan_fn *fn, void *arg)
{
    VS_ASSERT(from_len <= KV_KEY_BYTES_MAX && to_len <= KV_KEY_BYTES_MAX);
    VS_ASSERT(fn != NULL);
    return kv->ops->scan(kv, from, from_len, to, to_len, fn, arg);
}

int kv_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    if (b->err < 0)
        return b->err;
    return kv->ops->write(kv, b, sync);
}

int kv_flush(struct kv *kv)
{
    return kv->ops->flush(kv);
}

void kv_close(struct kv *kv)
{
    if (kv != NULL)
        kv->ops->close(kv);
}

int kv_view_open(struct kv *kv, struct kv_view **ret)
{
    return kv->ops->view(kv, ret);
}

int kv_view_seek(struct kv_view *v, const void *from, size_t from_len)
{
    VS_ASSERT(from_len <= KV_KEY_BYTES_MAX);
    return v->ops->seek(v, from, from_len);
}

int kv_view_next(struct kv_view *v, const uint8_t **key, size_t *key_len, const uint8_t **value,
                 size_t *value_len)
{
    return v->ops->next(v, key, key_len, value, value_len);
}

void kv_view_close(struct kv_view *v)
{
    if (v != NULL)
        v->ops->close(v);
}

int kv_batch_new(struct kv_batch **ret)
{
    struct kv_batch *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return -ENOMEM;
    *ret = b;
    return 0;
}

void kv_batch_free(struct kv_batch *b)
{
    if (b == NULL)
        return;
    vs_buf_close(&b->arena);
    free(b->ops);
    free(b->buckets);
    free(b);
}

static uint32_t kv_bucket(const struct kv_batch *b, const void *key, size_t key_len)
{
    return vs_crc32c(0, key, key_len) & (b->ops_cap - 1);
}

static void kv_batch_chain(struct kv_batch *b, uint32_t i)
{
    struct kv_op *op = &b->ops[i];
    uint32_t bucket = kv_bucket(b, b->arena.data + op->at, op->key_len);

    op->older = b->buckets[bucket];
    b->buckets[bucket] = i;
}

/* Twice the room for operations; the chains are built anew, oldest first. */
static int kv_batch_grow(struct kv_batch *b)
{
    uint32_t cap = b->ops_cap == 0 ? KV_BATCH_OPS_MIN : b->ops_cap * 2;
    struct kv_op *ops;
    uint32_t *buckets;

    if (cap > KV_BATCH_OPS_MAX)
        return -EMSGSIZE;
    ops = reallocarray(b->ops, cap, sizeof(*ops));
    if (ops == NULL)
        return -ENOMEM;
    b->ops = ops;
    buckets = reallocarray(b->buckets, cap, sizeof(*buckets));
    if (buckets == NULL)
        return -ENOMEM;
    b->buckets = buckets;
    b->ops_cap = cap;
    memset(buckets, 0xff, cap * sizeof(*buckets));
    for (uint32_t i = 0; i < b->ops_count; i++)
        kv_batch_chain(b, i);
    return 0;
}

static void kv_batch_add(struct kv_batch *b, const void *key, size_t key_len, const void *value,
                         size_t value_len, bool is_del)
{
    uint32_t at = (uint32_t)b->arena.len;

    VS_ASSERT(key_len > 0 && key_len <= KV_KEY_BYTES_MAX);
    if (b->err < 0)
        return;
    if (value_len > KV_VALUE_BYTES_MAX) {
        b->err = -EMSGSIZE;
        return;
    }
    if (b->ops_count == b->ops_cap)
        b->err = kv_batch_grow(b);
    if (b->err == 0)
        b->err = vs_buf_reserve(&b->arena, key_len + value_len, KV_BATCH_BYTES_MAX);
    if (b->err < 0)
        return;
    memcpy(b->arena.data + at, key, key_len);
    if (value_len > 0)
        memcpy(b->arena.data + at + key_len, value, value_len);
    b->arena.len += key_len + value_len;
    b->ops[b->ops_count] = (struct kv_op){ .at = at,
                                           .key_len = (uint32_t)key_len,
                                           .value_len = is_del ? KV_NONE : (uint32_t)value_len };
    kv_batch_chain(b, b->ops_count);
    b->ops_count++;
}

void kv_batch_put(struct kv_batch *b, const void *key, size_t key_len, const void *value,
                  size_t value_len)
{
    kv_batch_add(b, key, key_len, value, value_len, false);
}

void kv_batch_del(struct kv_batch *b, const void *key, size_t key_len)
{
    kv_batch_add(b, key, key_len, NULL, 0, true);
}

void kv_batch_clear(struct kv_batch *b)
{
    if (b->arena.cap + b->ops_cap * sizeof(*b->ops) > KV_BATCH_KEEP_BYTES) {
        vs_buf_close(&b->arena);
        free(b->ops);
        free(b->buckets);
        *b = (struct kv_batch){ 0 };
        return;
    }
    b->arena.len = 0;
    b->ops_count = 0;
    b->err = 0;
    if (b->ops_cap > 0)
        memset(b->buckets, 0xff, b->ops_cap * sizeof(*b->buckets));
}

size_t kv_batch_count(const struct kv_batch *b)
{
    return b->ops_count;
}

int kv_batch_find(const struct kv_batch *b, const void *key, size_t key_len, const uint8_t **value,
                  size_t *value_len)
{
    if (b->ops_count == 0)
        return 0;
    for (uint32_t i = b->buckets[kv_bucket(b, key, key_len)]; i != KV_NONE; i = b->ops[i].older) {
        const struct kv_op *op = &b->ops[i];

        if (op->key_len != key_len || memcmp(b->arena.data + op->at, key, key_len) != 0)
            continue;
        if (op->value_len == KV_NONE)
            return -ENOENT;
        *value = b->arena.data + op->at + op->key_len;
        *value_len = op->value_len;
        return 1;
    }
    return 0;
}

int kv_batch_each(const struct kv_batch *b, kv_batch_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < b->ops_count; i++) {
        const struct kv_op *op = &b->ops[i];
        const uint8_t *key = b->arena.data + op->at;
        bool is_del = op->value_len == KV_NONE;
        int r = fn(arg, key, op->key_len, is_del ? NULL : key + op->key_len,
                   is_del ? 0 : op->value_len);

        if (r != 0)
            return r;
    }
    return 0;
}
