/* upload_machine: see upload_machine.h. Failure modes: none of its own; every input gives an
 * answer. */
#include "ingest/upload_machine.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mix.h"
#include "meta/placement.h"

#include <math.h>
#include <stdlib.h>

bool um_may_move(enum um_state from, enum um_state to)
{
    static const uint8_t moves[UM_ENDED + 1] = {
        [UM_QUEUED] = 1u << UM_CODING | 1u << UM_ENDED,
        [UM_CODING] = 1u << UM_PUTTING | 1u << UM_ENDED,
        [UM_PUTTING] = 1u << UM_CODING | 1u << UM_PLACING | 1u << UM_ENDED,
        [UM_PLACING] = 1u << UM_PLACED | 1u << UM_ENDED,
    };

    return (moves[from] >> to & 1u) != 0;
}

/* What a chunk is to have, as long as enough stores are there. */
static const struct vs_redundancy um_wanted = { VS_RED_RS, 3, 2 };

struct candidate {
    uint8_t entry;
    uint64_t free_bytes;
    double score;
};

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (int)x->entry - (int)y->entry;
}

static int by_entry(const void *a, const void *b)
{
    return (int)((const struct candidate *)a)->entry - (int)((const struct candidate *)b)->entry;
}

/* Take `wanted` of the candidates, the heavier the likelier, and put them into fragment order. */
static void choose(struct candidate *c, unsigned count, unsigned wanted, uint64_t turn,
                   struct um_place *ret)
{
    if (count > wanted) {
        for (unsigned i = 0; i < count; i++) {
            uint64_t h = vs_mix64(vs_mix64(turn) + c[i].entry + 1);
            double u = ((double)(h >> 11) + 0.5) / (double)(UINT64_C(1) << 53); /* in (0, 1) */

            c[i].score = -((double)c[i].free_bytes + 1) / log(u);
        }
        qsort(c, count, sizeof(*c), by_score);
    }
    qsort(c, wanted, sizeof(*c), by_entry);
    ret->count = wanted;
    for (unsigned i = 0; i < wanted; i++)
        ret->entry[i] = c[(turn + i) % wanted].entry;
}

static bool is_reachable(const struct um_store *s, bool silent_too)
{
    return s->up && !s->left_out && (silent_too || !s->silent);
}

static int place_on(const struct um_store *stores, unsigned count, uint64_t turn,
                    uint32_t chunk_bytes, bool silent_too, struct um_place *ret)
{
    struct candidate c[UM_STORES_MAX];
    struct vs_redundancy whole, red;
    unsigned reachable = 0, usable = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!is_reachable(&stores[i], silent_too))
            continue;
        reachable++;
        if (!stores[i].full)
            c[usable++] = (struct candidate){ (uint8_t)i, stores[i].free_bytes, 0 };
    }
    whole = placement_form(&um_wanted, reachable, count);
    /* Fewer stores mean longer fragments, which fit on fewer stores: until nothing changes. */
    for (;;) {
        unsigned kept = 0;
        uint64_t needed;

        red = placement_form(&um_wanted, usable, count);
        if (red.kind == VS_RED_NONE)
            break;
        needed = vs_ec_fragment_bytes(chunk_bytes, red.k) + UM_RECORD_EXTRA_BYTES;
        for (unsigned i = 0; i < usable; i++) {
            if (c[i].free_bytes >= needed)
                c[kept++] = c[i];
        }
        if (kept == usable)
            break;
        usable = kept;
    }
    /* Want of space may cost a step, but not lead from coding to copies: they take more of it. */
    if (usable < reachable && (whole.k > 1 ? red.k < 2 : whole.k > red.k))
        return -ENOSPC;
    if (red.kind == VS_RED_NONE)
        return -EIO;
    ret->red = red;
    choose(c, usable, red.k + red.m, turn, ret);
    return 0;
}

int um_place(const struct um_store *stores, unsigned count, uint64_t turn, uint32_t chunk_bytes,
             bool may_wait, struct um_place *ret)
{
    int r;

    VS_ASSERT(count <= UM_STORES_MAX);
    r = place_on(stores, count, turn, chunk_bytes, false, ret);
    if (r == -EIO && may_wait)
        r = place_on(stores, count, turn, chunk_bytes, true, ret);
    return r;
}

enum um_verdict um_after_put(const enum um_put *puts, unsigned count)
{
    bool waiting = false;

    for (unsigned i = 0; i < count; i++) {
        if (puts[i] == UM_PUT_FAILED)
            return UM_RECODE;
        waiting = waiting || puts[i] == UM_PUT_WAITING;
    }
    return waiting ? UM_WAIT : UM_DURABLE;
}

bool um_is_silent(int64_t asked_ns, int64_t answered_ns, int64_t now_ns)
{
    int64_t heard_ns = answered_ns > asked_ns ? answered_ns : asked_ns;

    return now_ns - heard_ns >= UM_SILENT_MS * VS_NS_PER_MS ||
           now_ns - asked_ns >= UM_STUCK_MS * VS_NS_PER_MS;
}

enum um_verdict um_after_silence(bool replaceable, int64_t asked_ns, int64_t now_ns)
{
    if (replaceable)
        return UM_RECODE;
    return now_ns - asked_ns >= UM_STALL_MS * VS_NS_PER_MS ? UM_FAIL : UM_WAIT;
}

unsigned um_ids_next(unsigned last)
{
    if (last == 0)
        return UM_IDS_FIRST;
    return last >= UM_IDS_MAX / 2 ? UM_IDS_MAX : last * 2;
}

bool um_ids_are_low(unsigned left, unsigned last)
{
    return left <= last / 4;
}

uint64_t um_plan_end(uint64_t last_cut, uint64_t end, uint64_t parsed, bool over, uint64_t hold_max)
{
    if (over || parsed >= end || end - last_cut >= hold_max)
        return end;
    return parsed > last_cut ? parsed : last_cut;
}

bool um_has_room(uint64_t used, uint64_t budget, bool idle)
{
    return used <= (idle ? budget : budget - budget / 16);
}
