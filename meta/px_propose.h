/* px_propose: one operation on one register, as its proposer drives it: create a fresh id in one
 * round trip, change by compare-and-set, read from a quorum.
 *
 * A machine without I/O. Each call fills a struct px_actions; the driver carries it out: sends the
 * ask to the acceptors of the mask (many operations share a frame), sets the timer (a later one
 * replaces it), or ends the operation. docs/CHUNKPAXOS.md, "Proposers".
 *
 * The value found is kept in `space`, which the caller lends; what the ask carries is lent by the
 * operation until the next call. -ETIMEDOUT means unknown: the change may be decided or may still
 * become so. A retry under the same op id recognises its own success.
 *
 * Pure: no memory of its own, no clock; randomness is an argument. Threads: none. */
#ifndef VS_META_PX_PROPOSE_H
#define VS_META_PX_PROPOSE_H

#include "meta/px_acceptor.h"

#define PX_BACKOFF_MIN_US     1000
#define PX_BACKOFF_MAX_US     64000
#define PX_PATIENCE_US        100000 /* for a majority of answers; doubles while there is none */
#define PX_PATIENCE_DOUBLINGS 5
#define PX_HEDGE_US           20000 /* for the answers of a read */
#define PX_ATTEMPTS_MAX       20

/* The proposer of a process and the configuration it believes in. */
struct px_proposer {
    uint32_t pid, inc;
    uint64_t epoch;
    unsigned acceptors; /* 1, 3 or 5; acceptor i is bit i of a mask */
    uint64_t seq;       /* number of the last operation */
};

enum px_goal {
    PX_CREATE, /* fix `value` for a fresh id, unless it has one */
    PX_CHANGE, /* value := fn(value) */
    PX_LOOK,   /* quorum read */
    PX_HINT, /* what any acceptor has accepted, decided or not; PX_LOOK if the first have nothing */
};

struct px_wish {
    enum px_goal goal;
    struct vs_id id;
    struct px_op op; /* of the client; all zero in PX_LOOK, PX_HINT */
    uint64_t round;  /* highest round the caller has seen there, to save a refusal; or 0 */
    /* PX_CREATE: this value is the one and only that was ever meant for the id when it was fresh. A
     * caller that changed its mind about the value since clears it, and never sets it again. */
    bool fresh;
    const uint8_t *value; /* PX_CREATE; lent until the operation is done */
    size_t value_len;
    px_change_fn *fn; /* PX_CHANGE; called again after every restart */
    void *arg;
    uint8_t *space; /* lent until the operation is done; NULL: what answers lend is lent as long */
    size_t space_len;
};

struct px_actions {
    uint32_t send_to; /* mask; 0: nothing */
    struct px_ask ask;
    uint32_t timer_us; /* 0: leave the timer alone */
    uint32_t timer;    /* to be handed to px_propose_timer() */
    bool config;       /* fetch the configuration, then px_propose_epoch() */
    bool done;         /* status, and the register as far as it is known */
    int status;
};

enum px_state { PX_IDLE, PX_ASKING0, PX_PREPARING, PX_ACCEPTING, PX_READING, PX_WAITING, PX_DONE };

struct px_propose {
    const struct px_proposer *proposer;
    struct px_wish wish;
    uint64_t seq, epoch, round_seen;
    enum px_state state; /* private from here, but for the result */
    unsigned attempts;
    uint32_t timer, said_yes, said_no;
    struct px_ballot ballot;
    bool uniform;                            /* all who promised had accepted the same ballot */
    int result;                              /* once what is being written is decided */
    struct px_ballot said[PX_ACCEPTORS_MAX]; /* accepted ballots, PX_READING */
    struct px_accepted next;                 /* what is being written */
    /* The result: the decided value, when status is 0 or a refusal of fn. */
    struct px_ballot at; /* all zero: the register is absent */
    struct px_accepted cur;
    uint64_t version; /* that this operation made, or saw */
};

/* Status at the end: 0; -ETIMEDOUT unknown; -VS_EEXISTS_OTHER (PX_CREATE) another value is decided;
 * -EMSGSIZE a value is longer than space; else the negative code of fn. */
void px_propose_start(struct px_propose *p, struct px_proposer *proposer,
                      const struct px_wish *wish, struct px_actions *ret);
/* from: number of the acceptor; draw: any random number. Answers to other operations, phases,
 * epochs or ballots change nothing. */
void px_propose_answer(struct px_propose *p, unsigned from, const struct px_head *head,
                       const struct px_answer *answer, uint64_t draw, struct px_actions *ret);
void px_propose_timer(struct px_propose *p, uint32_t timer, uint64_t draw, struct px_actions *ret);
/* The configuration in *proposer is another one now: begin again in it. */
void px_propose_epoch(struct px_propose *p, struct px_actions *ret);

#endif
