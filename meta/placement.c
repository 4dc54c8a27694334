/* placement: see placement.h.
 *
 * Happy path: a draw for each node, then the earliest of each domain until all fragments have one.
 * Failure modes: too few domains give a weaker form or none, never two fragments in one domain. */
#include "meta/placement.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/mix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

uint64_t placement_domain(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then spread */

    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    h = vs_mix64(h);
    return h != 0 ? h : 1;
}

void placement_clear(struct placement_map *map)
{
    map->count = map->domains_known = map->domains_usable = 0;
}

int placement_add(struct placement_map *map, uint32_t node, uint64_t domain, uint64_t weight,
                  bool usable)
{
    struct placement_place *p = &map->places[map->count];
    bool known = false, served = false; /* its domain: met before, with a node that takes data */

    if (map->count == PLACEMENT_NODES_MAX || node == 0 || domain == 0)
        return -EINVAL;
    *p = (struct placement_place){ .node = node,
                                   .domain = (uint16_t)map->domains_known,
                                   .weight = usable ? (double)weight : 0,
                                   .named = domain };
    for (unsigned i = 0; i < map->count; i++) {
        if (map->places[i].node == node)
            return -EINVAL;
        if (map->places[i].named != domain)
            continue;
        known = true;
        served = served || map->places[i].weight > 0;
        p->domain = map->places[i].domain;
    }
    map->domains_known += !known;
    map->domains_usable += p->weight > 0 && !served;
    map->count++;
    return 0;
}

int placement_init(struct placement_map *map, const struct placement_node *nodes, unsigned count)
{
    int r = count > PLACEMENT_NODES_MAX ? -EINVAL : 0;

    *map = (struct placement_map){ 0 };
    for (unsigned i = 0; r == 0 && i < count; i++) {
        if (nodes[i].domain == NULL || nodes[i].domain[0] == '\0')
            r = -EINVAL;
        else
            r = placement_add(map, nodes[i].node, placement_domain(nodes[i].domain),
                              nodes[i].weight, nodes[i].usable);
    }
    if (r < 0)
        *map = (struct placement_map){ 0 };
    return r;
}

struct vs_redundancy placement_form(const struct vs_redundancy *asked, unsigned usable,
                                    unsigned known)
{
    if (usable >= (unsigned)asked->k + asked->m)
        return *asked;
    /* One copy of what should have had more is only kept where more was never possible. */
    if (usable == 0 || (usable == 1 && known > 1))
        return (struct vs_redundancy){ VS_RED_NONE, 0, 0 };
    if (asked->kind == VS_RED_RS && usable >= 5)
        return (struct vs_redundancy){ VS_RED_RS, 3, 2 };
    if (asked->kind == VS_RED_RS && usable == 4)
        return (struct vs_redundancy){ VS_RED_RS, 2, 2 };
    return (struct vs_redundancy){ VS_RED_REPLICATE, 1, (uint8_t)(usable - 1) };
}

/* Ids of one owner differ in a few low bits only. */
static uint64_t id_hash(const struct vs_id *id)
{
    uint64_t half[2] = { 0, 0 };

    for (unsigned i = 0; i < VS_ID_BYTES; i++)
        half[i / 8] = half[i / 8] << 8 | id->b[i];
    return vs_mix64(vs_mix64(half[0] + UINT64_C(0x9e3779b97f4a7c15)) ^ half[1]);
}

/* When the node's exponential clock of rate `weight` rings first: the earliest of several rings
 * with a probability of its weight's share. */
static double draw(uint64_t hash, uint32_t node, double weight)
{
    uint64_t h = vs_mix64(hash + node * UINT64_C(0x9e3779b97f4a7c15));
    double u = ((double)(h >> 11) + 0.5) / (double)(UINT64_C(1) << 53); /* in (0, 1) */

    return -log(u) / weight;
}

struct race {
    const struct placement_map *map;
    double when[PLACEMENT_NODES_MAX]; /* INFINITY: not in it */
    bool taken[PLACEMENT_NODES_MAX];  /* by domain */
};

static void race_init(struct race *r, const struct placement_map *map, const struct vs_id *id)
{
    uint64_t hash = id_hash(id);

    r->map = map;
    memset(r->taken, 0, sizeof(r->taken));
    for (unsigned i = 0; i < map->count; i++) {
        const struct placement_place *p = &map->places[i];

        r->when[i] = p->weight > 0 ? draw(hash, p->node, p->weight) : INFINITY;
    }
}

/* The earliest node of a domain that is not taken; takes the domain. 0: none is left. */
static uint32_t race_next(struct race *r)
{
    const struct placement_place *best = NULL;
    double when = INFINITY;

    for (unsigned i = 0; i < r->map->count; i++) {
        const struct placement_place *p = &r->map->places[i];

        if (r->taken[p->domain] || r->when[i] >= when)
            continue;
        best = p;
        when = r->when[i];
    }
    if (best == NULL)
        return 0;
    r->taken[best->domain] = true;
    return best->node;
}

int placement_choose(const struct placement_map *map, const struct vs_id *id,
                     const struct vs_redundancy *asked, struct placement *ret)
{
    struct race race;

    if (vs_redundancy_check(asked) < 0)
        return -EINVAL;
    *ret = (struct placement){
        .asked = *asked,
        .red = placement_form(asked, map->domains_usable, map->domains_known),
        .domains_usable = map->domains_usable,
        .domains_known = map->domains_known,
    };
    if (ret->red.kind == VS_RED_NONE)
        return 0; /* PLACEMENT_REFUSED */
    ret->verdict = ret->red.kind == asked->kind && ret->red.k == asked->k && ret->red.m == asked->m
                       ? PLACEMENT_AS_ASKED
                       : PLACEMENT_DOWNGRADED;
    race_init(&race, map, id);
    ret->count = (unsigned)ret->red.k + ret->red.m;
    for (unsigned i = 0; i < ret->count; i++) {
        ret->node[i] = race_next(&race);
        VS_ASSERT(ret->node[i] != 0); /* the form is for no more domains than there are */
    }
    return 0;
}

static const struct placement_place *place_of(const struct placement_map *map, uint32_t node)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (map->places[i].node == node)
            return &map->places[i];
    }
    return NULL;
}

int placement_refill(const struct placement_map *map, const struct vs_id *id, uint32_t nodes[],
                     unsigned count)
{
    struct race race;
    int missing = 0;

    if (count > VS_EC_N_MAX)
        return -EINVAL;
    race_init(&race, map, id);
    for (unsigned i = 0; i < count; i++) {
        const struct placement_place *p = place_of(map, nodes[i]);

        if (nodes[i] != 0 && p == NULL)
            return -EINVAL;
        if (p != NULL)
            race.taken[p->domain] = true;
    }
    for (unsigned i = 0; i < count; i++) {
        if (nodes[i] == 0)
            nodes[i] = race_next(&race);
        missing += nodes[i] == 0;
    }
    return missing;
}

void placement_to_text(const struct placement *p, char text[PLACEMENT_TEXT_BYTES_MAX])
{
    char asked[24], got[24];

    text[0] = '\0';
    vs_redundancy_to_text(&p->asked, asked);
    vs_redundancy_to_text(&p->red, got);
    if (p->verdict == PLACEMENT_REFUSED)
        snprintf(text, PLACEMENT_TEXT_BYTES_MAX,
                 "%u of %u failure domains take data, too few to keep it safe (%s was asked): "
                 "nothing new is stored. See which are missing with `vstackfs nodes`, bring one "
                 "back, or add one with `vstackfs node add`",
                 p->domains_usable, p->domains_known, asked);
    else if (p->verdict == PLACEMENT_DOWNGRADED && p->domains_usable == p->domains_known)
        snprintf(text, PLACEMENT_TEXT_BYTES_MAX,
                 "there are %u failure domains, too few for %s: stored as %s. Add a node in "
                 "another domain with `vstackfs node add`",
                 p->domains_known, asked, got);
    else if (p->verdict == PLACEMENT_DOWNGRADED)
        snprintf(text, PLACEMENT_TEXT_BYTES_MAX,
                 "%u of %u failure domains take data, too few for %s: stored as %s until repair "
                 "can do better. See which are missing with `vstackfs nodes`",
                 p->domains_usable, p->domains_known, asked, got);
}
