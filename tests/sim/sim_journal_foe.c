/* sim_journal_foe: faults that a random network would hardly find: it knows who leads.
 *
 * It cuts a leader off from its acceptors, not from its clients, long enough for another one to be
 * elected and too short for the old one to feel lonely; and when somebody stands for election it
 * sometimes lets the old leader's acceptor hear of it and keeps the others from it. */
#include "tests/sim/sim_journal.h"

static void foe_cut(struct sim_journal *s, unsigned from, unsigned to, uint64_t for_us)
{
    if (from != to)
        s->cut_us[from][to] = world_now(s->w) + for_us;
}

static bool foe_leads(const struct sim_journal *s, unsigned i)
{
    return s->replica[i].is_running && journal_role(&s->replica[i].journal) == JOURNAL_LEADING;
}

static void foe_cut_off(struct sim_journal *s, unsigned leader, uint64_t for_us, bool both)
{
    for (unsigned k = 0; k < s->replicas; k++) {
        foe_cut(s, leader, k, for_us);
        foe_cut(s, k, leader, both ? for_us : 0);
    }
    world_say(s->w, "foe: r%u is cut off for %lu ms", leader + 1, for_us / WORLD_MS);
}

void sj_foe_strike(struct sim_journal *s)
{
    uint64_t for_us = (250 + world_below(s->w, 400)) * WORLD_MS;
    bool both = world_chance(s->w, 50);

    if (world_healed(s->w))
        return;
    for (unsigned i = 0; i < s->replicas; i++)
        if (foe_leads(s, i))
            foe_cut_off(s, i, for_us, both);
    if (world_chance(s->w, 40)) {
        unsigned from = (unsigned)world_below(s->w, s->replicas);
        unsigned to = (unsigned)world_below(s->w, s->replicas);

        foe_cut(s, from, to, (300 + world_below(s->w, 1000)) * WORLD_MS);
        world_say(s->w, "foe: r%u -> r%u is cut", from + 1, to + 1);
    }
    world_timer(s->w, s->admin.proc, 200 * WORLD_MS + world_below(s->w, WORLD_S), SJ_T_FOE, 0);
}

/* The old leader is heard again by all; of the new one only half of the members learn, the old
 * leader's acceptor among them; refusals that would tell the old leader are lost. */
void sj_foe_stands(struct sim_journal *s, unsigned candidate)
{
    unsigned spare = s->replica[candidate].disk.members / 2;

    if (!s->has_foe || world_healed(s->w) || !world_chance(s->w, 40))
        return;
    for (unsigned i = 0; i < s->replicas; i++) {
        if (i == candidate || !foe_leads(s, i))
            continue;
        foe_cut_off(s, i, 0, true);
        s->no_nack_us[i] = world_now(s->w) + world_below(s->w, 1000) * WORLD_MS;
        for (unsigned k = 0; k < s->replicas && spare > 0; k++)
            if (k != i && k != candidate && (s->members & 1u << k)) {
                foe_cut(s, candidate, k, (200 + world_below(s->w, 800)) * WORLD_MS);
                spare--;
            }
        world_say(s->w, "foe: r%u stands, r%u hears of it", candidate + 1, i + 1);
        return;
    }
}
