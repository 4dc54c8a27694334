/* sim_impl: what the files of the simulated world share: the world, its events, its disks. */
#ifndef VS_TESTS_SIM_SIM_IMPL_H
#define VS_TESTS_SIM_SIM_IMPL_H

#include "common/rand.h"
#include "tests/sim/sim_world.h"
#include <setjmp.h>

enum world_event_kind { EVENT_MESSAGE, EVENT_TIMER, EVENT_CRASH, EVENT_RESTART, EVENT_FAULT };

struct world_event {
    uint8_t kind;
    uint8_t proc; /* whom it happens to */
    uint8_t from;
    bool wipe;
    bool waited;      /* for the end of a pause */
    uint16_t life;    /* of proc (timer, crash, restart) or of the sender (message) */
    uint16_t msg;     /* slot */
    uint32_t timer;   /* kind */
    uint64_t data;    /* of a timer */
    uint64_t left_at; /* a message: when it left its sender, if that was alive */
};

/* Sorted by time, then by age. */
struct world_due {
    uint64_t at;
    uint64_t order; /* age << 16 | event */
};

struct world_batch {
    uint32_t end;     /* of its undo records in the log */
    uint64_t sync_at; /* UINT64_MAX: not asked for */
};

/* Undo records: old bytes, then struct world_undo; walked backwards. */
struct world_undo {
    void *dst;
    uint32_t len, size; /* size: of the old bytes with padding */
};

struct world_disk {
    uint8_t *log; /* WORLD_LOG_BYTES */
    uint32_t used;
    uint32_t open_from; /* where the open batch begins */
    unsigned batches;
    struct world_batch batch[WORLD_BATCHES_MAX];
};

struct world_proc {
    const char *name;
    unsigned may;
    bool up;
    uint16_t life;      /* how often it died */
    uint64_t paused_to; /* handles nothing before */
    uint64_t skew;      /* of its clock; wraps */
    uint64_t died_at[WORLD_CRASHES_MAX + 1];
    uint64_t cut_to[WORLD_PROCS_MAX]; /* what it sends to that one is lost until then */
    struct world_disk disk[WORLD_DISKS];
};

struct world_slot {
    uint16_t users; /* events that carry it */
    uint32_t len;
};

struct sim_world {
    const struct sim_system *system;
    void *sys;
    struct vs_rand rand;
    struct world_rates rates;
    uint64_t now, hash, age;
    unsigned events; /* handled */
    bool healed, tracing, running;
    unsigned procs;
    struct world_proc proc[WORLD_PROCS_MAX];
    unsigned waiting, events_free;
    struct world_due due[WORLD_EVENTS_MAX]; /* heap */
    struct world_event event[WORLD_EVENTS_MAX];
    uint16_t event_free[WORLD_EVENTS_MAX];
    unsigned msgs_free;
    uint16_t msg_free[WORLD_MSGS_MAX];
    struct world_slot slot[WORLD_MSGS_MAX];
    uint8_t *msg_bytes; /* WORLD_MSGS_MAX * msg_stride */
    size_t msg_stride;
    uint8_t *logs;
    jmp_buf out;
    struct world_result *result;
};

/* Events. NULL: there are WORLD_EVENTS_MAX already. */
struct world_event *world_event_add(struct sim_world *w, uint64_t at);

/* What has waited for the end of a pause is due now. */
void world_pauses_end(struct sim_world *w);

/* Network: a message arrives, or is forgotten. */
void world_net_reset(struct sim_world *w);
void world_net_deliver(struct sim_world *w, const struct world_event *e);
void world_net_drop(struct sim_world *w, const struct world_event *e);

/* Disks. */
void world_disks_open(struct sim_world *w, unsigned proc);
void world_disks_crash(struct sim_world *w, unsigned proc, bool wipe);

/* Faults. */
void world_rates_draw(struct sim_world *w);
void world_fault_next(struct sim_world *w);
void world_fault_strike(struct sim_world *w);
void world_faults_end(struct sim_world *w);

#endif
