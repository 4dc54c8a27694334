/* sim_faults: what goes wrong in a world: rates drawn from the seed, and faults that strike.
 *
 * Each schedule has a character of its own: some are nearly calm, some lose a third of all
 * messages, some freeze one process after the other. At the end everything heals. */
#include "common/assert.h"
#include "tests/sim/sim_impl.h"

void world_rates_draw(struct sim_world *w)
{
    struct world_rates *r = &w->rates;

    *r = (struct world_rates){ 0 };
    r->delay_us = 100u << world_below(w, 6); /* one by one: an initializer has no order */
    r->sync_us = 100u << world_below(w, 9);
    r->events = 100 + (unsigned)world_below(w, 200);
    if (world_chance(w, 60))
        r->loss_pct = (unsigned)world_below(w, 31);
    if (world_chance(w, 60))
        r->dup_pct = (unsigned)world_below(w, 21);
    if (world_chance(w, 60)) {
        r->slow_pct = (unsigned)world_below(w, 40);
        r->delay_max_us = WORLD_MS + world_below(w, 10 * WORLD_S >> world_below(w, 12));
    }
    if (world_chance(w, 30))
        r->sync_error_permille = (unsigned)world_below(w, 30);
    if (world_chance(w, 80)) {
        r->fault_us = WORLD_MS << world_below(w, 10);
        r->crash = world_chance(w, 60) ? 1 + (unsigned)world_below(w, 4) : 0;
        r->pause = world_chance(w, 40) ? 1 + (unsigned)world_below(w, 4) : 0;
        r->cut = world_chance(w, 40) ? 1 + (unsigned)world_below(w, 4) : 0;
        r->clock = world_chance(w, 20) ? 1 : 0;
        r->wipe = world_chance(w, 20) ? 1 : 0;
    }
}

void world_fault_next(struct sim_world *w)
{
    struct world_event *e;

    if (w->rates.fault_us == 0 || w->healed)
        return;
    e = world_event_add(w, w->now + 1 + world_below(w, 2 * w->rates.fault_us));
    if (e != NULL)
        *e = (struct world_event){ .kind = EVENT_FAULT };
}

/* A process that this may happen to; -1: the one drawn is spared. */
static int fault_victim(struct sim_world *w, unsigned may)
{
    unsigned p = (unsigned)world_below(w, w->procs);

    return (w->proc[p].may & may) != 0 && w->proc[p].up ? (int)p : -1;
}

static void fault_pause(struct sim_world *w)
{
    int p = fault_victim(w, WORLD_MAY_PAUSE);

    uint64_t until = w->now + (WORLD_MS << world_below(w, 13));

    if (p < 0 || w->proc[p].paused_to >= until)
        return;
    w->proc[p].paused_to = until;
    world_say(w, "%s is frozen for %.1f ms", w->proc[p].name,
              (double)(w->proc[p].paused_to - w->now) / 1000);
}

/* One way, to one or to all others. */
static void fault_cut(struct sim_world *w)
{
    int p = fault_victim(w, WORLD_MAY_CUT);
    uint64_t until = w->now + (WORLD_MS << world_below(w, 13));
    unsigned only = (unsigned)world_below(w, 2 * w->procs);
    bool in = world_chance(w, 50);

    if (p < 0)
        return;
    for (unsigned q = 0; q < w->procs; q++)
        if (only >= w->procs || only == q) {
            if (in)
                w->proc[q].cut_to[p] = until;
            else
                w->proc[p].cut_to[q] = until;
        }
    world_say(w, "%s: %s %s is cut for %.1f ms", w->proc[p].name, in ? "from" : "to",
              only < w->procs ? w->proc[only].name : "all", (double)(until - w->now) / 1000);
}

static void fault_clock(struct sim_world *w)
{
    unsigned p = (unsigned)world_below(w, w->procs);
    uint64_t by = WORLD_S << world_below(w, 14);

    w->proc[p].skew += world_chance(w, 50) ? by : -by;
    world_say(w, "the clock of %s jumps", w->proc[p].name);
}

void world_fault_strike(struct sim_world *w)
{
    const struct world_rates *r = &w->rates;
    unsigned all = r->crash + r->pause + r->cut + r->clock + r->wipe;
    unsigned draw = all > 0 ? (unsigned)world_below(w, all) : 0;
    int p;

    if (all == 0 || w->healed)
        return;
    if (draw < r->crash || draw >= r->crash + r->pause + r->cut + r->clock) {
        bool wipe = draw >= r->crash;

        p = fault_victim(w, wipe ? WORLD_MAY_WIPE : WORLD_MAY_CRASH);
        if (p >= 0)
            world_crash(w, (unsigned)p, wipe);
    } else if (draw < r->crash + r->pause) {
        fault_pause(w);
    } else if (draw < r->crash + r->pause + r->cut) {
        fault_cut(w);
    } else {
        fault_clock(w);
    }
    world_fault_next(w);
}

void world_faults_end(struct sim_world *w)
{
    w->rates.loss_pct = w->rates.dup_pct = w->rates.slow_pct = 0;
    w->rates.delay_us = WORLD_MS;
    w->rates.sync_error_permille = 0;
    world_pauses_end(w);
    for (unsigned p = 0; p < w->procs; p++) {
        for (unsigned q = 0; q < w->procs; q++)
            w->proc[p].cut_to[q] = 0;
        if (!w->proc[p].up)
            world_revive(w, p);
    }
}
