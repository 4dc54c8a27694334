/* A file system in a file. Happy path: image, mkfs.ext4, loop device, mount, and the names of image
 * and device are forgotten. Failure modes: no root, no loop devices, no mkfs: said, not asserted.
 */
#include "tests/support/loop_fs.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES_MAX 16 /* for a loop device that somebody else took at the same moment */

static int make_ext4(const char *image)
{
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-m", "0", image, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        VS_ASSERT(errno == EINTR);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOENT;
}

/* Tie the image to a free loop device that lets go of it after its last user. The descriptor, and
 * the device's name. */
static int attach(int image, char device[32])
{
    struct loop_config config = { .fd = (uint32_t)image, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd = -1, r = -ENXIO;

    if (control < 0)
        return -errno;
    for (unsigned i = 0; i < TRIES_MAX && fd < 0; i++) {
        int n = ioctl(control, LOOP_CTL_GET_FREE);

        if (n < 0)
            break;
        snprintf(device, 32, "/dev/loop%d", n);
        fd = open(device, O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            r = -errno;
            break;
        }
        if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
            continue;
        r = -errno;
        close(fd);
        fd = -1;
        if (r != -EBUSY)
            break;
    }
    close(control);
    return fd >= 0 ? fd : r;
}

static int mount_image(struct loop_fs *fs, const char *path, uint64_t bytes, const char **why)
{
    int image = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), device = -1, r = 0;
    char name[32];

    *why = "no room for an image";
    if (image < 0 || ftruncate(image, (off_t)bytes) < 0)
        r = -errno;
    if (r == 0) {
        *why = "mkfs.ext4 is not there";
        r = make_ext4(path);
    }
    if (r == 0) {
        *why = "no loop device to be had";
        device = attach(image, name);
        r = device < 0 ? device : 0;
    }
    if (r == 0) {
        *why = "ext4 cannot be mounted";
        r = mount(name, fs->dir, "ext4", 0, NULL) < 0 ? -errno : 0;
        fs->mounted = r == 0;
    }
    if (device >= 0)
        close(device);
    if (image >= 0)
        close(image);
    (void)unlink(path);
    return r;
}

int loop_fs_new(struct loop_fs *fs, uint64_t bytes, const char **ret_why)
{
    char path[80];
    int r;

    *fs = (struct loop_fs){ 0 };
    *ret_why = "needs root, for a file system of its own";
    if (geteuid() != 0)
        return -EPERM;
    *ret_why = "no mount namespace to be had";
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    snprintf(fs->dir, sizeof(fs->dir), "/tmp/vs-loop-XXXXXX");
    VS_ASSERT(mkdtemp(fs->dir) != NULL);
    snprintf(path, sizeof(path), "%s.img", fs->dir);
    r = mount_image(fs, path, bytes, ret_why);
    if (r < 0)
        loop_fs_close(fs);
    return r;
}

void loop_fs_close(struct loop_fs *fs)
{
    if (fs->mounted)
        VS_ASSERT(umount2(fs->dir, MNT_DETACH) == 0);
    fs->mounted = false;
    if (fs->dir[0] != '\0')
        (void)rmdir(fs->dir);
    fs->dir[0] = '\0';
}
