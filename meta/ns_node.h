/* ns_node: what the metadata knows of a storage node, for good: an entry of the journal says it, a
 * record of the namespace keeps it. Whether the node answers is not among it (meta/health.h).
 *
 * Pure. */
#ifndef VS_META_NS_NODE_H
#define VS_META_NS_NODE_H

#include "common/id.h"
#include <stdint.h>

#define NS_NODES_MAX       64    /* storage nodes that register and are not gone */
#define NS_NODE_NUMBER_MAX 1024u /* of all that ever were */

enum ns_node_state {
    NS_NODE_IN = 0,
    NS_NODE_DRAINING = 1, /* gets nothing new, is being emptied */
    NS_NODE_GONE = 2,     /* removed, for ever: number, name and uuid are never used again */
};

/* A NODE_PUT with number 0 is what a node says of itself when it starts: a uuid that is known keeps
 * its number and state, and moves; a new one gets the next number. */
struct ns_node {
    uint32_t node;           /* number, from 1 */
    struct vs_id uuid;       /* of its store */
    char name[64];           /* "n1" */
    char domain[64];         /* failure domain */
    char path[256];          /* embedded: its directory; else its URL */
    uint8_t state;           /* enum ns_node_state */
    uint64_t capacity_bytes; /* size of its disk; 0: not said */
};

#endif
