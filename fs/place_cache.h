/* place_cache: the last placements that were read, so that a seek costs no metadata round trip. A
 * placement is only a hint: contents never change, and a hint that leads nowhere is read anew.
 *
 * Bounded: the oldest goes first. Threads: any. */
#ifndef VS_FS_PLACE_CACHE_H
#define VS_FS_PLACE_CACHE_H

#include "common/list.h"
#include "meta/place_value.h"
#include <pthread.h>
#include <stdbool.h>
#include <uthash.h>

#define PLACE_CACHE_MAX 8192

struct place_cache_entry;
struct place_cache {
    pthread_mutex_t lock;
    struct place_cache_entry *by_id;
    struct vs_list age; /* oldest first */
    unsigned count;
};

void place_cache_init(struct place_cache *c);
void place_cache_close(struct place_cache *c);
bool place_cache_get(struct place_cache *c, const struct vs_id *id, struct place_value *ret);
/* Remember; silently not, when out of memory. */
void place_cache_put(struct place_cache *c, const struct vs_id *id, const struct place_value *v);
void place_cache_forget(struct place_cache *c, const struct vs_id *id);

#endif
