/* file_xattrs: extended attributes set on a file before its first commit, kept in memory until the
 * metadata knows the file.
 *
 * Happy path: set while the file is written (cp --preserve=xattr, rsync -X), put into the metadata
 * right behind the commit and before close() answers. Failure: more than the limits is -ENOSPC;
 * what the metadata refuses is the answer of the flush.
 *
 * Threads: any; `*x` is inode->xattrs, under inode->lock. file_xattrs_commit waits: ops threads,
 * caller holds nothing. */
#ifndef VS_FS_FILE_XATTRS_H
#define VS_FS_FILE_XATTRS_H

#include "common/buf.h"
#include "fs/inode_table.h"

#define FILE_XATTRS_MAX       64
#define FILE_XATTRS_BYTES_MAX (256u << 10)

/* As setxattr(2): flags XATTR_CREATE, XATTR_REPLACE. */
int file_xattrs_set(struct file_xattrs **x, const char *name, const void *value, size_t len,
                    int flags);
/* Appends the value to *ret. -ENODATA. */
int file_xattrs_get(const struct file_xattrs *x, const char *name, struct vs_buf *ret);
/* Appends names, each with its NUL. */
int file_xattrs_list(const struct file_xattrs *x, struct vs_buf *ret);
int file_xattrs_remove(struct file_xattrs *x, const char *name); /* -ENODATA */
void file_xattrs_free(struct file_xattrs *x);                    /* forgives NULL */

/* The file is committed: hand its attributes to the metadata. Takes inode->names. */
int file_xattrs_commit(struct vsfs *fs, struct inode *i);

#endif
