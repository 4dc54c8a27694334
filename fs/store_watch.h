/* store_watch: says in the log when a store of the mount goes down, takes no more, or is back.
 *
 * Reads and uploads go on by themselves; this is for people: which disk, since when, and what to
 * do. Happy path: every STORE_WATCH_S the health of each store is held against the one before; a
 * change is one line. What is down at the start has been said by the start.
 *
 * Threads: start and stop by the mount's own; the look runs on fs->ops. */
#ifndef VS_FS_STORE_WATCH_H
#define VS_FS_STORE_WATCH_H

#include "fs/vsfs.h"

#define STORE_WATCH_S 2

struct store_watch;

int store_watch_start(struct store_watch **ret, struct vsfs *fs);
/* A look that runs has ended when it returns. Forgives NULL. */
void store_watch_stop(struct store_watch *w);

#endif
