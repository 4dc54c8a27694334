/* wfile: the write state of one inode, shared by all its handles: what was written and is not yet
 * committed.
 *
 * A file's bytes are, from bottom to top: its base (the committed content), a tail (an upload of
 * the bytes behind the base, streaming to the stores while they arrive), and staged extents (a
 * sparse file in DATA/staging that holds what was written backwards). A sequential writer never
 * touches the staging. Happy path: create, write ... write, flush -> the tail becomes durable, a
 * manifest is written, one journal entry (CREATE for a provisional file, SWAP for a stored one)
 * makes it visible. Failure: what cannot be stored makes flush fail with its errno (sticky); the
 * base stays as it was. A SWAP that finds another base version is -ESTALE.
 *
 * Threads: wfile_write, _getattr, _read_start on FUSE threads (never wait); the others wait and run
 * on ops threads. All take inode->lock themselves; callers hold none. */
#ifndef VS_FS_WFILE_H
#define VS_FS_WFILE_H

#include "fs/inode_table.h"
#include "fs/read_op.h"

/* Give a provisional inode (fields filled by the caller) an empty write state, with the creator as
 * its one handle: paired with WFILE_RELEASE, as every wfile_open() is. */
int wfile_create(struct vsfs *fs, struct inode *i);

/* One more handle for writing: load the base if there is no write state yet. `truncate`: O_TRUNC;
 * what is committed stays until the next commit. On error no handle is counted. Waits. */
int wfile_open(struct vsfs *fs, struct inode *i, bool truncate);

/* With a write state: the newest version of the cluster is below it, unless something was written
 * here on the one before (which is then -ESTALE at its commit). For an open. Waits. */
int wfile_refresh(struct vsfs *fs, struct inode *i);

/* The same, as far as this mount has heard of it, if nobody uses the state at the moment: an idle
 * writer keeps no version that was replaced. Waits for the metadata only. */
void wfile_let_go(struct vsfs *fs, struct inode *i);

/* As an offset: wherever the end is when the bytes are taken (O_APPEND). */
#define WFILE_AT_END UINT64_MAX

/* Bytes at an offset. 0: taken. 1: taken, wait for `room->done` before answering the writer.
 * -EINPROGRESS: this write must wait (it goes to staging, or needs the base): call wfile_write_wait
 * with the same arguments on an ops thread. Else a negative errno. */
int wfile_write(struct vsfs *fs, struct inode *i, uint64_t offset, const void *bytes, size_t len,
                struct upload_room *room);
int wfile_write_wait(struct vsfs *fs, struct inode *i, uint64_t offset, const void *bytes,
                     size_t len);

/* Size changes; without a handle open for writing (truncate(2)) they are committed at once. Waits.
 */
int wfile_truncate(struct vsfs *fs, struct inode *i, uint64_t size);
/* fallocate(2): mode 0 and KEEP_SIZE extend with a hole; PUNCH_HOLE and ZERO_RANGE as the man page;
 * others -EOPNOTSUPP. Waits. */
int wfile_fallocate(struct vsfs *fs, struct inode *i, int mode, uint64_t offset, uint64_t len);

/* chmod, chown, utimens on a file with write state: recorded for the commit when provisional;
 * 0: the caller need not ask the metadata; 1: the caller must (stored file), and what was set here
 * is kept by the next commit (mtime). */
int wfile_setattr(struct vsfs *fs, struct inode *i, uint32_t set, const struct ns_attr *attr);
/* Overlay size, times, blocks of the write state on what the metadata says. No-op without one. */
void wfile_getattr(struct inode *i, struct ns_attr *attr);

/* A read of a file with write state: 1 or 0 as read_op_start (fs/read_op.h). */
READ_OP_MUST_CHECK int wfile_read_start(struct vsfs *fs, struct inode *i, struct read_op *op);
/* SEEK_DATA / SEEK_HOLE over all layers; -ENXIO. Waits. */
int64_t wfile_seek(struct vsfs *fs, struct inode *i, uint64_t offset, bool data);

enum wfile_flush { WFILE_FSYNC, WFILE_FLUSH, WFILE_RELEASE };
/* Commit what was written since the last commit; nothing written: 0 at once (a provisional file
 * that nobody has written to is created empty by FSYNC or RELEASE). Waits until durable.
 * WFILE_FLUSH and WFILE_RELEASE mark an inbox file as complete. Takes inode->names for the journal
 * entry only; a CREATE drops the provisional name.
 *
 * RELEASE gives one handle back; of several writers only the last one's commits. Behind it the
 * write state is gone, unless the inode is unlinked: then it stays for those who still read, until
 * wfile_drop(). When it fails for a file that was never committed, that file is no more: its
 * provisional name is dropped and the inode is unlinked.
 *
 * Unlinked inodes are not committed (0). An error is sticky: it is the answer of every later write
 * and flush of this state, and the last committed version stays what it was. */
int wfile_flush(struct vsfs *fs, struct inode *i, enum wfile_flush how);

/* Throw the write state away (unlinked file, last handle closed). Forgives an inode without one. */
void wfile_drop(struct vsfs *fs, struct inode *i);

/* True when something was written (or truncated) and not yet committed. */
bool wfile_dirty(struct inode *i);

#endif
