/* cluster_mounts: see the header. */
#include "fs/cluster_mounts.h"
#include "common/cleanup.h"
#include "common/crc.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define MOUNTS         "mounts"
#define TAIL_BYTES_MAX 32 /* of the mount point, for people who look */
#define PATH_BYTES_MAX 512
#define TAIL_LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define ENTRIES_MAX    4096 /* looked at */

void cluster_mounts_name(const char *mountpoint, char name[CLUSTER_MOUNTS_NAME_BYTES])
{
    const char *slash = strrchr(mountpoint, '/');
    const char *tail = slash != NULL ? slash + 1 : mountpoint;
    size_t len = strspn(tail, TAIL_LETTERS);

    snprintf(name, CLUSTER_MOUNTS_NAME_BYTES, MOUNTS "/%.*s-%08x",
             (int)(len < TAIL_BYTES_MAX ? len : TAIL_BYTES_MAX), tail,
             (unsigned)vs_crc32c(0, mountpoint, strlen(mountpoint)));
}

pid_t cluster_mounts_holder(const char *dir, const char *name)
{
    char path[PATH_BYTES_MAX], text[32] = "";
    VS_AUTO_FD int fd = -1;

    if (snprintf(path, sizeof(path), "%s/%s/lock", dir, name) >= (int)sizeof(path))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    return (pid_t)strtol(text, NULL, 10);
}

unsigned cluster_mounts_all(const char *dir, pid_t pids[CLUSTER_MOUNTS_MAX])
{
    char path[PATH_BYTES_MAX];
    const struct dirent *e;
    unsigned count = 0;
    DIR *mounts;

    pids[count] = cluster_mounts_holder(dir, ".");
    count += pids[count] > 0;
    snprintf(path, sizeof(path), "%.400s/" MOUNTS, dir);
    mounts = opendir(path);
    for (unsigned i = 0; mounts != NULL && i < ENTRIES_MAX && count < CLUSTER_MOUNTS_MAX; i++) {
        e = readdir(mounts);
        if (e == NULL)
            break;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), MOUNTS "/%s", e->d_name);
        pids[count] = cluster_mounts_holder(dir, path);
        count += pids[count] > 0;
    }
    if (mounts != NULL)
        closedir(mounts);
    return count;
}
