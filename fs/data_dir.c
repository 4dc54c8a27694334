/* data_dir: lock, existing clusters, replacing a node. See the header. */
#include "fs/data_dir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/data_cluster.h"
#include "fs/data_metas.h"
#include "fs/data_path.h"
#include "fs/data_setup.h"
#include "fs/data_store.h"
#include "meta/meta_local.h"
#include "meta/placement.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_POLL_NS (50 * VS_NS_PER_MS)
#define STAGING_NAME "staging"
#define CLUSTER_NAME "cluster.json"

/* ---- lock ---- */

static int data_lock(struct data_dir *d, const struct vsfs *fs, char *why)
{
    char path[DATA_PATH_BYTES];
    int64_t deadline = vs_now_ns(fs->clock) + DATA_DIR_LOCK_WAIT_S * VS_NS_PER_S;
    int r = 0;

    data_path(fs, "lock", path);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0) {
        r = -errno;
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot open %s: %s", path, vs_err_text(r));
        return r;
    }
    while (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) { /* the previous process may be closing */
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            r = -errno;
            snprintf(why, DATA_DIR_WHY_BYTES, "cannot lock %s: %s", path, vs_err_text(r));
            return r;
        }
        if (vs_now_ns(fs->clock) > deadline) {
            snprintf(why, DATA_DIR_WHY_BYTES,
                     "%s is in use by another mount; unmount that one first (vstackfs umount MNT)",
                     fs->opt.data_dir);
            return -EBUSY;
        }
        nanosleep(&(struct timespec){ .tv_nsec = LOCK_POLL_NS }, NULL);
    }
    /* for `vstackfs down` and people; the lock is what counts */
    if (ftruncate(d->lock_fd, 0) < 0 || dprintf(d->lock_fd, "%d\n", (int)getpid()) < 0)
        vs_debug("%s: the process number cannot be written", path);
    return 0;
}

/* ---- an existing cluster ---- */

/* There is no metadata. Was there ever some? Then *path says what is left of that time. */
static bool data_was_used(struct vsfs *fs, char path[256])
{
    struct ns_node node = { .node = 0 };

    if (fs->nodes != NULL && data_cluster_used(fs, path))
        return true;
    for (unsigned n = 1; fs->nodes == NULL && n <= data_setup_count(fs) + DATA_DIR_NODES_DEFAULT;
         n++) {
        if (n <= data_setup_count(fs))
            data_setup_node(fs, n, &node);
        else /* it may have been made without --disk */
            snprintf(node.path, sizeof(node.path), "nodes/n%u", n - data_setup_count(fs));
        data_store_path(fs, &node, path);
        if (data_store_exists(path) != 0)
            return true;
    }
    snprintf(path, 256, "%s/" STAGING_NAME, fs->opt.data_dir);
    return data_path_exists(fs, STAGING_NAME);
}

/* The metadata and the list of nodes are found by paths, and may be of different clusters. */
static int data_check_cluster(const struct vsfs *fs, char *why)
{
    struct vs_id said = data_cluster_id(fs);

    if (vs_id_cmp(&fs->cluster, &said) == 0)
        return 0;
    snprintf(why, DATA_DIR_WHY_BYTES,
             "the metadata in %.200s/meta belongs to another cluster than %.300s; give the right "
             "--data",
             fs->opt.data_dir, fs->opt.cluster_file);
    return -ESTALE;
}

static int data_open_meta(struct vsfs *fs, char *why)
{
    struct meta_local_config config = { .clock = fs->clock };
    char meta[DATA_PATH_BYTES];
    int r;

    data_path(fs, "meta", meta);
    config.dir = meta;
    r = meta_local_open(&fs->meta, &config);
    if (r == 0) {
        fs->cluster = fs->meta->cluster;
        if (fs->nodes != NULL)
            r = data_check_cluster(fs, why);
        return r;
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

/* A store that was found by its uuid at a new place stays there: without --disk, too. */
static void data_note_moved(struct vsfs *fs, struct ns_node *node, const char *path)
{
    char recorded[256];

    data_store_path(fs, node, recorded);
    if (strcmp(recorded, path) == 0)
        return;
    snprintf(node->path, sizeof(node->path), "%.255s", path);
    if (data_store_record(fs, node) < 0)
        vs_warn("store %s: its new place cannot be recorded -> mount with --disk again", path);
    else
        vs_info("store %s: it was in %s -> its new place is recorded", path, recorded);
}

/* The store of one node into its entry; whether it can be used now. */
static bool data_open_store(struct vsfs *fs, struct ns_node *node, struct store_set_entry *e)
{
    struct chunk_store *store = NULL;
    int r;

    e->node = node->node;
    atomic_store(&e->domain, node->domain[0] != '\0' ? placement_domain(node->domain) : 0);
    snprintf(e->name, sizeof(e->name), "%.63s", node->name);
    if (fs->nodes != NULL) {
        r = data_cluster_store(fs, node, e->path, &store, e->why);
    } else {
        data_store_locate(fs, node, e->path);
        r = data_store_open(fs, node, e->path, &store, e->why);
    }
    if (r < 0)
        vs_error("store %s", e->why);
    else if (fs->nodes == NULL)
        data_note_moved(fs, node, e->path);
    atomic_store(&e->store, store);
    return r == 0;
}

/* n2 before n10: nodes that register by themselves come in any order. */
static int node_cmp(const void *a, const void *b)
{
    const struct ns_node *x = a, *y = b;

    return strverscmp(x->name, y->name);
}

static int data_open_stores(struct vsfs *fs, char *why)
{
    VS_AUTO_FREE struct ns_node *nodes = calloc(NS_NODE_NUMBER_MAX, sizeof(*nodes));
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = NS_NODE_NUMBER_MAX };
    struct store_health first = { .state = STORE_DOWN };
    unsigned up = 0;
    int r = nodes != NULL ? meta_call(fs->meta, &req) : -ENOMEM;

    if (r < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot read the list of stores: %s", vs_err_text(r));
        return r;
    }
    qsort(nodes, req.nodes_count, sizeof(nodes[0]), node_cmp);
    for (unsigned i = 0; i < req.nodes_count; i++)
        if (nodes[i].state != NS_NODE_GONE && fs->stores.count < STORE_SET_MAX)
            up += data_open_store(fs, &nodes[i], &fs->stores.entries[fs->stores.count++]);
    if (fs->nodes != NULL)
        up = data_cluster_wait(fs);
    if (up > 0)
        return 0;
    if (fs->stores.count > 0)
        store_set_health(&fs->stores, 0, &first);
    snprintf(why, DATA_DIR_WHY_BYTES,
             "none of the %u stores can be used: the film data is missing, so nothing is mounted; "
             "bring the disks back (the first: %s)",
             fs->stores.count, fs->stores.count > 0 ? first.why : "none recorded");
    return -VS_EDOWN;
}

static void data_note_devices(struct vsfs *fs)
{
    uint64_t device = 0;
    bool single = true;

    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        if (h.state == STORE_DOWN)
            continue;
        if (device != 0 && h.device != device)
            single = false;
        device = h.device;
    }
    fs->single_device = single;
}

static int data_open_staging(struct vsfs *fs, char *why)
{
    char path[DATA_PATH_BYTES];
    int r;

    data_path(fs, STAGING_NAME, path);
    r = data_path_make(path);
    if (r == 0)
        r = data_path_open_dir(fs, STAGING_NAME);
    if (r < 0)
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot use %s: %s", path, vs_err_text(r));
    else
        fs->staging_fd = r;
    return r < 0 ? r : 0;
}

/* The metadata in this directory: what is there, or new. */
static int data_open_own_meta(struct data_dir *d, struct vsfs *fs, char *why)
{
    char path[256];
    int r = data_setup_pending(fs) ? data_setup_undo(fs, why) : 0;

    if (r < 0)
        return r;
    if (data_path_exists(fs, "meta/acceptor") || data_path_exists(fs, "meta/namespace"))
        return data_open_meta(fs, why);
    if (data_was_used(fs, path)) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%s was in use, but the metadata in %s/meta is missing: without it nothing can be "
                 "found, so nothing is mounted; put meta/ back",
                 path, fs->opt.data_dir);
        return -ENOENT;
    }
    r = data_setup_create(fs, why);
    d->created = r == 0;
    return r;
}

/* Replicas hold it; metadata of this directory's own would be another history of the same films. */
static int data_open_metas(struct data_dir *d, struct vsfs *fs, char *why)
{
    if (data_path_exists(fs, "meta/acceptor")) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%.190s/meta holds metadata of a mount's own, and %.300s names replicas that hold "
                 "it; give another --data",
                 fs->opt.data_dir, fs->opt.cluster_file);
        return -EEXIST;
    }
    return data_metas_open(fs, &d->created, why);
}

static int data_open_locked(struct data_dir *d, struct vsfs *fs, char *why)
{
    int r = 0;

    if (fs->opt.cluster_file != NULL) {
        r = data_cluster_start(fs, why);
    } else if (data_path_exists(fs, CLUSTER_NAME)) {
        snprintf(
            why, DATA_DIR_WHY_BYTES,
            "%s is the directory of a cluster; mount it with vstackfs --cluster %s/" CLUSTER_NAME
            " MOUNTPOINT",
            fs->opt.data_dir, fs->opt.data_dir);
        r = -EINVAL;
    }
    if (r == 0 && fs->nodes != NULL && data_cluster_file(fs)->metas_count > 0)
        r = data_open_metas(d, fs, why);
    else if (r == 0)
        r = data_open_own_meta(d, fs, why);
    if (r == 0)
        r = data_open_stores(fs, why);
    if (r == 0)
        r = data_open_staging(fs, why);
    if (r == 0)
        data_note_devices(fs);
    return r;
}

/* Records and paths have room for so much; a path cut short would be another place. */
static int data_check_paths(const struct vsfs *fs, char *why)
{
    if (strlen(fs->opt.data_dir) > DATA_PATH_DIR_BYTES_MAX) {
        snprintf(why, DATA_DIR_WHY_BYTES, "the path %.300s is too long (%d bytes at most)",
                 fs->opt.data_dir, DATA_PATH_DIR_BYTES_MAX);
        return -ENAMETOOLONG;
    }
    for (unsigned i = 0; i < fs->opt.disk_count; i++) {
        if (strlen(fs->opt.disks[i]) <= DATA_PATH_DISK_MAX)
            continue;
        snprintf(why, DATA_DIR_WHY_BYTES, "the path %.300s is too long (%d bytes at most)",
                 fs->opt.disks[i], DATA_PATH_DISK_MAX);
        return -ENAMETOOLONG;
    }
    return 0;
}

int data_dir_open(struct data_dir *d, struct vsfs *fs, char why[DATA_DIR_WHY_BYTES])
{
    int r = data_check_paths(fs, why);

    *d = (struct data_dir){ .lock_fd = -1 };
    if (r < 0)
        return r;
    d->opened = true;
    fs->staging_fd = -1;
    r = data_path_make(fs->opt.data_dir);
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
    if (!d->opened)
        return;
    d->opened = false;
    store_set_close(&fs->stores);
    data_metas_close(fs);
    meta_client_stop(fs->meta);
    fs->meta = NULL;
    if (fs->staging_fd >= 0)
        close(fs->staging_fd);
    fs->staging_fd = -1;
    data_cluster_stop(fs);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    d->lock_fd = -1;
}

/* ---- replacing a node ---- */

/* A store that works and holds something is not to be thrown away by a wrong word. */
static int data_check_replaceable(struct vsfs *fs, unsigned i, const struct ns_node *node,
                                  const char *path, char *why)
{
    const struct store_set_entry *e = &fs->stores.entries[i];
    char old[STORE_SET_PATH_BYTES];
    struct store_health h;

    if (strlen(path) > DATA_PATH_DISK_MAX) {
        snprintf(why, DATA_DIR_WHY_BYTES, "the path %.300s is too long (%d bytes at most)", path,
                 DATA_PATH_DISK_MAX);
        return -ENAMETOOLONG;
    }
    store_set_health(&fs->stores, i, &h);
    if (h.state == STORE_DOWN || h.fragments == 0 ||
        !data_store_is(store_set_path(&fs->stores, i, old), &fs->cluster, &node->uuid))
        return 0;
    snprintf(why, DATA_DIR_WHY_BYTES,
             "%s works and holds %llu fragments in %s, which would be given up; to have it "
             "elsewhere, unmount, move that directory, and mount once with --disk NEWDIR for it",
             e->name, (unsigned long long)h.fragments, old);
    return -EBUSY;
}

/* Format, record, open, use. */
static int data_put_new_store(struct vsfs *fs, unsigned i, struct ns_node *node, const char *path,
                              char *why)
{
    struct chunk_store *store = NULL;
    int r = data_store_format(fs, node, path, why);

    if (r < 0)
        return r;
    snprintf(node->path, sizeof(node->path), "%.255s", path);
    r = data_store_record(fs, node);
    if (r < 0) {
        data_store_unformat(path, &fs->cluster);
        return r;
    }
    r = data_store_open(fs, node, path, &store, why);
    if (r == 0)
        r = store_set_replace(&fs->stores, i, store, path);
    if (r < 0)
        chunk_store_stop(store);
    return r;
}

int data_dir_replace_node(struct vsfs *fs, const char *name, const char *path,
                          char why[DATA_DIR_WHY_BYTES])
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = STORE_SET_MAX };
    unsigned n = 0, i = 0;
    int r;

    if (fs->nodes != NULL) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "the nodes of a cluster are processes of their own, and replacing one is not "
                 "built yet; bring the disk of %.60s back, or copy its films in anew elsewhere",
                 name);
        return -EOPNOTSUPP;
    }
    VS_LOCK_SCOPE(&one_at_a_time);
    why[0] = '\0';
    r = meta_call(fs->meta, &req);
    while (r == 0 && n < req.nodes_count && strcmp(nodes[n].name, name) != 0)
        n++;
    while (r == 0 && n < req.nodes_count && i < fs->stores.count &&
           fs->stores.entries[i].node != nodes[n].node)
        i++;
    if (r == 0 && (n == req.nodes_count || i == fs->stores.count)) {
        snprintf(why, DATA_DIR_WHY_BYTES, "no node %.100s; `vstackfs status` lists them", name);
        return -ENOENT;
    }
    if (r == 0)
        r = data_check_replaceable(fs, i, &nodes[n], path, why);
    if (r == 0)
        r = data_put_new_store(fs, i, &nodes[n], path, why);
    if (r < 0 && why[0] == '\0')
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot replace %.100s: %s", name, vs_err_text(r));
    if (r < 0)
        return r;
    data_note_devices(fs);
    vs_info("node %s: its store is now %s, empty", name, path);
    return 0;
}
