/* statfs: how full the store is, as df shows it.
 *
 * Threads: ops (statfs_fill may wait). */
#ifndef VS_FS_STATFS_H
#define VS_FS_STATFS_H

#include "fs/vsfs.h"
#include <sys/statvfs.h>

/* A store that takes puts. */
struct statfs_store {
    uint64_t domain; /* one fragment of a chunk at most among those of the same number */
    uint64_t device, free_bytes; /* the file system below: those of the same number share it */
};

/* Bytes of film that still fit: in `up` of `total` failure domains is a store that takes puts.
 * Pure.
 */
uint64_t statfs_film_bytes(const struct statfs_store *stores, unsigned count, unsigned up,
                           unsigned total);

/* All fields, f_bsize and f_namemax too. */
int statfs_fill(struct vsfs *fs, struct statvfs *ret);

#endif
