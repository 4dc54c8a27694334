/* kv: an ordered key-value store as a vtable: RocksDB (kv_rocks.c) and a twin in memory (kv_mem.c).
 *
 * Keys sort as bytes. A batch is atomic; with `sync` it is durable when the write returned 0. Reads
 * see all batches written before. A batch can be read through (kv_view_batch) so that several
 * changes of one entry see each other. A view (kv_view_open) is everything there was at one moment,
 * read at leisure while others write: for snapshots and backups.
 *
 * Threads: any for reads; one writer at a time (the owner serialises writes); a view by one thread
 * at a time. */
#ifndef VS_META_KV_H
#define VS_META_KV_H

#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_KEY_BYTES_MAX   1024
#define KV_VALUE_BYTES_MAX (16u << 20)

struct kv;
struct kv_view;
struct kv_batch; /* puts and deletes, in order; opaque */

/* Called for each pair; non-zero ends the scan and is its result. It may read, not write. */
typedef int kv_scan_fn(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len);

struct kv_ops {
    /* Value into `ret` (replaced). -ENOENT. */
    int (*get)(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret);
    /* Pairs with from <= key < to, ascending; to_len 0: to the end. Of one moment. */
    int (*scan)(struct kv *kv, const void *from, size_t from_len, const void *to, size_t to_len,
                kv_scan_fn *fn, void *arg);
    int (*write)(struct kv *kv, struct kv_batch *b, bool sync);
    /* Make everything written so far durable without the log (memtable flush). */
    int (*flush)(struct kv *kv);
    int (*view)(struct kv *kv, struct kv_view **ret);
    void (*close)(struct kv *kv);
};

struct kv_view_ops {
    int (*seek)(struct kv_view *v, const void *from, size_t from_len);
    int (*next)(struct kv_view *v, const uint8_t **key, size_t *key_len, const uint8_t **value,
                size_t *value_len);
    void (*close)(struct kv_view *v);
};

struct kv_view {
    const struct kv_view_ops *ops;
};

struct kv {
    const struct kv_ops *ops;
};

/* Options differ: acceptor/ must never drop what is behind a damaged log record. */
enum kv_kind { KV_ACCEPTOR, KV_NAMESPACE };

/* -ENOENT not there (create false); -EAGAIN locked by another process; -VS_ECORRUPT; -EIO. */
int kv_rocks_open(struct kv **ret, const char *dir, bool create, enum kv_kind kind);
int kv_mem_new(struct kv **ret);
/* Remove a database that nobody has open, and its directory. Forgives what is not there. -EIO */
int kv_rocks_remove(const char *dir);

int kv_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret);
int kv_scan(struct kv *kv, const void *from, size_t from_len, const void *to, size_t to_len,
            kv_scan_fn *fn, void *arg);
int kv_write(struct kv *kv, struct kv_batch *b, bool sync);
int kv_flush(struct kv *kv);
void kv_close(struct kv *kv); /* forgives NULL */

/* All pairs as they are now; it stands before the first one. It costs what is written meanwhile,
 * and must be closed before kv. -ENOMEM, -EIO */
int kv_view_open(struct kv *kv, struct kv_view **ret);
/* Stand before the first key >= from. */
int kv_view_seek(struct kv_view *v, const void *from, size_t from_len);
/* 1: the next pair, lent until the next call; 0: that was all; -VS_ECORRUPT, -EIO; -ESTALE: the
 * store was replaced by another (meta/kv_swap.h). */
int kv_view_next(struct kv_view *v, const uint8_t **key, size_t *key_len, const uint8_t **value,
                 size_t *value_len);
void kv_view_close(struct kv_view *v); /* forgives NULL */

/* A batch is sticky on -ENOMEM (and -EMSGSIZE, a value over its limit): kv_write then fails. */
int kv_batch_new(struct kv_batch **ret);
void kv_batch_put(struct kv_batch *b, const void *key, size_t key_len, const void *value,
                  size_t value_len);
void kv_batch_del(struct kv_batch *b, const void *key, size_t key_len);
void kv_batch_clear(struct kv_batch *b);
size_t kv_batch_count(const struct kv_batch *b);
void kv_batch_free(struct kv_batch *b);
/* Newest operation on a key in the batch: 1 put (value lent until the batch is changed), -ENOENT
 * deleted, 0 not in it. */
int kv_batch_find(const struct kv_batch *b, const void *key, size_t key_len, const uint8_t **value,
                  size_t *value_len);
/* Operations in order, for implementations of write. del: value NULL. */
typedef int kv_batch_fn(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len);
int kv_batch_each(const struct kv_batch *b, kv_batch_fn *fn, void *arg);

#endif
