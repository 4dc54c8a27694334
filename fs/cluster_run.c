/* cluster_run: a directory and its processes. See the header. */
#include "fs/cluster_run.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/cluster_mounts.h"
#include "fs/data_path.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NODE_PROGRAM "vstack-node"
#define META_PROGRAM "vstack-meta"
#define SETUP_NAME   "metas/setup"
#define LOCK_WAIT_MS 10000u
#define POLL_MS      50u
#define READY_MS     60000
#define REPLACE_MS   (24 * 3600 * INT64_C(1000)) /* a copy of all registers */
#define PEERS_BYTES  (CLUSTER_METAS_MAX * (CLUSTER_ID_BYTES + CLUSTER_URL_BYTES))

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * VS_NS_PER_MS }, NULL);
}

static void below(const struct cluster_run *c, const char *name,
                  char path[CLUSTER_RUN_DIR_BYTES_MAX + 64])
{
    snprintf(path, CLUSTER_RUN_DIR_BYTES_MAX + 64, "%s/%s", c->dir, name);
}

static bool below_exists(const struct cluster_run *c, const char *name)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    below(c, name, path);
    return access(path, F_OK) == 0;
}

/* ---- open ---- */

static int run_lock(struct cluster_run *c, char *why)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    below(c, "up.lock", path);
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

static int run_dirs(struct cluster_run *c, unsigned metas, char *why)
{
    static const char *const names[] = { "nodes", "log", "metas" };
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];

    for (unsigned i = 0; i < (metas > 0 ? 3 : 2); i++) {
        below(c, names[i], path);
        if (mkdir(path, 0700) == 0 || errno == EEXIST)
            continue;
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot make %s: %s", path, strerror(errno));
        return -errno;
    }
    return 0;
}

/* ---- the first start: replicas and stores are made ---- */

static int sync_metas(const struct cluster_run *c)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];
    VS_AUTO_FD int dir = -1;

    below(c, "metas", path);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int setup_begin(struct cluster_run *c, char *why)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];
    VS_AUTO_FD int fd = -1;
    int r;

    below(c, SETUP_NAME, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : sync_metas(c);
    if (r < 0)
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot make %s: %s", path, vs_err_text(r));
    return r;
}

static int setup_end(struct cluster_run *c, char *why)
{
    char path[CLUSTER_RUN_DIR_BYTES_MAX + 64];
    int r;

    below(c, SETUP_NAME, path);
    r = unlink(path) < 0 && errno != ENOENT ? -errno : sync_metas(c);
    if (r < 0)
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "cannot remove %s: %s", path, vs_err_text(r));
    return r;
}

/* A directory that holds something, and no cluster.json. */
static bool is_taken(const struct cluster_run *c)
{
    if (below_exists(c, "metas"))
        return !below_exists(c, SETUP_NAME); /* an `up` that was interrupted is begun anew */
    return below_exists(c, "meta") || below_exists(c, "nodes");
}

static struct cluster_member member_new(const char *dir, const char *folder, const char *letter,
                                        unsigned n)
{
    struct cluster_member m = { .pid = 0 };

    snprintf(m.id, sizeof(m.id), "%s%u", letter, n);
    snprintf(m.data, sizeof(m.data), "%.190s/%s/%s%u", dir, folder, letter, n);
    return m;
}

static int run_create(struct cluster_run *c, const struct cluster_run_new *fresh, char *why)
{
    uint8_t chance[VS_UUID_CHANCE_BYTES];
    int r;

    if (is_taken(c)) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "%s holds films, and no cluster.json: it is the data of a single mount (vstackfs "
                 "--data %s MOUNTPOINT), or cluster.json is lost; choose another --dir, or put it "
                 "back",
                 c->dir, c->dir);
        return -EEXIST;
    }
    vs_rand_system(chance, sizeof(chance));
    c->file.cluster = vs_uuid_make(vs_real_ns(&vs_clock_system), chance);
    c->file.metas_count = fresh->metas;
    for (unsigned i = 0; i < fresh->metas; i++)
        c->file.metas[i] = member_new(c->dir, "metas", "", i + 1);
    c->file.nodes_count = fresh->nodes;
    for (unsigned i = 0; i < fresh->nodes; i++) {
        c->file.nodes[i] = member_new(c->dir, "nodes", "n", i + 1);
        snprintf(c->file.nodes[i].domain, sizeof(c->file.nodes[i].domain), "n%u", i + 1);
    }
    r = fresh->metas > 0 ? run_dirs(c, fresh->metas, why) : 0;
    if (r == 0 && fresh->metas > 0)
        r = setup_begin(c, why);
    return r == 0 ? cluster_run_save(c, why) : r;
}

static void run_procs(struct cluster_run *c)
{
    char log[CLUSTER_PROC_LOG_BYTES];

    c->count = 0;
    for (unsigned i = 0; i < c->file.metas_count; i++) {
        snprintf(log, sizeof(log), "%s/log/meta-%s.log", c->dir, c->file.metas[i].id);
        cluster_proc_init(&c->procs[c->count++], &c->file.metas[i], META_PROGRAM, "replica", log);
    }
    for (unsigned i = 0; i < c->file.nodes_count; i++) {
        snprintf(log, sizeof(log), "%s/log/%s.log", c->dir, c->file.nodes[i].id);
        cluster_proc_init(&c->procs[c->count++], &c->file.nodes[i], NODE_PROGRAM, "node", log);
    }
}

static int run_load(struct cluster_run *c, const struct cluster_run_new *fresh, char *why)
{
    int r = cluster_file_load(c->path, &c->file, why);

    if (r == -ENOENT && fresh != NULL)
        r = run_create(c, fresh, why);
    else if (r == -ENOENT)
        snprintf(why, CLUSTER_RUN_WHY_BYTES, "%s is not there: nothing was started from this --dir",
                 c->path);
    if (r == 0 && fresh != NULL)
        r = run_dirs(c, c->file.metas_count, why);
    if (r == 0)
        run_procs(c);
    return r;
}

int cluster_run_open(struct cluster_run *c, const char *dir, const struct cluster_run_new *fresh,
                     char why[CLUSTER_RUN_WHY_BYTES])
{
    VS_AUTO_FREE char *real = NULL;
    int r = fresh != NULL ? data_path_make(dir) : 0;

    *c = (struct cluster_run){ .lock_fd = -1 };
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
        r = run_load(c, fresh, why);
    if (r < 0)
        cluster_run_close(c);
    return r;
}

void cluster_run_close(struct cluster_run *c)
{
    if (c->dir[0] == '\0')
        return;
    for (unsigned i = 0; i < c->count; i++)
        cluster_proc_close(&c->procs[i]);
    c->count = 0;
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    c->lock_fd = -1;
    c->dir[0] = '\0';
}

int cluster_run_save(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES])
{
    return cluster_file_save(c->path, &c->file, why);
}

/* ---- starting ---- */

static bool is_meta(const struct cluster_run *c, unsigned i)
{
    return i < c->file.metas_count;
}

/* Once films may be there, an empty directory is a missing disk. */
static bool was_made(const struct cluster_run *c)
{
    return c->file.metas_count > 0 ? !below_exists(c, SETUP_NAME) : below_exists(c, "meta");
}

/* ID=URL,... of all replicas, or the URLs alone. */
static void say_metas(const struct cluster_run *c, bool ids, char text[PEERS_BYTES])
{
    size_t len = 0;

    for (unsigned i = 0; i < c->file.metas_count; i++)
        len +=
            (size_t)snprintf(text + len, PEERS_BYTES - len, "%s%s%s%s", i > 0 ? "," : "",
                             ids ? c->file.metas[i].id : "", ids ? "=" : "", c->file.metas[i].url);
}

static int node_start(struct cluster_run *c, struct cluster_proc *p, char *why)
{
    const struct cluster_member *m = p->member;
    char cluster[VS_ID_TEXT_BYTES], metas[PEERS_BYTES] = "";
    const char *argv[CLUSTER_PROC_ARGS_MAX] = { NULL,
                                                "--id",
                                                m->id,
                                                "--listen",
                                                cluster_proc_listen(p),
                                                "--data",
                                                m->data,
                                                "--domain",
                                                m->domain,
                                                "--cluster",
                                                cluster,
                                                "--metas",
                                                metas,
                                                was_made(c) ? "--existing" : NULL };

    vs_id_to_text(&c->file.cluster, cluster);
    say_metas(c, false, metas);
    return cluster_proc_start(p, argv, why);
}

static int meta_start(struct cluster_run *c, struct cluster_proc *p, char *why)
{
    const struct cluster_member *m = p->member;
    char cluster[VS_ID_TEXT_BYTES], peers[PEERS_BYTES];
    const char *argv[CLUSTER_PROC_ARGS_MAX] = { NULL,
                                                "--id",
                                                m->id,
                                                "--listen",
                                                cluster_proc_listen(p),
                                                "--data",
                                                m->data,
                                                "--peers",
                                                peers,
                                                "--cluster",
                                                cluster,
                                                m->replaces[0] != '\0' ? "--replace"
                                                : was_made(c)          ? "--existing"
                                                                       : "--new",
                                                m->replaces[0] != '\0' ? m->replaces : NULL };

    vs_id_to_text(&c->file.cluster, cluster);
    say_metas(c, true, peers);
    return cluster_proc_start(p, argv, why);
}

/* Addresses of all that do not run. Replicas know each other's, and mounts know all: an address
 * changes only while nobody uses it. */
static int settle_addresses(struct cluster_run *c, const bool *runs, char *why)
{
    pid_t mounts[CLUSTER_MOUNTS_MAX];
    bool metas_run = false, mounted = cluster_mounts_all(c->dir, mounts) > 0;
    int r = 0;

    for (unsigned i = 0; i < c->file.metas_count; i++)
        metas_run = metas_run || runs[i];
    for (unsigned i = 0; r == 0 && i < c->count; i++)
        if (!runs[i])
            r = cluster_proc_address(&c->procs[i], !mounted && !(is_meta(c, i) && metas_run), why);
    return r;
}

static bool is_newcomer(const struct cluster_run *c, unsigned i)
{
    return is_meta(c, i) && c->file.metas[i].replaces[0] != '\0';
}

static int start_all(struct cluster_run *c, char *why)
{
    bool runs[CLUSTER_METAS_MAX + CLUSTER_NODES_MAX] = { false };
    char program[CLUSTER_PROC_PATH_BYTES];
    int r = 0;

    for (unsigned i = 0; r >= 0 && i < c->count; i++) {
        if (is_newcomer(c, i)) /* of a run that was ended: it goes on where it was */
            cluster_procs_end(&c->procs[i], 1, false);
        r = cluster_proc_program(&c->procs[i], program, why);
        if (r == 0)
            r = cluster_proc_runs(&c->procs[i], why);
        runs[i] = r == 1;
    }
    r = r < 0 ? r : settle_addresses(c, runs, why);
    if (r == 0) /* a process at an address that is not written down could not be found again */
        r = cluster_run_save(c, why);
    for (unsigned i = 0; r == 0 && i < c->count; i++)
        if (!runs[i])
            r = is_meta(c, i) ? meta_start(c, &c->procs[i], why) : node_start(c, &c->procs[i], why);
    /* were we killed now, the next run or `down` would find them */
    return r == 0 ? cluster_run_save(c, why) : r;
}

/* ---- a lost replica ---- */

static bool meta_is_gone(const struct cluster_member *m)
{
    char path[CLUSTER_DATA_BYTES + 16];

    snprintf(path, sizeof(path), "%s/acceptor", m->data);
    return access(path, F_OK) < 0 && errno == ENOENT;
}

/* Better than what its log says: the command that helps. */
static void say_gone(const struct cluster_run *c, const struct cluster_member *m, char *why)
{
    unsigned gone = 0, count = c->file.metas_count;

    for (unsigned i = 0; i < count; i++)
        gone += meta_is_gone(&c->file.metas[i]);
    if (gone * 2 < count)
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "replica %s has no metadata in %s: is its disk mounted? If it is lost, a new one "
                 "takes its place: vstackfs up --dir %s --replace-meta %s; to go on without it, "
                 "add --degraded",
                 m->id, m->data, c->dir, m->id);
    else
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "%u of %u replicas have no metadata (%s): are their disks mounted? If they are "
                 "lost, it is made anew from a backup or from the stores: vstackfs restore, "
                 "vstackfs salvage",
                 gone, count, m->data);
}

static struct cluster_member *replacing(struct cluster_run *c, const char *lost)
{
    for (unsigned i = 0; i < c->file.metas_count; i++) {
        struct cluster_member *m = &c->file.metas[i];

        if (m->replaces[0] != '\0' && (strcmp(m->replaces, lost) == 0 || strcmp(m->id, lost) == 0))
            return m;
    }
    return NULL;
}

/* Numbers only grow: the highest ever given is always there when the next one is. */
static unsigned meta_number_next(const struct cluster_run *c)
{
    unsigned long highest = 0;

    for (unsigned i = 0; i < c->file.metas_count; i++) {
        unsigned long n = strtoul(c->file.metas[i].id, NULL, 10);

        highest = n > highest ? n : highest;
    }
    return (unsigned)highest + 1;
}

int cluster_run_replace(struct cluster_run *c, const char *lost, char why[CLUSTER_RUN_WHY_BYTES])
{
    struct cluster_member *m;
    unsigned at = 0;
    int r;

    if (replacing(c, lost) != NULL)
        return 0;
    while (at < c->file.metas_count && strcmp(c->file.metas[at].id, lost) != 0)
        at++;
    if (at == c->file.metas_count || c->file.metas_count < 3) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 at == c->file.metas_count
                     ? "there is no replica %s in %s; its \"metas\" say which there are"
                     : "replica %s is the only one of %s, so nobody else knows what it knew: "
                       "vstackfs restore, vstackfs salvage",
                 lost, c->path);
        return at == c->file.metas_count ? -ENOENT : -EINVAL;
    }
    r = cluster_proc_runs(&c->procs[at], why);
    if (r != 0) {
        if (r == 1)
            snprintf(why, CLUSTER_RUN_WHY_BYTES,
                     "replica %s runs; if it is to be replaced for ever, end it first: kill %d",
                     lost, (int)c->file.metas[at].pid);
        return r == 1 ? -EBUSY : r;
    }
    m = &c->file.metas[at];
    *m = member_new(c->dir, "metas", "", meta_number_next(c));
    snprintf(m->replaces, sizeof(m->replaces), "%s", lost);
    run_procs(c);
    return cluster_run_save(c, why);
}

/* ---- all ---- */

static bool enough_up(const struct cluster_run *c, unsigned metas_up, unsigned nodes_up)
{
    return nodes_up > 0 && (c->file.metas_count == 0 || metas_up > c->file.metas_count / 2);
}

static int await_one(struct cluster_run *c, unsigned i, int64_t ms, char *why)
{
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + ms * VS_NS_PER_MS;

    return c->procs[i].out >= 0 ? cluster_proc_await(&c->procs[i], deadline_ns, why) : 0;
}

/* The others serve, and a majority of them is there to ask. */
static int await_newcomers(struct cluster_run *c, char *why)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < c->file.metas_count; i++) {
        if (!is_newcomer(c, i))
            continue;
        r = await_one(c, i, REPLACE_MS, why);
        if (r == 0)
            c->file.metas[i].replaces[0] = '\0';
    }
    return r;
}

int cluster_run_start(struct cluster_run *c, bool degraded, char why[CLUSTER_RUN_WHY_BYTES])
{
    int64_t end_ns = vs_now_ns(&vs_clock_system) + READY_MS * VS_NS_PER_MS;
    unsigned up[2] = { 0, 0 }; /* nodes, replicas */
    int r = start_all(c, why), failed = 0;
    bool fresh = !was_made(c) && c->file.metas_count > 0;

    for (unsigned i = 0; r == 0 && i < c->count; i++) {
        int64_t left_ms = (end_ns - vs_now_ns(&vs_clock_system)) / VS_NS_PER_MS;
        int e = is_newcomer(c, i) ? 0 : await_one(c, i, left_ms, why);

        if (is_newcomer(c, i))
            continue;
        if (e < 0) {
            if (is_meta(c, i) && c->file.metas_count > 1 && !fresh &&
                meta_is_gone(c->procs[i].member))
                say_gone(c, c->procs[i].member, why);
            cluster_procs_end(&c->procs[i], 1, true);
            failed = failed < 0 ? failed : e;
            if (!degraded || fresh)
                r = e;
            else
                fprintf(stderr, "vstackfs: %s\n", why);
        }
        up[is_meta(c, i)] += e == 0;
    }
    if (r == 0 && !enough_up(c, up[1], up[0]))
        r = failed;
    if (r == 0)
        r = await_newcomers(c, why);
    if (r == 0 && fresh)
        r = setup_end(c, why);
    return r == 0 ? cluster_run_save(c, why) : r;
}

/* ---- ending ---- */

void cluster_run_thaw(struct cluster_run *c)
{
    for (unsigned i = 0; i < c->count; i++)
        cluster_proc_thaw(&c->procs[i]);
}

int cluster_run_stop(struct cluster_run *c, char why[CLUSTER_RUN_WHY_BYTES])
{
    unsigned metas = c->file.metas_count;
    unsigned left = cluster_procs_end(c->procs + metas, c->count - metas, false);

    left += cluster_procs_end(c->procs, metas, false);
    if (left > 0) {
        snprintf(why, CLUSTER_RUN_WHY_BYTES,
                 "some processes of %s do not end, not even by SIGKILL: their disks hang", c->dir);
        return -EBUSY;
    }
    return cluster_run_save(c, why);
}

void cluster_run_undo(struct cluster_run *c)
{
    char why[CLUSTER_RUN_WHY_BYTES];
    bool any = false;

    for (unsigned i = 0; i < c->count; i++)
        any = any || c->procs[i].started > 0;
    cluster_procs_end(c->procs, c->count, true);
    if (any)
        (void)cluster_run_save(c, why); /* numbers that are gone do no harm */
}

/* ---- mounts ---- */

pid_t cluster_run_mount_pid(const struct cluster_run *c, const char *mountpoint)
{
    char name[CLUSTER_MOUNTS_NAME_BYTES];

    if (c->file.metas_count == 0)
        return cluster_mounts_holder(c->dir, ".");
    cluster_mounts_name(mountpoint, name);
    return cluster_mounts_holder(c->dir, name);
}

int cluster_run_mounts_wait(const struct cluster_run *c, unsigned timeout_ms)
{
    pid_t pids[CLUSTER_MOUNTS_MAX];

    for (unsigned ms = 0; cluster_mounts_all(c->dir, pids) > 0; ms += POLL_MS) {
        if (ms >= timeout_ms)
            return -ETIMEDOUT;
        sleep_ms(POLL_MS);
    }
    return 0;
}
