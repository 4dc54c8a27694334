/* clean_mark: what a clean stop knows, for the next start: on which stores nothing is left over.
 *
 * After a crash each store is asked about every fragment that it holds (meta/collect.h): registers
 * by the million, for some files. After a clean stop there is nothing to find, except what was
 * missed while a store was down. Happy path: a stop writes DATA/clean; the next start takes it
 * away, durably, before it changes anything, and goes by it. Failure: without it, or when it is not
 * whole, from the future, or older than CLEAN_MARK_DAYS, all are asked: an old copy of a store that
 * was put back is found by that, too.
 *
 * Threads: one. */
#ifndef VS_FS_CLEAN_MARK_H
#define VS_FS_CLEAN_MARK_H

#include "fs/vsfs.h"

#define CLEAN_MARK_NAME "clean"
#define CLEAN_MARK_DAYS 7

struct clean_mark {
    int64_t audited_s; /* when all stores were last asked, or began to be; seconds of 1970 */
    uint32_t nodes[STORE_SET_MAX];
    unsigned count;
};

/* Read it and take it away. Empty when there is none that can be believed. */
void clean_mark_take(const struct vsfs *fs, struct clean_mark *ret);
/* Is nothing left over on this node? */
bool clean_mark_has(const struct clean_mark *m, uint32_t node);
/* Write it, durably. A mark that cannot be written costs the next start some reading. */
void clean_mark_put(const struct vsfs *fs, const struct clean_mark *m);

#endif
