/* journal_fence: see the header. Failure: a record that no replica could have is refused; the
 * change of membership begins again with another member. */
#include "meta/journal_fence.h"
#include "common/err.h"
#include <string.h>

void journal_base_init(struct journal_base *b, struct journal_slot *slots, uint32_t ring)
{
    *b = (struct journal_base){ .slots = slots, .ring = ring, .first = 1 };
    memset(slots, 0, ring * sizeof(*slots));
}

static void base_forget(struct journal_base *b, uint64_t slot)
{
    struct journal_slot *s = &b->slots[slot % b->ring];

    journal_entry_put(s->entry);
    *s = (struct journal_slot){ 0 };
}

void journal_base_close(struct journal_base *b)
{
    for (uint32_t n = 0; n < b->ring; n++)
        base_forget(b, n);
    *b = (struct journal_base){ 0 };
}

void journal_base_head(struct journal_base *b, uint64_t first)
{
    for (uint32_t n = 0; n < b->ring && b->first + n < first; n++)
        base_forget(b, b->first + n);
    if (first > b->first)
        b->first = first;
    if (b->last < b->first)
        b->last = 0;
}

int journal_base_record(struct journal_base *b, uint64_t slot, const struct px_ballot *ballot,
                        struct journal_entry *entry)
{
    struct journal_slot *s = &b->slots[slot % b->ring];

    if (slot < b->first)
        return 0; /* another member of F holds a snapshot above it */
    if (slot - b->first >= b->ring || px_ballot_is_none(ballot))
        return -VS_ECORRUPT;
    if (px_ballot_cmp(ballot, &s->ballot) <= 0)
        return 0;
    journal_entry_get(entry);
    journal_entry_put(s->entry);
    *s = (struct journal_slot){ .ballot = *ballot, .entry = entry };
    if (slot > b->last)
        b->last = slot;
    if (px_ballot_cmp(ballot, &b->promised) > 0)
        b->promised = *ballot;
    return 0;
}
