/* vstack-node as a child: fork, exec, read the line that says it is ready. */
#include "tests/support/node_proc.h"

#include "common/assert.h"
#include "common/err.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 60000 /* a sanitizer on a busy machine */

static void program_path(const char *program, char path[4096])
{
    const char *given = getenv(strcmp(program, "vstack-meta") == 0 ? "VSTACK_META" : "VSTACK_NODE");
    ssize_t n;
    char *slash;

    if (given != NULL) {
        snprintf(path, 4096, "%s", given);
        return;
    }
    n = readlink("/proc/self/exe", path, 4000);
    VS_ASSERT(n > 0);
    path[n] = '\0';
    do { /* BUILD/tests/kind/test_x, BUILD/bench/x_bench */
        slash = strrchr(path, '/');
        VS_ASSERT(slash != NULL);
        snprintf(slash, (size_t)(path + 4096 - slash), "/%s", program);
        if (access(path, X_OK) == 0)
            return;
        *slash = '\0';
    } while (slash != path);
    snprintf(path, 4096, "%s", program); /* as it will be missed */
}

_Noreturn static void child(const char *path, char *const argv[], int out_fd)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(out_fd, STDOUT_FILENO);
    execv(path, argv);
    fprintf(stderr, "%s: %s; build it with: make\n", path, strerror(errno));
    _exit(127);
}

/* The port of "PROGRAM ID ready on HOST:PORT", or 0. */
static uint16_t read_ready(int fd)
{
    char line[512];
    size_t len = 0;

    while (len < sizeof(line) - 1 && memchr(line, '\n', len) == NULL) {
        struct pollfd pfd = { fd, POLLIN, 0 };
        ssize_t n;

        if (poll(&pfd, 1, READY_TIMEOUT_MS) != 1)
            return 0;
        n = read(fd, line + len, sizeof(line) - 1 - len);
        if (n <= 0)
            return 0;
        len += (size_t)n;
    }
    line[len] = '\0';
    if (strstr(line, " ready on ") == NULL || strrchr(line, ':') == NULL)
        return 0;
    return (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
}

int node_proc_start(struct node_proc *p, const char *id, const char *data, uint16_t port,
                    const char *const args[])
{
    return node_proc_start_program(p, "vstack-node", id, data, port, args);
}

int node_proc_start_program(struct node_proc *p, const char *program, const char *id,
                            const char *data, uint16_t port, const char *const args[])
{
    char path[4096], listen_on[64];
    const char *argv[8 + NODE_PROC_ARGS_MAX] = { program,   "--id",   id,  "--listen",
                                                 listen_on, "--data", data };
    unsigned argc = 7;
    int out[2];

    *p = (struct node_proc){ 0 };
    program_path(program, path);
    snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%u", (unsigned)port);
    for (unsigned i = 0; args != NULL && args[i] != NULL; i++) {
        VS_ASSERT(i < NODE_PROC_ARGS_MAX);
        argv[argc++] = args[i];
    }
    VS_ASSERT(pipe2(out, O_CLOEXEC) == 0);
    p->pid = fork();
    VS_ASSERT(p->pid >= 0);
    if (p->pid == 0)
        child(path, (char *const *)argv, out[1]);
    close(out[1]);
    p->port = read_ready(out[0]);
    close(out[0]);
    if (p->port == 0) {
        node_proc_kill(p);
        return -EIO;
    }
    snprintf(p->origin, sizeof(p->origin), "http://127.0.0.1:%u", (unsigned)p->port);
    return 0;
}

static int proc_wait(struct node_proc *p)
{
    int status;

    while (waitpid(p->pid, &status, 0) < 0)
        VS_ASSERT(errno == EINTR);
    p->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int node_proc_stop(struct node_proc *p)
{
    if (p->pid == 0)
        return 0;
    kill(p->pid, SIGTERM);
    kill(p->pid, SIGCONT); /* a test that failed may have left it frozen */
    return proc_wait(p);
}

void node_proc_kill(struct node_proc *p)
{
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    proc_wait(p);
}

/* The signal alone stops it some moments later: it could still answer. */
void node_proc_freeze(struct node_proc *p)
{
    siginfo_t info;

    kill(p->pid, SIGSTOP);
    while (waitid(P_PID, (id_t)p->pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0)
        VS_ASSERT(errno == EINTR);
}

void node_proc_thaw(struct node_proc *p)
{
    kill(p->pid, SIGCONT);
}
