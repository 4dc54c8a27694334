/* node_metas: a storage node tells the metadata of its cluster that it is there: it registers, and
 * sends a heartbeat each second, to every replica by itself (docs/API.md).
 *
 * Happy path: one registration and then heartbeats, to each replica on a connection of its own.
 * Failure: a replica that does not answer, refuses or is frozen is asked again and again, less
 * often, and holds up nobody: not the other replicas, and not the node, which serves meanwhile. A
 * replica that was started anew says that it does not know the node, which then registers again.
 * What is refused for good (the store of another cluster) is said in the log once, and tried again
 * in case somebody mends it.
 *
 * Replicas answer which of them there are now: a newcomer is told, too, and who was replaced is not
 * told any more. That list is kept in the node's directory (metas.json) and counts as well as the
 * command line at the next start, until a replica says what is so then.
 *
 * Threads: start and stop from one; its own thread, and the HTTP client's, do the rest. */
#ifndef VS_NODE_NODE_METAS_H
#define VS_NODE_NODE_METAS_H

#include "node/node.h"

#define NODE_METAS_MAX              7  /* of the command line */
#define NODE_METAS_WAYS_MAX         32 /* with those that came in the place of others */
#define NODE_METAS_BEAT_MS          1000
#define NODE_METAS_BACKOFF_MS       250 /* after a registration that failed; doubled each time */
#define NODE_METAS_BACKOFF_MS_MAX   4000
#define NODE_METAS_REGISTER_MS      6000 /* for its answer: the replicas have to agree */
#define NODE_METAS_URL_BYTES        256
#define NODE_METAS_DOMAIN_BYTES_MAX 63 /* as the metadata keeps it */

struct node_metas;

/* "URL,URL,...": http://HOST:PORT each, only of this machine unless `beyond_loopback`. -EINVAL with
 * a sentence; else how many. */
int node_metas_parse(const char *text, bool beyond_loopback,
                     char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES], char *why, size_t why_bytes);

/* Where others reach a server that listens on `listen` at `port`; -EINVAL: it is all addresses. */
int node_metas_own_url(const char *listen, unsigned port, char url[NODE_METAS_URL_BYTES]);

/* `node` is lent until stop. -ENOMEM, -EMFILE, -EAGAIN, -EINVAL. */
int node_metas_start(struct node_metas **ret, struct node *node,
                     char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES], unsigned count,
                     const char *own_url);
/* Forgives NULL. At most as long as one request takes to be cancelled. */
void node_metas_stop(struct node_metas *n);

#endif
