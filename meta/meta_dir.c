/* meta_dir: see the header. */
#include "meta/meta_dir.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file_io.h"
#include "meta/ns_entry.h"
#include "meta/ns_read.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_PATH_MAX 4096

static int dir_path(const struct meta_dir_config *config, const char *name, char path[DIR_PATH_MAX])
{
    int len = snprintf(path, DIR_PATH_MAX, "%s/%s", config->dir, name);

    return len < 0 || len >= DIR_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int dir_open_kv(const struct meta_dir_config *config, const char *name, bool create,
                       enum kv_kind kind, struct kv **ret)
{
    char path[DIR_PATH_MAX];
    int r;

    if (config->in_memory)
        return kv_mem_new(ret);
    r = dir_path(config, name, path);
    return r < 0 ? r : kv_rocks_open(ret, path, create, kind);
}

static bool dir_is_there(const struct meta_dir_config *config, const char *name)
{
    char path[DIR_PATH_MAX];

    return !config->in_memory && dir_path(config, name, path) == 0 && access(path, F_OK) == 0;
}

/* The directory's own name must be as durable as what is put into it. */
static int dir_make_dir(const char *dir)
{
    char parent[DIR_PATH_MAX];
    int fd, len, r = 0;

    if (mkdir(dir, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    len = snprintf(parent, sizeof(parent), "%s/..", dir);
    if (len < 0 || (size_t)len >= sizeof(parent))
        return -ENAMETOOLONG;
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Identity and first entry, as one synced batch: a crash before it leaves nothing that counts. */
static int dir_create(struct meta_dir *d, const struct meta_dir_config *config)
{
    struct ns_entry entry = {
        .kind = NS_E_CLUSTER,
        .now = { config->born_ns / VS_NS_PER_S, (uint32_t)(config->born_ns % VS_NS_PER_S) },
        .attr = { .mode = S_IFDIR | 0755, .uid = config->root_uid, .gid = config->root_gid },
        .cluster = config->cluster,
    };
    struct vs_buf bytes = { 0 };
    int r = ns_entry_encode(&entry, &bytes);

    if (r == 0)
        r = acceptor_store_create(d->acceptor, &config->cluster, config->pid, bytes.data,
                                  bytes.len);
    vs_buf_close(&bytes);
    if (r == 0 && d->io != NULL)
        r = vs_io_sync_dir(d->io);
    return r;
}

static int dir_open_acceptor(struct meta_dir *d, const struct meta_dir_config *config)
{
    int r;

    if (config->create && dir_is_there(config, "namespace/CURRENT"))
        return -EEXIST; /* the acceptor may be lost: no new cluster over the old one's names */
    if (config->create && !config->in_memory) {
        r = dir_make_dir(config->dir);
        if (r < 0)
            return r;
    }
    if (!config->in_memory) {
        r = vs_io_posix_new(&d->io, config->dir);
        if (r < 0)
            return r == -ENOTDIR ? -ENOENT : r;
    }
    r = dir_open_kv(config, "acceptor", config->create, KV_ACCEPTOR, &d->acceptor);
    if (r == 0 && config->create)
        r = dir_create(d, config);
    if (r == 0)
        r = config->is_member ? acceptor_store_open_member(&d->store, d->acceptor, d->io)
                              : acceptor_store_open(&d->store, d->acceptor, d->io);
    if (r == -ENOENT && dir_is_there(config, "namespace/CURRENT"))
        return -VS_EFORGOT;
    return r;
}

/* A namespace that is gone can be had again while the journal still begins at the beginning. */
static int dir_open_namespace(struct meta_dir *d, const struct meta_dir_config *config)
{
    const char *dir = config->in_memory ? NULL : config->dir;
    struct vs_id cluster;
    int r = ns_store_open(&d->names, dir, config->in_memory);

    if (r == -ENOENT) {
        if (acceptor_first_slot(d->store) > 1)
            return -VS_ECORRUPT;
        r = ns_store_open(&d->names, dir, true);
        if (r == 0)
            r = vs_io_sync_dir(d->io);
    }
    if (r < 0)
        return r;
    d->ns = d->names.kv;
    r = ns_read_cluster(d->ns, &cluster);
    if (r == -ENOENT)
        return 0;
    if (r == 0 && vs_id_cmp(&cluster, &acceptor_identity(d->store)->cluster) != 0)
        return -VS_ECORRUPT;
    return r;
}

void meta_dir_close(struct meta_dir *d, bool flush)
{
    struct kv *stores[] = { d->ns, d->acceptor };

    for (unsigned i = 0; i < 2; i++)
        if (flush && stores[i] != NULL)
            (void)kv_flush(stores[i]); /* a failure loses nothing */
    acceptor_store_close(d->store);
    ns_store_close(&d->names);
    kv_close(d->acceptor);
    vs_io_free(d->io);
    *d = (struct meta_dir){ 0 };
}

int meta_dir_open(struct meta_dir *ret, const struct meta_dir_config *config)
{
    int r;

    *ret = (struct meta_dir){ 0 };
    r = dir_open_acceptor(ret, config);
    if (r == 0)
        r = dir_open_namespace(ret, config);
    if (r < 0)
        meta_dir_close(ret, false);
    return r;
}
