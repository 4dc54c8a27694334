/* replica_rig: one replica of the journal, stepped by hand, for tests: the test plays the others,
 * the disk and the clock. Members are 1 .. n; the replica is 1. */
#ifndef VS_TESTS_REPLICA_RIG_H
#define VS_TESTS_REPLICA_RIG_H

#include "meta/journal_state.h"

#define RIG_RING    16
#define RIG_WINDOW  6
#define RIG_ENTRIES 64

struct replica_rig {
    struct journal j;
    struct journal_slot slots[RIG_RING], found[RIG_RING];
    struct journal_actions out;
    int64_t now_ns;
    uint64_t persist; /* last batch asked for */
    uint64_t epoch;
    struct journal_entry entry[RIG_ENTRIES]; /* number n: payload of one byte n */
    uint8_t payload[RIG_ENTRIES];
};

/* A new replica of `members`, open in epoch 1. */
void replica_init(struct replica_rig *f, unsigned members);
/* The same, with slots up to `flushed` applied and flushed, lower ones forgotten below `first`. */
void replica_init_at(struct replica_rig *f, unsigned members, uint64_t first, uint64_t flushed);
/* Checks that every reference to an entry was given back. */
void replica_close(struct replica_rig *f);

void replica_step(struct replica_rig *f, struct journal_event *ev);
void replica_msg(struct replica_rig *f, uint32_t from, struct journal_msg msg);
void replica_wait(struct replica_rig *f, int64_t ms); /* one timer step, that much later */
void replica_persisted(struct replica_rig *f);        /* all batches */
void replica_applied(struct replica_rig *f, uint64_t slot);
void replica_flushed(struct replica_rig *f, uint64_t slot);
void replica_propose(struct replica_rig *f, unsigned entry, uint64_t token);
void replica_read(struct replica_rig *f, uint64_t token);
void replica_config(struct replica_rig *f, uint64_t epoch, unsigned members, bool open);

/* ACCEPT of entries n, n + 1, ... (no-ops for 0) for `count` slots from `slot` on, from b's pid. */
void replica_accept(struct replica_rig *f, struct px_ballot b, uint64_t slot, unsigned count,
                    unsigned entry, uint64_t commit);
void replica_heartbeat(struct replica_rig *f, struct px_ballot b, uint64_t round, uint64_t commit,
                       uint64_t safe, uint64_t lowest);
struct px_ballot replica_ballot(uint64_t round, uint32_t pid);

/* The last step sent this kind to `to`; NULL: it did not. */
const struct journal_msg *replica_sent(const struct replica_rig *f, uint32_t to, unsigned kind);
/* The last step answered this token; -1: it did not. */
int replica_answered(const struct replica_rig *f, uint64_t token);

/* Stand for election; the members that are not 1 are asked. */
void replica_stand(struct replica_rig *f);
/* Become leader with replica 2's promise, which has nothing; its own no-op is not chosen yet. */
void replica_lead(struct replica_rig *f);
/* And its no-op chosen and applied. */
void replica_settle(struct replica_rig *f);
/* Member `from` confirms the last heartbeat; it has slots up to `have`. */
void replica_heard(struct replica_rig *f, uint32_t from, uint64_t have);

#endif
