/* snap_give: the asked replica's side of a snapshot: views of the namespace that are being handed
 * out, a piece at a time.
 *
 * Happy path: an ask without a number makes a view of what is applied now and gives its first
 * piece; each following ask gives the next one, and the last ask's piece again if its answer was
 * lost. What is applied meanwhile is not in it. An ask for what is behind the last piece ends it.
 * Failure: a view costs disk and memory while it is open, so there are few, and one that nobody
 * asks for is given up; so is one whose namespace was replaced.
 *
 * Threads: one at a time; the owner serialises calls. */
#ifndef VS_META_SNAP_GIVE_H
#define VS_META_SNAP_GIVE_H

#include "meta/dump.h"
#include "meta/kv.h"
#include "meta/px_msg_snap.h"

#define SNAP_GIVE_MAX      2 /* at once */
#define SNAP_GIVE_LAPSE_NS (30 * INT64_C(1000000000))

struct snap_given {
    uint64_t id;   /* 0: free */
    uint32_t from; /* who asks */
    uint64_t slot;
    uint64_t offset; /* of the piece given last */
    size_t len;      /* of it */
    int64_t asked_ns;
    bool is_ended; /* nothing is behind what `bytes` holds */
    struct kv_view *view;
    struct dump_out out;
    struct vs_buf bytes; /* that piece, and what was made beyond it */
};

struct snap_give {
    struct kv *ns; /* lent */
    struct vs_id cluster;
    uint64_t last_id;
    struct snap_given given[SNAP_GIVE_MAX];
};

/* first_id: numbers begin behind it; a random one, so that none of a former start is met again. */
void snap_give_init(struct snap_give *g, struct kv *ns, const struct vs_id *cluster,
                    uint64_t first_id);
void snap_give_close(struct snap_give *g); /* forgives zeroed and closed */

/* The answer to an ask of replica `from`, which has one at a time: a new one ends its last. The
 * answer's bytes are lent until the next call. */
void snap_give_ask(struct snap_give *g, uint32_t from, const struct px_snap *ask, int64_t now_ns,
                   struct px_snap *ret);
/* Give up what nobody has asked for in SNAP_GIVE_LAPSE_NS. How many are left. */
unsigned snap_give_lapse(struct snap_give *g, int64_t now_ns);

#endif
