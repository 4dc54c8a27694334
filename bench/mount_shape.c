/* Mounts to be measured; see the header. All is done by the program's own commands. */
#include "bench/mount_shape.h"

#include "bench/bench.h"
#include "bench/bench_metas.h"
#include "bench/meta_load.h"
#include "common/assert.h"
#include "common/cluster_file.h"
#include "meta/meta_http.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 2000

static struct mount_shape *running; /* for the end of the program */

static const char *program(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
    char *slash = path;

    VS_ASSERT(n > 0);
    path[n] = '\0';
    for (unsigned i = 0; i < 2; i++) { /* BUILD/bench/mount_bench */
        slash = strrchr(path, '/');
        VS_ASSERT(slash != NULL);
        *slash = '\0';
    }
    snprintf(slash, 16, "/vstackfs");
    return path;
}

static int run(const char *const argv[])
{
    const char *path = program();
    pid_t child = fork();
    int status;

    VS_ASSERT(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        execv(path, (char *const *)argv);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}

static void run_well(const char *const argv[])
{
    if (run(argv) != 0)
        bench_die("vstackfs %s %s: did not succeed", argv[1], argv[2]);
}

static void unmount(struct mount_shape *s)
{
    while (s->mounts > 0) {
        const char *argv[] = { "vstackfs", "umount", s->mnt[--s->mounts], NULL };

        run_well(argv);
    }
}

static void down(const struct mount_shape *s)
{
    const char *argv[] = { "vstackfs", "down", "--dir", s->dir, NULL };

    if (s->is_cluster)
        (void)run(argv);
}

static void at_exit(void)
{
    if (running == NULL)
        return;
    for (unsigned n = 0; n < running->mounts; n++) {
        const char *argv[] = { "vstackfs", "umount", "--force", running->mnt[n], NULL };

        (void)run(argv);
    }
    down(running);
}

void mount_shape_make(struct mount_shape *s, const char *base, bool is_cluster)
{
    static bool is_watched;
    const char *name = is_cluster ? "cluster" : "embedded";

    *s = (struct mount_shape){ .is_cluster = is_cluster };
    snprintf(s->dir, sizeof(s->dir), "%s/%s", base, name);
    VS_ASSERT(mkdir(s->dir, 0755) == 0);
    for (unsigned n = 0; n < MOUNT_SHAPE_MOUNTS_MAX; n++) {
        snprintf(s->mnt[n], sizeof(s->mnt[n]), "%s/%s-mnt-%u", base, name, n);
        VS_ASSERT(mkdir(s->mnt[n], 0755) == 0);
    }
    if (!is_watched)
        atexit(at_exit);
    is_watched = true;
    running = s;
}

void mount_shape_mount(struct mount_shape *s, unsigned mounts)
{
    VS_ASSERT(mounts >= 1 && mounts <= (s->is_cluster ? MOUNT_SHAPE_MOUNTS_MAX : 1));
    unmount(s);
    while (s->mounts < mounts) {
        const char *mnt = s->mnt[s->mounts];
        const char *alone[] = { "vstackfs", "--data", s->dir, mnt, NULL };
        const char *shared[] = { "vstackfs", "up", "--dir", s->dir, mnt, NULL };

        run_well(s->is_cluster ? shared : alone);
        s->mounts++;
    }
}

void mount_shape_end(struct mount_shape *s)
{
    unmount(s);
    down(s);
    running = NULL;
}

/* The one with that mount point on its command line. */
int mount_shape_pid(const struct mount_shape *s)
{
    DIR *proc = opendir("/proc");
    const struct dirent *e;
    int pid = 0;

    VS_ASSERT(proc != NULL);
    while (pid == 0 && (e = readdir(proc)) != NULL) {
        char path[300], line[4096];
        size_t n;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%.20s/cmdline", e->d_name);
        f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (f == NULL)
            continue;
        n = fread(line, 1, sizeof(line) - 1, f);
        fclose(f);
        line[n] = '\0';
        if (memmem(line, n, s->mnt[0], strlen(s->mnt[0]) + 1) != NULL &&
            memmem(line, n, "--cutter", 8) == NULL)
            pid = (int)strtol(e->d_name, NULL, 10);
    }
    closedir(proc);
    return pid;
}

/* ---- counters ---------------------------------------------------------------------------------
 */

static const struct cluster_json *cluster(const struct mount_shape *s)
{
    static struct cluster_json c;
    char path[MOUNT_SHAPE_PATH_BYTES + 32], why[CLUSTER_WHY_BYTES];

    snprintf(path, sizeof(path), "%s/cluster.json", s->dir);
    if (cluster_file_load(path, &c, why) < 0)
        bench_die("%s", why);
    return &c;
}

void mount_shape_large(const struct mount_shape *s, const char *name, uint64_t chunks)
{
    const struct cluster_json *c = cluster(s);
    const char *origins[META_HTTP_ORIGINS_MAX];
    struct meta_http_config config = { .origins = origins };
    struct meta_client *meta;

    while (config.origin_count < c->metas_count && config.origin_count < META_HTTP_ORIGINS_MAX) {
        origins[config.origin_count] = c->metas[config.origin_count].url;
        config.origin_count++;
    }
    VS_ASSERT(vs_exec_start(&config.exec, "bench", 1) == 0);
    VS_ASSERT(http_client_start(&config.client, config.exec) == 0);
    if (meta_http_open(&meta, &config) < 0)
        bench_die("no metadata replica answers");
    meta_load_large(meta, name, chunks);
    meta_client_stop(meta);
    http_client_stop(config.client);
    vs_exec_stop(config.exec);
}

/* Of each replica: their sum, or the largest. */
static uint64_t counted(const struct mount_shape *s, const char *begin, bool largest)
{
    const struct cluster_json *c = cluster(s);
    struct http_client *http;
    uint64_t result = 0;

    VS_ASSERT(http_client_start(&http, NULL) == 0);
    for (unsigned n = 0; n < c->metas_count; n++) {
        const struct http_host_config config = { .origin = c->metas[n].url,
                                                 .connections_max = 1,
                                                 .queue_max = 1,
                                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS };
        struct http_host *host;
        uint64_t one;

        VS_ASSERT(http_host_open(&host, http, &config) == 0);
        one = bench_metric(host, begin);
        result = largest ? (one > result ? one : result) : result + one;
        http_host_close(host);
    }
    http_client_stop(http);
    return result;
}

uint64_t mount_shape_counted(const struct mount_shape *s, const char *begin)
{
    return counted(s, begin, false);
}

uint64_t mount_shape_entries(const struct mount_shape *s)
{
    return counted(s, "vstack_meta_commit_slot", true);
}
