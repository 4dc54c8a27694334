/* sim_world: virtual time, processes, a faulty network and lossy disks, for the deterministic
 * simulator of the consensus code.
 *
 * A world runs one system (struct sim_system: the registers, the journal) through one schedule per
 * 64-bit seed. A schedule draws its own fault rates, runs some hundred events under faults, then
 * heals (no loss, everybody up) until the system is done, then is checked. The same seed gives the
 * same events and the same trace hash, in every build.
 *
 * What a handler writes to a disk is memory changed through world_put(); a crash undoes a random
 * suffix of the batches that were not synced yet. A message that must not leave before a batch is
 * durable is sent with the time world_batch_end() returned.
 *
 * Handlers run one at a time and never inside a call of this header. A broken invariant is told
 * with world_violation() or VS_ASSERT; both end the schedule there and then (longjmp).
 *
 * No allocation after sim_world_new(). Threads: one world per thread, and one world running per
 * process because of VS_ASSERT. */
#ifndef VS_TESTS_SIM_SIM_WORLD_H
#define VS_TESTS_SIM_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_PROCS_MAX   24
#define WORLD_DISKS       2    /* of a process, e.g. acceptor/ and namespace/ */
#define WORLD_EVENTS_MAX  2048 /* waiting at once; a message beyond is lost, a timer asserts */
#define WORLD_MSGS_MAX    1024 /* in flight at once; one more is lost */
#define WORLD_LOG_BYTES   (256u << 10) /* undo bytes of one disk; when full, it is synced */
#define WORLD_BATCHES_MAX 128          /* not yet durable, of one disk; likewise */
#define WORLD_CRASHES_MAX 15           /* of one process in one schedule */
#define WORLD_TEXT_MAX    256

#define WORLD_MS UINT64_C(1000) /* times are in microseconds */
#define WORLD_S  (1000 * WORLD_MS)

struct sim_world;

/* What is run in a world. `sys` is what new() returned; all its memory is made there, once. */
struct sim_system {
    const char *name;
    size_t msg_bytes_max;
    void *(*new)(void);
    void (*free)(void *sys);
    /* A fresh schedule: add processes, set first timers. Nothing of the last one may be left. */
    void (*setup)(void *sys, struct sim_world *w);
    void (*message)(void *sys, unsigned to, unsigned from, const void *msg, size_t len);
    void (*timer)(void *sys, unsigned proc, uint32_t kind, uint64_t data);
    /* The process died; its disks are as a restart will find them (`wiped`: the system empties
     * them). Its timers, and messages that waited for a sync, are gone. */
    void (*crash)(void *sys, unsigned proc, bool wiped);
    void (*restart)(void *sys, unsigned proc);
    void (*heal)(void *sys); /* faults have ended; may be NULL */
    bool (*done)(void *sys); /* healed, and nothing is left to wait for */
    /* The end. quiet: done() was true; false: it was not within WORLD_HEAL_EVENTS events. */
    void (*check)(void *sys, bool quiet);
    /* One line for the trace; may be NULL. */
    void (*describe)(const void *msg, size_t len, char text[WORLD_TEXT_MAX]);
};

/* What a schedule does to its processes; drawn from the seed, and setup() may change it. */
struct world_rates {
    unsigned loss_pct, dup_pct;   /* of messages: 0-30, 0-20 */
    unsigned slow_pct;            /* of messages: delayed up to delay_max_us */
    uint64_t delay_us;            /* of the others, at most */
    uint64_t delay_max_us;        /* 0-10 s */
    uint64_t sync_us;             /* a sync takes at most */
    unsigned sync_error_permille; /* of syncs; the process aborts */
    uint64_t fault_us;            /* mean time between faults of the kinds below; 0: none */
    unsigned crash, pause, cut, clock, wipe; /* weights; cut: one-way partitions */
    unsigned events;                         /* under faults; then the world heals */
};

struct world_result {
    uint64_t hash;
    unsigned events;
    bool violated;
    char text[WORLD_TEXT_MAX]; /* of the violation */
};

/* NULL: no memory. */
struct sim_world *sim_world_new(const struct sim_system *system);
void sim_world_free(struct sim_world *w); /* forgives NULL */
/* Run one schedule. trace: print every event to stdout. */
void sim_world_run(struct sim_world *w, uint64_t seed, bool trace, struct world_result *ret);

/* ---- for systems ---- */

enum world_may { WORLD_MAY_CRASH = 1, WORLD_MAY_PAUSE = 2, WORLD_MAY_WIPE = 4, WORLD_MAY_CUT = 8 };

/* In setup(): a process that is up; its number, from 0. Faults hit it as `may` says. The name is
 * for the trace; lent. */
unsigned world_proc_add(struct sim_world *w, const char *name, unsigned may);
struct world_rates *world_rates(struct sim_world *w);

uint64_t world_now(const struct sim_world *w);
/* What the wall clock of a process says: it jumps. */
uint64_t world_clock(const struct sim_world *w, unsigned proc);
bool world_up(const struct sim_world *w, unsigned proc);
bool world_healed(const struct sim_world *w);

uint64_t world_rand(struct sim_world *w);
/* Uniform enough in 0 .. bound-1, bound >= 1. */
uint64_t world_below(struct sim_world *w, uint64_t bound);
bool world_chance(struct sim_world *w, unsigned pct);

/* Send a copy of msg. It leaves at not_before (0: now) unless the sender has died by then, and may
 * be lost, doubled, late. Zero the padding of what is sent. To oneself: neither lost nor doubled.
 */
void world_send(struct sim_world *w, unsigned from, unsigned to, const void *msg, size_t len,
                uint64_t not_before);
/* timer(proc, kind, data) after delay_us, unless the process dies before. There is no cancel: give
 * data a generation and ignore the stale. */
void world_timer(struct sim_world *w, unsigned proc, uint64_t delay_us, uint32_t kind,
                 uint64_t data);

/* Change memory that is on a disk: into the open batch. */
void world_put(struct sim_world *w, unsigned proc, unsigned disk, void *dst, const void *src,
               size_t len);
/* Close the batch. sync: returns when it will be durable, with all before it; else UINT64_MAX. */
uint64_t world_batch_end(struct sim_world *w, unsigned proc, unsigned disk, bool sync);

/* The process dies right after this handler. */
void world_crash(struct sim_world *w, unsigned proc, bool wipe);
/* Restarts a process that is down, or ends its pause, right after this handler. */
void world_revive(struct sim_world *w, unsigned proc);

/* Into the hash. */
void world_mix(struct sim_world *w, uint64_t v);
bool world_tracing(const struct sim_world *w);
void world_say(struct sim_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void world_violation(struct sim_world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define WORLD_HEAL_EVENTS 20000

#endif
