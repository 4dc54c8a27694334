/* vsfs: one mount: everything the file-system operations share. Wired by vstackfs_main.c, lent to
 * all other files of fs/.
 *
 * Threads and what runs where:
 *   FUSE loop threads   decode requests, append written bytes, start reads; never wait for a disk
 *   ops                 bounded pool: changes of the namespace, flush and commit, which wait
 *   exec                coding, hashing, timers
 *   stores, metadata    their own threads; completions reply to the kernel from there
 *
 * Lock order: inode->names, inode->lock, then the locks inside inode_table, provisional, inbox,
 * upload. Never held while calling the kernel back (fuse_reply_*, notify), nor across meta_call()
 * except inode->names. */
#ifndef VS_FS_VSFS_H
#define VS_FS_VSFS_H

#include "common/clock.h"
#include "common/exec.h"
#include "fs/chunk_reader.h"
#include "ingest/cutter.h"
#include "ingest/upload.h"
#include "meta/collect.h"
#include "meta/meta_client.h"
#include "node/store_set.h"

#define VSFS_OPS_THREADS  16
#define VSFS_CPU_THREADS  2
#define VSFS_INOS_RESERVE 4096 /* inode numbers taken from the journal at a time */

struct fuse_session;
struct data_cluster;
struct data_metas;
struct inode_table;
struct provisional;
struct inbox;
struct media_worker;
struct store_watch;
struct node_follow;
struct view_report;
struct tend;
struct meta_copy;
struct notify;
struct cache_guard;
struct dir_view;
struct feed_follow;
struct mount_lease;

struct vsfs_options {
    const char *mountpoint;           /* absolute */
    const char *data_dir;             /* absolute; metadata and, by default, nodes/n1 .. n5 */
    const char *disks[STORE_SET_MAX]; /* --disk, absolute; each one node */
    unsigned disk_count;
    const char *cluster_file; /* --cluster, absolute: the nodes are elsewhere; NULL */
    bool foreground;
    bool allow_other;
    uint8_t taken;              /* -o taken=keep-both|replace|refuse: enum ns_taken */
    unsigned alias_s;           /* -o alias=S, default 10 */
    uint64_t staging_bytes_max; /* -o staging=SIZE; 0: a quarter of what is free at start */
    uint64_t superblock_bytes;  /* --superblock-size; 0: default */
    unsigned reserve_percent;   /* --reserve, default 5 */
    size_t cache_bytes;         /* -o cache=SIZE */
    size_t write_bytes;         /* -o write-buffer=SIZE, default 256 MiB */
    unsigned lease_s;           /* -o lease=S, the same for all mounts; 0: default */
};

struct vsfs {
    struct vsfs_options opt;
    const struct vs_clock *clock;
    struct meta_client *meta;
    struct store_set stores;
    struct data_cluster *nodes; /* with --cluster: how the stores are reached */
    struct data_metas *metas;   /* the metadata is replicas elsewhere, which other mounts use, too:
                                 * how they are reached; NULL: it is in this process */
    struct vs_exec *exec, *ops;
    struct chunk_reader *reader;
    struct cutter *cutter;
    struct upload_env *uploads;
    struct collect *collect;
    struct inode_table *inodes;
    struct provisional *provisional;
    struct inbox *inbox;
    struct media_worker *media;
    struct store_watch *watch;
    struct node_follow *node_follow; /* with replicas elsewhere */
    struct view_report *view_report;
    struct tend *tend;         /* NULL: nobody else uses the metadata */
    struct meta_copy *copy;    /* NULL: none is kept */
    struct notify *notify;     /* NULL until mounted */
    bool shared;               /* other mounts may change the cluster, too */
    struct cache_guard *guard; /* how long the kernel may keep what it is told; NULL: for long */
    struct dir_view *dirs;     /* what is known of directories without asking; NULL: not shared */
    _Atomic int64_t doubt_until_ns; /* own changes until then may be news (fs/feed_follow.h) */
    _Atomic uint64_t feed_resets;   /* times that changes of others were missed */
    _Atomic uint64_t feed_slot;     /* all that was changed up to it is known here; 0: nothing is */
    struct mount_lease *lease;      /* NULL: not shared */
    struct feed_follow *follow;     /* hears of their changes; NULL: not shared, or not mounted */
    struct fuse_session *se;        /* set once mounted */
    int staging_fd;                 /* directory of staging files: DATA/staging */
    uint64_t staging_used;          /* bytes, atomic */
    _Atomic bool staging_full_said; /* in the log, until half of it is free again */
    struct vs_id cluster;
    uint64_t
        mount; /* our number among those that use the metadata (fs/mount_id.h); 0: we alone do */
    _Atomic bool missed; /* a superseded fragment could not be deleted (fs/clean_mark.h) */
    int64_t audited_s;   /* when all stores were last asked about their fragments; 0: not served */
    _Atomic bool single_device; /* all stores on one file system: survives corruption only */
};

/* Time now as the namespace keeps it. */
struct ns_time vsfs_now(const struct vsfs *fs);

/* One journal change, waited for: on ops threads only. Returns the answer's status. */
int vsfs_change(struct vsfs *fs, const struct ns_entry *e, struct ns_answer *ret);

#endif
