/* fuse_ops: the session. See the header.
 *
 * What is asked of the kernel, and why: no writeback cache (writes come in order, and close() means
 * it), suid and sgid left to us (no question before each write), parallel directory operations,
 * O_TRUNC with the open (an alias must see it), symlinks cached, locks local, entries and
 * attributes kept for long (FUSE_TREE_TIMEOUT_S). */
#include "fs/fuse_ops.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/feed_follow.h"
#include "fs/fuse_calls.h"
#include "fs/fuse_wire.h"
#include "fs/inbox.h"
#include "fs/notify.h"
#include "fs/orphan.h"
#include <stdio.h>
#include <string.h>

#define FUSE_BACKGROUND_MAX       64
#define FUSE_CONGESTION           48
#define FUSE_OPS_IDLE_THREADS_MAX 16
#define FUSE_OPS_LOOP_THREADS_MAX 16

static void ops_want(struct fuse_conn_info *conn, unsigned flag)
{
    conn->want |= conn->capable & flag;
}

static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->max_write = FUSE_OPS_BYTES_MAX;
    conn->max_background = FUSE_BACKGROUND_MAX;
    conn->congestion_threshold = FUSE_CONGESTION;
    conn->time_gran = 1;
    ops_want(conn, FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC |
                       FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
                       FUSE_CAP_ASYNC_DIO);
    conn->want &=
        ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_HANDLE_KILLPRIV |
                    FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_SPLICE_READ |
                    FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_DONT_MASK |
                    FUSE_CAP_POSIX_ACL | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_IOCTL_DIR);
}

static const struct fuse_lowlevel_ops ops_table = {
    .init = ops_init,
    .lookup = fuse_call_lookup,
    .forget = fuse_call_forget,
    .forget_multi = fuse_call_forget_multi,
    .getattr = fuse_call_getattr,
    .setattr = fuse_call_setattr,
    .readlink = fuse_call_readlink,
    .mknod = fuse_call_mknod,
    .mkdir = fuse_call_mkdir,
    .symlink = fuse_call_symlink,
    .link = fuse_call_link,
    .unlink = fuse_call_unlink,
    .rmdir = fuse_call_rmdir,
    .rename = fuse_call_rename,
    .create = fuse_call_create,
    .open = fuse_call_open,
    .read = fuse_call_read,
    .write = fuse_call_write,
    .flush = fuse_call_flush,
    .release = fuse_call_release,
    .fsync = fuse_call_fsync,
    .fallocate = fuse_call_fallocate,
    .lseek = fuse_call_lseek,
    .opendir = fuse_call_opendir,
    .readdir = fuse_call_readdir,
    .readdirplus = fuse_call_readdirplus,
    .releasedir = fuse_call_releasedir,
    .fsyncdir = fuse_call_fsyncdir,
    .statfs = fuse_call_statfs,
    .setxattr = fuse_call_setxattr,
    .getxattr = fuse_call_getxattr,
    .listxattr = fuse_call_listxattr,
    .removexattr = fuse_call_removexattr,
};

/* ---- messages to the kernel ---- */

static int kernel_inode(void *se, uint64_t ino, int64_t offset)
{
    return fuse_lowlevel_notify_inval_inode(se, ino, offset, 0);
}

static void kernel_entry(void *se, uint64_t parent, const char *name, size_t len)
{
    fuse_lowlevel_notify_inval_entry(se, parent, name, len);
}

static int kernel_names(void *se)
{
    return fuse_wire_forget_names(se);
}

static const struct notify_ops kernel_messages = { kernel_inode, kernel_entry, kernel_names };

/* ---- life ---- */

static int ops_session(struct vsfs *fs, const char *opts)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    int r = 0;

    if (fuse_opt_add_arg(&args, "vstackfs") < 0 || fuse_opt_add_arg(&args, "-o") < 0 ||
        fuse_opt_add_arg(&args, opts) < 0)
        r = -ENOMEM;
    if (r == 0)
        fs->se = fuse_session_new(&args, &ops_table, sizeof(ops_table), fs);
    if (r == 0 && fs->se == NULL)
        r = -EINVAL;
    fuse_opt_free_args(&args);
    return r;
}

int fuse_ops_mount(struct vsfs *fs, const char *opts)
{
    int r = ops_session(fs, opts);

    if (r == 0)
        r = fuse_quick_start();
    if (r == 0)
        r = notify_start(&fs->notify, &kernel_messages, fs->se);
    if (r == 0 && fuse_session_mount(fs->se, fs->opt.mountpoint) < 0)
        r = -EIO;
    if (r == 0)
        r = fuse_wire_attach(fs->se);
    if (r == 0 && fs->shared)
        r = feed_follow_start(&fs->follow, fs);
    if (r < 0)
        fuse_ops_unmount(fs);
    return r;
}

int fuse_ops_loop(struct vsfs *fs)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int r;

    if (config == NULL)
        return -ENOMEM;
    fuse_loop_cfg_set_clone_fd(config, 0);
    fuse_loop_cfg_set_idle_threads(config, FUSE_OPS_IDLE_THREADS_MAX);
    fuse_loop_cfg_set_max_threads(config, FUSE_OPS_LOOP_THREADS_MAX);
    r = fuse_set_signal_handlers(fs->se);
    if (r == 0)
        r = fuse_session_loop_mt(fs->se, config); /* > 0: the signal that ended it */
    fuse_remove_signal_handlers(fs->se);
    fuse_loop_cfg_destroy(config);
    return r < 0 ? r : 0;
}

void fuse_ops_unmount(struct vsfs *fs)
{
    struct notify *notify = fs->notify;
    struct feed_follow *follow = fs->follow;

    if (fs->se == NULL)
        return;
    fuse_wait_all(); /* replies go to a session that is still there */
    fs->follow = NULL;
    feed_follow_stop(follow);
    inbox_quiesce(fs->inbox);
    orphan_wait();
    fs->notify = NULL;
    notify_stop(notify);
    fuse_session_unmount(fs->se);
    fuse_session_destroy(fs->se);
    fs->se = NULL;
    fuse_quick_stop();
    fuse_file_drop_all(fs);
    fuse_dir_drop_all();
}
