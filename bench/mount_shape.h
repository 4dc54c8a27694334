/* The mounts that mount_bench measures: embedded, and over a cluster of three metadata replicas and
 * five nodes as `vstackfs up` makes it. One shape at a time, in a directory of its own.
 *
 * Whatever fails ends the program; then, and at a polite end, nothing of it runs any more.
 * Threads: one at a time. */
#ifndef VS_BENCH_MOUNT_SHAPE_H
#define VS_BENCH_MOUNT_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#define MOUNT_SHAPE_MOUNTS_MAX 2
#define MOUNT_SHAPE_PATH_BYTES 256

struct mount_shape {
    bool is_cluster;
    char dir[MOUNT_SHAPE_PATH_BYTES]; /* of its data */
    char mnt[MOUNT_SHAPE_MOUNTS_MAX][MOUNT_SHAPE_PATH_BYTES];
    unsigned mounts; /* of them, mounted now */
};

/* Make it below `base`, nothing mounted yet. */
void mount_shape_make(struct mount_shape *s, const char *base, bool is_cluster);
/* Unmount what is mounted, then mount `mounts` of them (embedded: 1): the kernel and the mount know
 * nothing of it. A cluster's daemons go on meanwhile. */
void mount_shape_mount(struct mount_shape *s, unsigned mounts);
/* Unmount, and end the daemons. */
void mount_shape_end(struct mount_shape *s);

/* The process of the first mount. */
int mount_shape_pid(const struct mount_shape *s);

/* What the metadata replicas of a cluster have counted: the sum of a counter of all of them. */
uint64_t mount_shape_counted(const struct mount_shape *s, const char *begin);
/* A film of so many chunks of a cluster, as its metadata have it: meta_load_large(). */
void mount_shape_large(const struct mount_shape *s, const char *name, uint64_t chunks);
/* Journal entries so far. */
uint64_t mount_shape_entries(const struct mount_shape *s);

#endif
