/* backup: see the header. Failure: the unfinished file is removed; one that was there stays. */
#include "fs/backup.h"
#include "common/cleanup.h"
#include "common/cluster_file.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/meta_http.h"
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

static int backup_file(struct meta_client *meta, const char *path, struct meta_backup_result *ret)
{
    VS_AUTO_FREE char *part = NULL;
    int fd, r;

    if (access(path, F_OK) == 0)
        return -EEXIST;
    if (asprintf(&part, "%s.part", path) < 0)
        return -ENOMEM;
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = meta_backup(meta, false, vs_real_ns(&vs_clock_system), backup_write, &fd, ret);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    close(fd);
    if (r == 0)
        r = backup_name(part, path);
    if (r < 0)
        (void)unlink(part);
    return r;
}

int backup_run(struct vsfs *fs, const char *path, struct vs_json *answer)
{
    struct meta_backup_result result;
    size_t under = strlen(fs->opt.mountpoint);
    int r;

    if (strncmp(path, fs->opt.mountpoint, under) == 0 && path[under] == '/')
        return -EXDEV; /* it would wait for itself */
    r = backup_file(fs->meta, path, &result);
    if (r < 0)
        return r;
    vs_json_set_u64(answer, "slot", result.slot);
    vs_json_set_u64(answer, "bytes", result.bytes);
    vs_json_set_u64(answer, "registers", result.registers);
    vs_info("backup %s: slot %llu, %llu bytes", path, (unsigned long long)result.slot,
            (unsigned long long)result.bytes);
    return 0;
}

/* ---- of a cluster ---- */

static int backup_of(const struct cluster_json *file, const char *path,
                     struct meta_backup_result *ret)
{
    const char *origins[CLUSTER_METAS_MAX];
    struct meta_http_config config = { .origins = origins, .cluster = file->cluster };
    struct meta_client *meta = NULL;
    int r = vs_exec_start(&config.exec, "meta", 1);

    for (unsigned i = 0; i < file->metas_count; i++)
        if (file->metas[i].url[0] != '\0')
            origins[config.origin_count++] = file->metas[i].url;
    if (r == 0)
        r = http_client_start(&config.client, config.exec);
    if (r == 0)
        r = config.origin_count > 0 ? meta_http_open(&meta, &config) : -VS_EDOWN;
    if (r == 0)
        r = backup_file(meta, path, ret);
    meta_client_stop(meta);
    http_client_stop(config.client);
    vs_exec_stop(config.exec);
    return r;
}

int backup_cluster(const char *cluster_file, const char *path, struct meta_backup_result *ret,
                   char why[BACKUP_WHY_BYTES])
{
    VS_AUTO_FREE struct cluster_json *file = calloc(1, sizeof(*file));
    char said[CLUSTER_WHY_BYTES] = "";
    int r = file != NULL ? cluster_file_load(cluster_file, file, said) : -ENOMEM;

    if (r < 0) {
        snprintf(why, BACKUP_WHY_BYTES, "%.900s", said[0] != '\0' ? said : vs_err_text(r));
        return r;
    }
    if (file->metas_count == 0) {
        snprintf(why, BACKUP_WHY_BYTES,
                 "%.600s: the metadata of this cluster is with its only mount; while that runs: "
                 "vstackfs backup FILE --mount MNT",
                 cluster_file);
        return -EINVAL;
    }
    r = backup_of(file, path, ret);
    if (r == -VS_EDOWN)
        snprintf(why, BACKUP_WHY_BYTES,
                 "no majority of the metadata replicas in %.600s answers; see vstackfs status, "
                 "and start them (vstackfs up --dir DIR)",
                 cluster_file);
    else if (r < 0)
        snprintf(why, BACKUP_WHY_BYTES, "%.600s: %s; nothing was written", path, vs_err_text(r));
    return r;
}
