/* cluster_file: see the header. */
#include "common/cluster_file.h"
#include "common/cleanup.h"
#include "common/err.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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

int cluster_file_load(const char *path, struct cluster_json *ret, char why[CLUSTER_WHY_BYTES])
{
    VS_AUTO_FREE char *text = malloc(CLUSTER_JSON_BYTES_MAX + 1);
    VS_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    char what[CLUSTER_WHY_BYTES];
    size_t len = 0;
    int r = fd < 0 ? -errno : text == NULL ? -ENOMEM : 0;

    if (r == 0)
        r = read_all(fd, text, CLUSTER_JSON_BYTES_MAX + 1, &len);
    if (r < 0) {
        snprintf(why, CLUSTER_WHY_BYTES, "%.300s: %s", path, vs_err_text(r));
        return r;
    }
    r = cluster_json_parse(ret, text, len, what);
    if (r < 0)
        snprintf(why, CLUSTER_WHY_BYTES, "%.200s: %.280s", path, what);
    return r;
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

static int save_text(const char *path, const char *text)
{
    VS_AUTO_FREE char *fresh = NULL;
    VS_AUTO_FD int fd = -1;
    int r;

    if (asprintf(&fresh, "%s" NEW_SUFFIX, path) < 0) {
        fresh = NULL;
        return -ENOMEM;
    }
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        unlink(fresh);
    return r == 0 ? sync_parent(path) : r;
}

int cluster_file_save(const char *path, const struct cluster_json *c, char why[CLUSTER_WHY_BYTES])
{
    VS_AUTO_FREE char *text = NULL;
    char what[CLUSTER_WHY_BYTES];
    int r = cluster_json_print(c, &text, what);

    if (r < 0) {
        snprintf(why, CLUSTER_WHY_BYTES, "%.200s: %.280s", path, what);
        return r;
    }
    r = save_text(path, text);
    if (r < 0)
        snprintf(why, CLUSTER_WHY_BYTES, "cannot write %.300s: %s", path, vs_err_text(r));
    return r;
}
