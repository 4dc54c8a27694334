/* vsfs_start: bring a mount's parts up, and down again, in the right order. */
#ifndef VS_FS_VSFS_START_H
#define VS_FS_VSFS_START_H

#include "fs/data_dir.h"

/* From options to everything but FUSE: data directory, executors, read and write path, collection,
 * names, inbox. What a crash left behind is cleaned before it returns. Waits. On failure `why` is a
 * sentence and all is closed again. */
int vsfs_start(struct vsfs *fs, struct data_dir *d, char why[DATA_DIR_WHY_BYTES]);

/* No request comes any more: finish, make durable, close. Forgives half-started, and twice. */
void vsfs_stop(struct vsfs *fs, struct data_dir *d);

#endif
