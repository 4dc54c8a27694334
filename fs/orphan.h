/* orphan: inodes without a name that nobody has open any more: their content may go.
 *
 * Happy path: the journal is told (FORGET), nobody waits for it, the collector is woken. Failure:
 * what a crash or the journal loses of it is found by the next start (collect_at_start).
 *
 * Threads: any that may wait. */
#ifndef VS_FS_ORPHAN_H
#define VS_FS_ORPHAN_H

#include "fs/vsfs.h"

#define ORPHAN_FORGETS_MAX 1024                /* not answered yet; the next one waits */
#define ORPHAN_GATHER_MAX  64                  /* go together ... */
#define ORPHAN_GATHER_NS   (10 * VS_NS_PER_MS) /* ... or what has come in so long */

void orphan_forget(struct vsfs *fs, uint64_t ino);
/* Until all that were told are answered, and nothing runs: before the collector and fs->ops stop.
 * No orphan_forget() meanwhile. */
void orphan_wait(void);

#endif
