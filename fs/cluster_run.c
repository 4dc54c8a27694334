/* cluster_run: a directory and its nodes. See the header. */
#include "fs/cluster_run.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/daemon.h"
#include "fs/data_path.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NODE_PROGRAM    "vstack-node"
#define LOOPBACK        "127.0.0.1"
#define LOCK_WAIT_MS    10000u
#define POLL_MS         50u
#define READY_MS        60000
#define END_MS          20000u
#define KILLED_MS       5000u
#define READY_BYTES_MAX 512
#define LOG_TAIL_BYTES  400

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * VS_NS_PER_MS }, NULL);
}

static bool below_exists(const struct cluster_run *c, const char *name)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    snprintf(path, sizeof(path), "%s/%s", c->dir, name);
    return access(path, F_OK) == 0;
}

/* ---- open ---- */

static int run_lock(struct cluster_run *c, char *why)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    snprintf(path, sizeof(path), "%s/up.lock", c->dir);
    c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (unsigned ms = 0; c->lock_fd >= 0 && flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0;
         ms += POLL_MS) {
        if (ms >= LOCK_WAIT_MS) {
            snprintf(why, CLUSTER_RUN_WHY_BYTES,
                     "another vstackfs up or down is at work in %s; wait for it", c->dir);
            return -EBUSY;
        }
        sleep_ms(POLL_MS);
    }
    if (c->lock_fd >= 0)
        return 0;
    snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot open %s: %s", path, strerror(errno));
    return -errno;
}

static int run_create(struct cluster_run *c, unsigned nodes, char *why)
{
    if (below_exists(c, "meta") || below_exists(c, "nodes")) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "%s holds films, and no cluster.json: it is the data of a single mount (vstackfs "
                 "--data %s MOUNTPOINT), or cluster.json is lost; choose another --dir, or put it "
                 "back",
                 c->dir, c->dir);
        return -EEXIST;
    }
    vs_rand_system(&c->file.cluster, sizeof(c->file.cluster));
    c->file.nodes_count = nodes;
    for (unsigned i = 0; i < nodes; i++) {
        struct cluster_member *m = &c->file.nodes[i];

        snprintf(m->id, sizeof(m->id), "n%u", i + 1);
        snprintf(m->domain, sizeof(m->domain), "n%u", i + 1);
        snprintf(m->data, sizeof(m->data), "%s/nodes/n%u", c->dir, i + 1);
    }
    return cluster_file_save(c->path, &c->file, why);
}

static int run_dirs(struct cluster_run *c, char *why)
{
    static const char *const names[] = { "nodes", "log" };
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", c->dir, names[i]);
        if (mkdir(path, 0700) == 0 || errno == EEXIST)
            continue;
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot make %s: %s", path, strerror(errno));
        return -errno;
    }
    return 0;
}

static int run_load(struct cluster_run *c, unsigned nodes, char *why)
{
    int r = cluster_file_load(c->path, &c->file, why);

    if (r == -ENOENT && nodes > 0) {
        r = run_create(c, nodes, why);
    } else if (r == -ENOENT) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "%s is not there: nothing was started from this --dir",
                 c->path);
    } else if (r == 0 && c->file.metas_count > 0) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "%s names metadata replicas, which this version cannot run", c->path);
        r = -VS_ENEWER;
    }
    return r;
}

int cluster_run_open(struct cluster_run *c, const char *dir, unsigned nodes,
                     char why[CLUSTER_RUN_WHY_BYTES])
{
    VS_AUTO_FREE char *real = NULL;
    int r = nodes > 0 ? data_path_make(dir) : 0;

    *c = (struct cluster_run){ .lock_fd = -1 };
    for (unsigned i = 0; i < CLUSTER_NODES_MAX; i++)
        c->out[i] = -1;
    real = realpath(dir, NULL);
    if (r < 0 || real == NULL || strlen(real) > CLUSTER_RUN_DIR_BYTES_MAX) {
        r = r < 0 ? r : real == NULL ? -errno : -ENAMETOOLONG;
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "--dir %.300s: %s", dir, vs_err_text(r));
        return r;
    }
    snprintf(c->dir, sizeof(c->dir), "%s", real);
    snprintf(c->path, sizeof(c->path), "%s/cluster.json", real);
    r = run_lock(c, why);
    if (r == 0)
        r = run_load(c, nodes, why);
    if (r == 0 && nodes > 0)
        r = run_dirs(c, why);
    if (r < 0)
        cluster_run_close(c);
    return r;
}

void cluster_run_close(struct cluster_run *c)
{
    if (c->dir[0] == '\0')
        return;
    for (unsigned i = 0; i < CLUSTER_NODES_MAX; i++) {
        if (c->out[i] >= 0)
            close(c->out[i]);
        c->out[i] = -1;
    }
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    c->lock_fd = -1;
    c->dir[0] = '\0';
}

/* ---- starting one node ---- */

/* The program beside this one. */
static int node_program(char path[4096], char *why)
{
    ssize_t n = readlink("/proc/self/exe", path, 4096 - sizeof(NODE_PROGRAM) - 1);
    char *slash;

    VS_ASSERT(n > 0);
    path[n] = '\0';
    slash = strrchr(path, '/');
    VS_ASSERT(slash != NULL);
    memcpy(slash + 1, NODE_PROGRAM, sizeof(NODE_PROGRAM));
    if (access(path, X_OK) == 0)
        return 0;
    snprintf(why, CLUSTER_RUN_WHY_BYTES,
             "the program %.500s is missing; install it beside vstackfs", path);
    return -ENOENT;
}

/* The port a node had, if nobody else has it now; else 0: any. */
static uint16_t port_to_take(const struct cluster_member *m)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(cluster_url_port(m->url)) };
    VS_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    inet_pton(AF_INET, LOOPBACK, &at.sin_addr);
    if (fd < 0 || at.sin_port == 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return 0;
    return ntohs(at.sin_port);
}

static void log_path(const struct cluster_run *c, const struct cluster_member *m,
                     char path[CLUSTER_RUN_DIR_BYTES_MAX + 128])
{
    snprintf(path, CLUSTER_RUN_DIR_BYTES_MAX + 128, "%s/log/%s.log", c->dir, m->id);
}

static int node_start(struct cluster_run *c, unsigned i, const char *program, char *why)
{
    struct cluster_member *m = &c->file.nodes[i];
    char listen[64], cluster[VS_ID_TEXT_BYTES], log[CLUSTER_RUN_DIR_BYTES_MAX + 128];
    /* --existing: once films may be there, an empty directory is a missing disk */
    const char *argv[] = { program,  "--id",  m->id,      "--listen", listen,
                           "--data", m->data, "--domain", m->domain,  "--cluster",
                           cluster,  NULL,    NULL };
    uint16_t port = port_to_take(m);
    int r;

    if (port == 0 && m->url[0] != '\0' && cluster_run_mount_pid(c) > 0) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "another program has the port of node %s (%s), and a mount is using it; vstackfs "
                 "down --dir %s, then up",
                 m->id, m->url, c->dir);
        return -EADDRINUSE;
    }
    if (below_exists(c, "meta"))
        argv[11] = "--existing";
    snprintf(listen, sizeof(listen), LOOPBACK ":%u", (unsigned)port);
    vs_id_to_text(&c->file.cluster, cluster);
    log_path(c, m, log);
    r = daemon_start((char *const *)argv, log, &c->started[i], &c->out[i]);
    if (r < 0)
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot start node %s (its log: %s): %s", m->id, log,
                 vs_err_text(r));
    else
        m->pid = c->started[i];
    return r;
}

/* ---- awaiting it ---- */

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

/* The port of "vstack-node ID ready on HOST:PORT"; 0: it ended, or the deadline passed. */
static uint16_t read_ready(int fd, int64_t deadline_ns)
{
    char line[READY_BYTES_MAX];
    size_t len = 0;
    const char *colon;

    while (len < sizeof(line) - 1 && memchr(line, '\n', len) == NULL) {
        int64_t left_ms = (deadline_ns - vs_now_ns(&vs_clock_system)) / VS_NS_PER_MS;
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t n;

        if (left_ms <= 0 || poll(&p, 1, (int)left_ms) != 1)
            return 0;
        n = read(fd, line + len, sizeof(line) - 1 - len);
        if (n <= 0)
            return 0;
        len += (size_t)n;
    }
    line[len] = '\0';
    colon = strrchr(line, ':');
    return strstr(line, " ready on ") != NULL && colon != NULL
               ? (uint16_t)strtoul(colon + 1, NULL, 10)
               : 0;
}

static int node_await(struct cluster_run *c, unsigned i, int64_t deadline_ns, char *why)
{
    struct cluster_member *m = &c->file.nodes[i];
    char log[CLUSTER_RUN_DIR_BYTES_MAX + 128], tail[LOG_TAIL_BYTES] = "";
    uint16_t port = read_ready(c->out[i], deadline_ns);

    close(c->out[i]);
    c->out[i] = -1;
    if (port > 0) {
        snprintf(m->url, sizeof(m->url), "http://" LOOPBACK ":%u", (unsigned)port);
        return 0;
    }
    log_path(c, m, log);
    log_tail(log, tail);
    snprintf(why, CLUSTER_RUN_WHY_BYTES,
             "node %s did not start: %s (%s); to go on without it, add --degraded", m->id, tail,
             log);
    return -VS_EDOWN;
}

/* ---- ending ---- */

/* End the nodes whose bit is set; their numbers are forgotten. How many are still there. */
static unsigned end_nodes(struct cluster_run *c, uint64_t mask)
{
    int fd[CLUSTER_NODES_MAX];
    unsigned left = 0;

    for (unsigned i = 0; i < c->file.nodes_count; i++) {
        struct cluster_member *m = &c->file.nodes[i];

        fd[i] = -ESRCH;
        if ((mask >> i & 1) != 0 && c->started[i] > 0)
            fd[i] = daemon_open_child(c->started[i]); /* it may not run its program yet */
        else if ((mask >> i & 1) != 0)
            fd[i] = daemon_open(m->pid, NODE_PROGRAM, m->data);
        if (fd[i] < 0)
            continue;
        daemon_signal(fd[i], SIGTERM);
        daemon_signal(fd[i], SIGCONT);
    }
    for (unsigned i = 0; i < c->file.nodes_count; i++) {
        struct cluster_member *m = &c->file.nodes[i];

        if (fd[i] >= 0) {
            if (daemon_wait(fd[i], END_MS) < 0)
                daemon_signal(fd[i], SIGKILL);
            left += daemon_wait(fd[i], KILLED_MS) < 0;
            close(fd[i]);
        }
        if ((mask >> i & 1) != 0)
            m->pid = 0;
    }
    return left;
}

void cluster_run_thaw(struct cluster_run *c)
{
    for (unsigned i = 0; i < c->file.nodes_count; i++) {
        int fd = daemon_open(c->file.nodes[i].pid, NODE_PROGRAM, c->file.nodes[i].data);

        if (fd < 0)
            continue;
        daemon_signal(fd, SIGCONT);
        close(fd);
    }
}

int cluster_run_stop(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES])
{
    if (end_nodes(c, UINT64_MAX) > 0) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "some nodes of %s do not end, not even by SIGKILL: their disks hang", c->dir);
        return -EBUSY;
    }
    return cluster_file_save(c->path, &c->file, why);
}

void cluster_run_undo(struct cluster_run *c)
{
    char why[CLUSTER_RUN_WHY_BYTES];
    uint64_t mask = 0;

    for (unsigned i = 0; i < c->file.nodes_count; i++)
        mask |= c->started[i] > 0 ? UINT64_C(1) << i : 0;
    end_nodes(c, mask);
    if (mask != 0)
        (void)cluster_file_save(c->path, &c->file, why); /* numbers that are gone do no harm */
}

/* ---- all of them ---- */

static int start_all(struct cluster_run *c, char *why)
{
    char program[4096];
    int r = node_program(program, why);

    for (unsigned i = 0; r == 0 && i < c->file.nodes_count; i++) {
        const struct cluster_member *m = &c->file.nodes[i];

        if (!daemon_is(m->pid, NODE_PROGRAM, m->data))
            r = node_start(c, i, program, why);
    }
    /* were we killed now, the next run or `down` would find them */
    return r == 0 ? cluster_file_save(c->path, &c->file, why) : r;
}

int cluster_run_start(struct cluster_run *c, bool degraded, char why[CLUSTER_RUN_WHY_BYTES])
{
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + READY_MS * VS_NS_PER_MS;
    unsigned up = 0;
    int r = start_all(c, why), failed = 0;

    for (unsigned i = 0; r == 0 && i < c->file.nodes_count; i++) {
        int e = c->out[i] >= 0 ? node_await(c, i, deadline_ns, why) : 0;

        if (e < 0) {
            end_nodes(c, UINT64_C(1) << i);
            c->started[i] = 0;
            failed = failed < 0 ? failed : e;
            if (!degraded)
                r = e;
            else
                fprintf(stderr, "vstackfs: %s\n", why);
        }
        up += e == 0;
    }
    if (r == 0 && up == 0)
        r = failed;
    return r == 0 ? cluster_file_save(c->path, &c->file, why) : r;
}

/* ---- the mount ---- */

/* DIR/lock: who holds it has written his number into it. */
pid_t cluster_run_mount_pid(const struct cluster_run *c)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64], text[32] = "";
    VS_AUTO_FD int fd = -1;

    snprintf(path, sizeof(path), "%s/lock", c->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    return (pid_t)strtol(text, NULL, 10);
}

int cluster_run_mount_wait(const struct cluster_run *c, unsigned timeout_ms)
{
    for (unsigned ms = 0; cluster_run_mount_pid(c) > 0; ms += POLL_MS) {
        if (ms >= timeout_ms)
            return -ETIMEDOUT;
        sleep_ms(POLL_MS);
    }
    return 0;
}
