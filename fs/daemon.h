/* daemon: processes of ours that run on their own: start one, tell whether a process number is
 * still the one that was noted, end it.
 *
 * A number may belong to somebody else by now: a process is ours only if it runs the program of
 * that name with that argument (its own directory, say), and it is signalled through a descriptor
 * that cannot change its mind (pidfd_open(2)). Linux only. Threads: any. */
#ifndef VS_FS_DAEMON_H
#define VS_FS_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

/* Start argv[0] (an absolute path) in a session of its own: standard input is empty, standard
 * output a pipe (*ret_out, the caller closes it), standard error is appended to `log`; no other
 * descriptor is passed on. Negative errno. */
int daemon_start(char *const argv[], const char *log, pid_t *ret_pid, int *ret_out);

/* Does this process run `program` with `arg` among its arguments? */
bool daemon_is(pid_t pid, const char *program, const char *arg);

/* Is it past its end? It has no program any more, though its number may not be free yet, and what
 * it holds (locks) is let go in a moment. */
bool daemon_has_ended(pid_t pid);

/* A descriptor of this process, if it is ours in that sense: the caller closes it. -ESRCH. */
int daemon_open(pid_t pid, const char *program, const char *arg);
/* The same of a child of ours that was not waited for, whether it runs the program yet or not. */
int daemon_open_child(pid_t pid);
int daemon_signal(int pidfd, int sig);
/* Wait until it has ended: 0, -ETIMEDOUT. */
int daemon_wait(int pidfd, unsigned timeout_ms);

#endif
