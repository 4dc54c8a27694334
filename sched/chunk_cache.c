/* chunk_cache: a hash table for finding, a list for ageing. See the header. */
#include "sched/chunk_cache.h"
#include "common/assert.h"

void chunk_cache_init(struct chunk_cache *c, size_t cap_bytes)
{
    *c = (struct chunk_cache){ .cap_bytes = cap_bytes };
    vs_list_init(&c->lru);
}

struct chunk_cache_entry *chunk_cache_find(struct chunk_cache *c, const struct vs_id *id)
{
    struct chunk_cache_entry *e = NULL;

    HASH_FIND(hh, c->by_id, id, sizeof(*id), e);
    if (e != NULL) {
        vs_list_del(&e->lru);
        vs_list_add_tail(&c->lru, &e->lru);
    }
    return e;
}

static void chunk_cache_evict(struct chunk_cache *c, struct chunk_cache_entry *e,
                              struct vs_list *evicted)
{
    VS_ASSERT(c->used_bytes >= e->bytes);
    c->used_bytes -= e->bytes;
    HASH_DEL(c->by_id, e);
    vs_list_del(&e->lru);
    vs_list_add_tail(evicted, &e->lru);
}

void chunk_cache_add(struct chunk_cache *c, struct chunk_cache_entry *e, struct vs_list *evicted)
{
    vs_list_init(&e->lru);
    if (e->bytes > c->cap_bytes) {
        vs_list_add_tail(evicted, &e->lru);
        return;
    }
    while (c->used_bytes + e->bytes > c->cap_bytes)
        chunk_cache_evict(c, vs_list_first(&c->lru, struct chunk_cache_entry, lru), evicted);
    HASH_ADD(hh, c->by_id, id, sizeof(e->id), e);
    vs_list_add_tail(&c->lru, &e->lru);
    c->used_bytes += e->bytes;
}

void chunk_cache_clear(struct chunk_cache *c, struct vs_list *evicted)
{
    while (!vs_list_empty(&c->lru))
        chunk_cache_evict(c, vs_list_first(&c->lru, struct chunk_cache_entry, lru), evicted);
    VS_ASSERT(c->used_bytes == 0);
}
