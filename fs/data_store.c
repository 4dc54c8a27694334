/* data_store: see the header. */
#include "fs/data_store.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "node/sb_store.h"
#include <stdio.h>
#include <string.h>

void data_store_path(const struct vsfs *fs, const struct ns_node *node, char path[256])
{
    if (node->path[0] == '/')
        snprintf(path, 256, "%.255s", node->path);
    else
        snprintf(path, 256, "%.190s/%.60s", fs->opt.data_dir, node->path);
}

bool data_store_is(const char *path, const struct vs_id *cluster, const struct vs_id *uuid)
{
    struct vs_id c, n;
    struct vs_io *io;
    bool same;

    if (vs_io_posix_new(&io, path) < 0)
        return false;
    same = sb_store_identify(io, &c, &n) == 0 && vs_id_cmp(&c, cluster) == 0 &&
           vs_id_cmp(&n, uuid) == 0;
    vs_io_free(io);
    return same;
}

void data_store_locate(const struct vsfs *fs, const struct ns_node *node, char path[256])
{
    for (unsigned i = 0; i < fs->opt.disk_count; i++) {
        if (data_store_is(fs->opt.disks[i], &fs->cluster, &node->uuid)) {
            snprintf(path, 256, "%.255s", fs->opt.disks[i]);
            return;
        }
    }
    data_store_path(fs, node, path);
}

int data_store_exists(const char *path)
{
    struct vs_id cluster, node;
    struct vs_io *io;
    int r = vs_io_posix_new(&io, path);

    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r < 0)
        return r;
    r = sb_store_identify(io, &cluster, &node);
    vs_io_free(io);
    if (r == -ENOENT)
        return 0;
    return 1; /* also when it cannot be read: something of a store is there */
}

int data_store_unformat(const char *path, const struct vs_id *cluster)
{
    struct vs_io *io;
    int r = vs_io_posix_new(&io, path);

    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r < 0)
        return r;
    r = sb_store_unformat(io, cluster);
    vs_io_free(io);
    return r;
}

int data_store_record(struct vsfs *fs, const struct ns_node *node)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = *node };
    struct ns_answer answer;

    return vsfs_change(fs, &e, &answer);
}

static struct sb_store_config data_store_config(struct vsfs *fs, const struct ns_node *node)
{
    return (struct sb_store_config){
        .cluster = fs->cluster,
        .node = node->uuid,
        .file_bytes = fs->opt.superblock_bytes,
        .reserve_percent = fs->opt.reserve_percent,
        .gather_us = 500,
        .clock = fs->clock,
    };
}

int data_store_open(struct vsfs *fs, const struct ns_node *node, const char *path,
                    struct chunk_store **ret, char why[256])
{
    struct sb_store_config config = data_store_config(fs, node);
    struct sb_recovery rec;
    int r = vs_io_posix_new(&config.io, path);

    if (r == 0)
        r = sb_store_open(ret, &config, &rec);
    switch (r) {
    case 0:
        why[0] = '\0';
        if (!rec.clean || rec.corrupt > 0)
            vs_info("store %s: recovered %llu fragments from %llu files, %llu damaged records",
                    path, (unsigned long long)rec.fragments, (unsigned long long)rec.files,
                    (unsigned long long)rec.corrupt);
        return 0;
    case -ENOENT:
    case -ENOTDIR:
        snprintf(why, 256,
                 "%.120s: no store here -> down; bring the disk back, or `vstackfs node "
                 "replace %.32s DIR`",
                 path, node->name);
        break;
    case -ESTALE:
        snprintf(why, 256,
                 "%.150s: the store of another node or cluster is here -> down; mount the "
                 "right disk",
                 path);
        break;
    case -VS_ENEWER:
        snprintf(why, 256,
                 "%.150s was written by a newer version of V-Stack -> down; use that version",
                 path);
        break;
    default:
        snprintf(why, 256, "%.150s: %s -> down", path, vs_err_text(r));
    }
    return r;
}

int data_store_format(struct vsfs *fs, struct ns_node *node, const char *path, char why[256])
{
    struct vs_io *io;
    int r = vs_io_posix_new(&io, path);

    if (r == 0) {
        vs_rand_system(&node->uuid, sizeof(node->uuid));
        r = sb_store_format(io, &fs->cluster, &node->uuid);
        vs_io_free(io);
    }
    if (r == -ENOTEMPTY)
        snprintf(why, 256, "%.150s is not empty; give an empty directory", path);
    else if (r == -ENOENT)
        snprintf(why, 256, "%.150s does not exist; is that disk mounted? make the directory first",
                 path);
    else if (r == -EOPNOTSUPP)
        snprintf(why, 256,
                 "%.150s: this file system cannot give space back (no hole punching); use "
                 "ext4, xfs, btrfs or tmpfs",
                 path);
    else if (r < 0)
        snprintf(why, 256, "%.150s: %s", path, vs_err_text(r));
    return r;
}
