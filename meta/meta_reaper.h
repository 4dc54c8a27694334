/* meta_reaper: gives up uploads whose mount is gone: sessions that have given no sign of life for
 * so long (docs/CHUNKPAXOS.md, 8).
 *
 * Every replica may run one; only the leader's looks. It judges by its own clock: how long it has
 * seen a session's count of signs unchanged, so no mount's clock matters, and a leader that is new
 * waits the whole time again. Happy path: the abort is an entry that applies only if the session
 * has given no sign since it was looked at; once it is committed, and only then (frag_may_reap),
 * the session's ids are the collectors', which write TOMBs. Failure: the next pass.
 *
 * Threads: one of its own; meta_reaper_pass() of tests in place of it. */
#ifndef VS_META_META_REAPER_H
#define VS_META_META_REAPER_H

#include "common/clock.h"
#include "meta/meta_client.h"

#define META_REAPER_IDLE_S       3600
#define META_REAPER_PASS_S_MAX   60
#define META_REAPER_SESSIONS_MAX 65536 /* watched; those beyond when there are fewer */

struct meta_reaper;

struct meta_reaper_config {
    struct meta_client *meta; /* lent until stop */
    const struct vs_clock *clock;
    uint64_t idle_s; /* from 1; 0: META_REAPER_IDLE_S */
    /* Is it ours to look? NULL: always. Short, any thread. */
    bool (*leads)(void *arg);
    void *arg;
};

/* -ENOMEM, -EAGAIN. `started` false: nothing runs by itself. */
int meta_reaper_start(struct meta_reaper **ret, const struct meta_reaper_config *config,
                      bool started);
void meta_reaper_stop(struct meta_reaper *r); /* forgives NULL */

/* Look once, and wait for the answers: how many were given up, or a negative code. */
int meta_reaper_pass(struct meta_reaper *r);

#endif
