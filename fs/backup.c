/* backup: see the header. Failure: the unfinished file is removed; one that was there stays. */
#include "fs/backup.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/meta_backup.h"
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int backup_write(void *arg, const void *bytes, size_t len)
{
    int fd = *(int *)arg;
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int backup_name(const char *part, const char *path)
{
    VS_AUTO_FREE char *copy = strdup(path);
    VS_AUTO_FD int dir = -1;

    if (copy == NULL)
        return -ENOMEM;
    if (rename(part, path) < 0)
        return -errno;
    dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

int backup_run(struct vsfs *fs, const char *path, struct vs_json *answer)
{
    VS_AUTO_FREE char *part = NULL;
    struct meta_backup_result result;
    size_t under = strlen(fs->opt.mountpoint);
    int fd, r;

    if (strncmp(path, fs->opt.mountpoint, under) == 0 && path[under] == '/')
        return -EXDEV; /* it would wait for itself */
    if (access(path, F_OK) == 0)
        return -EEXIST;
    if (asprintf(&part, "%s.part", path) < 0)
        return -ENOMEM;
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = meta_backup(fs->meta, false, vs_real_ns(fs->clock), backup_write, &fd, &result);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    close(fd);
    if (r == 0)
        r = backup_name(part, path);
    if (r < 0) {
        (void)unlink(part);
        return r;
    }
    vs_json_set_u64(answer, "slot", result.slot);
    vs_json_set_u64(answer, "bytes", result.bytes);
    vs_json_set_u64(answer, "registers", result.registers);
    vs_info("backup %s: slot %llu, %llu bytes", path, (unsigned long long)result.slot,
            (unsigned long long)result.bytes);
    return 0;
}
