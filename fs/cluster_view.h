/* cluster_view: a cluster as its metadata replicas see it, without any mount.
 *
 * Happy path: at least one of the replicas answers: who they are, and its list of the nodes.
 * Failure: a sentence. Waits a bounded time (fs/metas_ask.h), whoever is dead or frozen. Threads:
 * one, of a command. */
#ifndef VS_FS_CLUSTER_VIEW_H
#define VS_FS_CLUSTER_VIEW_H

#include "common/json.h"

#define CLUSTER_VIEW_WHY_BYTES 1024

/* Of cluster.json; `metas`, or NULL: the replicas as a mount's status lists them, which may be
 * newer. *ret, the caller frees it: state, advice, cluster, metadata, metas (metas_ask_json()),
 * nodes_said_by (id of a replica), nodes (fs/nodes_report.h). Negative: `why` says it. -VS_EDOWN:
 * none answers. */
int cluster_view(const char *cluster_file, const struct vs_json *metas, struct vs_json **ret,
                 char why[CLUSTER_VIEW_WHY_BYTES]);

#endif
