/* vstackfs up --dir DIR [--metas M] [--nodes N] [--replace-meta ID] [--degraded] [MNT]: a local
 * cluster: metadata replicas and storage nodes as processes of their own, and a mount that uses
 * them.
 *
 * Happy path: 0 when all of them serve and MNT is mounted; on an existing DIR the same cluster
 * again, with what it has. Failure: what was started is ended, one sentence. */
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/err.h"
#include "fs/cli/cli.h"
#include "fs/cluster_run.h"
#include "fs/mount_point.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define NOT_SAID UINT64_MAX

struct up_args {
    const char *dir, *mount;
    uint64_t metas, nodes; /* or NOT_SAID */
    uint64_t replace_meta; /* number of a lost replica; 0: none */
    bool degraded;
};

static bool flag_has_value(const char *flag)
{
    return strcmp(flag, "--dir") == 0 || strcmp(flag, "--nodes") == 0 ||
           strcmp(flag, "--metas") == 0 || strcmp(flag, "--replace-meta") == 0;
}

/* What is no flag, nor a flag's value, is the mount point. */
static int up_parse(struct up_args *a, int argc, char **argv)
{
    const struct conf_flag flags[] = {
        { "--dir", CONF_TEXT, &a->dir, 0, 0, NULL, true },
        { "--metas", CONF_NUMBER, &a->metas, 0, CLUSTER_RUN_METAS_MAX, NULL, false },
        { "--nodes", CONF_NUMBER, &a->nodes, 1, CLUSTER_NODES_MAX, NULL, false },
        { "--replace-meta", CONF_NUMBER, &a->replace_meta, 1, UINT16_MAX, NULL, false },
        { "--degraded", CONF_SWITCH, &a->degraded, 0, 0, NULL, false },
    };
    char *flag_argv[2 * CLI_ARGS_MAX], why[CONF_WHY_BYTES];
    int flag_argc = 0;

    *a = (struct up_args){ .metas = NOT_SAID, .nodes = NOT_SAID };
    for (int i = 1; i < argc; i++) {
        if (flag_argc + 2 > 2 * CLI_ARGS_MAX)
            return cli_fail("too many arguments; see vstackfs up --help");
        if (strncmp(argv[i], "--", 2) == 0) {
            flag_argv[flag_argc++] = argv[i];
            if (flag_has_value(argv[i]) && i + 1 < argc)
                flag_argv[flag_argc++] = argv[++i];
        } else if (a->mount == NULL) {
            a->mount = argv[i];
        } else {
            return cli_fail("too many arguments; see vstackfs up --help");
        }
    }
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), flag_argc, flag_argv, why) < 0)
        return cli_fail("%s", why);
    if (a->metas != NOT_SAID && a->metas != 0 && a->metas % 2 == 0)
        return cli_fail("--metas is 1, 3 or 5 (replicas that agree by majority), or 0: the mount "
                        "holds the metadata itself");
    return 0;
}

/* vstackfs --cluster FILE MNT, as a program of its own: it says itself what is wrong. */
static int up_spawn_mount(const struct cluster_run *c, const char *mount)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    int status;
    pid_t pid;

    if (n <= 0)
        return cli_fail("cannot find this program: %s", strerror(errno));
    exe[n] = '\0';
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return cli_fail("cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        execl(exe, exe, "--cluster", c->path, mount, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The entry of this mount point in cluster.json, an old one or a new one; NULL: no room. */
static struct cluster_mount *up_entry(struct cluster_run *c, const char *mount)
{
    struct cluster_json *f = &c->file;

    for (unsigned i = 0; i < f->mounts_count; i++)
        if (strcmp(f->mounts[i].path, mount) == 0)
            return &f->mounts[i];
    if (f->metas_count == 0) /* the only one */
        f->mounts_count = 0;
    return f->mounts_count < CLUSTER_MOUNTS_MAX ? &f->mounts[f->mounts_count++] : NULL;
}

static int up_mount(struct cluster_run *c, const char *mount)
{
    char real[MOUNT_POINT_PATH_BYTES], why[CLUSTER_RUN_WHY_BYTES];
    struct cluster_mount *entry;

    mount_point_resolve(mount, real);
    entry = up_entry(c, real);
    if (entry == NULL)
        return cli_fail("%s: a cluster has at most %d mounts", mount, CLUSTER_MOUNTS_MAX);
    if (cluster_run_mount_pid(c, real) > 0 && mount_point_is_ours(real) &&
        strcmp(entry->path, real) == 0)
        return 0; /* it is there, and has its nodes again */
    if (up_spawn_mount(c, mount) != 0)
        return 1;
    entry->pid = cluster_run_mount_pid(c, real);
    snprintf(entry->path, sizeof(entry->path), "%s", real);
    if (cluster_run_save(c, why) == 0)
        return 0;
    mount_point_detach(real, false);
    return cli_fail("%s", why);
}

/* What DIR has stays: another number is refused. */
static int up_check(const struct cluster_run *c, const struct up_args *a)
{
    if (a->nodes != NOT_SAID && a->nodes != c->file.nodes_count)
        return cli_fail("%s has %u nodes already; changing their number is not built yet", c->dir,
                        c->file.nodes_count);
    if (a->metas == NOT_SAID || a->metas == c->file.metas_count)
        return 0;
    if (c->file.metas_count == 0)
        return cli_fail("%s has its metadata with its mount; copy the films into a new cluster, or "
                        "leave --metas out",
                        c->dir);
    return cli_fail("%s has %u metadata replica%s already; leave --metas out", c->dir,
                    c->file.metas_count, c->file.metas_count == 1 ? "" : "s");
}

static int up_run(struct cluster_run *c, const struct up_args *a)
{
    char why[CLUSTER_RUN_WHY_BYTES], lost[8];

    if (up_check(c, a) != 0)
        return 1;
    if (a->replace_meta != 0) {
        snprintf(lost, sizeof(lost), "%u", (unsigned)a->replace_meta);
        if (cluster_run_replace(c, lost, why) < 0)
            return cli_fail("%s", why);
    }
    if (cluster_run_start(c, a->degraded, why) < 0) {
        cluster_run_undo(c);
        return cli_fail("%s", why);
    }
    if (a->mount != NULL && up_mount(c, a->mount) != 0) {
        cluster_run_undo(c);
        return 1;
    }
    return 0;
}

int cli_up(int argc, char **argv)
{
    VS_AUTO_FREE struct cluster_run *c = calloc(1, sizeof(*c));
    char why[CLUSTER_RUN_WHY_BYTES];
    struct cluster_run_new fresh;
    struct up_args a;
    int r;

    if (up_parse(&a, argc, argv) != 0)
        return 1;
    if (c == NULL)
        return cli_fail("out of memory");
    fresh = (struct cluster_run_new){
        .metas = a.metas != NOT_SAID ? (unsigned)a.metas : CLUSTER_RUN_METAS_DEFAULT,
        .nodes = a.nodes != NOT_SAID ? (unsigned)a.nodes : CLUSTER_RUN_NODES_DEFAULT,
    };
    r = cluster_run_open(c, a.dir, &fresh, why);
    if (r < 0)
        return cli_fail("%s", why);
    r = up_run(c, &a);
    cluster_run_close(c);
    return r;
}
