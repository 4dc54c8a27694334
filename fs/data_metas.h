/* data_metas: the metadata of a mount as replicas somewhere else: the metas of cluster.json.
 *
 * Happy path: one of them answers and is of this cluster, a majority answers strictly, and every
 * node of the file is recorded: who is not, and answers, is recorded now. Failure: a sentence.
 * Other mounts may use the same replicas, so nothing here is made, undone or judged by what this
 * mount's own directory holds, but for metas.json: the replicas as they said last themselves, asked
 * as well as those of cluster.json, which may be older.
 *
 * Threads: one, at start and stop; data_metas_ask() any that may wait. */
#ifndef VS_FS_DATA_METAS_H
#define VS_FS_DATA_METAS_H

#include "common/cluster_json.h"
#include "fs/data_dir.h"
#include "fs/metas_ask.h"

/* Fills fs->metas, fs->meta, fs->cluster. `created`: no node was recorded before. data_cluster has
 * been started. */
int data_metas_open(struct vsfs *fs, bool *ret_created, char why[DATA_DIR_WHY_BYTES]);
/* Forgives not opened, and twice. */
void data_metas_close(struct vsfs *fs);

/* Ask them all, at most METAS_ASK_MS. How many there are. */
unsigned data_metas_ask(struct vsfs *fs, struct meta_said metas[CLUSTER_METAS_MAX]);

#endif
