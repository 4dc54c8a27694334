/* The directory of a storage node.
 *
 * Happy path: lock it, read whose it is, open its store. Failure modes: each has a sentence that
 * says what is wrong with the directory and what to do; nothing is written to one that is not ours.
 */
#include "node/node_open.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "node/sb_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NAME_FILE    "node.name"
#define NAME_NEW     "node.name.new"
#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 50
#define IO_THREADS   4u
#define GATHER_US    500u

/* ---- the directory ----------------------------------------------------------------------------
 */

/* Make it (its parent must be there), unless it must exist, and open it. */
static int dir_open(const char *path, bool existing, char *why)
{
    int fd, r;

    if (!existing && mkdir(path, 0700) < 0 && errno != EEXIST) {
        r = -errno;
        snprintf(why, NODE_WHY_BYTES,
                 "cannot make the directory %.200s: %s; make it, or give another --data", path,
                 vs_err_text(r));
        return r;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    r = -errno;
    snprintf(why, NODE_WHY_BYTES, "cannot open the directory %.200s: %s", path, vs_err_text(r));
    return r;
}

/* One process per directory; a former one may still be closing. */
static int dir_lock(int fd, const char *path, char *why)
{
    struct timespec step = { 0, LOCK_STEP_MS * VS_NS_PER_MS };

    for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS) {
            int r = -errno;

            snprintf(why, NODE_WHY_BYTES,
                     "another process uses %.200s (%s); stop it first, or give another --data",
                     path, vs_err_text(r));
            return r;
        }
        nanosleep(&step, NULL);
    }
    return 0;
}

/* Is there nothing in it but what a file system brings along and our own beginnings? */
static bool dir_is_new(int fd)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *e;
    bool is_new = dir != NULL;

    while (is_new && (e = readdir(dir)) != NULL)
        is_new = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                 strcmp(e->d_name, "lost+found") == 0;
    if (dir != NULL)
        closedir(dir);
    else if (again >= 0)
        close(again);
    return is_new;
}

/* ---- its name ---------------------------------------------------------------------------------
 */

/* 0 written, durable. */
static int name_write(int dir, const char *name)
{
    char text[NODE_NAME_BYTES_MAX + 2];
    int n = snprintf(text, sizeof(text), "%s\n", name);
    VS_AUTO_FD int fd = openat(dir, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) < 0 ||
        renameat(dir, NAME_NEW, dir, NAME_FILE) < 0 || fsync(dir) < 0)
        return errno != 0 ? -errno : -EIO;
    return 0;
}

/* The name in the directory, "" when there is none. */
static void name_read(int dir, char name[NODE_NAME_BYTES_MAX + 2])
{
    VS_AUTO_FD int fd = openat(dir, NAME_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, name, NODE_NAME_BYTES_MAX + 1) : 0;

    name[n > 0 ? n : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

/* Whose directory is it? A store without a name gets ours: it was made so and interrupted. */
static int name_check(int dir, const struct node_options *o, char *why)
{
    char name[NODE_NAME_BYTES_MAX + 2];
    int r = 0;

    name_read(dir, name);
    if (name[0] == '\0') {
        r = name_write(dir, o->id);
        if (r == -ENOSPC) /* a full disk is served as it is; the next start tries again */
            r = 0;
        if (r < 0)
            snprintf(why, NODE_WHY_BYTES, "cannot write in %.200s: %s", o->data, vs_err_text(r));
    } else if (strcmp(name, o->id) != 0) {
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s is the directory of node %.63s, not of %.63s; mount the right disk, or "
                 "start it with --id %.63s",
                 o->data, name, o->id, name);
        r = -ESTALE;
    }
    return r;
}

/* ---- its store --------------------------------------------------------------------------------
 */

static void why_store(int r, const char *path, char *why)
{
    switch (r) {
    case -ENOENT:
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s is not empty, and there is no store in it; give an empty directory, or "
                 "mount the disk that belongs there",
                 path);
        break;
    case -EOPNOTSUPP:
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s: this file system cannot give space back (no hole punching); use ext4, "
                 "xfs, btrfs or tmpfs",
                 path);
        break;
    case -VS_ENEWER:
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s was written by a newer version of V-Stack; use that version", path);
        break;
    default:
        snprintf(why, NODE_WHY_BYTES, "cannot open the store in %.200s: %s", path, vs_err_text(r));
    }
}

/* A new store in an empty directory; of a cluster that only it knows when none was said. */
static int store_make(struct vs_io *io, struct node *node, const struct node_options *o)
{
    if (vs_id_from_text(o->cluster, &node->cluster) < 0)
        vs_rand_system(&node->cluster, sizeof(node->cluster));
    vs_rand_system(&node->uuid, sizeof(node->uuid));
    return sb_store_format(io, &node->cluster, &node->uuid);
}

static int store_open(struct node *node, const struct node_options *o, struct vs_io *io)
{
    struct sb_store_config config = {
        .io = io,
        .cluster = node->cluster,
        .node = node->uuid,
        .file_bytes = o->superblock_bytes,
        .reserve_percent = node->reserve_percent,
        .io_threads = IO_THREADS,
        .gather_us = GATHER_US,
        .scrub_bytes_s = o->scrub_bytes_s,
    };
    struct sb_recovery rec;
    int r = sb_store_open(&node->store, &config, &rec);

    if (r == 0 && (!rec.clean || rec.corrupt > 0 || rec.unknown > 0))
        vs_info("node %s: recovered %" PRIu64 " fragments from %" PRIu64 " files, %" PRIu64
                " damaged records, %" PRIu64 " unfinished ones -> serving",
                node->name, rec.fragments, rec.files, rec.corrupt, rec.unknown);
    return r;
}

/* Is it the store of the cluster that was said? */
static int cluster_check(const struct node *node, const struct node_options *o, char *why)
{
    char uuid[VS_ID_TEXT_BYTES];
    struct vs_id said;

    if (vs_id_from_text(o->cluster, &said) < 0 || vs_id_cmp(&said, &node->cluster) == 0)
        return 0;
    vs_id_to_text(&node->cluster, uuid);
    snprintf(why, NODE_WHY_BYTES,
             "the store in %.200s belongs to cluster %s, not to %.32s; mount the right disk",
             o->data, uuid, o->cluster);
    return -ESTALE;
}

static int store_find(struct node *node, const struct node_options *o, int dir, char *why)
{
    bool is_new = dir_is_new(dir);
    struct vs_io *io;
    int r;

    if (is_new && o->existing) {
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s is empty, and should hold the store of node %.63s; is its disk mounted? "
                 "Without --existing it becomes a new, empty store",
                 o->data, o->id);
        return -ENOENT;
    }
    if (is_new && o->metas_count > 0 && o->cluster[0] == '\0') {
        snprintf(why, NODE_WHY_BYTES,
                 "%.200s is to become a new store, and nothing says of which cluster; add "
                 "--cluster UUID (cluster.json, or GET /health of a metadata replica)",
                 o->data);
        return -EINVAL;
    }
    r = vs_io_posix_new(&io, o->data);
    if (r < 0) {
        why_store(r, o->data, why);
        return r;
    }
    r = is_new ? store_make(io, node, o) : sb_store_identify(io, &node->cluster, &node->uuid);
    if (r < 0) {
        vs_io_free(io);
        why_store(r, o->data, why);
        return r;
    }
    r = cluster_check(node, o, why);
    if (r == 0)
        r = name_check(dir, o, why);
    if (r < 0) {
        vs_io_free(io);
        return r;
    }
    r = store_open(node, o, io);
    if (r < 0)
        why_store(r, o->data, why);
    return r;
}

int node_open(struct node *node, const struct node_options *o, int *ret_lock_fd,
              char why[NODE_WHY_BYTES])
{
    int fd, r;

    *node = (struct node){ .reserve_percent = (unsigned)o->reserve_percent, .superblocks = true };
    snprintf(node->name, sizeof(node->name), "%s", o->id);
    snprintf(node->domain, sizeof(node->domain), "%s", o->domain);
    snprintf(node->data, sizeof(node->data), "%s", o->data);
    fd = dir_open(o->data, o->existing, why);
    if (fd < 0)
        return fd;
    r = dir_lock(fd, o->data, why);
    if (r == 0)
        r = store_find(node, o, fd, why);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_lock_fd = fd;
    return 0;
}
