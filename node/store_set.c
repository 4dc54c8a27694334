/* store_set: see the header.
 *
 * Happy path: a lookup walks a few entries and loads one atomic pointer. Failure: an entry without
 * a store is down, and says why. */
#include "node/store_set.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Paths are read for messages, and change when a store is replaced: one lock for all sets will do.
 */
static pthread_mutex_t paths = PTHREAD_MUTEX_INITIALIZER;

const char *store_set_path(const struct store_set *set, unsigned i, char path[STORE_SET_PATH_BYTES])
{
    VS_LOCK_SCOPE(&paths);
    VS_ASSERT(i < set->count);
    return memcpy(path, set->entries[i].path, strlen(set->entries[i].path) + 1);
}

struct chunk_store *store_set_get(struct store_set *set, uint32_t node)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->entries[i].node == node)
            return atomic_load(&set->entries[i].store);
    return NULL;
}

void store_set_health(struct store_set *set, unsigned i, struct store_health *ret)
{
    struct store_set_entry *entry = &set->entries[i];
    struct chunk_store *store;

    VS_ASSERT(i < set->count);
    store = atomic_load(&entry->store);
    if (store != NULL) {
        chunk_store_health(store, ret);
        return;
    }
    *ret = (struct store_health){ .state = STORE_DOWN };
    snprintf(ret->why, sizeof(ret->why), "%s",
             entry->why[0] != '\0' ? entry->why : "the store is not open");
}

void store_set_refresh(struct store_set *set, int64_t timeout_ns)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + timeout_ns;
    struct chunk_store *stores[STORE_SET_MAX];
    uint64_t asked[STORE_SET_MAX];
    unsigned count = set->count;

    for (unsigned i = 0; i < count; i++) {
        stores[i] =
            atomic_load(&set->entries[i].store); /* one that is replaced stays until close */
        asked[i] = stores[i] != NULL ? chunk_store_health_ask(stores[i]) : 0;
    }
    for (unsigned i = 0; i < count; i++)
        if (stores[i] != NULL)
            chunk_store_health_wait(stores[i], asked[i], until_ns);
}

unsigned store_set_up_count(struct store_set *set)
{
    unsigned up = 0;

    for (unsigned i = 0; i < set->count; i++) {
        struct store_health health;

        store_set_health(set, i, &health);
        up += health.state == STORE_UP;
    }
    return up;
}

int store_set_add(struct store_set *set, uint32_t node, const char *name, const char *path,
                  uint64_t domain, struct chunk_store *store, const char *why)
{
    unsigned count = set->count;
    struct store_set_entry *e;
    int r = count == STORE_SET_MAX ? -ENOBUFS : 0;

    for (unsigned i = 0; i < count; i++)
        if (set->entries[i].node == node)
            r = -EEXIST;
    if (r < 0) {
        chunk_store_stop(store);
        return r;
    }
    e = &set->entries[count];
    e->node = node;
    atomic_store(&e->takes, STORE_TAKES_ALL);
    atomic_store(&e->domain, domain);
    snprintf(e->name, sizeof(e->name), "%s", name);
    snprintf(e->path, sizeof(e->path), "%s", path);
    snprintf(e->why, sizeof(e->why), "%s", store == NULL ? why : "");
    atomic_store(&e->store, store);
    set->count = count + 1; /* from here on others see it */
    return 0;
}

int store_set_replace(struct store_set *set, unsigned i, struct chunk_store *store,
                      const char *path)
{
    struct store_set_entry *entry = &set->entries[i];
    struct chunk_store *old;

    VS_ASSERT(i < set->count && store != NULL);
    VS_LOCK_SCOPE(&paths);
    if (set->retired_count == STORE_SET_RETIRED_MAX)
        return -ENOBUFS;
    old = atomic_exchange(&entry->store, store);
    if (old != NULL)
        set->retired[set->retired_count++] = old;
    entry->path[0] = '\0'; /* a plain write: ThreadSanitizer does not see the library's */
    snprintf(entry->path, sizeof(entry->path), "%s", path);
    return 0;
}

void store_set_close(struct store_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        chunk_store_stop(atomic_exchange(&set->entries[i].store, NULL));
    for (unsigned i = 0; i < set->retired_count; i++)
        chunk_store_stop(set->retired[i]);
    memset(set->retired, 0, sizeof(set->retired));
    set->retired_count = 0;
    set->count = 0;
}
