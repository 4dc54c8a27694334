/* journal_state: what the files of the journal share: the state of one replica, and the calls from
 * one role to another.
 *
 * Invariants, asserted where they are kept: `promised` never falls, no record has a higher ballot
 * (I3); nothing that depends on a batch leaves before it is durable (I4); first <= flushed + 1 and
 * flushed <= applied; a record at or above `known` and not above `applied` is the chosen entry.
 *
 * Pure. Threads: the one that steps the journal. */
#ifndef VS_META_JOURNAL_STATE_H
#define VS_META_JOURNAL_STATE_H

#include "meta/journal.h"

/* What a leader (or a candidate) knows of one member, itself included. */
struct journal_peer {
    uint32_t pid;
    bool is_done;     /* candidate: told all it has */
    uint64_t next;    /* candidate: where its answer goes on */
    bool is_met;      /* leader: has answered, so `at` is known */
    uint64_t at;      /* has all slots up to this one, as it said last */
    uint64_t have;    /* the same, at most ever: it was accepted or applied there */
    uint64_t flushed; /* as it said last */
    uint64_t sent;    /* slots below this one are on their way */
    uint64_t round;   /* of the last heartbeat it confirmed */
    int64_t heard_ns, resend_ns;
};

struct journal_read {
    uint64_t token;
    uint64_t slot;  /* to be applied first */
    uint64_t round; /* heartbeat that must be confirmed: sent after the read came */
};

struct journal {
    struct journal_config config;
    uint64_t epoch;
    bool is_open;   /* false: fenced, or not configured yet */
    bool is_member; /* of `epoch` */
    unsigned members;
    struct journal_peer peer[JOURNAL_REPLICAS_MAX];

    /* acceptor */
    struct px_ballot promised;
    uint64_t first;             /* lowest slot kept */
    uint64_t last;              /* highest slot with a record; 0: none */
    size_t bytes;               /* of entries kept */
    uint64_t issued, persisted; /* batches */
    int64_t stall_ns;           /* since when issued > persisted without progress */
    struct {
        uint32_t to; /* 0: no promise waits for its batch */
        struct px_ballot ballot;
        uint64_t slot, persist;
    } promise;
    struct px_ballot ack;         /* ballot accepted last: its leader is told */
    struct px_ballot have_ballot; /* cache of journal_have() */
    uint64_t have, acked;         /* up to where the leader of `ack` was told */

    /* namespace */
    uint64_t applying, applied, flushed; /* applying: given to the driver */
    uint64_t known;                      /* see above */
    uint64_t safe;                       /* a majority has flushed it */
    bool is_flushing;
    uint32_t installing; /* pid the snapshot comes from; 0: none */

    /* follower, candidate */
    enum journal_role role;
    uint64_t round_seen;     /* highest of any ballot */
    struct px_ballot leader; /* highest that a leader was heard with, in this epoch */
    uint64_t leader_commit;  /* slots chosen, as that leader said */
    int64_t heard_ns;        /* from that leader */
    int64_t election_ns;     /* stand then */
    int64_t resend_ns;

    /* candidate, leader */
    struct px_ballot ballot;
    uint64_t start;      /* first slot asked for */
    uint64_t found_last; /* highest slot with a record in found[] */
    unsigned yes;        /* bits of members that would promise */

    /* leader */
    uint64_t next;   /* slot to propose next */
    uint64_t mine;   /* slot of its own no-op, behind all it found */
    uint64_t commit; /* chosen up to here */
    uint64_t told;   /* commit that the others were told last */
    uint64_t round;  /* of the last heartbeat */
    int64_t heartbeat_ns;
    unsigned reads, reads_head;
    struct journal_read read[JOURNAL_READS_MAX];

    /* this step */
    int64_t now_ns;
    uint64_t random;
    bool is_dirty, again;
    struct journal_actions *out;
};

/* ---- the step (journal.c) ---- */

/* The batch of this step, which makes durable what was changed just now. */
uint64_t journal_dirty(struct journal *j);
/* To a member; to itself at once, by the same road. */
void journal_send(struct journal *j, uint32_t to, const struct journal_msg *msg);
void journal_nack(struct journal *j, uint32_t to, const struct journal_msg *request,
                  enum journal_nack reason);
void journal_answer(struct journal *j, uint64_t token, enum journal_answer_kind kind);
int64_t journal_soon_ns(struct journal *j, int64_t min_ns, int64_t max_ns); /* from now, random */
struct journal_peer *journal_peer(struct journal *j, uint32_t pid);
/* The value that a majority of v[0..members) reaches. */
uint64_t journal_majority(const struct journal *j, uint64_t v[JOURNAL_REPLICAS_MAX]);
bool journal_is_stalled(const struct journal *j);

/* ---- acceptor ---- */

enum journal_verdict { JOURNAL_TAKEN, JOURNAL_HELD, JOURNAL_REFUSED, JOURNAL_BELOW, JOURNAL_FULL };

static inline struct journal_slot *journal_at(struct journal *j, uint64_t slot)
{
    return &j->config.slots[slot % j->config.ring];
}

enum journal_verdict journal_accept(struct journal *j, const struct px_ballot *b, uint64_t slot,
                                    struct journal_entry *e);
void journal_on_prepare(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_on_accept(struct journal *j, uint32_t from, const struct journal_msg *msg);
/* Up to where all slots are durably accepted with b, or applied. */
uint64_t journal_have(struct journal *j, const struct px_ballot *b);
void journal_acceptor_pump(struct journal *j);
void journal_truncate(struct journal *j);

/* ---- follower ---- */

/* A leader was heard. False: it is not one any more. */
bool journal_follow(struct journal *j, const struct journal_msg *msg);
void journal_on_heartbeat(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_follower_pump(struct journal *j);
void journal_install(struct journal *j, uint32_t from);

/* ---- candidate ---- */

void journal_on_ask(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_on_asked(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_on_promise(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_candidate_pump(struct journal *j);
/* Not candidate or leader any more; stand again in min..max. */
void journal_step_down(struct journal *j, int64_t min_ns, int64_t max_ns);
void journal_found_clear(struct journal *j);

/* ---- leader ---- */

void journal_lead(struct journal *j);
void journal_leader_end(struct journal *j); /* answers whoever waits */
void journal_on_accepted(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_on_heard(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_on_nack(struct journal *j, uint32_t from, const struct journal_msg *msg);
void journal_propose(struct journal *j, const struct journal_event *ev);
void journal_leader_pump(struct journal *j);
void journal_heartbeat(struct journal *j, bool notice);

/* ---- strict reads ---- */

void journal_read(struct journal *j, uint64_t token);
void journal_read_pump(struct journal *j);
void journal_read_end(struct journal *j);

#endif
