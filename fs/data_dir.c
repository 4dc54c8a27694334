/* data_dir: lock, first start, later starts. See the header. */
#include "fs/data_dir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "fs/data_store.h"
#include "meta/meta_local.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PATH_BYTES 512

static void data_path(const struct vsfs *fs, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%.400s/%.100s", fs->opt.data_dir, name);
}

static bool data_has(const struct vsfs *fs, const char *name)
{
    char path[PATH_BYTES];
    struct stat st;

    data_path(fs, name, path);
    return lstat(path, &st) == 0;
}

/* mkdir -p; 0 also when it is there. */
static int data_mkdirs(const char *path)
{
    char part[PATH_BYTES];

    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return -ENAMETOOLONG;
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* ---- lock ---- */

static int data_lock(struct data_dir *d, const struct vsfs *fs, char *why)
{
    char path[PATH_BYTES];
    int64_t deadline = vs_now_ns(fs->clock) + DATA_DIR_LOCK_WAIT_S * VS_NS_PER_S;

    data_path(fs, "lock", path);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot open %s: %s", path, strerror(errno));
        return -errno;
    }
    while (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) { /* the previous process may be closing */
        if (errno != EWOULDBLOCK || vs_now_ns(fs->clock) > deadline) {
            snprintf(why, DATA_DIR_WHY_BYTES,
                     "%s is in use by another mount; unmount that one first (vstackfs umount MNT)",
                     fs->opt.data_dir);
            return -EBUSY;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 * 1000 }, NULL);
    }
    return 0;
}

/* ---- a new cluster ---- */

static int data_write_setup(const struct vsfs *fs)
{
    char path[PATH_BYTES];
    VS_AUTO_FD int dir = open(fs->opt.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    VS_AUTO_FD int fd = -1;

    data_path(fs, "setup", path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (dir < 0 || fd < 0 || fsync(fd) < 0 || fsync(dir) < 0)
        return -errno;
    return 0;
}

static int data_end_setup(const struct vsfs *fs)
{
    VS_AUTO_FD int dir = open(fs->opt.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0 || unlinkat(dir, "setup", 0) < 0 || fsync(dir) < 0)
        return -errno;
    return 0;
}

/* Remove the plain files in a directory made by an interrupted first start, and the directory. */
static int data_remove_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int r = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : -errno;
    while (r == 0 && (e = readdir(dir)) != NULL)
        if (e->d_type == DT_REG && unlinkat(dirfd(dir), e->d_name, 0) < 0)
            r = -errno;
    closedir(dir);
    if (r == 0 && rmdir(path) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

/* The place of node number n (from 1) of a new cluster, as it is recorded. */
static void data_node_new(const struct vsfs *fs, unsigned n, struct ns_node *node)
{
    *node = (struct ns_node){ .node = n };
    snprintf(node->name, sizeof(node->name), "n%u", n);
    if (fs->opt.disk_count > 0)
        snprintf(node->path, sizeof(node->path), "%.255s", fs->opt.disks[n - 1]);
    else
        snprintf(node->path, sizeof(node->path), "nodes/n%u", n);
    snprintf(node->domain, sizeof(node->domain), "n%u", n);
}

static unsigned data_node_count(const struct vsfs *fs)
{
    return fs->opt.disk_count > 0 ? fs->opt.disk_count : DATA_DIR_NODES_DEFAULT;
}

static int data_undo_setup(struct vsfs *fs, char *why)
{
    static const char *const dirs[] = { "meta/acceptor", "meta/namespace", "meta" };
    char path[PATH_BYTES];
    int r = 0;

    for (unsigned i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        data_path(fs, dirs[i], path);
        r = data_remove_files(path);
    }
    for (unsigned n = 1; r == 0 && fs->opt.disk_count == 0 && n <= DATA_DIR_NODES_DEFAULT; n++) {
        snprintf(path, sizeof(path), "%.400s/nodes/n%u", fs->opt.data_dir, n);
        r = data_remove_files(path);
    }
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "a first start was interrupted, and %s cannot be removed: %s; remove %s and try "
                 "again",
                 path, vs_err_text(r), fs->opt.data_dir);
    return r;
}

static int data_put_node(struct vsfs *fs, const struct ns_node *node)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = *node };
    struct ns_answer answer;

    return vsfs_change(fs, &e, &answer);
}

static int data_make_stores(struct vsfs *fs, struct ns_node *nodes, char *why)
{
    char path[256];

    for (unsigned n = 1; n <= data_node_count(fs); n++) {
        int r;

        data_node_new(fs, n, &nodes[n - 1]);
        data_store_path(fs, &nodes[n - 1], path);
        r = fs->opt.disk_count > 0 ? 0 : data_mkdirs(path);
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

static int data_create(struct data_dir *d, struct vsfs *fs, char *why)
{
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_local_config config = {
        .create = true, .root_uid = getuid(), .root_gid = getgid(), .clock = fs->clock
    };
    char meta[PATH_BYTES];
    int r = data_write_setup(fs);

    vs_rand_system(&fs->cluster, sizeof(fs->cluster));
    data_path(fs, "meta", meta);
    if (r == 0)
        r = data_mkdirs(meta);
    if (r < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot write in %s: %s", fs->opt.data_dir,
                 vs_err_text(r));
        return r;
    }
    r = data_make_stores(fs, nodes, why);
    if (r < 0)
        return r;
    config.dir = meta;
    config.cluster = fs->cluster;
    r = meta_local_open(&fs->meta, &config);
    for (unsigned n = 0; r == 0 && n < data_node_count(fs); n++)
        r = data_put_node(fs, &nodes[n]);
    if (r == 0)
        r = data_end_setup(fs);
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot make the metadata in %s: %s", meta,
                 vs_err_text(r));
    d->created = r == 0;
    return r;
}

/* ---- an existing cluster ---- */

/* Some store directory holds a store although there is no metadata. */
static bool data_stores_without_meta(struct vsfs *fs, char path[256])
{
    for (unsigned n = 1; n <= data_node_count(fs); n++) {
        struct ns_node node;

        data_node_new(fs, n, &node);
        data_store_path(fs, &node, path);
        if (data_store_exists(path) != 0)
            return true;
    }
    return false;
}

static int data_open_meta(struct vsfs *fs, char *why)
{
    struct meta_local_config config = { .clock = fs->clock };
    char meta[PATH_BYTES];
    int r;

    data_path(fs, "meta", meta);
    config.dir = meta;
    r = meta_local_open(&fs->meta, &config);
    if (r == 0) {
        fs->cluster = fs->meta->cluster;
        return 0;
    }
    if (r == -VS_ENEWER)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%s was written by a newer version of V-Stack; use that version", meta);
    else if (r == -VS_EFORGOT)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%s is older than what it once confirmed (restored from a copy?); put the newest "
                 "copy back",
                 meta);
    else
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot open the metadata in %s: %s; nothing was changed",
                 meta, vs_err_text(r));
    return r;
}

static int data_open_stores(struct vsfs *fs, char *why)
{
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = STORE_SET_MAX };
    unsigned up = 0;
    int r = meta_call(fs->meta, &req);

    if (r < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot read the list of stores: %s", vs_err_text(r));
        return r;
    }
    for (unsigned i = 0; i < req.nodes_count; i++) {
        struct store_set_entry *e = &fs->stores.entries[fs->stores.count];
        struct chunk_store *store = NULL;

        e->node = nodes[i].node;
        snprintf(e->name, sizeof(e->name), "%.63s", nodes[i].name);
        data_store_locate(fs, &nodes[i], e->path);
        if (data_store_open(fs, &nodes[i], e->path, &store, e->why) < 0)
            vs_error("store %s", e->why);
        else
            up++;
        atomic_store(&e->store, store);
        fs->stores.count++;
    }
    if (up > 0)
        return 0;
    snprintf(why, DATA_DIR_WHY_BYTES,
             "none of the %u stores is there (the first: %s); the film data is missing, so nothing "
             "is mounted: bring the disks back",
             fs->stores.count, fs->stores.count > 0 ? fs->stores.entries[0].path : "none recorded");
    return -VS_EDOWN;
}

static void data_note_devices(struct vsfs *fs)
{
    uint64_t device = 0;

    fs->single_device = true;
    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        if (h.state == STORE_DOWN)
            continue;
        if (device != 0 && h.device != device)
            fs->single_device = false;
        device = h.device;
    }
}

static int data_open_staging(struct vsfs *fs, char *why)
{
    char path[PATH_BYTES];
    int r;

    data_path(fs, "staging", path);
    r = data_mkdirs(path);
    if (r == 0) {
        fs->staging_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fs->staging_fd < 0)
            r = -errno;
    }
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot use %s: %s", path, vs_err_text(r));
    return r;
}

static int data_open_locked(struct data_dir *d, struct vsfs *fs, char *why)
{
    char path[256];
    int r = 0;

    if (data_has(fs, "setup"))
        r = data_undo_setup(fs, why);
    if (r < 0)
        return r;
    if (data_has(fs, "meta/acceptor") || data_has(fs, "meta/namespace")) {
        r = data_open_meta(fs, why);
    } else if (data_stores_without_meta(fs, path)) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%s holds a store, but the metadata in %s/meta is missing: without it nothing can "
                 "be found, so nothing is mounted; put meta/ back",
                 path, fs->opt.data_dir);
        r = -ENOENT;
    } else {
        r = data_create(d, fs, why);
    }
    if (r == 0)
        r = data_open_stores(fs, why);
    if (r == 0)
        r = data_open_staging(fs, why);
    if (r == 0)
        data_note_devices(fs);
    return r;
}

int data_dir_open(struct data_dir *d, struct vsfs *fs, char why[DATA_DIR_WHY_BYTES])
{
    int r = data_mkdirs(fs->opt.data_dir);

    *d = (struct data_dir){ .lock_fd = -1 };
    fs->staging_fd = -1;
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot make %s: %s", fs->opt.data_dir, vs_err_text(r));
    else
        r = data_lock(d, fs, why);
    if (r == 0)
        r = data_open_locked(d, fs, why);
    if (r < 0)
        data_dir_close(d, fs);
    return r;
}

void data_dir_close_stores(struct vsfs *fs)
{
    store_set_close(&fs->stores);
}

void data_dir_close(struct data_dir *d, struct vsfs *fs)
{
    store_set_close(&fs->stores);
    meta_client_stop(fs->meta);
    fs->meta = NULL;
    if (fs->staging_fd >= 0)
        close(fs->staging_fd);
    fs->staging_fd = -1;
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    d->lock_fd = -1;
}

int data_dir_replace_node(struct vsfs *fs, const char *name, const char *path,
                          char why[DATA_DIR_WHY_BYTES])
{
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = STORE_SET_MAX };
    struct chunk_store *store = NULL;
    int r = meta_call(fs->meta, &req);
    unsigned i = 0;

    while (r == 0 && i < req.nodes_count && strcmp(nodes[i].name, name) != 0)
        i++;
    if (r < 0 || i == req.nodes_count) {
        snprintf(why, DATA_DIR_WHY_BYTES, "no node %s; `vstackfs status` lists them", name);
        return r < 0 ? r : -ENOENT;
    }
    r = data_store_format(fs, &nodes[i], path, why);
    if (r < 0)
        return r;
    snprintf(nodes[i].path, sizeof(nodes[i].path), "%.255s", path);
    r = data_put_node(fs, &nodes[i]);
    if (r == 0)
        r = data_store_open(fs, &nodes[i], path, &store, why);
    for (unsigned s = 0; r == 0 && s < fs->stores.count; s++)
        if (fs->stores.entries[s].node == nodes[i].node)
            r = store_set_replace(&fs->stores, s, store, path);
    if (r < 0 && why[0] == '\0')
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot replace %s: %s", name, vs_err_text(r));
    return r;
}
