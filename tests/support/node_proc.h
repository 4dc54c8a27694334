/* A real vstack-node as a child process, on a free port of the loopback.
 *
 * The program is $VSTACK_NODE, or the nearest one in the folders above: BUILD/vstack-node for
 * BUILD/tests/kind/test_x. It ends with its parent, whatever happens to that. */
#ifndef VS_TESTS_NODE_PROC_H
#define VS_TESTS_NODE_PROC_H

#include <stdint.h>
#include <sys/types.h>

#define NODE_PROC_ARGS_MAX 16

struct node_proc {
    pid_t pid; /* 0: not running */
    uint16_t port;
    char origin[64]; /* "http://127.0.0.1:PORT" */
};

/* Start it as `id` on directory `data`, with `args` (NULL-terminated, may be NULL) behind ours;
 * returns when it is ready. port 0: any. 0, or -EIO when it did not come up (its words are on
 * stderr). */
int node_proc_start(struct node_proc *p, const char *id, const char *data, uint16_t port,
                    const char *const args[]);
/* The same for another daemon with these flags: `program` "vstack-meta" ($VSTACK_META). */
int node_proc_start_program(struct node_proc *p, const char *program, const char *id,
                            const char *data, uint16_t port, const char *const args[]);
/* SIGTERM and wait: its exit code, or -1 when a signal ended it. Forgives a zeroed struct. */
int node_proc_stop(struct node_proc *p);
/* SIGKILL and wait. */
void node_proc_kill(struct node_proc *p);
/* SIGSTOP, returns when all its threads have stopped; SIGCONT. */
void node_proc_freeze(struct node_proc *p);
void node_proc_thaw(struct node_proc *p);

#endif
