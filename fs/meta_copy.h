/* meta_copy: the copy of the metadata that the stores keep, so that they alone are enough when the
 * metadata is lost: names, attributes, small files and lists of chunks. What happens after a copy
 * was made is in its tail (fs/meta_tail.h), a moment later; what films with chunks consist of is
 * told to the stores at each commit anyway (ingest/segment_copy.h).
 *
 * It is the content of inode NS_INO_COPY, a file without a name: coded, placed, replaced, repaired
 * and collected like any other. One is made soon after a start, and whenever its tail takes more
 * room than twice its own size (and META_COPY_TAIL_BYTES), so that what is written for the copies
 * stays in proportion to what changes; not more than META_COPY_BYTES_S on average.
 *
 * Happy path: a thread waits until one is due, turns the tail, writes what meta_backup() gives
 * through an upload, and swaps it in. Failure: it is said once, and tried again; films and folders
 * are not held up, and the tail of the copy before goes on.
 * Threads: any. */
#ifndef VS_FS_META_COPY_H
#define VS_FS_META_COPY_H

#include "fs/vsfs.h"

#define META_COPY_REST_S     5 /* after a start, if nothing changes */
#define META_COPY_BYTES_S    (256u << 10)
#define META_COPY_TAIL_BYTES (16u << 20)
#define META_COPY_RETRY_S    5 /* and as long as the rate asks for */

struct meta_copy;

int meta_copy_start(struct meta_copy **ret, struct vsfs *fs);
/* What is not on the stores yet is written. Forgives NULL. */
void meta_copy_stop(struct meta_copy *m);

/* How old what the stores have may be: ms since the first change that they lack; 0: they lack
 * nothing. (waits) */
int64_t meta_copy_lag_ms(struct meta_copy *m);

#endif
