/* dump_kv: between a key-value store and a section of a dump (meta/dump.h).
 *
 * Out: the pairs of a view, a piece at a time. In: pairs gather in batches, unsynced, into an empty
 * store; dump_kv_in_end() makes them durable. What was read before a dump proved to be damaged is
 * in the store: the caller throws that away. Threads: one at a time per object. */
#ifndef VS_META_DUMP_KV_H
#define VS_META_DUMP_KV_H

#include "meta/dump.h"
#include "meta/kv.h"

#define DUMP_KV_TO_BYTES_MAX    (32u << 20) /* of dump_kv_out() */
#define DUMP_KV_BATCH_BYTES_MAX (1u << 20)  /* one pair may be more */

/* Pairs from where the view stands, until `to` holds `to_bytes` or there are no more: 1: there may
 * be more; 0: that was all. */
int dump_kv_out(struct dump_out *o, uint8_t section, struct kv_view *view, struct vs_buf *to,
                size_t to_bytes);

struct dump_kv_in {
    struct kv *kv; /* lent */
    struct kv_batch *batch;
    size_t bytes;
};

/* -EEXIST: there is something in it; -ENOMEM */
int dump_kv_in_begin(struct dump_kv_in *in, struct kv *kv);
int dump_kv_in_pair(struct dump_kv_in *in, const uint8_t *key, size_t key_len, const uint8_t *value,
                    size_t value_len);
/* All of it is durable when this returns 0. */
int dump_kv_in_end(struct dump_kv_in *in);
void dump_kv_in_close(struct dump_kv_in *in); /* forgives zeroed and closed */

#endif
