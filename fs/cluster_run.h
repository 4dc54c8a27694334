/* cluster_run: the processes of a local cluster: one directory, its cluster.json, vstack-node
 * daemons on the loopback.
 *
 *   DIR/cluster.json     who belongs to it, where, and their process numbers
 *   DIR/nodes/n1 .. nN   a store each
 *   DIR/log/n1.log ..    what each says
 *   DIR/up.lock          held by `vstackfs up` and `down`
 *   DIR/lock, DIR/meta   of the mount, which holds the metadata
 *
 * Happy path: nodes that do not run are started, on the port they had if that is free, and are
 * awaited all together; cluster.json is saved with their numbers before and after. Failure: what
 * this run started is ended again; `why` is a sentence.
 *
 * Threads: one. Waits. */
#ifndef VS_FS_CLUSTER_RUN_H
#define VS_FS_CLUSTER_RUN_H

#include "common/cluster_file.h"
#include <stdbool.h>
#include <sys/types.h>

#define CLUSTER_RUN_DIR_BYTES_MAX 190
#define CLUSTER_RUN_WHY_BYTES     1024
#define CLUSTER_RUN_NODES_DEFAULT 5

struct cluster_run {
    char dir[CLUSTER_RUN_DIR_BYTES_MAX + 1];   /* absolute */
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 32]; /* of cluster.json */
    struct cluster_json file;
    int lock_fd;
    pid_t started[CLUSTER_NODES_MAX]; /* by this run, by node; 0: not */
    int out[CLUSTER_NODES_MAX];       /* their standard output, while they start; -1 */
};

/* Lock DIR and read its cluster.json; with nodes > 0, a new one of so many nodes is made where
 * there is none (nodes 0: -ENOENT). */
int cluster_run_open(struct cluster_run *c, const char *dir, unsigned nodes,
                     char why[CLUSTER_RUN_WHY_BYTES]);
void cluster_run_close(struct cluster_run *c); /* forgives zeroed, and twice */

/* Start the nodes that do not run and wait until all serve. `degraded`: go on without those that
 * do not start, as long as there is one. */
int cluster_run_start(struct cluster_run *c, bool degraded, char why[CLUSTER_RUN_WHY_BYTES]);
/* End what this run started. */
void cluster_run_undo(struct cluster_run *c);
/* End all nodes: politely, at last not. cluster.json is saved without their numbers. */
int cluster_run_stop(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES]);
/* Frozen nodes run again, so that a mount can end. */
void cluster_run_thaw(struct cluster_run *c);

/* The process that holds the metadata of DIR, a mount; 0: none. */
pid_t cluster_run_mount_pid(const struct cluster_run *c);
/* Wait until there is none: 0, -ETIMEDOUT. */
int cluster_run_mount_wait(const struct cluster_run *c, unsigned timeout_ms);

#endif
