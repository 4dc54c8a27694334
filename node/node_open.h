/* node_open: the directory of a storage daemon: made, locked, judged, its store opened.
 *
 * DIR/node.name says which node it belongs to: a disk that was put into another node's place is
 * noticed. An empty directory becomes a new store; anything else without a store in it is refused.
 */
#ifndef VS_NODE_NODE_OPEN_H
#define VS_NODE_NODE_OPEN_H

#include "node/node.h"
#include "node/node_options.h"

#define NODE_WHY_BYTES 512

/* Open: fills name, domain, data, ids and store of `node`. *ret_lock_fd: hold until the store is
 * stopped. Waits up to 10 s for a former process. Negative: `why` is a sentence. */
int node_open(struct node *node, const struct node_options *o, int *ret_lock_fd,
              char why[NODE_WHY_BYTES]);

#endif
