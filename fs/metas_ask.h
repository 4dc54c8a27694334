/* metas_ask: what the metadata replicas of a cluster say of themselves, and of its storage nodes.
 *
 * Happy path: all are asked for /health at once; the nodes come page by page from one of them, the
 * leader where it answers, else any. Failure: one that is silent, or is not this replica of this
 * cluster, is said with a reason; the wait ends at its deadline whatever they do. Which nodes are
 * up is each replica's own opinion (docs/API.md), so no majority is needed to hear it.
 *
 * Threads: any that may wait; not one of the client's. */
#ifndef VS_FS_METAS_ASK_H
#define VS_FS_METAS_ASK_H

#include "common/cluster_json.h"
#include "common/http_client.h"
#include "common/json.h"
#include <stdbool.h>

#define METAS_ASK_MS       1500 /* for one answer */
#define METAS_ASK_NODES_MS 3000 /* for all pages of one replica */

/* One replica, as it says itself. The caller fills id and url; "": it was never started. */
struct meta_said {
    char id[CLUSTER_ID_BYTES], url[CLUSTER_URL_BYTES];
    bool reachable; /* it answers, as this replica of this cluster */
    char role[16];  /* "leader", "follower", "alone"; "" not said */
    char why[128];  /* when it is not reachable */
    bool has_applied;
    uint64_t applied; /* slot */
};

/* At most CLUSTER_METAS_MAX. */
void metas_ask(struct http_client *client, const struct vs_id *cluster, struct meta_said *metas,
               unsigned count);

/* As an array: id, url, state, role, applied, why. How many answer. */
struct vs_json *metas_ask_json(const struct meta_said *metas, unsigned count, unsigned *ret_up);

/* What to do, a sentence: where `up` of `count` are too few; where some are missing. */
void metas_ask_no_majority(unsigned up, unsigned count, char *text, size_t cap);
void metas_ask_missing(unsigned missing, char *text, size_t cap);

/* The nodes (fs/nodes_report.h) by the word of one that answered metas_ask(). -VS_EDOWN: none did;
 * -EBADMSG: what it says makes no sense; -ETIMEDOUT; errors of http_client. */
int metas_ask_nodes(struct http_client *client, const struct meta_said *metas, unsigned count,
                    struct vs_json **ret_nodes, const struct meta_said **ret_by);

#endif
