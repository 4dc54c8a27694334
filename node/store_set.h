/* store_set: the stores this process can reach, by node number. Readers, uploads, collection and
 * status share one set.
 *
 * A node keeps its place for the life of the process; one more gets the next place; `node replace`,
 * or a node that moved, puts another store into it.
 * The old store stays until the set is closed, since requests may still be in flight on it.
 *
 * Threads: any; get and put of an entry are atomic, paths have a lock. */
#ifndef VS_NODE_STORE_SET_H
#define VS_NODE_STORE_SET_H

#include "node/chunk_store.h"
#include <stdatomic.h>

#define STORE_SET_MAX         64
#define STORE_SET_RETIRED_MAX 64
#define STORE_SET_PATH_BYTES  256

/* Whether new fragments may go to a store, beside what it says itself. */
enum store_takes {
    STORE_TAKES_ALL = 0,
    STORE_TAKES_LAST,    /* only where there are too few others */
    STORE_TAKES_NOTHING, /* it is being emptied, or nobody hears it */
};

struct store_set_entry {
    uint32_t node;                       /* number in the metadata, from 1 */
    _Atomic uint8_t takes;               /* enum store_takes */
    _Atomic uint64_t domain;             /* what fails together, as a number; 0: itself alone */
    char name[64];                       /* "n1" */
    char path[STORE_SET_PATH_BYTES];     /* once others see it: by store_set_path() only */
    _Atomic(struct chunk_store *) store; /* NULL: down, could not be opened */
    char why[256];                       /* why it could not be opened, a sentence; "" */
};

struct store_set {
    _Atomic unsigned count; /* only grows, until close; an entry is whole before it counts */
    struct store_set_entry entries[STORE_SET_MAX];
    struct chunk_store *retired[STORE_SET_RETIRED_MAX]; /* owned; stopped by close */
    unsigned retired_count;
};

/* The store of a node, or NULL when the node is unknown or down. */
struct chunk_store *store_set_get(struct store_set *set, uint32_t node);

/* Directory or URL of entry i, for messages; "" when unknown. Returns `path`. */
const char *store_set_path(const struct store_set *set, unsigned i,
                           char path[STORE_SET_PATH_BYTES]);

/* Health of entry i; a NULL store reports STORE_DOWN with the entry's `why`. */
void store_set_health(struct store_set *set, unsigned i, struct store_health *ret);

/* Have all of them say how they are now: store_set_health() is no older than this call, but of
 * those that do not answer within the time. Waits. */
void store_set_refresh(struct store_set *set, int64_t timeout_ns);

/* Number of entries whose store is up (puts are accepted). */
unsigned store_set_up_count(struct store_set *set);

/* One more node: `store` (owned from now on, also on failure) or, where that is NULL, `why` not.
 * One thread at a time. -ENOBUFS full; -EEXIST the node is in it. */
int store_set_add(struct store_set *set, uint32_t node, const char *name, const char *path,
                  uint64_t domain, struct chunk_store *store, const char *why);

/* Put another store into entry i; the old one is retired. -ENOBUFS too many replaced. */
int store_set_replace(struct store_set *set, unsigned i, struct chunk_store *store,
                      const char *path);

/* Stop all stores, retired ones too. Forgives a zeroed set and a second call. */
void store_set_close(struct store_set *set);

#endif
