/* node_follow: a mount follows what the metadata says of the storage nodes, while it is mounted.
 *
 * Happy path: every NODE_FOLLOW_S the list of nodes is read: one that joined is one store more, one
 * that moved is reached where it is now, one that is drained or gone gets nothing new, one that the
 * metadata has not heard for a moment gets only what cannot be stored well without it. Failure: the
 * metadata is out of reach: all stays as it was; a node without an address is down, and said once.
 *
 * What a mount sees for itself stands above what it hears: a store that does not answer is asked
 * for nothing, whatever the list says.
 *
 * Threads: start and stop by the mount's own; the look runs on fs->ops, one at a time. */
#ifndef VS_FS_NODE_FOLLOW_H
#define VS_FS_NODE_FOLLOW_H

#include "fs/vsfs.h"

#define NODE_FOLLOW_S 2

struct node_follow;

/* Does nothing where the metadata is in this process: nobody else registers nodes there. */
int node_follow_start(struct node_follow **ret, struct vsfs *fs);
/* A look that runs has ended when it returns. Forgives NULL. */
void node_follow_stop(struct node_follow *w);

/* One look: what `count` nodes are, and how they are; `now` may be NULL. */
void node_follow_take(struct vsfs *fs, const struct ns_node *nodes, const struct health_now *now,
                      unsigned count);

#endif
