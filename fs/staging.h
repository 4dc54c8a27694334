/* staging: where written bytes wait that cannot stream to the stores: one nameless sparse file per
 * write state in DATA/staging, the bytes of offset N at offset N.
 *
 * Not durable by itself: a crash loses it, and the file keeps its last committed version. All files
 * together hold at most opt.staging_bytes_max bytes (-ENOSPC beyond), counted in fs->staging_used.
 *
 * Threads: any; the owner says which bytes count (an extent set under its own lock). Calls block on
 * the disk: ops threads only. */
#ifndef VS_FS_STAGING_H
#define VS_FS_STAGING_H

#include "fs/vsfs.h"

struct staging;

/* Once per start, before the first write: remove what a crash left in DATA/staging, and set the
 * limit where none was given (a quarter of what is free). fs->staging_fd is open. */
int staging_clean(struct vsfs *fs);

/* An empty staging file with one reference. -ENOSPC, -EMFILE, ... */
int staging_new(struct staging **ret, struct vsfs *fs);
struct staging *staging_ref(struct staging *s);
void staging_put(struct staging *s); /* the last one frees its space; forgives NULL */

/* Write; `fresh` of the bytes were not staged before and are counted. -ENOSPC, -EIO. */
int staging_write(struct staging *s, uint64_t offset, const void *bytes, size_t len,
                  uint64_t fresh);
/* Read exactly `len` bytes, all of them staged. -EIO. */
int staging_read(struct staging *s, uint64_t offset, void *dst, size_t len);
/* Give [start, end) back, of which `staged` bytes were counted. */
void staging_punch(struct staging *s, uint64_t start, uint64_t end, uint64_t staged);
/* Bytes that staging_write() counted are not staged after all. */
void staging_uncount(struct staging *s, uint64_t bytes);

#endif
