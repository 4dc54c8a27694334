/* px_msg: what metadata replicas tell each other, as bytes: asks and answers of registers, many in
 * a frame, and the messages of the journal, one in a frame. The frame around them, with cluster,
 * epoch and sender, is px_frame's.
 *
 * There is one way to write each message, and what does not decode to the end is refused as a
 * whole, before the first entry is handed out. Decoded values and entries point into the frame's
 * bytes, which are lent.
 *
 * Pure: no allocation but growth of the caller's buffer. Threads: any. docs/FORMAT.md has every
 * byte. */
#ifndef VS_META_PX_MSG_H
#define VS_META_PX_MSG_H

#include "meta/journal_msg.h"
#include "meta/px_frame.h"

/* ---- registers: asks and answers ------------------------------------------------------------- */

/* A frame of registers being written at the end of a buffer. */
struct px_msg_out {
    struct px_frame_out frame;
    uint8_t kind;      /* PX_FRAME_ASKS or PX_FRAME_ANSWERS */
    uint32_t pid, inc; /* of who asks: all ballots are its own */
};

/* -ENOMEM. On error nothing was begun. asked_by: head of the asks that are answered. */
int px_msg_begin_asks(struct px_msg_out *o, struct vs_buf *buf, const struct px_head *head);
int px_msg_begin_answers(struct px_msg_out *o, struct vs_buf *buf, const struct px_head *head,
                         const struct px_head *asked_by);

/* -EMSGSIZE: the frame is full (an empty one takes any entry): end it and begin the next.
 * -EINVAL: not an ask or answer: a ballot that is not its proposer's, an unknown phase or word, a
 * value beyond PX_VALUE_BYTES_MAX. -ENOMEM. On error the frame is as it was. */
int px_msg_add_ask(struct px_msg_out *o, const struct px_ask *ask);
int px_msg_add_answer(struct px_msg_out *o, const struct px_answer *answer);

/* -ENOMEM: nothing of the frame is left in the buffer. */
int px_msg_end(struct px_msg_out *o);

/* A frame of registers, checked to its end. */
struct px_msg_in {
    struct px_head head;
    uint8_t kind;  /* PX_FRAME_ASKS or PX_FRAME_ANSWERS */
    unsigned left; /* entries not handed out yet */
    uint32_t pid, inc;
    struct vs_rd rest;
};

/* -VS_ECORRUPT: also for other kinds; -VS_ENEWER */
int px_msg_open(const void *bytes, size_t len, struct px_msg_in *ret);
/* The next one; false when there is none, or not of that kind. */
bool px_msg_next_ask(struct px_msg_in *in, struct px_ask *ret);
bool px_msg_next_answer(struct px_msg_in *in, struct px_answer *ret);

/* ---- the journal ----------------------------------------------------------------------------- */

/* Append one frame. The head's epoch is the message's. -EMSGSIZE: entries are longer than a frame
 * takes; -EINVAL: an unknown kind or reason, too many items; -ENOMEM. On error buf is as it was. */
int px_msg_journal_encode(const struct px_head *head, const struct journal_msg *m,
                          struct vs_buf *buf);

/* Make an entry that holds a copy of `len` bytes, with one reference; NULL: no memory. */
typedef struct journal_entry *px_msg_entry_fn(void *arg, const uint8_t *bytes, uint32_t len);

/* items: room for JOURNAL_ITEMS_MAX; ret->items points to it. Each entry is made by `make`, once
 * the whole message has been checked; the caller puts them: px_msg_journal_put().
 * -VS_ECORRUPT: also for other kinds; -VS_ENEWER; -ENOMEM: no entry is left */
int px_msg_journal_decode(const void *bytes, size_t len, struct px_head *ret_head,
                          struct journal_msg *ret, struct journal_item items[],
                          px_msg_entry_fn *make, void *arg);
void px_msg_journal_put(struct journal_msg *m);

#endif
