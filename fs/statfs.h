/* statfs: how full the store is, as df shows it.
 *
 * Threads: ops (may wait). */
#ifndef VS_FS_STATFS_H
#define VS_FS_STATFS_H

#include "fs/vsfs.h"
#include <sys/statvfs.h>

/* All fields, f_bsize and f_namemax too. */
int statfs_fill(struct vsfs *fs, struct statvfs *ret);

#endif
