/* chunk_cache: whole chunks kept in memory, least recently used out first.
 *
 * Chunks never change under their id, so nothing is ever invalidated; a deleted chunk just ages
 * out. Entries are embedded in the owner's memory; the cache links and counts them. What is evicted
 * is handed back on a list, for the owner to free outside its lock.
 *
 * Invariant: used_bytes == sum of the entries' bytes <= cap_bytes.
 * Pure but for the hash table's buckets. Threads: none; the owner serialises calls. */
#ifndef VS_SCHED_CHUNK_CACHE_H
#define VS_SCHED_CHUNK_CACHE_H

#include "common/id.h"
#include "common/list.h"
#include <stddef.h>
#include <uthash.h>

struct chunk_cache_entry {
    struct vs_id id;
    size_t bytes;
    struct vs_list lru; /* private from here; also links the list of evicted entries */
    UT_hash_handle hh;
};

struct chunk_cache {
    size_t cap_bytes, used_bytes;
    struct chunk_cache_entry *by_id;
    struct vs_list lru; /* oldest first */
};

void chunk_cache_init(struct chunk_cache *c, size_t cap_bytes);

/* The entry, now the youngest; NULL when it is not there. */
struct chunk_cache_entry *chunk_cache_find(struct chunk_cache *c, const struct vs_id *id);

/* Put an entry in (its id is not in yet) and move what has to go for it to `evicted`. An entry
 * larger than the cache goes to `evicted` itself. */
void chunk_cache_add(struct chunk_cache *c, struct chunk_cache_entry *e, struct vs_list *evicted);

/* Move all entries to `evicted`. */
void chunk_cache_clear(struct chunk_cache *c, struct vs_list *evicted);

#endif
