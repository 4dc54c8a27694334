/* backup: all metadata into one file (meta/meta_backup.h), of a mount that runs, or of a cluster's
 * replicas without any mount. The file is written beside its name, synced, renamed, so that a file
 * of that name is always a whole backup. Blocks: ops threads, commands. */
#ifndef VS_FS_BACKUP_H
#define VS_FS_BACKUP_H

#include "common/json.h"
#include "fs/vsfs.h"
#include "meta/meta_backup.h"

#define BACKUP_WHY_BYTES 1024

/* path: absolute, not below the mount. Fills `answer`: slot, bytes, registers. -EEXIST: a file of
 * that name is there. */
int backup_run(struct vsfs *fs, const char *path, struct vs_json *answer);

/* The same of the replicas in a cluster.json; anything the path may be. Negative: `why` says it in
 * a sentence. */
int backup_cluster(const char *cluster_file, const char *path, struct meta_backup_result *ret,
                   char why[BACKUP_WHY_BYTES]);

#endif
