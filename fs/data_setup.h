/* data_setup: the first start of a data directory: a new cluster, its stores and its metadata.
 *
 * Happy path: DATA/setup says that a cluster is being made, and which; stores and metadata are
 * made; DATA/setup goes as the last step, and only then is anything served. Failure: a start that
 * was interrupted, or that failed, leaves DATA/setup; the next start removes what it made, and
 * begins anew. What somebody wrote in it since is never removed: refused with a sentence. */
#ifndef VS_FS_DATA_SETUP_H
#define VS_FS_DATA_SETUP_H

#include "fs/data_dir.h"

/* Number of nodes of a new cluster. */
unsigned data_setup_count(const struct vsfs *fs);
/* Node number n (from 1) of a new cluster, as it is recorded. */
void data_setup_node(const struct vsfs *fs, unsigned n, struct ns_node *node);

/* Is a first start to be undone? */
bool data_setup_pending(const struct vsfs *fs);
int data_setup_undo(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES]);
/* Make everything: fills fs->cluster and fs->meta. */
int data_setup_create(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES]);

#endif
