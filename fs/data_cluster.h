/* data_cluster: the stores of a mount as storage nodes somewhere else: --cluster FILE.
 *
 * Happy path: the file says where the nodes are; each is asked who it is; the metadata says which
 * store each should have, by uuid, and every request says so, too. Failure: a node that cannot be
 * reached, answers as another one, or has another store (its disk was emptied or replaced) is down,
 * with a sentence, and is asked again each second: it comes back by itself, and is never made anew.
 * The first mount of a cluster needs all nodes, empty.
 *
 * Threads: one, at start and stop. */
#ifndef VS_FS_DATA_CLUSTER_H
#define VS_FS_DATA_CLUSTER_H

#include "common/cluster_json.h"
#include "fs/data_dir.h"

struct data_cluster;

/* Read fs->opt.cluster_file, start the HTTP client, ask every node who it is: fills fs->nodes.
 * Waits, at most DATA_CLUSTER_ASK_MS. */
#define DATA_CLUSTER_ASK_MS 3000
int data_cluster_start(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES]);
/* After the stores were stopped. Forgives not started, and twice. */
void data_cluster_stop(struct vsfs *fs);

/* What the file says; borrowed until stop. The cluster, and how many nodes it has. */
const struct cluster_json *data_cluster_file(const struct vsfs *fs);
struct vs_id data_cluster_id(const struct vsfs *fs);
unsigned data_cluster_count(const struct vsfs *fs);

/* Does a node of this cluster hold fragments? Then path says which. */
bool data_cluster_used(const struct vsfs *fs, char path[256]);
/* Node number n (from 1) for a new cluster, as it is recorded: it must answer, as the right one.
 * Negative: `why` is a sentence. */
int data_cluster_node(const struct vsfs *fs, unsigned n, struct ns_node *node,
                      char why[DATA_DIR_WHY_BYTES]);

/* The store of a recorded node; `path` becomes its URL. Negative: why it is down for good. */
int data_cluster_store(struct vsfs *fs, const struct ns_node *node, char path[256],
                       struct chunk_store **ret, char why[256]);
/* Wait until the stores of nodes that answered are up; their number. At most DATA_CLUSTER_ASK_MS.
 */
unsigned data_cluster_wait(struct vsfs *fs);

#endif
