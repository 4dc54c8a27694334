/* mount_id: the number a mount is known by to the metadata, in DATA/mount.id: 16 hex digits.
 *
 * What a mount has begun (upload sessions) bears its number, so that the next start of the same
 * directory cleans up after itself and leaves other mounts alone. Happy path: the number of the
 * last time. Failure: none, or nothing that is one, there: a new random one, durable before it is
 * used; what the lost one had begun is given up by the metadata in its own time.
 *
 * Threads: one, under the lock of the directory. */
#ifndef VS_FS_MOUNT_ID_H
#define VS_FS_MOUNT_ID_H

#include "fs/vsfs.h"

/* Never 0. */
int mount_id_take(const struct vsfs *fs, uint64_t *ret);

#endif
