/* upload_machine: see upload_machine.h. Failure modes: none of its own; every input gives an
 * answer. */
#include "ingest/upload_machine.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/placement.h"

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

/* Whom a look at the stores lets in. */
struct look {
    bool suspect_too, silent_too;
};

static bool is_reachable(const struct um_store *s, const struct look *look)
{
    return s->up && !s->left_out && !s->closed && (look->suspect_too || !s->suspect) &&
           (look->silent_too || !s->silent);
}

static uint64_t domain_of(const struct um_store *stores, unsigned i)
{
    return stores[i].domain != 0 ? stores[i].domain : i + 1;
}

/* The stores whose bit is set, heavier by their free space. */
static void map_of(struct placement_map *map, const struct um_store *stores, unsigned count,
                   uint64_t usable)
{
    placement_clear(map);
    for (unsigned i = 0; i < count; i++)
        VS_ASSERT(placement_add(map, i + 1, domain_of(stores, i), stores[i].free_bytes + 1,
                                (usable >> i & 1) != 0) == 0);
}

/* In the order of the set, beginning with another one each turn: reading spreads evenly. */
static void order_by_turn(const struct placement *p, uint64_t turn, struct um_place *ret)
{
    uint64_t chosen = 0;
    unsigned n = 0, sorted[VS_EC_N_MAX];

    for (unsigned i = 0; i < p->count; i++)
        chosen |= UINT64_C(1) << (p->node[i] - 1);
    for (unsigned i = 0; i < UM_STORES_MAX; i++)
        if ((chosen >> i & 1) != 0)
            sorted[n++] = i;
    VS_ASSERT(n == p->count);
    ret->count = n;
    for (unsigned i = 0; i < n; i++)
        ret->entry[i] = (uint8_t)sorted[(turn + i) % n];
}

static int place_on(const struct um_store *stores, unsigned count, uint64_t turn,
                    uint32_t chunk_bytes, struct look look, struct um_place *ret)
{
    const struct vs_id id = vs_id_make(0, 0, turn, VS_ID_CHUNK);
    uint64_t reachable = 0, usable = 0;
    struct vs_redundancy whole, red;
    struct placement_map map;
    unsigned domains;
    struct placement p;

    for (unsigned i = 0; i < count; i++) {
        if (!is_reachable(&stores[i], &look))
            continue;
        reachable |= UINT64_C(1) << i;
        usable |= stores[i].full ? 0 : UINT64_C(1) << i;
    }
    map_of(&map, stores, count, reachable);
    domains = map.domains_usable;
    whole = placement_form(&um_wanted, domains, map.domains_known);
    /* Fewer domains mean longer fragments, which fit on fewer stores: until nothing changes. */
    for (;;) {
        uint64_t kept = 0, needed;

        map_of(&map, stores, count, usable);
        red = placement_form(&um_wanted, map.domains_usable, map.domains_known);
        if (red.kind == VS_RED_NONE)
            break;
        needed = vs_ec_fragment_bytes(chunk_bytes, red.k) + UM_RECORD_EXTRA_BYTES;
        for (unsigned i = 0; i < count; i++)
            kept |= (usable >> i & 1) != 0 && stores[i].free_bytes >= needed ? UINT64_C(1) << i : 0;
        if (kept == usable)
            break;
        usable = kept;
    }
    /* Want of space may cost a step, but not lead from coding to copies: they take more of it. */
    if (map.domains_usable < domains && (whole.k > 1 ? red.k < 2 : whole.k > red.k))
        return -ENOSPC;
    if (red.kind == VS_RED_NONE)
        return -EIO;
    VS_ASSERT(placement_choose(&map, &id, &red, &p) == 0 && p.verdict == PLACEMENT_AS_ASKED);
    ret->red = red;
    order_by_turn(&p, turn, ret);
    return 0;
}

static bool is_whole(int r, const struct um_place *p)
{
    return r == 0 && p->red.k == um_wanted.k && p->red.m == um_wanted.m;
}

int um_place(const struct um_store *stores, unsigned count, uint64_t turn, uint32_t chunk_bytes,
             bool may_wait, struct um_place *ret)
{
    struct um_place more;
    int r;

    VS_ASSERT(count <= UM_STORES_MAX);
    r = place_on(stores, count, turn, chunk_bytes, (struct look){ false, false }, ret);
    if (!is_whole(r, ret)) {
        int e = place_on(stores, count, turn, chunk_bytes, (struct look){ true, false }, &more);

        if (e == 0)
            *ret = more;
        r = r == 0 ? 0 : e;
    }
    if (r == -EIO && may_wait)
        r = place_on(stores, count, turn, chunk_bytes, (struct look){ true, true }, ret);
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
