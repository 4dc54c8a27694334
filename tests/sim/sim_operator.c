/* sim_operator: the operator of the simulated replicas: takes a disk away, adds spares, removes
 * members; the next change only when everybody who has a disk votes in the last. */
#include "common/assert.h"
#include "tests/sim/sim_reg.h"
#include <string.h>

static bool all_vote(const struct reg_sim *s)
{
    unsigned votes = 0;

    for (unsigned i = 0; i < s->config.n; i++) {
        const struct reg_disk *d = &s->replica[s->config.member[i]].disk;

        votes += d->identity && d->votes && d->config.epoch == s->config.epoch;
    }
    return votes == s->config.n - s->wiped;
}

/* Whoever has no disk goes first. */
static void remove_one(struct reg_sim *s, struct reg_config *c)
{
    unsigned at = (unsigned)world_below(s->w, c->n);

    for (unsigned i = 0; i < c->n; i++)
        if (!s->replica[c->member[i]].disk.identity)
            at = i;
    world_say(s->w, "the operator removes r%u", c->member[at]);
    memmove(&c->member[at], &c->member[at + 1], (size_t)(c->n - at - 1) * sizeof(c->member[0]));
    c->n--;
}

/* Spares take the place of members, or of none. The first of them is the one that fences, the
 * others come late. */
static void change_begin(struct reg_sim *s)
{
    unsigned spares = s->replicas - s->voters - s->spares_used;
    unsigned add = 1 + (unsigned)world_below(s->w, spares), n = s->config.n;

    s->coming = s->config;
    s->coming.epoch++;
    s->newcomer = s->voters + s->spares_used;
    if (add != 2 || n == PX_ACCEPTORS_MAX || world_chance(s->w, 50))
        for (unsigned i = 0; i < add; i++)
            remove_one(s, &s->coming);
    for (unsigned i = 0; i < add; i++)
        s->coming.member[s->coming.n++] = (uint8_t)(s->voters + s->spares_used++);
    VS_ASSERT(px_fence_sizes(n, s->coming.n));
    for (unsigned r = s->newcomer; r < s->voters + s->spares_used; r++) {
        struct reg_disk *d = &s->replica[r].disk;

        world_say(s->w, "the operator adds r%u", r);
        d->identity = true;
        d->newcomer = r == s->newcomer;
        d->config = s->coming;
        reg_replica_awake(s, r);
        reg_coordinator_setup(s, r);
        reg_member_begin(s, r);
    }
}

static bool spares_up(const struct reg_sim *s)
{
    for (unsigned r = s->voters + s->spares_used; r < s->replicas; r++)
        if (!world_up(s->w, r))
            return false;
    return s->voters + s->spares_used < s->replicas;
}

void reg_operator_timer(struct reg_sim *s)
{
    bool calm = s->coming.epoch == s->config.epoch && all_vote(s);
    unsigned victim = s->config.member[world_below(s->w, s->config.n)];

    if (world_healed(s->w))
        return;
    if (calm && s->wiped == 0 && world_chance(s->w, 30) && world_up(s->w, victim))
        world_crash(s->w, victim, true);
    else if (calm && spares_up(s))
        change_begin(s);
    world_timer(s->w, s->journal, WORLD_MS << world_below(s->w, 8), TIMER_OPERATOR, 0);
}
