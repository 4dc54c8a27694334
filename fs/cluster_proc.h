/* cluster_proc: one process of a local cluster: a storage node or a metadata replica, started on
 * its own port, awaited, ended.
 *
 * Happy path: its address is settled and held (cluster_proc_address()), the program beside this one
 * is started, says "ready" in one line, and listens. Failure: `why` is a sentence with the last
 * line of its log.
 *
 * Threads: one. Waits. */
#ifndef VS_FS_CLUSTER_PROC_H
#define VS_FS_CLUSTER_PROC_H

#include "common/cluster_json.h"
#include <stdbool.h>
#include <sys/types.h>

#define CLUSTER_PROC_WHY_BYTES  1024
#define CLUSTER_PROC_LOG_BYTES  320
#define CLUSTER_PROC_PATH_BYTES 4096
#define CLUSTER_PROC_ARGS_MAX   24

struct cluster_proc {
    struct cluster_member *member;    /* lent; url and pid are kept up to date */
    const char *program;              /* "vstack-node" */
    const char *kind;                 /* for sentences: "node" */
    char log[CLUSTER_PROC_LOG_BYTES]; /* what it says */
    pid_t started;                    /* by this run; 0: not */
    int port_fd;                      /* holds its port; -1 */
    int out;                          /* its standard output, while it starts; -1 */
};

/* port_fd and out are -1; closes nothing that it knows nothing of. */
void cluster_proc_init(struct cluster_proc *p, struct cluster_member *member, const char *program,
                       const char *kind, const char *log);
void cluster_proc_close(struct cluster_proc *p); /* lets go of the port; twice */

/* Is its program beside this one? Its path; -ENOENT. */
int cluster_proc_program(const struct cluster_proc *p, char path[CLUSTER_PROC_PATH_BYTES],
                         char why[CLUSTER_PROC_WHY_BYTES]);
/* Does it run, as far as can be told? One that does not listen any more is closing: its end is
 * awaited. -EBUSY: that does not come. */
int cluster_proc_runs(struct cluster_proc *p, char why[CLUSTER_PROC_WHY_BYTES]);
/* Settle where it will listen, and hold that: where it did, or `may_move`, elsewhere.
 * -EADDRINUSE. */
int cluster_proc_address(struct cluster_proc *p, bool may_move, char why[CLUSTER_PROC_WHY_BYTES]);
/* HOST:PORT of its address. */
const char *cluster_proc_listen(const struct cluster_proc *p);
/* Start it. argv[0] is not set yet; NULL at the end. */
int cluster_proc_start(struct cluster_proc *p, const char *argv[CLUSTER_PROC_ARGS_MAX],
                       char why[CLUSTER_PROC_WHY_BYTES]);
/* Until it is ready. -VS_EDOWN. */
int cluster_proc_await(struct cluster_proc *p, int64_t deadline_ns,
                       char why[CLUSTER_PROC_WHY_BYTES]);

/* End them, all at once: politely, at last not; `ours`: only what this run has started. Their
 * numbers are forgotten. How many are still there. */
unsigned cluster_procs_end(struct cluster_proc *procs, unsigned count, bool ours);
/* A frozen one runs again. */
void cluster_proc_thaw(const struct cluster_proc *p);

#endif
