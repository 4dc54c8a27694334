/* view_report: tells the metadata each minute which files were watched on this mount.
 *
 * Happy path: a handle that is closed leaves what it read; once a minute each is judged
 * (fs/view_judge.h), and the views go out as one entry of the journal (meta/views.h). Failure: the
 * metadata is out of reach: the same report, under the same ids, goes out a minute later; beyond
 * VIEW_REPORT_CLOSED_MAX handles in a minute, views are lost.
 *
 * Threads: view_report_closed() any, never waits; the rest runs on fs->ops. */
#ifndef VS_FS_VIEW_REPORT_H
#define VS_FS_VIEW_REPORT_H

#include "fs/vsfs.h"

#define VIEW_REPORT_S          60
#define VIEW_REPORT_CLOSED_MAX 1024
#define VIEW_REPORT_LEAST_MS   1000 /* shorter ones are nobody's watching */

struct view_report;

/* What a handle has read; in the handle. */
struct view_track {
    _Atomic int64_t opened_ns; /* of its first read; 0: none yet */
    _Atomic uint64_t next, bytes;
};

/* A read of this handle. */
void view_track_read(struct view_track *t, uint64_t offset, uint32_t bytes);

int view_report_start(struct view_report **ret, struct vsfs *fs);
/* What is left is reported, if that goes at once. Forgives NULL. */
void view_report_stop(struct view_report *v);
/* A handle was closed. Forgives NULL. */
void view_report_closed(struct view_report *v, uint64_t ino, const struct view_track *t);
/* Judge and report now; waits. How many files; negative: later. For the above, and tests. */
int view_report_now(struct view_report *v);

#endif
