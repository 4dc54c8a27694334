/* fuse_ops: the session with the kernel: which callbacks there are, what is negotiated, and the
 * loop that reads requests.
 *
 * Callbacks decode, call, and reply once. Those that only read metadata or memory answer from the
 * thread that has the result; all that wait run on fs->ops (fs/fuse_reply.h). */
#ifndef VS_FS_FUSE_OPS_H
#define VS_FS_FUSE_OPS_H

#include "fs/vsfs.h"

/* Mount on fs->opt.mountpoint with kernel options `opts` (fsname=...,subtype=...,...). Sets fs->se
 * and fs->notify. -EIO: fusermount or the kernel refused; it has said why on stderr. */
int fuse_ops_mount(struct vsfs *fs, const char *opts);
/* Serve until the mount is gone or a signal (INT, TERM, HUP) ends it. */
int fuse_ops_loop(struct vsfs *fs);
/* Take the mount away, wait for the last replies and releases. Forgives not mounted. */
void fuse_ops_unmount(struct vsfs *fs);

#endif
