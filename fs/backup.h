/* backup: all metadata of a running mount into one file (meta/meta_backup.h): written beside its
 * name, synced, renamed, so that a file of that name is always a whole backup. Blocks: ops threads.
 */
#ifndef VS_FS_BACKUP_H
#define VS_FS_BACKUP_H

#include "common/json.h"
#include "fs/vsfs.h"

/* path: absolute, not below the mount. Fills `answer`: slot, bytes, registers. -EEXIST: a file of
 * that name is there. */
int backup_run(struct vsfs *fs, const char *path, struct vs_json *answer);

#endif
