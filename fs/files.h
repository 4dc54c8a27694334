/* files: open files: what a handle is, opening, committing, closing, and changing attributes.
 *
 * A handle of an alias works on the film itself, except when it truncates: that begins a new upload
 * under the alias's name, and the film stays as it is.
 *
 * Happy path: open -> read or write -> flush (durable) -> release (settled). Failure: an open that
 * fails counts nothing; a release that cannot commit a new file leaves no name of it, since close()
 * has said so already.
 *
 * Threads: all wait (ops threads), except files_flush_due(), files_release_waits() and
 * files_may_have_privs(). Caller holds nothing. */
#ifndef VS_FS_FILES_H
#define VS_FS_FILES_H

#include "fs/control.h"
#include "fs/names.h"
#include "fs/view_report.h"
#include "fs/wfile.h"

/* An open handle: fuse_file_info.fh. */
struct file {
    _Atomic(struct inode *) inode; /* what it reads and writes now; a reference, counted open */
    struct inode *left;            /* what it wrote before its alias became a new upload, or NULL */
    struct control_file *control;  /* then inode is NULL */
    uint64_t control_answer; /* file position behind the last command: its answer begins here */
    struct read_cursor cursor;
    struct view_track track;   /* was it watched? */
    struct vs_list of_session; /* handles that the kernel has (fs/fuse_reply.h) */
    bool writer;
    bool alias;  /* opened by an alias: the kernel's pages of the film do not see its writes */
    bool append; /* O_APPEND: writes go to the end, whatever the kernel says */
    _Atomic bool wrote; /* something a flush has to make durable */
};

/* open(2) flags. *ret_keep_pages: what the kernel has cached of it is current. */
int files_open(struct vsfs *fs, const struct names_caller *who, uint64_t ino, int flags,
               struct file **ret, bool *ret_keep_pages);
/* A handle on a file just made by names_create(). */
int files_open_created(struct vsfs *fs, struct inode *i, int flags, struct file **ret);
/* Has a close() something to make durable: bytes that were written, or the file itself when it is
 * new? Does not wait. */
bool files_flush_due(struct file *f);
int files_flush(struct vsfs *fs, struct file *f);
int files_fsync(struct vsfs *fs, struct file *f);
/* Must files_release() run on an ops thread? */
bool files_release_waits(struct file *f);
void files_release(struct vsfs *fs, struct file *f);

/* wfile_flush(), and what follows a commit: the provisional name, pending attributes, the inbox. */
int files_commit(struct vsfs *fs, struct inode *i, enum wfile_flush how);

/* An alias is truncated: a new upload begins under its name, owned by the caller, and the alias
 * forwards to it from now on; the film is left alone. A reference to the new file. -ENODATA: it is
 * a new upload already. -ESTALE: the alias has lost its name. */
int files_restart_alias(struct vsfs *fs, const struct names_caller *who, uint64_t ino,
                        struct inode **ret);

/* truncate(2), without a handle. by_name: and not by an alias. -ESTALE: look the name up again. */
int files_cut(struct vsfs *fs, struct inode *i, uint64_t size, bool by_name);
/* ftruncate(2) to 0: -ESTALE when it is another's complete upload, published with that. */
int files_before_cut(struct vsfs *fs, struct file *f);
/* The kernel's pages of this file are not its content any more. */
void files_drop_pages(struct vsfs *fs, struct inode *i);

/* chmod, chown, utimens, truncate (size != NULL), of any inode. f: the handle, or NULL. */
int files_setattr(struct vsfs *fs, const struct names_caller *who, uint64_t ino, struct file *f,
                  uint32_t set, const struct ns_attr *attr, const uint64_t *size,
                  struct ns_attr *ret);
int files_fallocate(struct vsfs *fs, struct file *f, int mode, uint64_t offset, uint64_t len);

/* Somebody without CAP_FSETID changes the bytes, or somebody the owner: suid goes, and sgid where
 * the group may execute (fs/fuse_wire.h). Before a write is taken. */
int files_drop_privs(struct vsfs *fs, struct inode *i);
/* False: there is nothing to drop. Does not wait. */
bool files_may_have_privs(struct inode *i);
/* SEEK_DATA (data) or SEEK_HOLE. -ENXIO. */
int64_t files_seek(struct vsfs *fs, struct file *f, uint64_t offset, bool data);

#endif
