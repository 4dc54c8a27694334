/* vstackfs up --dir DIR [--nodes N] [--degraded] [MNT]: a local cluster: storage nodes as processes
 * of their own, and a mount that uses them.
 *
 * Happy path: 0 when all nodes serve and MNT is mounted; on an existing DIR the same cluster again.
 * Failure: what was started is ended, one sentence. */
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/err.h"
#include "fs/cli/cli.h"
#include "fs/cluster_run.h"
#include "fs/mount_point.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct up_args {
    const char *dir, *mount;
    uint64_t nodes; /* 0: not said */
    bool degraded;
};

/* What is no flag, nor a flag's value, is the mount point. */
static int up_parse(struct up_args *a, int argc, char **argv)
{
    const struct conf_flag flags[] = {
        { "--dir", CONF_TEXT, &a->dir, 0, 0, NULL, true },
        { "--nodes", CONF_NUMBER, &a->nodes, 1, CLUSTER_NODES_MAX, NULL, false },
        { "--degraded", CONF_SWITCH, &a->degraded, 0, 0, NULL, false },
    };
    char *flag_argv[2 * CLI_ARGS_MAX], why[CONF_WHY_BYTES];
    int flag_argc = 0;

    *a = (struct up_args){ 0 };
    for (int i = 1; i < argc; i++) {
        if (flag_argc + 2 > 2 * CLI_ARGS_MAX)
            return cli_fail("too many arguments; see vstackfs up --help");
        if (strncmp(argv[i], "--", 2) == 0) {
            flag_argv[flag_argc++] = argv[i];
            if ((strcmp(argv[i], "--dir") == 0 || strcmp(argv[i], "--nodes") == 0) && i + 1 < argc)
                flag_argv[flag_argc++] = argv[++i];
        } else if (a->mount == NULL) {
            a->mount = argv[i];
        } else {
            return cli_fail("too many arguments; see vstackfs up --help");
        }
    }
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), flag_argc, flag_argv, why) < 0)
        return cli_fail("%s", why);
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

static int up_mount(struct cluster_run *c, const char *mount)
{
    char real[MOUNT_POINT_PATH_BYTES], why[CLUSTER_RUN_WHY_BYTES];
    pid_t pid = cluster_run_mount_pid(c);

    mount_point_resolve(mount, real);
    if (pid > 0 && mount_point_is_ours(real) && c->file.mounts_count > 0 &&
        strcmp(c->file.mounts[0].path, real) == 0)
        return 0; /* it is there, and has its nodes again */
    if (up_spawn_mount(c, mount) != 0)
        return 1;
    c->file.mounts_count = 1;
    c->file.mounts[0].pid = cluster_run_mount_pid(c);
    snprintf(c->file.mounts[0].path, sizeof(c->file.mounts[0].path), "%s", real);
    if (cluster_file_save(c->path, &c->file, why) == 0)
        return 0;
    mount_point_detach(real, false);
    return cli_fail("%s", why);
}

static int up_run(struct cluster_run *c, const struct up_args *a)
{
    char why[CLUSTER_RUN_WHY_BYTES];

    if (a->nodes != 0 && a->nodes != c->file.nodes_count)
        return cli_fail("%s has %u nodes already; changing their number is not built yet", c->dir,
                        c->file.nodes_count);
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
    struct up_args a;
    int r;

    if (up_parse(&a, argc, argv) != 0)
        return 1;
    if (c == NULL)
        return cli_fail("out of memory");
    r = cluster_run_open(c, a.dir, a.nodes > 0 ? (unsigned)a.nodes : CLUSTER_RUN_NODES_DEFAULT,
                         why);
    if (r < 0)
        return cli_fail("%s", why);
    r = up_run(c, &a);
    cluster_run_close(c);
    return r;
}
