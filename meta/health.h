/* health: what is known of the storage nodes: who is there, since when, what may be asked of them.
 *
 * A node registers when it starts and sends a heartbeat each second. Silence of 2 s makes it
 * SUSPECT (readers have moved on by themselves long before), of 5 s DOWN, and a minute later its
 * fragments are repaired elsewhere. No safety rests on this: a wrong guess costs work, never bytes.
 *
 *   UP        silent 2 s -> SUSPECT; drain asked -> DRAINING
 *   DRAINING  silent 2 s -> SUSPECT; drain no longer asked -> UP; removed -> GONE
 *   SUSPECT   heard -> UP or DRAINING; silent 5 s -> DOWN
 *   DOWN      heard -> UP or DRAINING; removed -> GONE
 *   GONE      for ever
 *
 * At most one step per node and tick. The time in which nobody called is the observer's own pause,
 * not the nodes' silence: of each gap between calls at most HEALTH_STALL_MS count, so a frozen
 * observer that wakes up does not take all nodes for dead.
 *
 * Pure: times are arguments (monotonic ns), and never run back here. Threads: none. */
#ifndef VS_META_HEALTH_H
#define VS_META_HEALTH_H

#include "common/id.h"
#include <stdbool.h>
#include <stdint.h>

#define HEALTH_NODES_MAX  256
#define HEALTH_BEAT_MS    1000  /* nodes send one so often */
#define HEALTH_SUSPECT_MS 2000  /* of silence */
#define HEALTH_DOWN_MS    5000  /* of silence */
#define HEALTH_REPAIR_MS  60000 /* of being DOWN */
#define HEALTH_TICK_MS    250   /* call health_tick() so often */
#define HEALTH_STALL_MS   1000

enum health_state {
    HEALTH_UP,
    HEALTH_SUSPECT,
    HEALTH_DOWN,
    HEALTH_DRAINING, /* answers, and is being emptied: no new fragments */
    HEALTH_GONE,     /* removed; its number is never used again */
};
#define HEALTH_STATES 5

/* What a node says of itself, when it registers and with each heartbeat. */
struct health_beat {
    uint32_t node;     /* number in the metadata, from 1 */
    struct vs_id uuid; /* of its store */
    uint32_t boot;     /* counts its starts */
    uint64_t seq;      /* counts its messages of this start, from 1 */
    uint64_t free_bytes, total_bytes;
    bool writable; /* its store accepts puts */
};

struct health_node {
    struct health_beat last; /* the newest message */
    enum health_state state;
    bool drain;       /* asked for; shows as DRAINING while it answers */
    bool heard;       /* by this observer; false: known from the journal only */
    int64_t heard_ns; /* when it was heard last, without own pauses */
    int64_t since_ns; /* when it took on its state, without own pauses */
};

struct health {
    struct health_node nodes[HEALTH_NODES_MAX];
    unsigned count;
    int64_t now_ns;
};

/* What a list of nodes says of one beside what is recorded of it. */
struct health_now {
    bool known;    /* somebody listens to the nodes: a replica of the cluster's metadata */
    uint8_t state; /* enum health_state */
    bool heard;    /* false: what follows is not known */
    bool writable;
    uint64_t free_bytes, total_bytes, fragments;
};

struct health_change {
    uint32_t node;
    enum health_state from, to; /* the same: nothing changed */
};

void health_init(struct health *h, int64_t now_ns);

/* A node that the journal knows, when the observer starts. It is UP on credit: reads may try it, it
 * gets no data before it was heard, and has as long as any other to be heard. Known already: only
 * `drain` is taken over.
 * -ENOBUFS too many; -EINVAL number 0; -EEXIST the number belongs to another store. */
int health_load(struct health *h, int64_t now_ns, uint32_t node, const struct vs_id *uuid,
                bool drain);

/* The calls below return 1 when the node's state changed, and tell how in *ret; 0: it did not. */

/* A node has started. New: added, UP. A repetition changes nothing.
 * -EINVAL number 0; -ENOBUFS too many; -EEXIST the number belongs to another store;
 * -ESTALE it was removed, or a later start of it is known. */
int health_register(struct health *h, int64_t now_ns, const struct health_beat *b,
                    struct health_change *ret);

/* A heartbeat. One that is late or came twice is ignored: it revives nobody.
 * -ENOENT not registered, or its start is not: it must register; -EEXIST, -ESTALE as above. */
int health_beat(struct health *h, int64_t now_ns, const struct health_beat *b,
                struct health_change *ret);

/* Begin or end draining. -ENOENT unknown; -ESTALE it was removed. */
int health_drain(struct health *h, int64_t now_ns, uint32_t node, bool drain,
                 struct health_change *ret);

/* Remove a node: one that is DRAINING (and empty: the caller knows) or DOWN.
 * -ENOENT unknown; -ESTALE was removed before; -EBUSY drain it first. */
int health_remove(struct health *h, int64_t now_ns, uint32_t node, struct health_change *ret);

/* Time passes. Fills up to `max` changes and returns how many; others wait for the next tick. */
unsigned health_tick(struct health *h, int64_t now_ns, struct health_change *changes, unsigned max);

/* NULL: unknown. Borrowed until the next call that is not const. */
const struct health_node *health_find(const struct health *h, uint32_t node);

/* May new fragments go there? Reads may be tried on all but DOWN and GONE. */
bool health_takes_data(const struct health_node *n);

/* Has it been DOWN for so long, or is it GONE, that its fragments are to be made elsewhere? */
bool health_wants_repair(const struct health *h, const struct health_node *n);

/* Is there such a move? Every change of state is asserted by it. */
bool health_may_move(enum health_state from, enum health_state to);

/* "up", "suspect", "down", "draining", "gone". Static. */
const char *health_state_text(enum health_state s);

#endif
