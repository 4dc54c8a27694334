/* journal_msg: what replicas of the journal tell each other, decoded (docs/CHUNKPAXOS.md, "The
 * journal"). The wire form is px_msg's.
 *
 * Every request carries the sender's epoch and a ballot; its answer repeats both, so that an answer
 * counts for this very attempt only. Who sent a message is known from the connection, not from it.
 *
 * Pure. Entries are shared by counting; all counts of one journal are changed by the thread that
 * steps it. */
#ifndef VS_META_JOURNAL_MSG_H
#define VS_META_JOURNAL_MSG_H

#include "meta/px.h"

/* Of one message: slots; entry bytes (one entry may be more). */
#define JOURNAL_ITEMS_MAX      64
#define JOURNAL_ITEM_BYTES_MAX (256u << 10)

/* The bytes of one slot. A no-op is NULL. `free` runs when the last reference is put. */
struct journal_entry {
    uint32_t refs;
    uint32_t len;
    const uint8_t *bytes;
    void (*free)(struct journal_entry *e);
};

struct journal_item {
    uint64_t slot;
    struct px_ballot ballot;     /* PROMISE: it was accepted with; ACCEPT: the message's */
    struct journal_entry *entry; /* NULL: no-op */
};

enum journal_msg_kind {
    JOURNAL_MSG_ASK = 1,      /* would you promise `ballot` from `slot` on? Changes nothing */
    JOURNAL_MSG_ASKED = 2,    /* I would */
    JOURNAL_MSG_PREPARE = 3,  /* phase 1: promise `ballot`, and tell what you have from `slot` on */
    JOURNAL_MSG_PROMISE = 4,  /* promised, durably; items from `slot` on; next: ask there for more
                                 (0: that was all); have: applied here */
    JOURNAL_MSG_ACCEPT = 5,   /* phase 2: items of consecutive slots; commit, safe, slot as in
                                 HEARTBEAT */
    JOURNAL_MSG_ACCEPTED = 6, /* have, flushed as in HEARD */
    JOURNAL_MSG_HEARTBEAT = 7, /* leader of `ballot`: commit: slots up to it are chosen; safe: a
                                  majority has flushed it; slot: lowest it can send; round: 0 is a
                                  notice that needs no answer */
    JOURNAL_MSG_HEARD = 8, /* I know of no higher ballot; repeats round. have: up to it all slots
                              are accepted with `ballot` or applied, durably; flushed: up to it
                              the namespace is durable here */
    JOURNAL_MSG_NACK = 9,  /* reason */
};

enum journal_nack {
    JOURNAL_NACK_NONE = 0,
    JOURNAL_NACK_PROMISED = 1, /* `promised` is higher */
    JOURNAL_NACK_SNAPSHOT = 2, /* slots below `slot` are not kept any more: install a snapshot */
    JOURNAL_NACK_HEARD = 3,    /* to ASK: a leader was heard a moment ago */
    JOURNAL_NACK_CONFIG = 4,   /* `epoch`, which is mine, is newer than yours */
};

/* Which fields count: by kind; the others are 0. */
struct journal_msg {
    uint8_t kind;   /* enum journal_msg_kind */
    uint8_t reason; /* enum journal_nack */
    uint16_t item_count;
    uint64_t epoch;
    struct px_ballot ballot;
    struct px_ballot promised;
    uint64_t slot, next;
    uint64_t commit, safe;
    uint64_t have, flushed;
    uint64_t round;
    const struct journal_item *items; /* lent; 0 .. JOURNAL_ITEMS_MAX */
};

static inline struct journal_entry *journal_entry_get(struct journal_entry *e)
{
    if (e != NULL)
        e->refs++;
    return e;
}

static inline void journal_entry_put(struct journal_entry *e)
{
    if (e != NULL && --e->refs == 0 && e->free != NULL)
        e->free(e);
}

#endif
