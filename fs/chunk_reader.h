/* chunk_reader: bytes of a chunk, from the cache or from the stores, verified and, where fragments
 * are missing or wrong, rebuilt.
 *
 * Happy path: a range inside one data fragment touches one store and only the blocks asked for; a
 * whole chunk is read from its k data fragments at once and kept in the chunk cache. Failure: a
 * fragment whose store is down, does not have it, or whose bytes do not match their checksums is
 * replaced by any others; fewer than k left: -VS_ELOST, logged with the path.
 *
 * Threads: any. `done` runs exactly once, on another thread or a store's, never inside the call,
 * unless the start returned 1: then the bytes were in the cache and `done` will not run. */
#ifndef VS_FS_CHUNK_READER_H
#define VS_FS_CHUNK_READER_H

#include "common/exec.h"
#include "meta/manifest.h"
#include "meta/meta_client.h"
#include "node/store_set.h"

#define CHUNK_READER_CACHE_BYTES_DEFAULT (192u << 20)

struct chunk_reader;
struct chunk_bytes; /* reference-counted memory behind an answer */

struct chunk_read;
typedef void chunk_read_fn(struct chunk_read *r);

struct chunk_read {
    struct mf_chunk chunk;  /* not a hole */
    uint32_t offset, bytes; /* inside the chunk */
    bool whole;             /* sequential reader: fetch the whole chunk into the cache */
    uint64_t ino;           /* for messages */
    chunk_read_fn *done;
    int status;              /* out */
    const uint8_t *data;     /* out: `bytes` bytes, valid until chunk_read_put() */
    struct chunk_bytes *mem; /* out: what holds them */
    struct vs_job job;       /* private from here */
    struct vs_list link;
    void *priv;
};

int chunk_reader_new(struct chunk_reader **ret, struct store_set *stores, struct meta_client *meta,
                     struct vs_exec *exec, size_t cache_bytes);
/* Waits for what is in flight; nobody starts a read any more. Forgives NULL. */
void chunk_reader_free(struct chunk_reader *cr);

/* 1: answered at once, outputs are filled. 0: `done` will run. */
__attribute__((warn_unused_result)) int chunk_read_start(struct chunk_reader *cr,
                                                         struct chunk_read *r);
/* Give the answer's memory back. Forgives a failed read and a second call. */
void chunk_read_put(struct chunk_read *r);
/* Load into the cache what will be wanted soon; no answer. Dropped when the cache is busy. */
void chunk_reader_prefetch(struct chunk_reader *cr, const struct mf_chunk *chunk, uint64_t ino);

struct chunk_reader_stats {
    uint64_t hits, misses, rebuilt, corrupt, lost;
};
void chunk_reader_stats(struct chunk_reader *cr, struct chunk_reader_stats *ret);

#endif
