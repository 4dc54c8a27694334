/* text_file: see the header. */
#include "common/text_file.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEW_SUFFIX ".new"

static int read_all(int fd, char *text, size_t cap, size_t *ret_len)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = read(fd, text + len, cap - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return len < cap ? 0 : -EMSGSIZE;
}

int text_file_load(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len)
{
    VS_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    VS_AUTO_FREE char *text = NULL;
    size_t len = 0;
    int r = fd < 0 ? -errno : 0;

    if (r < 0)
        return r;
    text = malloc(bytes_max + 1);
    r = text == NULL ? -ENOMEM : read_all(fd, text, bytes_max + 1, &len);
    if (r < 0)
        return r;
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    text = NULL;
    return 0;
}

/* ---- saving ---- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int sync_parent(const char *path)
{
    VS_AUTO_FREE char *dir = strdup(path);
    char *slash = dir != NULL ? strrchr(dir, '/') : NULL;
    VS_AUTO_FD int fd = -1;

    if (dir == NULL)
        return -ENOMEM;
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int text_file_save(const char *path, const char *text, mode_t mode)
{
    VS_AUTO_FREE char *fresh = NULL;
    VS_AUTO_FD int fd = -1;
    int r;

    if (asprintf(&fresh, "%s" NEW_SUFFIX, path) < 0) {
        fresh = NULL;
        return -ENOMEM;
    }
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        unlink(fresh);
    return r == 0 ? sync_parent(path) : r;
}
