/* cluster_mounts: the mounts of a local cluster, known by the directories they keep.
 *
 *   DIR/lock               of the one mount that holds the metadata itself
 *   DIR/mounts/NAME/lock   of a mount that uses replicas: NAME follows from its mount point
 *
 * A lock that is held has its holder's process number in it (fs/data_dir.h). Threads: any. */
#ifndef VS_FS_CLUSTER_MOUNTS_H
#define VS_FS_CLUSTER_MOUNTS_H

#include "common/cluster_json.h"
#include <sys/types.h>

#define CLUSTER_MOUNTS_NAME_BYTES 64

/* The directory of the mount on `mountpoint` (absolute): "mounts/videos-1a2b3c4d". */
void cluster_mounts_name(const char *mountpoint, char name[CLUSTER_MOUNTS_NAME_BYTES]);

/* Who holds DIR/name/lock ("." for DIR/lock); 0: nobody. */
pid_t cluster_mounts_holder(const char *dir, const char *name);

/* All holders. How many. */
unsigned cluster_mounts_all(const char *dir, pid_t pids[CLUSTER_MOUNTS_MAX]);

#endif
