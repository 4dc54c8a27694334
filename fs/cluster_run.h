/* cluster_run: the processes of a local cluster: one directory, its cluster.json, daemons on the
 * loopback.
 *
 *   DIR/cluster.json      who belongs to it, where, and their process numbers
 *   DIR/metas/1 .. N      the metadata, one directory per replica
 *   DIR/metas/setup       only until all have been ready once
 *   DIR/nodes/n1 .. nN    a store each
 *   DIR/mounts/NAME       what a mount keeps (fs/cluster_mounts.h)
 *   DIR/log/n1.log ..     what each says
 *   DIR/up.lock           held by `vstackfs up` and `down`
 *
 * A cluster without replicas (0 metas) has DIR/lock and DIR/meta instead, of its only mount.
 *
 * Happy path: what does not run is started, at the address it had if that is free, and awaited all
 * together; cluster.json is saved with their numbers before and after. After the first start an
 * empty directory is a missing disk, and is refused: a replica that forgot what it promised must
 * not vote, and is replaced (cluster_run_replace()). Failure: what this run started is ended again;
 * `why` is a sentence.
 *
 * Threads: one. Waits. */
#ifndef VS_FS_CLUSTER_RUN_H
#define VS_FS_CLUSTER_RUN_H

#include "common/cluster_file.h"
#include "fs/cluster_proc.h"
#include <stdbool.h>

#define CLUSTER_RUN_DIR_BYTES_MAX 190
#define CLUSTER_RUN_WHY_BYTES     CLUSTER_PROC_WHY_BYTES
#define CLUSTER_RUN_NODES_DEFAULT 5
#define CLUSTER_RUN_METAS_DEFAULT 3
#define CLUSTER_RUN_METAS_MAX     5

struct cluster_run {
    char dir[CLUSTER_RUN_DIR_BYTES_MAX + 1];   /* absolute */
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 32]; /* of cluster.json */
    struct cluster_json file;
    int lock_fd;
    struct cluster_proc procs[CLUSTER_METAS_MAX + CLUSTER_NODES_MAX]; /* metas, then nodes */
    unsigned count;
};

/* A cluster that is to be made where there is none. */
struct cluster_run_new {
    unsigned metas; /* 0, 1, 3, 5 */
    unsigned nodes; /* 1 .. CLUSTER_NODES_MAX */
};

/* Lock DIR and read its cluster.json; where there is none, a new one is made (`fresh` NULL:
 * -ENOENT). */
int cluster_run_open(struct cluster_run *c, const char *dir, const struct cluster_run_new *fresh,
                     char why[CLUSTER_RUN_WHY_BYTES]);
void cluster_run_close(struct cluster_run *c); /* forgives zeroed, and twice */
int cluster_run_save(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES]);

/* Replica `lost` is lost for ever: cluster.json says from now on that a new one, with a number
 * never used and a directory of its own, takes its place; cluster_run_start(), this one or a later
 * one, does so. -ENOENT there is none; -EBUSY it runs; -EINVAL it is the only one. Said again, it
 * changes nothing. */
int cluster_run_replace(struct cluster_run *c, const char *lost, char why[CLUSTER_RUN_WHY_BYTES]);

/* Start what does not run and wait until all serve. `degraded`: go on without those that do not
 * start, as long as there is a node and a majority of the replicas. */
int cluster_run_start(struct cluster_run *c, bool degraded, char why[CLUSTER_RUN_WHY_BYTES]);
/* End what this run started. */
void cluster_run_undo(struct cluster_run *c);
/* End all, nodes first: politely, at last not. cluster.json is saved without their numbers. */
int cluster_run_stop(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES]);
/* Frozen processes run again, so that a mount can end. */
void cluster_run_thaw(struct cluster_run *c);

/* Where the mount on `mountpoint` (absolute) keeps its own, below DIR; whose process that is; 0:
 * none. */
pid_t cluster_run_mount_pid(const struct cluster_run *c, const char *mountpoint);
/* Wait until there is no mount left: 0, -ETIMEDOUT. */
int cluster_run_mounts_wait(const struct cluster_run *c, unsigned timeout_ms);

#endif
