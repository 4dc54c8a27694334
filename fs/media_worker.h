/* media_worker: describes videos after they are stored: container, streams, duration, which ranges
 * a player's opening touches, and when each chunk begins, for the metadata (NS_E_MEDIA).
 *
 * One thread, one file at a time, after the commit has been answered: copying in never waits for
 * it. Happy path: a commit adds the file; libavformat (ingest/cutter.h) looks at it through the
 * read path; one journal entry. A file that was replaced meanwhile is left to its newer version's
 * turn. Failure: a file that cannot be probed gets a description that says it is no video; what
 * cannot be written now is due again at the next start, which begins with all that is due.
 *
 * Threads: any. */
#ifndef VS_FS_MEDIA_WORKER_H
#define VS_FS_MEDIA_WORKER_H

#include "fs/vsfs.h"

#define MEDIA_WORKER_QUEUE_MAX 4096 /* more is found again by looking through what is due */

struct media_worker;

int media_worker_start(struct media_worker **ret, struct vsfs *fs);
/* Version `version` of the file was committed. start_ms (may be NULL): what the live cutter saw of
 * the time each chunk begins at, UINT32_MAX unknown; copied. Forgives NULL. */
void media_worker_add(struct media_worker *m, uint64_t ino, uint64_t version,
                      const uint32_t *start_ms, size_t count);
/* Wait until nothing is queued or in work. -ETIMEDOUT. 0 without a worker. Tests and commands. */
int media_worker_idle_wait(struct vsfs *fs, int64_t timeout_ns);
/* Ends after the file in work. Forgives NULL. */
void media_worker_stop(struct media_worker *m);

#endif
