/* cluster_proc: see the header. */
#include "fs/cluster_proc.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "fs/cluster_port.h"
#include "fs/daemon.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define URL_HEAD        "http://127.0.0.1:"
#define URL_SCHEME_LEN  7 /* "http://" */
#define CLOSING_MS      10000u
#define END_MS          20000u
#define KILLED_MS       5000u
#define READY_BYTES_MAX 512
#define LOG_TAIL_BYTES  400

void cluster_proc_init(struct cluster_proc *p, struct cluster_member *member, const char *program,
                       const char *kind, const char *log)
{
    *p = (struct cluster_proc){
        .member = member, .program = program, .kind = kind, .port_fd = -1, .out = -1
    };
    snprintf(p->log, sizeof(p->log), "%s", log);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void cluster_proc_close(struct cluster_proc *p)
{
    close_fd(&p->port_fd);
    close_fd(&p->out);
}

/* ---- before it starts ---- */

int cluster_proc_program(const struct cluster_proc *p, char path[CLUSTER_PROC_PATH_BYTES],
                         char why[CLUSTER_PROC_WHY_BYTES])
{
    size_t len = strlen(p->program) + 1;
    ssize_t n = readlink("/proc/self/exe", path, CLUSTER_PROC_PATH_BYTES - len - 1);
    char *slash;

    VS_ASSERT(n > 0);
    path[n] = '\0';
    slash = strrchr(path, '/');
    VS_ASSERT(slash != NULL);
    memcpy(slash + 1, p->program, len);
    if (access(path, X_OK) == 0)
        return 0;
    snprintf(why, CLUSTER_PROC_WHY_BYTES,
             "the program %.500s is missing; install it beside vstackfs", path);
    return -ENOENT;
}

/* Does anybody listen at its address? A frozen process does, too, maybe without room for more. */
static bool listens(const struct cluster_member *m)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(cluster_url_port(m->url)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    VS_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = { .tv_sec = 1 };

    return fd >= 0 && at.sin_port != 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
           (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno != ECONNREFUSED);
}

int cluster_proc_runs(struct cluster_proc *p, char why[CLUSTER_PROC_WHY_BYTES])
{
    VS_AUTO_FD int fd = daemon_open(p->member->pid, p->program, p->member->data);

    if (fd < 0)
        return 0;
    if (listens(p->member))
        return 1;
    if (daemon_wait(fd, CLOSING_MS) == 0)
        return 0;
    snprintf(why, CLUSTER_PROC_WHY_BYTES,
             "%s %s: its process %d does not listen at %s, and does not end; end it (kill -9 %d) "
             "and try again (its log: %s)",
             p->kind, p->member->id, (int)p->member->pid, p->member->url, (int)p->member->pid,
             p->log);
    return -EBUSY;
}

int cluster_proc_address(struct cluster_proc *p, bool may_move, char why[CLUSTER_PROC_WHY_BYTES])
{
    struct cluster_member *m = p->member;
    uint16_t had = cluster_url_port(m->url), port;
    int fd = cluster_port_hold(had, &port);

    if (fd == -EADDRINUSE && may_move)
        fd = cluster_port_hold(0, &port);
    if (fd < 0 && had != 0) {
        snprintf(why, CLUSTER_PROC_WHY_BYTES,
                 "%s %s cannot have its address %s (%s), which others of the cluster use; vstackfs "
                 "down, then up",
                 p->kind, m->id, m->url, vs_err_text(fd));
        return fd;
    }
    if (fd < 0) {
        snprintf(why, CLUSTER_PROC_WHY_BYTES, "no port is free for %s %s: %s", p->kind, m->id,
                 vs_err_text(fd));
        return fd;
    }
    close_fd(&p->port_fd);
    p->port_fd = fd;
    snprintf(m->url, sizeof(m->url), URL_HEAD "%u", (unsigned)port);
    return 0;
}

const char *cluster_proc_listen(const struct cluster_proc *p)
{
    return p->member->url + URL_SCHEME_LEN;
}

/* ---- starting it, awaiting it ---- */

int cluster_proc_start(struct cluster_proc *p, const char *argv[CLUSTER_PROC_ARGS_MAX],
                       char why[CLUSTER_PROC_WHY_BYTES])
{
    char program[CLUSTER_PROC_PATH_BYTES];
    int r = cluster_proc_program(p, program, why);

    if (r < 0)
        return r;
    argv[0] = program;
    r = daemon_start((char *const *)argv, p->log, &p->started, &p->out);
    argv[0] = NULL;
    if (r < 0)
        snprintf(why, CLUSTER_PROC_WHY_BYTES, "cannot start %s %s (its log: %s): %s", p->kind,
                 p->member->id, p->log, vs_err_text(r));
    else
        p->member->pid = p->started;
    return r;
}

/* The last line of what it said. */
static void log_tail(const char *path, char tail[LOG_TAIL_BYTES])
{
    VS_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = end > LOG_TAIL_BYTES - 1 ? end - (LOG_TAIL_BYTES - 1) : 0;
    ssize_t n = fd >= 0 ? pread(fd, tail, LOG_TAIL_BYTES - 1, from) : 0;
    char *line;

    while (n > 0 && tail[n - 1] == '\n')
        n--;
    tail[n > 0 ? n : 0] = '\0';
    line = strrchr(tail, '\n');
    if (line != NULL)
        memmove(tail, line + 1, strlen(line + 1) + 1);
}

/* "PROGRAM ID ready on HOST:PORT"; false: it ended, or the deadline passed. */
static bool read_ready(int fd, int64_t deadline_ns)
{
    char line[READY_BYTES_MAX];
    size_t len = 0;

    while (len < sizeof(line) - 1 && memchr(line, '\n', len) == NULL) {
        int64_t left_ms = (deadline_ns - vs_now_ns(&vs_clock_system)) / VS_NS_PER_MS;
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t n;

        if (left_ms <= 0 || poll(&p, 1, (int)left_ms) != 1)
            return false;
        n = read(fd, line + len, sizeof(line) - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
    }
    line[len] = '\0';
    return strstr(line, " ready on ") != NULL;
}

int cluster_proc_await(struct cluster_proc *p, int64_t deadline_ns,
                       char why[CLUSTER_PROC_WHY_BYTES])
{
    char tail[LOG_TAIL_BYTES] = "";
    bool ready = read_ready(p->out, deadline_ns);

    cluster_proc_close(p);
    if (ready)
        return 0;
    log_tail(p->log, tail);
    snprintf(why, CLUSTER_PROC_WHY_BYTES,
             "%s %s did not start: %s (%s); to go on without it, add --degraded", p->kind,
             p->member->id, tail, p->log);
    return -VS_EDOWN;
}

/* ---- ending ---- */

static int end_begin(const struct cluster_proc *p, bool ours)
{
    int fd = -ESRCH;

    if (p->started > 0)
        fd = daemon_open_child(p->started); /* it may not run its program yet */
    else if (!ours)
        fd = daemon_open(p->member->pid, p->program, p->member->data);
    if (fd < 0)
        return fd;
    daemon_signal(fd, SIGTERM);
    daemon_signal(fd, SIGCONT);
    return fd;
}

unsigned cluster_procs_end(struct cluster_proc *procs, unsigned count, bool ours)
{
    int fd[CLUSTER_METAS_MAX + CLUSTER_NODES_MAX];
    unsigned left = 0;

    VS_ASSERT(count <= sizeof(fd) / sizeof(fd[0]));
    for (unsigned i = 0; i < count; i++)
        fd[i] = end_begin(&procs[i], ours);
    for (unsigned i = 0; i < count; i++) {
        if (fd[i] >= 0) {
            if (daemon_wait(fd[i], END_MS) < 0)
                daemon_signal(fd[i], SIGKILL);
            left += daemon_wait(fd[i], KILLED_MS) < 0;
            close(fd[i]);
        }
        if (!ours || procs[i].started > 0)
            procs[i].member->pid = 0;
        procs[i].started = 0;
        cluster_proc_close(&procs[i]);
    }
    return left;
}

void cluster_proc_thaw(const struct cluster_proc *p)
{
    VS_AUTO_FD int fd = daemon_open(p->member->pid, p->program, p->member->data);

    if (fd >= 0)
        daemon_signal(fd, SIGCONT);
}
