/* mount_point: see the header. */
#include "fs/mount_point.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

extern char **environ;

/* mountinfo writes blanks and backslashes as \040 (proc(5)); in place. */
static void mount_unescape(char *s)
{
    char *to = s;

    for (; *s != '\0'; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] != '\0' && s[3] != '\0') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /root /mnt/point rw,... - fstype source options": the fifth field, if it is ours. */
static char *mount_line_path(char *line)
{
    char *sep = strstr(line, " - "), *save = NULL, *field = NULL;

    if (sep == NULL || strncmp(sep + 3, MOUNT_POINT_FSTYPE " ", sizeof(MOUNT_POINT_FSTYPE)) != 0)
        return NULL;
    *sep = '\0';
    field = strtok_r(line, " ", &save);
    for (int i = 0; field != NULL && i < 4; i++)
        field = strtok_r(NULL, " ", &save);
    if (field != NULL)
        mount_unescape(field);
    return field;
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
        char *path = mount_line_path(line);

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
    struct statvfs st;
    int r = mount_point_each(mount_is, (void *)path);

    if (r == 1) {
        /* statvfs asks the process; stat may be answered from what the kernel remembers */
        if (statvfs(path, &st) == 0 || errno != ENOTCONN) {
            snprintf(why, 512,
                     "%.300s is mounted already; unmount it first: vstackfs umount %.100s", path,
                     path);
            return -EBUSY;
        }
        r = mount_point_detach(path, true);
        if (r < 0) {
            snprintf(why, 512, "a dead mount is on %.300s and cannot be taken away: %s", path,
                     vs_err_text(r));
            return r;
        }
        vs_info("mount %s: its process was gone -> taken away, mounting again", path);
    }
    return mount_point_check_empty(path, why);
}
