/* cache_guard: how long the kernel may keep what it is told, when other mounts change the same
 * cluster.
 *
 * Happy path: while everything that others change is heard within CACHE_GUARD_LIVE_NS, answers may
 * be kept for long: who hears of a change (fs/feed_follow.h) notes it here, then tells the kernel.
 * An answer is computed while changes come in: it carries the moment at which it began, and is for
 * once only when its inode or name was noted since. Failure: nothing heard for CACHE_GUARD_LIVE_NS:
 * all answers are for once only.
 *
 * What was noted is kept by hash, CACHE_GUARD_SLOTS of them: two that share one cost an answer its
 * long time, nothing more. Every question forgives NULL: this mount alone changes the cluster.
 *
 * Threads: notes from one, all else from any. */
#ifndef VS_FS_CACHE_GUARD_H
#define VS_FS_CACHE_GUARD_H

#include "common/clock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_GUARD_SLOTS   8192
#define CACHE_GUARD_LIVE_NS (900 * VS_NS_PER_MS) /* and time to tell the kernel: within 1 s */

struct cache_guard;

int cache_guard_new(struct cache_guard **ret, const struct vs_clock *clock);
void cache_guard_free(struct cache_guard *g); /* forgives NULL */

/* The moment at which an answer begins: before the metadata are asked. */
uint64_t cache_guard_moment(const struct cache_guard *g);
/* May what was found since then be kept? After the kernel's new reference has been counted. */
bool cache_guard_inode(const struct cache_guard *g, uint64_t ino, uint64_t since);
bool cache_guard_name(const struct cache_guard *g, uint64_t dir, const char *name, size_t len,
                      uint64_t since);
/* Is everything heard? */
bool cache_guard_is_live(const struct cache_guard *g);

/* Somebody else has changed it. Before the kernel is told. */
void cache_guard_note_inode(struct cache_guard *g, uint64_t ino);
void cache_guard_note_name(struct cache_guard *g, uint64_t dir, const char *name, size_t len);
/* Anything may have been changed. */
void cache_guard_note_all(struct cache_guard *g);

/* All was heard that had happened until `at_ns` (of the clock); 0: nothing is known any more. */
void cache_guard_heard(struct cache_guard *g, int64_t at_ns);
/* Until when it is live; <= now: it is not. */
int64_t cache_guard_until_ns(const struct cache_guard *g);

#endif
