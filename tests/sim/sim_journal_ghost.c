/* sim_journal_ghost: what is true in a simulated journal, seen from outside, and compared with what
 * its parts believe: which entries are chosen, what was applied, what the end looks like. */
#include "common/assert.h"
#include "tests/sim/sim_journal.h"
#include <string.h>

void sj_ghost_reset(struct sim_journal *s)
{
    memset(s->ghost, 0, (s->top + 1) * sizeof(s->ghost[0]));
    s->top = 0;
}

static struct sj_ghost *ghost_at(struct sim_journal *s, uint64_t slot)
{
    if (slot >= SJ_SLOTS)
        world_violation(s->w, "slot %lu: the schedule is too long", slot);
    if (slot > s->top)
        s->top = slot;
    return &s->ghost[slot];
}

static struct sj_vote *ghost_vote(struct sim_journal *s, struct sj_ghost *g, uint64_t epoch,
                                  const struct px_ballot *b, struct journal_entry *e)
{
    struct sj_vote *v;

    for (unsigned n = 0; n < g->votes; n++) {
        v = &g->vote[n];
        if (px_ballot_cmp(&v->ballot, b) != 0)
            continue;
        if (v->entry != e) /* I1 */
            world_violation(s->w, "slot %lu: two entries with one ballot",
                            (uint64_t)(g - s->ghost));
        if (v->epoch == epoch)
            return v;
    }
    if (g->votes == SJ_BALLOTS) { /* the oldest will not be chosen any more */
        memmove(&g->vote[0], &g->vote[1], (SJ_BALLOTS - 1) * sizeof(g->vote[0]));
        g->votes--;
    }
    v = &g->vote[g->votes++];
    *v = (struct sj_vote){ .ballot = *b, .epoch = epoch, .entry = e };
    return v;
}

unsigned sj_majority_of(unsigned bits)
{
    return (unsigned)__builtin_popcount(bits) / 2 + 1;
}

/* Replica i has slot durably; with a majority of its epoch it is chosen, for ever (I5). */
void sj_ghost_accepted(struct sim_journal *s, unsigned i, uint64_t epoch, uint64_t slot,
                       const struct px_ballot *b, struct journal_entry *e)
{
    struct sj_ghost *g = ghost_at(s, slot);
    struct sj_vote *v = ghost_vote(s, g, epoch, b, e);
    const struct sj_disk *d = &s->replica[i].disk;
    unsigned count;

    if (epoch == 0 || epoch != d->epoch)
        return;
    v->who |= 1u << i;
    count = (unsigned)__builtin_popcount(v->who);
    if (count <= d->members / 2)
        return;
    if (g->is_chosen && g->chosen != e)
        world_violation(s->w, "slot %lu: a second entry is chosen", slot);
    g->is_chosen = true;
    g->chosen = e;
}

void sj_ghost_apply(struct sim_journal *s, unsigned i, uint64_t slot, struct journal_entry *e)
{
    struct sj_ghost *g = ghost_at(s, slot);
    uint64_t hash = s->replica[i].ns.hash;

    if (!g->is_chosen || g->chosen != e)
        world_violation(s->w, "replica %u applies in slot %lu what is not chosen", i + 1, slot);
    if (g->is_applied && g->hash != hash)
        world_violation(s->w, "replica %u has another state behind slot %lu", i + 1, slot);
    g->is_applied = true;
    g->hash = hash;
}

/* ---- the end ---- */

bool sj_ghost_done(struct sim_journal *s)
{
    if (s->admin.state != SJ_IDLE)
        return false;
    for (unsigned c = 0; c < s->clients; c++)
        if (s->client[c].after_heal < 2)
            return false;
    for (unsigned i = 0; i < s->replicas; i++)
        if ((s->members & 1u << i) && !s->replica[i].is_wiped &&
            (!s->replica[i].is_running || s->replica[i].ns.applied < s->floor))
            return false;
    return true;
}

void sj_ghost_check(struct sim_journal *s, bool quiet)
{
    for (unsigned c = 0; c < s->clients && !quiet; c++)
        if (s->client[c].after_heal < 2)
            world_violation(s->w, "client %u has no answer though all is well", c);
    if (!quiet && s->admin.state != SJ_IDLE)
        world_violation(s->w, "a change of members does not end though all is well");
    if (!quiet)
        world_violation(s->w, "a replica does not catch up though all is well");
}
