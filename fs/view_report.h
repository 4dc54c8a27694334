/* view_report: tells the metadata each minute which files were watched on this mount.
 *
 * Happy path: once a minute each handle that has read is judged (fs/view_judge.h), those that are
 * open and those that were closed since, and the views go out as one entry of the journal
 * (meta/views.h). A handle counts once: who plays for hours is counted while it plays, and whose
 * mount is killed was. Failure: the metadata is out of reach: what was not judged waits, and the
 * same report, under the same ids, goes out a minute later. Beyond VIEW_REPORT_HANDLES_MAX handles
 * in a minute, those that are open wait for the next one, and views of those that were closed are
 * lost.
 *
 * Threads: view_report_read() and view_report_closed() any, they never wait; the rest runs on
 * fs->ops. */
#ifndef VS_FS_VIEW_REPORT_H
#define VS_FS_VIEW_REPORT_H

#include "fs/vsfs.h"

#define VIEW_REPORT_S           60
#define VIEW_REPORT_HANDLES_MAX 1024
#define VIEW_REPORT_LEAST_MS    1000 /* shorter ones are nobody's watching */

struct view_report;

/* What a handle has read; in the handle, zeroed. */
struct view_track {
    _Atomic int64_t opened_ns; /* of its first read; 0: none yet */
    _Atomic uint64_t next, bytes;
    /* the report's, under its lock */
    uint64_t ino;
    struct vs_list link; /* on no list: not open, or counted */
    unsigned judged_as;  /* its place among those that are being judged, from 1; 0: not judged */
};

int view_report_start(struct view_report **ret, struct vsfs *fs);
/* What is left is reported, if that goes at once. Forgives NULL. */
void view_report_stop(struct view_report *v);
/* A read of a handle of this file. Forgives NULL. */
void view_report_read(struct view_report *v, struct view_track *t, uint64_t ino, uint64_t offset,
                      uint32_t bytes);
/* The handle is closed; its track may go. Forgives NULL. */
void view_report_closed(struct view_report *v, struct view_track *t);
/* Judge and report now; waits. How many files; negative: later. For the above, and tests. */
int view_report_now(struct view_report *v);

#endif
