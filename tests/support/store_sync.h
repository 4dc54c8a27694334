/* Blocking calls on a chunk store, for tests: the request, a wait for its callback, the status. */
#ifndef VS_TESTS_STORE_SYNC_H
#define VS_TESTS_STORE_SYNC_H

#include "node/chunk_store.h"

struct sync_store {
    struct chunk_store *s;
    void (*run)(struct chunk_store *s); /* serial stores: how to make it work; NULL: threads */
};

/* A key of tests: chunk id made of `n`, fragment 0, generation 1. */
struct frag_key sync_key(uint64_t n);
/* `bytes` reproducible bytes that differ for each `seed`, on the heap. */
uint8_t *sync_bytes(uint64_t seed, size_t bytes);

/* `note` may be NULL (a plain one). sha256 is computed. */
int sync_put(const struct sync_store *ss, const struct frag_key *key, const struct frag_note *note,
             const void *data, size_t bytes);
/* Whole fragment, length unknown: 0 and the bytes on the heap; verified against `table_crc` unless
 * that is NULL, against its own table otherwise. */
int sync_get_all(const struct sync_store *ss, const struct frag_key *key, const uint32_t *table_crc,
                 uint8_t **ret, size_t *ret_bytes);
/* The range as it was answered; g->key, offset, bytes, dst are the caller's. */
int sync_get(const struct sync_store *ss, struct store_get *g);
int sync_del(const struct sync_store *ss, const struct frag_key *key);
int sync_stat(const struct sync_store *ss, const struct frag_key *key, struct store_stat *ret);
int sync_list(const struct sync_store *ss, const struct frag_key *after, struct frag_key *keys,
              uint32_t keys_max, uint32_t *ret_count);
/* 0 when the fragment reads back as the `bytes` of sync_bytes(seed), verified. */
int sync_check(const struct sync_store *ss, const struct frag_key *key, uint64_t seed,
               size_t bytes);

#endif
