/* chunk_reader: the cache in front of chunk_fetch, and one fetch for all who want the same chunk.
 * See the header. */
#include "fs/chunk_reader.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/chunk_fetch.h"
#include <string.h>

#define CHUNK_READER_PREFETCH_MAX 8 /* whole chunks on their way that nobody waits for yet */

struct chunk_reader {
    struct chunk_fetch_env env;
    struct place_cache places;
    struct chunk_mem_pool mem;
    pthread_mutex_t lock;       /* the fields below */
    struct chunk_cache cache;   /* of chunk_bytes.entry, a reference each */
    struct shared_fetch *by_id; /* whole chunks on their way */
    unsigned in_flight, prefetches;
    pthread_cond_t idle; /* in_flight fell to 0 */
    uint64_t hits, misses;
};

/* A fetch and everyone who waits for it. */
struct shared_fetch {
    struct chunk_fetch fetch;
    struct chunk_reader *reader;
    bool whole, prefetch;
    struct vs_list waiters; /* of chunk_read.link; under reader->lock */
    UT_hash_handle hh;
};

int chunk_reader_new(struct chunk_reader **ret, struct store_set *stores, struct meta_client *meta,
                     struct vs_exec *exec, size_t cache_bytes)
{
    struct chunk_reader *cr = calloc(1, sizeof(*cr));

    if (cr == NULL)
        return -ENOMEM;
    pthread_mutex_init(&cr->lock, NULL);
    pthread_cond_init(&cr->idle, NULL);
    place_cache_init(&cr->places);
    chunk_mem_init(&cr->mem);
    chunk_cache_init(&cr->cache, cache_bytes > 0 ? cache_bytes : CHUNK_READER_CACHE_BYTES_DEFAULT);
    cr->env.stores = stores;
    cr->env.meta = meta;
    cr->env.exec = exec;
    cr->env.places = &cr->places;
    cr->env.mem = &cr->mem;
    *ret = cr;
    return 0;
}

static void chunk_reader_drop(struct vs_list *evicted)
{
    struct chunk_cache_entry *e;

    while ((e = vs_list_first(evicted, struct chunk_cache_entry, lru)) != NULL) {
        vs_list_del(&e->lru);
        chunk_bytes_put(vs_container_of(e, struct chunk_bytes, entry));
    }
}

void chunk_reader_free(struct chunk_reader *cr)
{
    struct vs_list evicted = VS_LIST_INIT(evicted);

    if (cr == NULL)
        return;
    pthread_mutex_lock(&cr->lock);
    while (cr->in_flight > 0) /* answers are out, their fetches are being put away */
        pthread_cond_wait(&cr->idle, &cr->lock);
    pthread_mutex_unlock(&cr->lock);
    chunk_cache_clear(&cr->cache, &evicted);
    chunk_reader_drop(&evicted);
    chunk_mem_close(&cr->mem);
    place_cache_close(&cr->places);
    pthread_cond_destroy(&cr->idle);
    pthread_mutex_destroy(&cr->lock);
    free(cr);
}

/* Hand one waiter its bytes; `base` is the chunk offset of mem->data's answer. */
static void chunk_read_fill(struct chunk_read *r, struct chunk_bytes *mem, const uint8_t *data,
                            uint32_t base)
{
    r->status = 0;
    r->mem = chunk_bytes_ref(mem);
    r->data = data + (r->offset - base);
}

static void shared_fetch_done(struct chunk_fetch *f)
{
    struct shared_fetch *sf = vs_container_of(f, struct shared_fetch, fetch);
    struct chunk_reader *cr = sf->reader;
    struct vs_list waiters = VS_LIST_INIT(waiters), evicted = VS_LIST_INIT(evicted);
    struct chunk_read *r;

    {
        VS_LOCK_SCOPE(&cr->lock);
        if (sf->whole)
            HASH_DEL(cr->by_id, sf);
        if (sf->prefetch)
            cr->prefetches--;
        vs_list_splice_tail(&waiters, &sf->waiters);
        if (sf->whole && f->status == 0) {
            f->mem->entry.id = f->chunk.id;
            f->mem->entry.bytes = f->mem->cap;
            f->mem->chunk_bytes = f->chunk.bytes;
            chunk_cache_add(&cr->cache, &chunk_bytes_ref(f->mem)->entry, &evicted);
        }
    }
    chunk_reader_drop(&evicted);
    while ((r = vs_list_first(&waiters, struct chunk_read, link)) != NULL) {
        vs_list_del(&r->link);
        r->status = f->status;
        if (f->status == 0)
            chunk_read_fill(r, f->mem, f->data, f->offset);
        r->done(r);
    }
    chunk_bytes_put(f->mem);
    free(sf);

    VS_LOCK_SCOPE(&cr->lock);
    if (--cr->in_flight == 0)
        pthread_cond_broadcast(&cr->idle);
}

/* A fetch that is not started yet; under cr->lock. NULL: out of memory. */
static struct shared_fetch *shared_fetch_new(struct chunk_reader *cr, const struct mf_chunk *chunk,
                                             uint64_t ino, bool whole, uint32_t offset,
                                             uint32_t bytes)
{
    struct shared_fetch *sf = calloc(1, sizeof(*sf));

    if (sf == NULL)
        return NULL;
    sf->reader = cr;
    sf->whole = whole;
    vs_list_init(&sf->waiters);
    sf->fetch.env = &cr->env;
    sf->fetch.chunk = *chunk;
    sf->fetch.offset = whole ? 0 : offset;
    sf->fetch.bytes = whole ? (uint32_t)chunk->bytes : bytes;
    sf->fetch.ino = ino;
    sf->fetch.done = shared_fetch_done;
    if (whole)
        HASH_ADD(hh, cr->by_id, fetch.chunk.id, sizeof(struct vs_id), sf);
    cr->in_flight++;
    return sf;
}

/* A chunk has one length. A manifest that says another one is wrong, and must not read beyond. */
static int chunk_read_refuse(struct chunk_read *r)
{
    r->status = -VS_ECORRUPT;
    return 1;
}

/* From the cache, or from a fetch on its way: as chunk_read_start(); -ENOENT: neither. Under
 * cr->lock. */
static int chunk_read_join(struct chunk_reader *cr, struct chunk_read *r)
{
    struct chunk_cache_entry *e = chunk_cache_find(&cr->cache, &r->chunk.id);
    struct shared_fetch *sf = NULL;

    if (e != NULL) {
        struct chunk_bytes *mem = vs_container_of(e, struct chunk_bytes, entry);

        if (mem->chunk_bytes != r->chunk.bytes)
            return chunk_read_refuse(r);
        cr->hits++;
        chunk_read_fill(r, mem, mem->data, 0);
        return 1;
    }
    HASH_FIND(hh, cr->by_id, &r->chunk.id, sizeof(struct vs_id), sf);
    if (sf == NULL)
        return -ENOENT;
    if (sf->fetch.chunk.bytes != r->chunk.bytes)
        return chunk_read_refuse(r);
    cr->hits++;
    vs_list_add_tail(&sf->waiters, &r->link);
    return 0;
}

int chunk_read_start(struct chunk_reader *cr, struct chunk_read *r)
{
    struct shared_fetch *sf = NULL;
    int joined;

    VS_ASSERT(r->bytes > 0 && r->offset + (uint64_t)r->bytes <= r->chunk.bytes);
    r->mem = NULL;
    r->data = NULL;
    vs_list_init(&r->link);
    {
        VS_LOCK_SCOPE(&cr->lock);
        joined = chunk_read_join(cr, r);
        if (joined >= 0)
            return joined;
        cr->misses++;
        sf = shared_fetch_new(cr, &r->chunk, r->ino, r->whole, r->offset, r->bytes);
        if (sf != NULL)
            vs_list_add_tail(&sf->waiters, &r->link);
    }
    if (sf == NULL) {
        r->status = -ENOMEM;
        return 1;
    }
    chunk_fetch_start(&sf->fetch);
    return 0;
}

void chunk_read_put(struct chunk_read *r)
{
    chunk_bytes_put(r->mem);
    r->mem = NULL;
    r->data = NULL;
}

void chunk_reader_prefetch(struct chunk_reader *cr, const struct mf_chunk *chunk, uint64_t ino)
{
    struct shared_fetch *sf = NULL;

    {
        VS_LOCK_SCOPE(&cr->lock);
        if (cr->prefetches == CHUNK_READER_PREFETCH_MAX ||
            chunk_cache_find(&cr->cache, &chunk->id) != NULL)
            return;
        HASH_FIND(hh, cr->by_id, &chunk->id, sizeof(struct vs_id), sf);
        if (sf != NULL)
            return;
        sf = shared_fetch_new(cr, chunk, ino, true, 0, 0);
        if (sf == NULL)
            return;
        sf->prefetch = true;
        cr->prefetches++;
    }
    chunk_fetch_start(&sf->fetch);
}

void chunk_reader_stats(struct chunk_reader *cr, struct chunk_reader_stats *ret)
{
    VS_LOCK_SCOPE(&cr->lock);
    *ret = (struct chunk_reader_stats){
        .hits = cr->hits,
        .misses = cr->misses,
        .rebuilt = atomic_load(&cr->env.stats.rebuilt),
        .corrupt = atomic_load(&cr->env.stats.corrupt),
        .lost = atomic_load(&cr->env.stats.lost),
    };
}
