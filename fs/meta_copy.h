/* meta_copy: the copy of the metadata that the stores keep, so that they alone are enough when the
 * metadata is lost: names, attributes, small files and lists of chunks as they were a moment ago.
 * What films with chunks consist of is told to the stores at each commit anyway
 * (ingest/segment_copy.h); the copy adds all the rest.
 *
 * It is the content of inode NS_INO_COPY, a file without a name: coded, placed, replaced, repaired
 * and collected like any other. One is made META_COPY_REST_S after the first change that is not in
 * the newest, later where it is large (META_COPY_BYTES_S on average), and at a clean stop.
 *
 * Happy path: a thread waits for changes, writes what meta_backup() gives through an upload, and
 * swaps it in. Failure: it is said once, and tried again; films and folders are not held up.
 * Threads: any. */
#ifndef VS_FS_META_COPY_H
#define VS_FS_META_COPY_H

#include "fs/vsfs.h"

#define META_COPY_REST_S  5
#define META_COPY_BYTES_S (256u << 10)
#define META_COPY_RETRY_S 60

struct meta_copy;

int meta_copy_start(struct meta_copy **ret, struct vsfs *fs);
/* Makes the last one, if all stores are up and something changed. Forgives NULL. */
void meta_copy_stop(struct meta_copy *m);

/* How old the copy may be: ms since the first change that it lacks; 0: it lacks nothing. */
int64_t meta_copy_lag_ms(struct meta_copy *m);

#endif
