/* tend: what a mount does now and then while other mounts use the same metadata: it gives a sign of
 * life for its uploads, and has its collector look for what others have released.
 *
 * Happy path: every TEND_S seconds; nothing is asked while there is nothing to say. Failure: a sign
 * that is lost is followed by the next one, long before the metadata gives an upload up
 * (META_REAPER_IDLE_S).
 *
 * Threads: it runs on fs->ops. */
#ifndef VS_FS_TEND_H
#define VS_FS_TEND_H

#include "fs/vsfs.h"

#define TEND_S 300

struct tend;

int tend_start(struct tend **ret, struct vsfs *fs);
void tend_stop(struct tend *t); /* forgives NULL */

#endif
