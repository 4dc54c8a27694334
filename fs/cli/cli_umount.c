/* vstackfs umount [--force] MNT: unmount, and wait until everything is on the disks. */
#include "fs/cli/cli.h"
#include "fs/mount_point.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define UMOUNT_WAIT_S 120

_Static_assert(CLI_PATH_BYTES == MOUNT_POINT_PATH_BYTES, "a mount point is a path");

/* DATA/lock of a mount, open; -1 when the mount does not say (it is dead). */
static int umount_lock_fd(const char *mount)
{
    char path[CLI_PATH_BYTES + 32];
    struct vs_json *j = NULL;
    const char *data;
    char *text = NULL;
    int fd = -1;

    snprintf(path, sizeof(path), "%s/.vstack/status", mount);
    if (access(path, R_OK) == 0)
        text = cli_read_control(mount, "status");
    if (text != NULL && vs_json_parse(text, strlen(text), &j) == 0) {
        data = vs_json_get_text(j, "data");
        snprintf(path, sizeof(path), "%s/lock", data != NULL ? data : "");
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    vs_json_free(j);
    free(text);
    return fd;
}

/* The mount's process gives its lock back as the last thing it does. */
static int umount_wait(int lock_fd, const char *mount)
{
    for (int i = 0; i < UMOUNT_WAIT_S * 20; i++) {
        if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        usleep(50 * 1000);
    }
    return cli_fail("%s is unmounted, but its process is still writing after %d s", mount,
                    UMOUNT_WAIT_S);
}

int cli_umount(int argc, char **argv)
{
    char mount[CLI_PATH_BYTES];
    struct cli_args a;
    int fd, r;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 1)
        return cli_fail("which mount? vstackfs umount MNT");
    mount_point_resolve(a.rest[0], mount);
    if (!mount_point_is_ours(mount))
        return cli_fail("%s is not a V-Stack mount", mount);
    fd = a.force ? -1 : umount_lock_fd(mount);
    r = mount_point_detach(mount, a.force);
    if (r == -EBUSY)
        cli_fail("%s is in use; close what is open there (fuser -vm %s), or add --force", mount,
                 mount);
    else if (r < 0)
        cli_fail("%s: %s", mount, strerror(-r));
    else if (fd >= 0)
        r = umount_wait(fd, mount);
    if (fd >= 0)
        close(fd);
    return r == 0 ? 0 : 1;
}
