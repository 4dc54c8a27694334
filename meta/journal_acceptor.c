/* journal_acceptor: what a replica stores, and what it may say about it.
 *
 * One promise for all slots, one record per slot. Happy path: a record or a promise goes into the
 * batch of this step; when the batch is durable, whoever asked is told. Failure modes: a lower
 * ballot is refused with the promise; a slot that is not kept any more is refused with the lowest
 * that is: an empty answer would let a no-op take the place of what was chosen there; a full ring
 * takes nothing, as if the message had been lost. */
#include "common/assert.h"
#include "meta/journal_state.h"
#include "meta/px_mutant.h"

/* ---- phase 1 ---- */

void journal_on_prepare(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    int c = px_ballot_cmp(&msg->ballot, &j->promised);

    /* The same ballot again: its candidate lost the answer, or wants the next part of it. */
    if (c < 0 || msg->ballot.pid != from || msg->ballot.round == 0) {
        journal_nack(j, from, msg, JOURNAL_NACK_PROMISED);
        return;
    }
    if (msg->slot < j->first && PX_MUTANT != 15) {
        journal_nack(j, from, msg, JOURNAL_NACK_SNAPSHOT);
        return;
    }
    if (c > 0) {
        j->promised = msg->ballot;
        journal_dirty(j);
    }
    j->promise.to = from;
    j->promise.ballot = msg->ballot;
    j->promise.slot = msg->slot;
    j->promise.persist = j->issued;
}

/* One message's worth of what is accepted from `slot` on; returns where it goes on, 0: it ends. */
static uint64_t acceptor_tell(struct journal *j, uint64_t slot, struct journal_msg *msg)
{
    size_t bytes = 0;

    msg->items = &j->out->item[j->out->items];
    if (slot < j->first)
        slot = j->first;
    for (; slot <= j->last; slot++) {
        const struct journal_slot *s = journal_at(j, slot);

        if (px_ballot_is_none(&s->ballot))
            continue;
        bytes += s->entry != NULL ? s->entry->len : 0;
        if (msg->item_count == JOURNAL_ITEMS_MAX || j->out->items == JOURNAL_OUT_ITEMS ||
            (msg->item_count > 0 && bytes > JOURNAL_ITEM_BYTES_MAX))
            return slot;
        j->out->item[j->out->items++] =
            (struct journal_item){ .slot = slot, .ballot = s->ballot, .entry = s->entry };
        msg->item_count++;
    }
    return 0;
}

/* The promise is told when it is durable, with the records as they are then: none can have been
 * added since but by this very ballot. */
static void acceptor_promise(struct journal *j)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_PROMISE,
                               .ballot = j->promised,
                               .slot = j->promise.slot,
                               .have = j->applied };
    uint32_t to = j->promise.to;

    if (to == 0 || j->promise.persist > j->persisted)
        return;
    j->promise.to = 0;
    if (px_ballot_cmp(&j->promise.ballot, &j->promised) != 0)
        return; /* a higher one was promised since, and may not be durable */
    if (msg.slot < j->first && PX_MUTANT != 15) {
        journal_nack(j, to, &msg, JOURNAL_NACK_SNAPSHOT); /* truncated since */
        return;
    }
    msg.next = acceptor_tell(j, msg.slot, &msg);
    journal_send(j, to, &msg);
}

/* ---- phase 2 ---- */

/* HELD: it is there already; which batch holds it is in the record. */
enum journal_verdict journal_accept(struct journal *j, const struct px_ballot *b, uint64_t slot,
                                    struct journal_entry *e)
{
    struct journal_slot *s = journal_at(j, slot);

    if (px_ballot_cmp(b, &j->promised) < 0)
        return JOURNAL_REFUSED;
    if (slot < j->first)
        return JOURNAL_BELOW;
    if (slot - j->first >= j->config.ring || j->out->puts == JOURNAL_PUTS_MAX)
        return JOURNAL_FULL;
    if (px_ballot_cmp(b, &s->ballot) == 0)
        return JOURNAL_HELD;
    VS_ASSERT(px_ballot_cmp(b, &s->ballot) > 0); /* I3: no record is above the promise */
    j->promised = *b;
    if (s->token != 0) /* proposed here, by a leader that is none any more */
        journal_answer(j, s->token, JOURNAL_UNKNOWN);
    if (s->entry != NULL)
        j->bytes -= s->entry->len;
    journal_entry_put(s->entry);
    *s = (struct journal_slot){ .ballot = *b,
                                .entry = journal_entry_get(e),
                                .persist = journal_dirty(j) };
    if (e != NULL)
        j->bytes += e->len;
    if (slot > j->last)
        j->last = slot;
    j->out->put[j->out->puts++] =
        (struct journal_item){ .slot = slot, .ballot = *b, .entry = s->entry };
    return JOURNAL_TAKEN;
}

void journal_on_accept(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    bool is_below = false, is_new = false;

    if (msg->ballot.pid != from || msg->item_count == 0)
        return;
    for (unsigned i = 0; i < msg->item_count; i++) {
        enum journal_verdict v =
            journal_accept(j, &msg->ballot, msg->items[i].slot, msg->items[i].entry);

        if (v == JOURNAL_REFUSED) {
            journal_nack(j, from, msg, JOURNAL_NACK_PROMISED);
            return;
        }
        is_below |= v == JOURNAL_BELOW;
        is_new |= v == JOURNAL_TAKEN;
    }
    if (is_below)
        journal_nack(j, from, msg, JOURNAL_NACK_SNAPSHOT);
    if (px_ballot_cmp(&j->ack, &msg->ballot) != 0 || !is_new)
        j->acked = 0; /* tell, or tell again */
    j->ack = msg->ballot;
    /* A leader that was deposed learns it from its acceptors, its own one like the others
     * (journal_read.c): what others send to its acceptor is no business of its own. */
    if (j->role != JOURNAL_LEADING)
        journal_follow(j, msg);
}

/* `b` is cached: it is nearly always the same. */
uint64_t journal_have(struct journal *j, const struct px_ballot *b)
{
    if (px_ballot_cmp(b, &j->have_ballot) != 0) {
        j->have_ballot = *b;
        j->have = 0;
    }
    if (j->have < j->applied)
        j->have = j->applied;
    while (j->have < j->last) {
        const struct journal_slot *s = journal_at(j, j->have + 1);

        if (px_ballot_cmp(&s->ballot, b) != 0 || s->persist > j->persisted)
            break;
        j->have++;
    }
    return j->have;
}

static void acceptor_ack(struct journal *j)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_ACCEPTED,
                               .ballot = j->ack,
                               .flushed = j->flushed };

    if (px_ballot_is_none(&j->ack))
        return;
    msg.have = journal_have(j, &j->ack);
    if (msg.have <= j->acked)
        return;
    j->acked = msg.have;
    journal_send(j, j->ack.pid, &msg);
}

void journal_acceptor_pump(struct journal *j)
{
    if (!j->is_open || !j->is_member)
        return;
    acceptor_promise(j);
    acceptor_ack(j);
}

/* ---- truncation ---- */

/* Slots go that a majority, this replica included, has applied and flushed; a snapshot of what is
 * applied can be made at any time, so there is always one at or above. In steps, since each is a
 * batch, and some stay for replicas that come back; but not when their bytes are too many. */
void journal_truncate(struct journal *j)
{
    uint64_t gone = j->safe < j->flushed ? j->safe : j->flushed;
    bool is_tight = j->bytes > j->config.ring_bytes / 2;
    uint64_t step = is_tight ? 1 : j->config.ring / 8;
    uint64_t kept = is_tight ? 0 : j->config.kept;

    if (gone + 1 < j->first + kept + step)
        return;
    if (j->out->puts > 0 || j->out->items > 0)
        return; /* entries of this step's actions stay */
    gone -= kept;
    for (unsigned n = 0; n < j->config.ring && j->first + n <= gone; n++) {
        struct journal_slot *s = journal_at(j, j->first + n);

        if (s->entry != NULL)
            j->bytes -= s->entry->len;
        journal_entry_put(s->entry);
        *s = (struct journal_slot){ 0 };
    }
    j->first = gone + 1;
    if (j->last < j->first)
        j->last = 0;
    VS_ASSERT(j->first <= j->flushed + 1);
    journal_dirty(j);
}
