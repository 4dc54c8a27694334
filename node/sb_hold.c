/* The records that are held, by place. Happy path: a short list per bucket. Failure modes: none;
 * the memory is the requests' own. */
#include "node/sb_hold.h"

#include "common/assert.h"
#include "node/sb_format.h"

static uint64_t place_of(uint64_t sb, uint64_t offset_block)
{
    return sb << 32 | offset_block;
}

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4): neighbours in a file go to different buckets. */
static unsigned bucket_of(uint64_t place)
{
    return (unsigned)(place * UINT64_C(0x9E3779B97F4A7C15) >> 56) % SB_HOLD_BUCKETS;
}

void sb_holds_init(struct sb_holds *t)
{
    for (unsigned i = 0; i < SB_HOLD_BUCKETS; i++)
        vs_list_init(&t->buckets[i]);
    t->count = 0;
}

void sb_holds_add(struct sb_holds *t, struct store_hold *h, uint64_t sb, uint32_t offset_block)
{
    h->place = place_of(sb, offset_block);
    vs_list_add_tail(&t->buckets[bucket_of(h->place)], &h->link);
    t->count++;
}

void sb_holds_remove(struct sb_holds *t, struct store_hold *h)
{
    VS_ASSERT(t->count > 0);
    vs_list_del(&h->link);
    t->count--;
}

bool sb_holds_cover(const struct sb_holds *t, uint64_t sb, uint64_t payload_offset)
{
    uint64_t place = place_of(sb, payload_offset / SB_BLOCK_BYTES - 1); /* the header before it */
    const struct vs_list *head = &t->buckets[bucket_of(place)], *pos;

    if (t->count == 0)
        return false;
    for (pos = head->next; pos != head; pos = pos->next)
        if (vs_container_of(pos, struct store_hold, link)->place == place)
            return true;
    return false;
}
