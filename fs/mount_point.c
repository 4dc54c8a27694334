/* mount_point: see the header. */
#include "fs/mount_point.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/mount_line.h"
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define MOUNT_STACK_MAX 16 /* dead mounts on one another that are taken away */

extern char **environ;

void mount_point_resolve(const char *path, char ret[MOUNT_POINT_PATH_BYTES])
{
    VS_AUTO_FREE char *real = realpath(path, NULL);
    VS_AUTO_FREE char *copy = NULL;
    size_t len = strlen(path);
    char *name;

    snprintf(ret, MOUNT_POINT_PATH_BYTES, "%s", real != NULL ? real : path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    copy = strndup(path, len);
    if (real != NULL || copy == NULL)
        return;
    /* a dead mount cannot be looked at, the folder it is in can */
    name = strrchr(copy, '/');
    name = name != NULL ? name + 1 : copy;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    if (name == copy) {
        real = realpath(".", NULL);
    } else {
        name[-1] = '\0';
        real = realpath(copy[0] != '\0' ? copy : "/", NULL);
    }
    if (real != NULL)
        snprintf(ret, MOUNT_POINT_PATH_BYTES, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
}

int mount_point_each(mount_point_fn *fn, void *arg)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    VS_AUTO_FREE char *line = NULL;
    size_t cap = 0;
    int r = 0;

    if (f == NULL)
        return -errno;
    while (r == 0 && getline(&line, &cap, f) > 0) {
        char *path = mount_line_path(line, MOUNT_POINT_FSTYPE);

        if (path != NULL)
            r = fn(arg, path);
    }
    fclose(f);
    return r;
}

static int mount_is(void *arg, const char *path)
{
    return strcmp(arg, path) == 0 ? 1 : 0;
}

bool mount_point_is_ours(const char *path)
{
    return mount_point_each(mount_is, (void *)path) == 1;
}

int mount_point_detach(const char *path, bool lazy)
{
    char *argv[] = { "fusermount3", lazy ? "-uqz" : "-uq", "--", (char *)path, NULL };
    pid_t pid;
    int status = 0, r;

    if (getuid() == 0) {
        r = umount2(path, (lazy ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
        return r;
    }
    r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (r != 0)
        return -r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int mount_point_check_empty(const char *path, char *why)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    bool empty = true;

    if (dir == NULL) {
        int err = errno;

        snprintf(why, 512, "cannot mount on %.300s: %s%s", path, strerror(err),
                 err == ENOENT ? "; make it with mkdir" : "");
        return -err;
    }
    while (empty && (e = readdir(dir)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(dir);
    if (!empty)
        snprintf(why, 512,
                 "%.300s is not empty: mounting would hide its files; choose an empty "
                 "folder",
                 path);
    return empty ? 0 : -ENOTEMPTY;
}

int mount_point_prepare(const char *path, char why[512])
{
    char real[MOUNT_POINT_PATH_BYTES];
    struct statvfs st;

    mount_point_resolve(path, real);
    for (unsigned n = 0; n < MOUNT_STACK_MAX && mount_point_is_ours(real); n++) {
        int r;

        /* statvfs asks the process; stat may be answered from what the kernel remembers */
        if (statvfs(real, &st) == 0 || errno != ENOTCONN) {
            snprintf(why, 512,
                     "%.300s is mounted already; unmount it first: vstackfs umount %.100s", real,
                     real);
            return -EBUSY;
        }
        r = mount_point_detach(real, true);
        if (r < 0) {
            snprintf(why, 512, "a dead mount is on %.300s and cannot be taken away: %s", real,
                     vs_err_text(r));
            return r;
        }
        vs_info("mount %s: its process was gone -> taken away, mounting again", real);
    }
    return mount_point_check_empty(real, why);
}
