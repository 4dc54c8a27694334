/* data_setup: see the header. */
#include "fs/data_setup.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/data_cluster.h"
#include "fs/data_path.h"
#include "fs/data_store.h"
#include "meta/meta_local.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SETUP_NAME "setup"

unsigned data_setup_count(const struct vsfs *fs)
{
    if (fs->nodes != NULL)
        return data_cluster_count(fs);
    return fs->opt.disk_count > 0 ? fs->opt.disk_count : DATA_DIR_NODES_DEFAULT;
}

void data_setup_node(const struct vsfs *fs, unsigned n, struct ns_node *node)
{
    *node = (struct ns_node){ .node = n };
    snprintf(node->name, sizeof(node->name), "n%u", n);
    if (fs->opt.disk_count > 0)
        snprintf(node->path, sizeof(node->path), "%.255s", fs->opt.disks[n - 1]);
    else
        snprintf(node->path, sizeof(node->path), "nodes/n%u", n);
    snprintf(node->domain, sizeof(node->domain), "n%u", n);
}

/* ---- the mark ---- */

bool data_setup_pending(const struct vsfs *fs)
{
    return data_path_exists(fs, SETUP_NAME);
}

/* DATA/setup with the uuid of the cluster that is being made, durable. */
static int setup_write(const struct vsfs *fs)
{
    char text[VS_ID_TEXT_BYTES];
    VS_AUTO_FD int dir = data_path_open_dir(fs, ".");
    VS_AUTO_FD int fd = -1;

    if (dir < 0)
        return dir;
    vs_id_to_text(&fs->cluster, text);
    fd = openat(dir, SETUP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, VS_ID_TEXT_BYTES - 1) != VS_ID_TEXT_BYTES - 1 || fsync(fd) < 0 ||
        fsync(dir) < 0)
        return errno != 0 ? -errno : -ENOSPC;
    return 0;
}

/* Which cluster was being made; zero when the mark itself was not finished: then nothing else was
 * begun. */
static struct vs_id setup_read(const struct vsfs *fs)
{
    char path[DATA_PATH_BYTES], text[VS_ID_TEXT_BYTES] = "";
    struct vs_id id = { { 0 } };
    VS_AUTO_FD int fd = -1;

    data_path(fs, SETUP_NAME, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, VS_ID_TEXT_BYTES - 1) == VS_ID_TEXT_BYTES - 1)
        vs_id_from_text(text, &id);
    return id;
}

static int setup_end(const struct vsfs *fs)
{
    VS_AUTO_FD int dir = data_path_open_dir(fs, ".");

    if (dir < 0)
        return dir;
    return unlinkat(dir, SETUP_NAME, 0) < 0 || fsync(dir) < 0 ? -errno : 0;
}

/* ---- undo ---- */

/* Remove the files in a directory, and the directory. */
static int setup_remove_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int r = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : -errno;
    while (r == 0 && (e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlinkat(dirfd(dir), e->d_name, 0) < 0)
            r = -errno;
    closedir(dir);
    if (r == 0 && rmdir(path) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

/* The stores first: one that was used since says that this is no interrupted start. */
static int setup_undo_stores(struct vsfs *fs, char path[256], char *why)
{
    struct vs_id cluster = setup_read(fs);

    if (fs->nodes != NULL && data_cluster_used(fs, path)) {
        snprintf(
            why, DATA_DIR_WHY_BYTES,
            "%s/setup says that a first start was interrupted, but %s holds fragments; nothing "
            "was changed: if all is in its place, remove %s/setup and mount again",
            fs->opt.data_dir, path, fs->opt.data_dir);
        return -ENOTEMPTY;
    }
    for (unsigned n = 1; fs->nodes == NULL && n <= data_setup_count(fs); n++) {
        struct ns_node node;
        int r;

        data_setup_node(fs, n, &node);
        data_store_path(fs, &node, path);
        r = data_store_unformat(path, &cluster);
        if (r == -ENOTEMPTY && data_store_exists(path) == 1)
            snprintf(why, DATA_DIR_WHY_BYTES,
                     "%s/setup says that a first start was interrupted, but the store in %s is in "
                     "use; nothing was changed: if all is in its place, remove %s/setup and mount "
                     "again",
                     fs->opt.data_dir, path, fs->opt.data_dir);
        else if (r == -ENOTEMPTY || r == -ESTALE)
            r = 0; /* not ours: the start will say so */
        if (r < 0)
            return r;
    }
    return 0;
}

int data_setup_undo(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES])
{
    static const char *const dirs[] = { "meta/acceptor", "meta/namespace", "meta" };
    char path[DATA_PATH_BYTES] = "";
    int r;

    why[0] = '\0';
    r = setup_undo_stores(fs, path, why);
    for (unsigned i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        data_path(fs, dirs[i], path);
        r = setup_remove_files(path);
    }
    if (r < 0 && why[0] == '\0')
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "a first start was interrupted, and what it made in %s cannot be removed: %s; "
                 "empty that folder and mount again",
                 path, vs_err_text(r));
    return r;
}

/* ---- create ---- */

/* The nodes of a cluster have their stores already, and must all be there. */
static int setup_nodes(struct vsfs *fs, struct ns_node *nodes, char *why)
{
    int r = 0;

    for (unsigned n = 1; r == 0 && n <= data_cluster_count(fs); n++)
        r = data_cluster_node(fs, n, &nodes[n - 1], why);
    return r;
}

static int setup_stores(struct vsfs *fs, struct ns_node *nodes, char *why)
{
    char path[256];

    for (unsigned n = 1; n <= data_setup_count(fs); n++) {
        int r;

        data_setup_node(fs, n, &nodes[n - 1]);
        data_store_path(fs, &nodes[n - 1], path);
        r = fs->opt.disk_count > 0 ? 0 : data_path_make(path);
        if (r < 0) {
            snprintf(why, DATA_DIR_WHY_BYTES, "cannot make %s: %s", path, vs_err_text(r));
            return r;
        }
        r = data_store_format(fs, &nodes[n - 1], path, why);
        if (r < 0)
            return r;
    }
    return 0;
}

int data_setup_create(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES])
{
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_local_config config = {
        .create = true, .root_uid = getuid(), .root_gid = getgid(), .clock = fs->clock
    };
    char meta[DATA_PATH_BYTES];
    int r;

    if (fs->nodes != NULL)
        fs->cluster = data_cluster_id(fs);
    else
        vs_rand_system(&fs->cluster, sizeof(fs->cluster));
    data_path(fs, "meta", meta);
    r = setup_write(fs);
    if (r == 0)
        r = data_path_make(meta);
    if (r < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot write in %s: %s", fs->opt.data_dir,
                 vs_err_text(r));
        return r;
    }
    r = fs->nodes != NULL ? setup_nodes(fs, nodes, why) : setup_stores(fs, nodes, why);
    if (r < 0)
        return r;
    config.dir = meta;
    config.cluster = fs->cluster;
    r = meta_local_open(&fs->meta, &config);
    for (unsigned n = 0; r == 0 && n < data_setup_count(fs); n++)
        r = data_store_record(fs, &nodes[n]);
    if (r == 0)
        r = setup_end(fs);
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot make the metadata in %s: %s", meta,
                 vs_err_text(r));
    return r;
}
