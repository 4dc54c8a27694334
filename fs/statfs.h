/* statfs: how full the store is, as df shows it.
 *
 * Threads: ops (statfs_fill may wait). */
#ifndef VS_FS_STATFS_H
#define VS_FS_STATFS_H

#include "fs/vsfs.h"
#include <sys/statvfs.h>

/* A file system below some of the stores. */
struct statfs_device {
    uint64_t device, free_bytes; /* free to puts */
    unsigned stores;             /* up, on it */
};

/* Bytes of film that still fit: `up` of `total` stores take puts. Pure. */
uint64_t statfs_film_bytes(const struct statfs_device *d, unsigned count, unsigned up,
                           unsigned total);

/* All fields, f_bsize and f_namemax too. */
int statfs_fill(struct vsfs *fs, struct statvfs *ret);

#endif
