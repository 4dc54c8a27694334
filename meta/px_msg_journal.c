/* px_msg_journal: messages of the journal as bytes. See px_msg.h.
 *
 * Happy path: kind and ballot, the numbers that are not 0, then the items; an item says only what
 * differs from the one before it and from the message. Failure: anything that could have been
 * written shorter, or is unknown, is corrupt; entries are made only for a message that is whole. */
#include "meta/px_msg.h"

#include "common/err.h"
#include "meta/ns_types.h"

/* A field that is added there needs a place here. */
_Static_assert(sizeof(struct journal_msg) == 112, "journal_msg");
_Static_assert(sizeof(struct journal_item) == 32, "journal_item");

/* Which numbers follow; each one that does is not 0. */
#define HAS_PROMISED (1u << 0)
#define NUMBERS      7 /* slot next commit safe have flushed round: bits 1 .. 7 */

enum item_bits {
    ITEM_SLOT = 1, /* it is not the one behind the item before (the first: behind the message's) */
    ITEM_BALLOT = 2, /* it is not the message's */
    ITEM_ENTRY = 4,  /* no no-op */
    ITEM_BITS = 7,
};

static void numbers_of(const struct journal_msg *m, uint64_t n[NUMBERS])
{
    n[0] = m->slot;
    n[1] = m->next;
    n[2] = m->commit;
    n[3] = m->safe;
    n[4] = m->have;
    n[5] = m->flushed;
    n[6] = m->round;
}

static void numbers_to(const uint64_t n[NUMBERS], struct journal_msg *m)
{
    m->slot = n[0];
    m->next = n[1];
    m->commit = n[2];
    m->safe = n[3];
    m->have = n[4];
    m->flushed = n[5];
    m->round = n[6];
}

static bool is_known(uint8_t kind, uint8_t reason, unsigned items)
{
    return kind >= JOURNAL_MSG_ASK && kind <= JOURNAL_MSG_NACK && reason <= JOURNAL_NACK_CONFIG &&
           items <= JOURNAL_ITEMS_MAX;
}

/* The slot an item has when it does not say one. */
static uint64_t slot_behind(const struct journal_msg *m, unsigned i)
{
    return i == 0 ? m->slot : m->items[i - 1].slot + 1;
}

static void wr_item(struct vs_wr *w, const struct journal_msg *m, unsigned i)
{
    const struct journal_item *item = &m->items[i];
    uint8_t bits = 0;

    if (item->slot != slot_behind(m, i))
        bits |= ITEM_SLOT;
    if (px_ballot_cmp(&item->ballot, &m->ballot) != 0)
        bits |= ITEM_BALLOT;
    if (item->entry != NULL)
        bits |= ITEM_ENTRY;
    vs_wr_u8(w, bits);
    if (bits & ITEM_SLOT)
        vs_wr_u64(w, item->slot);
    if (bits & ITEM_BALLOT)
        px_frame_wr_ballot(w, &item->ballot);
    if (bits & ITEM_ENTRY)
        vs_wr_blob(w, item->entry->bytes, item->entry->len);
}

static void wr_body(struct vs_wr *w, const struct journal_msg *m)
{
    uint64_t numbers[NUMBERS];
    uint8_t bits = 0;

    numbers_of(m, numbers);
    if (!px_ballot_is_none(&m->promised))
        bits |= HAS_PROMISED;
    for (unsigned i = 0; i < NUMBERS; i++)
        bits |= (uint8_t)((numbers[i] != 0) << (i + 1));
    vs_wr_u8(w, m->kind);
    vs_wr_u8(w, m->reason);
    vs_wr_u8(w, bits);
    px_frame_wr_ballot(w, &m->ballot);
    if (bits & HAS_PROMISED)
        px_frame_wr_ballot(w, &m->promised);
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (numbers[i] != 0)
            vs_wr_u64(w, numbers[i]);
    }
    vs_wr_u16(w, m->item_count);
    for (unsigned i = 0; i < m->item_count; i++)
        wr_item(w, m, i);
}

int px_msg_journal_encode(const struct px_head *head, const struct journal_msg *m,
                          struct vs_buf *buf)
{
    struct px_head h = *head;
    struct px_frame_out f;
    struct vs_wr w;
    int r;

    if (!is_known(m->kind, m->reason, m->item_count))
        return -EINVAL;
    for (unsigned i = 0; i < m->item_count; i++) {
        if (m->items[i].entry != NULL && m->items[i].entry->len > NS_ENTRY_BYTES_MAX)
            return -EMSGSIZE;
    }
    h.epoch = m->epoch;
    r = px_frame_begin(&f, buf, PX_FRAME_JOURNAL, &h);
    if (r < 0)
        return r;
    f.count = 1;
    w = vs_wr_init(buf, f.bytes_max);
    wr_body(&w, m);
    if (w.err < 0) {
        px_frame_drop(&f);
        return w.err;
    }
    return px_frame_end(&f);
}

/* One item; its entry is lent, in *ret_bytes (NULL: no-op). */
static void rd_item(struct vs_rd *r, const struct journal_msg *m, uint64_t slot,
                    struct journal_item *ret, const uint8_t **ret_bytes, size_t *ret_len)
{
    uint8_t bits = vs_rd_u8(r);

    *ret = (struct journal_item){ .slot = slot, .ballot = m->ballot };
    *ret_bytes = NULL;
    *ret_len = 0;
    if (bits & ITEM_SLOT)
        ret->slot = vs_rd_u64(r);
    if (bits & ITEM_BALLOT)
        ret->ballot = px_frame_rd_ballot(r);
    if (bits & ITEM_ENTRY)
        *ret_bytes = vs_rd_blob(r, NS_ENTRY_BYTES_MAX, ret_len);
    if ((bits & ~ITEM_BITS) != 0 || ((bits & ITEM_SLOT) && ret->slot == slot) ||
        ((bits & ITEM_BALLOT) && px_ballot_cmp(&ret->ballot, &m->ballot) == 0))
        r->err = -VS_ECORRUPT;
}

/* Up to the items. */
static void rd_start(struct vs_rd *r, const struct px_head *head, struct journal_msg *ret)
{
    struct journal_msg m = { .epoch = head->epoch };
    uint64_t numbers[NUMBERS] = { 0 };
    uint8_t bits;

    m.kind = vs_rd_u8(r);
    m.reason = vs_rd_u8(r);
    bits = vs_rd_u8(r);
    m.ballot = px_frame_rd_ballot(r);
    if (bits & HAS_PROMISED) {
        m.promised = px_frame_rd_ballot(r);
        if (px_ballot_is_none(&m.promised))
            r->err = -VS_ECORRUPT;
    }
    for (unsigned i = 0; i < NUMBERS; i++) {
        if ((bits >> (i + 1) & 1) == 0)
            continue;
        numbers[i] = vs_rd_u64(r);
        if (numbers[i] == 0)
            r->err = -VS_ECORRUPT;
    }
    numbers_to(numbers, &m);
    m.item_count = vs_rd_u16(r);
    if (!is_known(m.kind, m.reason, m.item_count))
        r->err = -VS_ECORRUPT;
    *ret = m;
}

/* The items into m->items; with `make`, their entries, too. */
static int rd_items(struct vs_rd *r, struct journal_msg *m, struct journal_item items[],
                    px_msg_entry_fn *make, void *arg)
{
    unsigned count = m->item_count;
    uint64_t slot = m->slot;

    m->items = items;
    m->item_count = 0;
    for (unsigned i = 0; i < count && r->err == 0; i++) {
        const uint8_t *bytes;
        size_t len;

        rd_item(r, m, slot, &items[i], &bytes, &len);
        slot = items[i].slot + 1;
        m->item_count++;
        if (make == NULL || bytes == NULL)
            continue;
        items[i].entry = make(arg, bytes, (uint32_t)len);
        if (items[i].entry == NULL) {
            px_msg_journal_put(m);
            return -ENOMEM;
        }
    }
    return vs_rd_done(r);
}

int px_msg_journal_decode(const void *bytes, size_t len, struct px_head *ret_head,
                          struct journal_msg *ret, struct journal_item items[],
                          px_msg_entry_fn *make, void *arg)
{
    struct journal_msg m, check;
    struct px_frame frame;
    struct vs_rd r;
    int err = px_frame_open(bytes, len, &frame);

    if (err < 0)
        return err;
    if (frame.kind != PX_FRAME_JOURNAL || frame.count != 1)
        return -VS_ECORRUPT;
    rd_start(&frame.body, &frame.head, &m);
    if (frame.body.err < 0)
        return frame.body.err;
    check = m;
    r = frame.body;
    err = rd_items(&r, &check, items, NULL, NULL);
    if (err == 0)
        err = rd_items(&frame.body, &m, items, make, arg);
    if (err < 0)
        return err;
    *ret_head = frame.head;
    *ret = m;
    return 0;
}

void px_msg_journal_put(struct journal_msg *m)
{
    for (unsigned i = 0; i < m->item_count; i++)
        journal_entry_put(m->items[i].entry);
    m->item_count = 0;
}
