/* px_coord: the coordinator of a replica: many operations on registers at once, what they ask
 * gathered into frames, answers given to whom they belong.
 *
 * At most one operation per register. Asks to an acceptor leave together: at once when no frame to
 * it is on its way, otherwise after PX_COORD_GATHER_US or when the frame is full. After each call
 * the driver takes what is to be sent (px_coord_take) and what is done (px_coord_done), and sets
 * its timer to px_coord_wake_us(). docs/CHUNKPAXOS.md, "Proposers".
 *
 * Pure: memory is the caller's, time and randomness are arguments. Threads: one at a time. */
#ifndef VS_META_PX_COORD_H
#define VS_META_PX_COORD_H

#include "common/list.h"
#include "meta/px_propose.h"

#define PX_COORD_GATHER_US 1000
#define PX_COORD_OPS_MAX   65536
#define PX_COORD_MEMORY(n) (3 * (n)) /* pointers */
#define PX_COORD_NEVER_US  UINT64_MAX

/* One operation. Embed it; neither move nor free it before it is done. */
struct px_coord_op {
    struct px_propose propose;            /* the result, once it is done */
    int status;                           /* likewise */
    struct px_ask ask;                    /* private from here: what it asks now */
    struct vs_list out[PX_ACCEPTORS_MAX]; /* waits to leave to that acceptor */
    struct vs_list done;
    struct px_coord_op *next_id, *next_seq; /* of the same bucket */
    uint64_t due_us;
    unsigned heap_at;
    uint32_t timer;
};

struct px_coord_out {
    struct vs_list ops;
    unsigned waiting;
    unsigned frames;   /* on their way */
    uint64_t since_us; /* the oldest waits */
};

struct px_coord {
    struct px_proposer proposer;
    bool config;           /* an acceptor knows a newer epoch: fetch it, then px_coord_epoch() */
    unsigned ops, ops_max; /* private from here */
    unsigned buckets;      /* a power of two */
    struct px_coord_op **heap, **ids, **seqs;
    struct px_coord_out out[PX_ACCEPTORS_MAX];
    struct vs_list done;
};

/* memory: PX_COORD_MEMORY(ops_max) pointers, lent until the coordinator is not used any more.
 * who: seq goes on from there. -EINVAL: ops_max is not 1 .. PX_COORD_OPS_MAX. */
int px_coord_init(struct px_coord *c, const struct px_proposer *who, struct px_coord_op **memory,
                  unsigned ops_max);

/* Begin. 0; -EBUSY: an operation on that register is in flight; -EAGAIN: ops_max are. */
int px_coord_start(struct px_coord *c, struct px_coord_op *op, const struct px_wish *wish,
                   uint64_t now_us);

/* Give up: nobody waits for it any more. What it asked may still be decided. False: it is done, and
 * px_coord_done() will give it back; else the caller has it again now. */
bool px_coord_cancel(struct px_coord *c, struct px_coord_op *op);

/* An answer of acceptor `from`; to what is not in flight any more: ignored. draw: random. */
void px_coord_answer(struct px_coord *c, unsigned from, const struct px_head *head,
                     const struct px_answer *answer, uint64_t now_us, uint64_t draw);
/* The answers to one frame to it have come, or never will. */
void px_coord_returned(struct px_coord *c, unsigned to);

/* Time has passed. */
void px_coord_tick(struct px_coord *c, uint64_t now_us, uint64_t draw);
/* When px_coord_tick() or px_coord_take() has something to do; PX_COORD_NEVER_US. */
uint64_t px_coord_wake_us(const struct px_coord *c);

/* A newer configuration: everything in flight begins again in it. */
void px_coord_epoch(struct px_coord *c, uint64_t epoch, unsigned acceptors, uint64_t now_us);

/* Asks that leave to acceptor `to` now, in one frame: how many, at most max. They lend values of
 * their operations until the next call on `c`. Call until it returns 0. */
unsigned px_coord_take(struct px_coord *c, unsigned to, uint64_t now_us, struct px_ask *asks,
                       unsigned max);

/* The next operation that is done and has nothing to send, which the caller has again; NULL. Take
 * what may leave first, also for acceptors that cannot be reached. */
struct px_coord_op *px_coord_done(struct px_coord *c);
/* In flight under this number; NULL. */
struct px_coord_op *px_coord_find(const struct px_coord *c, uint64_t seq);

#endif
