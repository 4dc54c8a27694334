/* chunk_fetch: one range of one chunk, from the stores into memory: place, ask, verify, rebuild.
 *
 * Happy path: the register says where the fragments are; each data fragment that the range touches
 * is asked for its blocks; the verified bytes are put together. Failure: a fragment that cannot be
 * had is rebuilt from the same range of any k others, asked for only then; with fewer than k left
 * the fetch ends with -VS_ELOST. A store that is late is not waited for where others can do. A
 * placement from the cache that leads nowhere is read anew, once.
 *
 * Threads: start from any; `done` runs exactly once, on a store's or the metadata's thread, or on
 * fetch->exec. */
#ifndef VS_FS_CHUNK_FETCH_H
#define VS_FS_CHUNK_FETCH_H

#include "fs/chunk_mem.h"
#include "fs/chunk_reader.h"
#include "fs/fetch_doubt.h"
#include "fs/place_cache.h"
#include "meta/place_value.h"
#include <pthread.h>

struct chunk_fetch_stats {
    _Atomic uint64_t rebuilt, corrupt, lost, hedged;
};

/* What all fetches of a reader share; lent. */
struct chunk_fetch_env {
    struct store_set *stores;
    struct meta_client *meta;
    struct vs_exec *exec;
    struct place_cache *places;
    struct chunk_mem_pool *mem;
    struct chunk_fetch_stats stats;
    struct fetch_doubt doubt;
    int64_t hedge_ns;                      /* a store is late after so long; 0: 500 ms */
    _Atomic int64_t log_ns[STORE_SET_MAX]; /* when each store was last complained about */
    _Atomic int64_t lost_log_ns;
};

_Static_assert(FETCH_DOUBT_STORES_MAX >= STORE_SET_MAX, "a doubt for each store");

struct chunk_fetch;
typedef void chunk_fetch_fn(struct chunk_fetch *f);

struct chunk_fetch {
    struct chunk_fetch_env *env;
    struct mf_chunk chunk;
    uint32_t offset, bytes; /* inside the chunk; whole chunk: 0 and its length */
    uint64_t ino;           /* for messages */
    chunk_fetch_fn *done;
    int status;              /* out */
    struct chunk_bytes *mem; /* out: a reference */
    const uint8_t *data;     /* out: inside mem */
    /* private from here */
    pthread_mutex_t lock;
    struct place_value place;
    bool place_checked;
    uint32_t frag_bytes;
    int short_of; /* 0, or why not all parts could be asked for */
    struct vs_list parts;
    unsigned waiting; /* parts not answered yet; one more while parts are being started */
    struct meta_req req;
    struct meta_reg reg;
    struct vs_job job;
    struct vs_job hedge;  /* the timer; only when `hedging` */
    bool hedging, hedged; /* under lock; hedged: others were asked in the place of late ones */
};

/* `f` is the caller's, zeroed, with the input fields set. */
void chunk_fetch_start(struct chunk_fetch *f);

#endif
