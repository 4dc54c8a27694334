/* xattrs: the virtual attributes `user.vstack.*`: what is known of a file, said as text. They are
 * not listed (cp -a and rsync -X must not carry them); only user.vstack.redundancy can be set.
 *
 * Threads: ops (may wait). */
#ifndef VS_FS_XATTRS_H
#define VS_FS_XATTRS_H

#include "common/buf.h"
#include "fs/vsfs.h"

#define XATTRS_PREFIX     "user.vstack."
#define XATTRS_REDUNDANCY "user.vstack.redundancy"
#define XATTRS_TEXT_MAX   65536

/* Value of a name that begins with XATTRS_PREFIX, without NUL. -ENODATA: no such attribute, or
 * unknown of this file. */
int xattrs_get(struct vsfs *fs, uint64_t ino, const char *name, struct vs_buf *ret);

/* Is this a setting user.vstack.redundancy may have: auto, replicate:N, rs:k+m? 0 or -EINVAL. */
int xattrs_check_redundancy(const void *value, size_t len);

#endif
