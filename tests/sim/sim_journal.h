/* sim_journal: the journal of several replicas in the simulated world: what its files share.
 *
 * Replicas run meta/journal with an acceptor disk and a namespace disk; clients write and read
 * strictly with exactly-once retries; an administrator replaces replicas and grows the set by
 * fence. What is checked: one entry per slot is ever chosen, and that one is applied, in one order,
 * to the same state everywhere; a promise never falls and nothing is told before it is durable; an
 * operation takes effect once; reads and writes are linearizable; when the faults end, every client
 * soon succeeds and all replicas come to the same slot. */
#ifndef VS_TESTS_SIM_SIM_JOURNAL_H
#define VS_TESTS_SIM_SIM_JOURNAL_H

#include "meta/journal_fence.h"
#include "meta/journal_state.h"
#include "tests/sim/sim_world.h"

#define SJ_REPLICAS 7 /* spares included */
#define SJ_CLIENTS  5
#define SJ_OPS      48 /* of one client */
#define SJ_RING     24
#define SJ_SLOTS    1024
#define SJ_KEYS     3
#define SJ_BALLOTS  12 /* kept track of per slot */
#define SJ_QUEUE    16 /* proposals that wait to go together */
#define SJ_STORED   128

struct sj_op {
    struct journal_entry entry; /* first: the address of the entry is the operation */
    uint8_t client, key;
    uint16_t seq;
    uint64_t effect; /* slot that applied it; 0: none yet */
};

/* namespace/: small enough to travel whole as a snapshot. */
struct sj_ns {
    uint64_t applied, installed, hash;
    uint64_t version[SJ_KEYS];                            /* slot of the last write */
    uint64_t last_seq[SJ_CLIENTS], last_slot[SJ_CLIENTS]; /* the retry table */
};

struct sj_record {
    uint64_t slot, epoch; /* it was accepted in; 0: copied */
    struct px_ballot ballot;
    struct journal_entry *entry;
};

/* acceptor/ */
struct sj_disk {
    bool is_member, is_open;
    uint32_t inc;
    uint64_t epoch;
    uint32_t members;
    uint32_t pid[JOURNAL_REPLICAS_MAX];
    struct px_ballot promised;
    uint64_t first;
    struct sj_record record[SJ_RING];
};

/* A batch that is on its way to the disk. */
struct sj_stored {
    uint64_t persist, slot, epoch; /* slot 0: a head */
    struct px_ballot ballot;
    struct journal_entry *entry;
};

struct sj_replica {
    unsigned proc;
    struct sj_disk disk;
    struct sj_ns ns;
    bool is_running, is_wiped;
    struct journal journal;
    struct journal_slot slots[SJ_RING], found[SJ_RING];
    uint64_t armed_us;        /* of its next timer */
    struct px_ballot durable; /* promise that is on the disk for sure */
    struct px_ballot highest; /* ever durable */
    uint64_t installed_us;    /* when the snapshot of an order is durable */
    uint64_t install;         /* number of the snapshot waited for; 0: none */
    unsigned queued;
    struct journal_proposal queue[SJ_QUEUE];
    unsigned stored, stored_head;
    struct sj_stored store[SJ_STORED];
};

struct sj_client {
    unsigned proc, target;
    uint64_t seq;          /* of the current operation; 0: none */
    bool is_read, is_late; /* late: no answer at all came in time */
    uint8_t key;
    unsigned reads_pct, stays_pct; /* habits: reads; asks the same replica again */
    uint64_t floor;                /* slots answered before it began */
    uint64_t generation;
    unsigned after_heal; /* operations done since */
    uint64_t ops;
};

enum sj_admin_state { SJ_IDLE, SJ_FENCING, SJ_JOINING, SJ_OPENING };

struct sj_admin {
    unsigned proc;
    enum sj_admin_state state;
    uint64_t epoch;
    unsigned changes;             /* still wanted */
    unsigned members, old, fence; /* bits of replicas */
    unsigned fenced, joined, opened;
    struct journal_base base;
    struct journal_slot slots[SJ_RING];
    struct sj_ns ns;
};

/* What was accepted where, as nobody in the system could know. */
struct sj_vote {
    struct px_ballot ballot;
    uint64_t epoch;
    struct journal_entry *entry;
    unsigned who; /* bits of replicas */
};

struct sj_ghost {
    bool is_chosen, is_applied;
    unsigned votes;
    struct journal_entry *chosen;
    uint64_t hash; /* of the state behind it */
    struct sj_vote vote[SJ_BALLOTS];
};

struct sim_journal {
    struct sim_world *w;
    unsigned replicas, clients; /* spares included */
    unsigned members;           /* bits: of the newest configuration */
    unsigned window, kept, ring, ring_bytes, entry_bytes;
    uint64_t gather_us, think_us; /* proposals are gathered so long; clients rest so long */
    bool has_foe;
    uint64_t no_nack_us[SJ_REPLICAS];          /* refusals to it are lost until then */
    uint64_t cut_us[SJ_REPLICAS][SJ_REPLICAS]; /* from, to: lost until then */
    uint64_t floor;                            /* highest slot any answer showed */
    uint64_t installs;
    uint64_t top; /* highest slot with a ghost */
    struct sj_replica replica[SJ_REPLICAS];
    struct sj_client client[SJ_CLIENTS];
    struct sj_admin admin;
    struct sj_op op[SJ_CLIENTS][SJ_OPS];
    struct sj_ghost ghost[SJ_SLOTS];
    struct journal_actions out;
};

enum sj_timer {
    SJ_T_WAKE,
    SJ_T_PERSISTED,
    SJ_T_FLUSHED,
    SJ_T_INSTALLED,
    SJ_T_LATE,
    SJ_T_START,
    SJ_T_GATHERED,
    SJ_T_CLIENT,
    SJ_T_ADMIN,
    SJ_T_FOE,
};

/* ---- replicas ---- */
void sj_replica_init(struct sim_journal *s, unsigned i, bool is_member, unsigned members);
void sj_replica_message(struct sim_journal *s, unsigned i, unsigned from, const void *msg,
                        size_t len);
void sj_replica_timer(struct sim_journal *s, unsigned i, uint32_t kind, uint64_t data);
void sj_replica_crash(struct sim_journal *s, unsigned i, bool wiped);
void sj_replica_restart(struct sim_journal *s, unsigned i);
/* Timers of a replica die with the core that set them. */
void sj_replica_timer_set(struct sim_journal *s, struct sj_replica *r, uint64_t delay_us,
                          enum sj_timer kind, uint64_t value);
/* Start the core on what is on the disks. */
void sj_replica_run(struct sim_journal *s, unsigned i);
void sj_replica_configure(struct sim_journal *s, unsigned i);

/* ---- what is checked ---- */
void sj_ghost_reset(struct sim_journal *s);
void sj_ghost_accepted(struct sim_journal *s, unsigned i, uint64_t epoch, uint64_t slot,
                       const struct px_ballot *b, struct journal_entry *e);
void sj_ghost_apply(struct sim_journal *s, unsigned i, uint64_t slot, struct journal_entry *e);
void sj_ghost_check(struct sim_journal *s, bool quiet);
bool sj_ghost_done(struct sim_journal *s);

/* ---- clients ---- */
struct sj_msg_answer;
void sj_client_message(struct sim_journal *s, unsigned i, const struct sj_msg_answer *a);
void sj_client_timer(struct sim_journal *s, unsigned i, uint64_t generation);

/* ---- administrator ---- */
struct sj_msg_order;
void sj_admin_tick(struct sim_journal *s);
void sj_admin_report(struct sim_journal *s, unsigned i, const struct sj_msg_order *m);
/* An order arrives at a replica. */
void sj_admin_obey(struct sim_journal *s, unsigned i, const struct sj_msg_order *m);
unsigned sj_majority_of(unsigned bits);

/* ---- foe ---- */
void sj_foe_strike(struct sim_journal *s);
void sj_foe_stands(struct sim_journal *s, unsigned candidate);

extern const struct sim_system sim_journal_system;

#endif
