/* mount_point: is this a place to mount on, and which mounts of ours are there. Linux only:
 * /proc/self/mountinfo. */
#ifndef VS_FS_MOUNT_POINT_H
#define VS_FS_MOUNT_POINT_H

#include <stdbool.h>
#include <stddef.h>

#define MOUNT_POINT_FSTYPE     "fuse.vstackfs"
#define MOUNT_POINT_PATH_BYTES 4096

/* Make `path` ready: a dead mount of ours (its process is gone) is taken away; then it must be an
 * existing, empty directory. Negative: `why` (512 bytes) is a sentence. */
int mount_point_prepare(const char *path, char why[512]);

/* Call fn for each mount point of ours, until it returns non-zero. */
typedef int mount_point_fn(void *arg, const char *path);
int mount_point_each(mount_point_fn *fn, void *arg);

bool mount_point_is_ours(const char *path);

/* The path as the kernel writes it; also of a dead mount, which cannot be looked at. What does not
 * exist is given back as it is. */
void mount_point_resolve(const char *path, char ret[MOUNT_POINT_PATH_BYTES]);

/* Detach a mount: as root by the kernel, else through fusermount3. */
int mount_point_detach(const char *path, bool lazy);

#endif
