/* feed_follow: what other mounts of the cluster change is heard here, and forgotten by this mount
 * and its kernel.
 *
 * Happy path: a thread asks the metadata for changes, one question after the other: long polls that
 * any replica answers, and every FEED_FOLLOW_STRICT_MS a strict one, whose answer holds all that
 * anybody was told before. What others changed is noted (fs/cache_guard.h), dropped here, and sent
 * to the kernel; when the kernel has it all, the mount is live for a while. What this mount changed
 * itself the kernel was told when it asked.
 * Failure: nothing heard for CACHE_GUARD_LIVE_NS, or "reset": everything that the kernel keeps is
 * taken back, and nothing may be kept until it is live again. An own change that ended without an
 * answer may still come: for FEED_FOLLOW_DOUBT_NS own changes are treated as those of others.
 *
 * Kernels before 6.16 cannot be told to ask for all names again: there names are kept for
 * FEED_FOLLOW_NAMES_S only.
 *
 * Threads: one of its own, which holds no lock when it talks to the kernel. */
#ifndef VS_FS_FEED_FOLLOW_H
#define VS_FS_FEED_FOLLOW_H

#include "fs/vsfs.h"

#define FEED_FOLLOW_WAIT_MS   250
#define FEED_FOLLOW_STRICT_MS 300
#define FEED_FOLLOW_AGAIN_NS  (50 * VS_NS_PER_MS) /* behind a question that failed */
#define FEED_FOLLOW_DOUBT_NS  (60 * VS_NS_PER_S)
#define FEED_FOLLOW_NAMES_S   1.0

struct feed_follow;

/* With fs->guard, on a mount whose fs->notify is there. -ENOMEM, -EAGAIN. */
int feed_follow_start(struct feed_follow **ret, struct vsfs *fs);
/* While the metadata and the notifier are there. Forgives NULL. */
void feed_follow_stop(struct feed_follow *w);

/* An own change ended without an answer. */
void feed_follow_doubt(struct vsfs *fs);
/* Can all names be taken back? Forgives NULL: there is no need. */
bool feed_follow_names_long(const struct feed_follow *w);

struct feed_follow_state {
    bool live;
    uint64_t slot;                    /* heard up to */
    uint64_t changes, resets, lapses; /* of others; answers "reset"; times that live ended */
};
void feed_follow_state(struct feed_follow *w, struct feed_follow_state *ret);

#endif
