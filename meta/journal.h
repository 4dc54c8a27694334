/* journal: one replica of the replicated log as a step function: an event in, actions out.
 *
 * One order of entries for all replicas (docs/CHUNKPAXOS.md, "The journal"; Lamport, "Paxos Made
 * Simple", 2001; read index: Ongaro, Raft dissertation 6.4). A replica is acceptor, follower and
 * now and then candidate or leader; what each role may do is in journal_acceptor.c,
 * journal_candidate.c, journal_leader.c, journal_follower.c, journal_read.c.
 *
 * The driver carries out the actions of one step before the next one: messages in sends[] leave at
 * once (they never depend on what this step stores); puts[] and the head become durable in one
 * batch, and then, and only then, JOURNAL_EV_PERSISTED is reported: what depends on it comes out of
 * that step. An error of that batch ends the process. applies[] are applied in order, each one
 * atomic batch with its slot, then JOURNAL_EV_APPLIED.
 *
 * Pure: time and randomness come with the event, memory from the caller. Threads: one at a time. */
#ifndef VS_META_JOURNAL_H
#define VS_META_JOURNAL_H

#include "meta/journal_msg.h"

#define JOURNAL_REPLICAS_MAX 7
#define JOURNAL_RING_MAX     65536 /* slots a replica keeps */
#define JOURNAL_FLUSH_MAX    4096  /* slots applied and not flushed: what phase 1 asks for */
#define JOURNAL_WINDOW_MAX   256   /* slots proposed and not chosen */
#define JOURNAL_READS_MAX    256   /* strict reads waiting */
#define JOURNAL_APPLIES_MAX  64    /* entries being applied */

#define JOURNAL_MS              INT64_C(1000000)
#define JOURNAL_ELECTION_MIN_NS (300 * JOURNAL_MS)
#define JOURNAL_ELECTION_MAX_NS (600 * JOURNAL_MS)
#define JOURNAL_PREPARE_MIN_NS  (900 * JOURNAL_MS) /* for a majority of promises */
#define JOURNAL_PREPARE_MAX_NS  (1800 * JOURNAL_MS)
#define JOURNAL_HEARTBEAT_NS    (50 * JOURNAL_MS)
#define JOURNAL_ALONE_NS        (10000 * JOURNAL_MS) /* instead, when there is nobody to hear it */
#define JOURNAL_RESEND_NS       (100 * JOURNAL_MS)
#define JOURNAL_LONELY_NS       (400 * JOURNAL_MS) /* a leader unheard by a majority gives up */
#define JOURNAL_STALL_NS        (600 * JOURNAL_MS) /* of a sync: such a replica does not lead */

struct journal_slot {
    struct px_ballot ballot; /* none: nothing was accepted */
    struct journal_entry *entry;
    uint64_t persist; /* batch that makes it durable */
    uint64_t token;   /* leader: who waits for it; 0: nobody */
};

struct journal_config {
    uint32_t pid, inc; /* who this is; inc: a new one at every start */
    uint32_t ring;     /* slots kept at most, 8 .. JOURNAL_RING_MAX */
    uint32_t window;   /* 1 .. JOURNAL_WINDOW_MAX, at most ring / 2 */
    uint32_t kept;     /* slots to keep below the flushed one, for replicas that come back */
    size_t ring_bytes; /* entry bytes kept; proposals are refused beyond */
    struct journal_slot *slots, *found; /* `ring` of each; lent until close */
};

enum journal_role { JOURNAL_FOLLOWER, JOURNAL_ASKING, JOURNAL_PREPARING, JOURNAL_LEADING };

enum journal_event_kind {
    JOURNAL_EV_TIMER,     /* journal_wake_ns() has come; may come at any time */
    JOURNAL_EV_MESSAGE,   /* from, msg */
    JOURNAL_EV_PERSISTED, /* batches up to `persist` are durable */
    JOURNAL_EV_APPLIED,   /* entries up to `slot` */
    JOURNAL_EV_FLUSHED,   /* the namespace is durable up to `slot` */
    JOURNAL_EV_PROPOSE,   /* proposals, in this order */
    JOURNAL_EV_READ,      /* token: a strict read */
    JOURNAL_EV_INSTALLED, /* a snapshot at `slot` is the namespace now, durably; 0: it failed */
    JOURNAL_EV_CONFIG,    /* epoch, pids; open: false: fenced, nothing is answered until it is */
};

struct journal_proposal {
    struct journal_entry *entry; /* lent; the journal takes its own reference */
    uint64_t token;              /* not 0 */
};

struct journal_event {
    enum journal_event_kind kind;
    int64_t now_ns;  /* monotonic */
    uint64_t random; /* fresh 64 bits */
    uint32_t from;   /* pid, proven by the connection */
    const struct journal_msg *msg;
    uint64_t persist, slot, token, epoch;
    const struct journal_proposal *proposals;
    unsigned count; /* of proposals (up to JOURNAL_ITEMS_MAX), of pids */
    const uint32_t *pids;
    bool open;
};

struct journal_send {
    uint32_t to; /* pid */
    struct journal_msg msg;
};

struct journal_apply {
    uint64_t slot;
    struct journal_entry *entry; /* NULL: only the slot number changes */
    uint64_t token; /* proposed here: tell this caller what applying it answered. 0: nobody */
};

enum journal_answer_kind {
    JOURNAL_READ_NOW,   /* a strict read may be served from what is applied */
    JOURNAL_NOT_LEADER, /* nothing was done: ask the leader (journal_leader()) */
    JOURNAL_BUSY,       /* nothing was done: a full window, or an election; soon again */
    JOURNAL_UNKNOWN,    /* proposed, and may or may not be applied: ask again, same request id */
};

struct journal_answer {
    uint64_t token;
    enum journal_answer_kind kind;
};

#define JOURNAL_SENDS_MAX   (4 * JOURNAL_REPLICAS_MAX + 8)
#define JOURNAL_PUTS_MAX    (2 * JOURNAL_ITEMS_MAX)
#define JOURNAL_ANSWERS_MAX (JOURNAL_WINDOW_MAX + JOURNAL_READS_MAX + JOURNAL_ITEMS_MAX)
#define JOURNAL_OUT_ITEMS   (JOURNAL_ITEMS_MAX * (JOURNAL_REPLICAS_MAX + 1))

/* What to do now. Entries and items are lent until the next step. Not zeroed beyond the counts. */
struct journal_actions {
    unsigned sends, puts, applies, answers, items; /* how many there are */
    uint64_t persist;          /* not 0: make puts and head durable, then report this number */
    struct px_ballot promised; /* the head, when persist is not 0 */
    uint64_t first;            /* the head: forget slots below */
    bool flush;                /* make the namespace durable, then report JOURNAL_EV_FLUSHED */
    uint32_t install_from;     /* not 0: fetch a snapshot from this pid; report INSTALLED,
                                  soon, also when it came to nothing */
    uint64_t config_epoch;     /* not 0: this epoch was heard of from config_from: fetch it */
    uint32_t config_from;
    struct journal_send send[JOURNAL_SENDS_MAX];
    struct journal_item put[JOURNAL_PUTS_MAX]; /* slots of the acceptor */
    struct journal_apply apply[JOURNAL_APPLIES_MAX];
    struct journal_answer answer[JOURNAL_ANSWERS_MAX];
    struct journal_item item[JOURNAL_OUT_ITEMS];
};

struct journal;
/* Its fields are in meta/journal_state.h: nobody outside the journal's own files and tests. */

/* A replica from what is durable: zeroed first. Then journal_restore() for every slot record, then
 * journal_start(). promised, first: the head; first is 1 in a new acceptor.
 * -EINVAL: a limit out of range. */
int journal_init(struct journal *j, const struct journal_config *config,
                 const struct px_ballot *promised, uint64_t first);
void journal_close(struct journal *j); /* puts all entries; forgives zeroed and twice */
/* -VS_ECORRUPT: a slot below first or beyond the ring, or a ballot above the promise. */
int journal_restore(struct journal *j, uint64_t slot, const struct px_ballot *ballot,
                    struct journal_entry *entry);
/* flushed: applied to the namespace as it is on disk. installed: slot of the snapshot it grew from
 * (0: none). The configuration follows as JOURNAL_EV_CONFIG. -VS_EFORGOT: the acceptor holds less
 * than the namespace has applied. */
int journal_start(struct journal *j, int64_t now_ns, uint64_t flushed, uint64_t installed);

/* Always succeeds; what it cannot do is an answer. `out` need not be cleared. */
void journal_step(struct journal *j, const struct journal_event *ev, struct journal_actions *out);
/* When the next JOURNAL_EV_TIMER is due; may lie in the past. */
int64_t journal_wake_ns(const struct journal *j);

enum journal_role journal_role(const struct journal *j);
uint32_t journal_leader(const struct journal *j); /* pid of the leader last heard of; 0: none */
uint64_t journal_applied(const struct journal *j);
/* How many proposals it takes now: 0 while it leads and its window or ring is full; as many as may
 * come while it does not lead, since they are answered at once. */
unsigned journal_room(const struct journal *j);
uint64_t journal_commit(const struct journal *j); /* chosen up to here, as far as is known */

#endif
