/* vstackfs down --dir DIR [--force]: unmount, and end all processes of a local cluster.
 *
 * Happy path: 0 when no process of it is left and all is on the disks. Failure: a mount in use is
 * said and nothing is ended (--force: it is taken away from under its users); what does not end
 * politely is killed: whatever was acknowledged is durable before that. */
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/err.h"
#include "fs/cli/cli.h"
#include "fs/cluster_mounts.h"
#include "fs/cluster_run.h"
#include "fs/daemon.h"
#include "fs/mount_point.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MOUNT_PROGRAM   "vstackfs"
#define MOUNT_END_MS    60000u
#define MOUNT_KILLED_MS 5000u

/* Mounts that `up` made are unmounted as anybody would. */
static int down_unmount(struct cluster_run *c, bool force)
{
    for (unsigned i = 0; i < c->file.mounts_count; i++) {
        const char *path = c->file.mounts[i].path;
        int r = mount_point_is_ours(path) ? mount_point_detach(path, force) : 0;

        if (r == -EBUSY)
            return cli_fail("%s is in use; close what is open there (fuser -vm %s), or add --force",
                            path, path);
        if (r < 0)
            return cli_fail("%s: %s", path, vs_err_text(r));
    }
    return 0;
}

/* The process of a mount ends by itself then; of one that was mounted by hand it is asked to. */
static int down_end_mount(struct cluster_run *c, pid_t pid)
{
    int fd = daemon_open(pid, MOUNT_PROGRAM, c->path);

    if (fd < 0 && daemon_has_ended(pid))
        return 0; /* its lock is waited for */
    if (fd < 0)
        return cli_fail("process %d holds a lock in %s and is no mount of this cluster; end it "
                        "first",
                        (int)pid, c->dir);
    if (c->file.mounts_count == 0 || daemon_wait(fd, MOUNT_KILLED_MS) < 0)
        daemon_signal(fd, SIGTERM);
    if (daemon_wait(fd, MOUNT_END_MS) < 0)
        daemon_signal(fd, SIGKILL);
    (void)daemon_wait(fd, MOUNT_KILLED_MS);
    close(fd);
    return 0;
}

static int down_end_mounts(struct cluster_run *c)
{
    pid_t pids[CLUSTER_MOUNTS_MAX];
    unsigned count = cluster_mounts_all(c->dir, pids);
    int r = 0;

    for (unsigned i = 0; r == 0 && i < count; i++)
        r = down_end_mount(c, pids[i]);
    if (r != 0 || cluster_run_mounts_wait(c, MOUNT_KILLED_MS) == 0)
        return r;
    return cli_fail("a mount's process does not end, not even by SIGKILL; see %s/lock and "
                    "%s/mounts",
                    c->dir, c->dir);
}

static int down_run(struct cluster_run *c, bool force)
{
    char why[CLUSTER_RUN_WHY_BYTES];

    cluster_run_thaw(c);
    if (down_unmount(c, force) != 0 || down_end_mounts(c) != 0)
        return 1;
    c->file.mounts_count = 0;
    return cluster_run_stop(c, why) < 0 ? cli_fail("%s", why) : 0;
}

int cli_down(int argc, char **argv)
{
    VS_AUTO_FREE struct cluster_run *c = calloc(1, sizeof(*c));
    char why[CLUSTER_RUN_WHY_BYTES];
    const char *dir = NULL;
    bool force = false;
    const struct conf_flag flags[] = {
        { "--dir", CONF_TEXT, &dir, 0, 0, NULL, true },
        { "--force", CONF_SWITCH, &force, 0, 0, NULL, false },
    };
    int r;

    if (vs_conf_flags(flags, 2, argc - 1, argv + 1, why) < 0)
        return cli_fail("%s", why);
    if (c == NULL)
        return cli_fail("out of memory");
    if (cluster_run_open(c, dir, NULL, why) < 0)
        return cli_fail("%s", why);
    r = down_run(c, force);
    cluster_run_close(c);
    return r;
}
