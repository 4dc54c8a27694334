/* meta_nodes: the storage nodes as one metadata replica hears them: who registered is in the
 * journal and the same everywhere; who answers is this replica's own opinion (meta/health.h).
 *
 * Happy path: a node registers when it starts (one journal entry when it is new, has moved or has
 * grown, else none), and sends a heartbeat each second, which is answered from memory. What others
 * registered is read again each second. Failure: no majority: registering says so, everything else
 * goes on with what was known; a replica that starts takes nobody for down before it has listened
 * for HEALTH_DOWN_MS.
 *
 * Threads: any. meta_nodes_register() and meta_nodes_put() wait for the metadata, the others never
 * wait. */
#ifndef VS_META_META_NODES_H
#define VS_META_META_NODES_H

#include "common/clock.h"
#include "meta/meta_client.h"

#define META_NODES_REFRESH_MS 1000
#define META_NODES_ROWS_MAX   NS_NODE_NUMBER_MAX

struct meta_nodes;

/* `meta` is lent until stop; `clock` NULL: the system's. -ENOMEM, -EAGAIN. */
int meta_nodes_start(struct meta_nodes **ret, struct meta_client *meta,
                     const struct vs_clock *clock);
void meta_nodes_stop(struct meta_nodes *n); /* forgives NULL */

/* What a node says of itself with each message; `boot` is what its registration here was answered,
 * `seq` counts up. */
struct meta_nodes_beat {
    uint32_t boot;
    uint64_t seq;
    struct vs_id uuid;
    bool writable;
    uint64_t free_bytes, total_bytes, fragments;
    uint64_t errors; /* damaged records found since it started */
};

struct meta_nodes_row {
    struct ns_node node;
    struct health_now now;
    uint64_t errors;
    uint64_t silent_ms; /* heard so long ago, own pauses not counted */
};

/* A node has started: said->name, uuid, domain, path (its URL), capacity_bytes count. Answers its
 * row and the boot that its heartbeats are to carry.
 *
 * Errors  -EEXIST the name belongs to another store, or the store to another name: *ret is that
 *         node; -ESTALE it was removed; -ENOBUFS too many; -EINVAL; -VS_EDOWN no majority */
int meta_nodes_register(struct meta_nodes *n, const struct ns_node *said,
                        const struct meta_nodes_beat *b, struct meta_nodes_row *ret,
                        uint32_t *ret_boot);

/* A heartbeat of the node of this name. -ENOENT: unknown here, or its start is: it must register;
 * -EEXIST another store; -ESTALE it was removed. */
int meta_nodes_beat(struct meta_nodes *n, const char *name, const struct meta_nodes_beat *b,
                    struct meta_nodes_row *ret);

/* Drain it, take it in again, or remove it for good. -ENOENT unknown; -EBUSY it is to be removed
 * and neither drained and empty, nor down; -ESTALE it was removed; else as the metadata says. */
int meta_nodes_put(struct meta_nodes *n, const char *name, enum ns_node_state state,
                   struct meta_nodes_row *ret);

/* All nodes by number, up to `max`; how many. */
unsigned meta_nodes_list(struct meta_nodes *n, struct meta_nodes_row *rows, unsigned max);

/* Fill nodes_now of an answered META_NODES. */
void meta_nodes_tell(struct meta_nodes *n, struct meta_req *r);

#endif
