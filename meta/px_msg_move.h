/* px_msg_move: what replicas tell each other when the membership changes, as bytes: a message and
 * as many whole registers as a frame takes. Who asks whom and when: docs/CHUNKPAXOS.md,
 * "Membership"; the rules are px_fence's.
 *
 * Long lists go in pages: an answer says `more`, and the next ask names the last id it brought. The
 * mark that counts is the first page's: what changed while the later ones were on their way lies
 * above it.
 *
 * Pure: no allocation but growth of the caller's buffer. Threads: any. docs/FORMAT.md has every
 * byte. */
#ifndef VS_META_PX_MSG_MOVE_H
#define VS_META_PX_MSG_MOVE_H

#include "meta/px_frame.h"

#define PX_MOVE_CONFIG_BYTES_MAX 4096

enum px_move_kind {
    PX_MOVE_COPY = 1,     /* newcomer to an acceptor: what has it? records, rest, above, after */
    PX_MOVE_COPIED = 2,   /* records, rest, mark, more, registers */
    PX_MOVE_FENCE = 3,    /* newcomer to an acceptor: leave the epoch for this one; config */
    PX_MOVE_FENCED = 4,   /* left, durably; whole */
    PX_MOVE_OPEN = 5,     /* late member to the newcomer: what does the epoch begin with? after */
    PX_MOVE_OPENED = 6,   /* members, more, registers */
    PX_MOVE_GATHER = 7,   /* late member to one that votes: what has it? after */
    PX_MOVE_GATHERED = 8, /* more, registers */
    PX_MOVE_WHO = 9,      /* where do you stand? Anybody may ask */
    PX_MOVE_STATE = 10, /* epoch, config; whole: it votes in it; mark: epoch of the newest one that
                           its namespace knows; members: who votes with the records it has, bit i
                           for member i of config */
    PX_MOVE_TAIL = 11,  /* newcomer to one of F, late member to one that votes (whole): journal
                           records from slot `above` on; answered by a frame of the journal,
                           JOURNAL_MSG_PROMISE or JOURNAL_MSG_NACK */
};

/* Which fields count: by kind; the others are 0. */
struct px_move {
    uint8_t kind;          /* enum px_move_kind */
    bool records;          /* wanted, given; else only the mark */
    bool rest;             /* of a member of F, above its mark; else the background copy */
    bool whole;            /* it voted in the epoch that it left */
    bool more;             /* there are registers behind the last one of this frame */
    uint64_t epoch;        /* that is being entered */
    uint64_t above;        /* only what changed after that batch; 0: all */
    uint64_t mark;         /* batches durable where the registers come from */
    uint32_t members;      /* F, bit i for acceptor i of the epoch before */
    struct vs_id after;    /* only ids behind it; zeros: from the first */
    const uint8_t *config; /* the configuration of the epoch, encoded; lent */
    size_t config_len;
};

struct px_move_out {
    struct px_frame_out frame;
    size_t bits_at;
};

/* Begin a frame at the end of `buf`; move->more is said at the end. -EINVAL: an unknown kind, a
 * configuration that is too long; -ENOMEM. On error nothing was begun. */
int px_move_begin(struct px_move_out *o, struct vs_buf *buf, const struct px_head *head,
                  const struct px_move *move);
/* -EMSGSIZE: the frame is full: end it with `more` (an empty one takes any register). -EINVAL: a
 * value beyond its limit, or accepted above promised; -ENOMEM. On error the frame is as it was. */
int px_move_add(struct px_move_out *o, const struct vs_id *id, const struct px_reg *reg);
/* -ENOMEM: nothing of the frame is left in the buffer. */
int px_move_end(struct px_move_out *o, bool more);

struct px_move_in {
    struct px_head head;
    struct px_move move;
    unsigned left; /* registers not handed out yet */
    struct vs_rd rest;
};

/* -VS_ECORRUPT: also for other kinds of frames; -VS_ENEWER. Checked to its end. */
int px_move_open(const void *bytes, size_t len, struct px_move_in *ret);
/* The next register, its value lent; false: that was all. */
bool px_move_next(struct px_move_in *in, struct vs_id *ret_id, struct px_reg *ret);

#endif
