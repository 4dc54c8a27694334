/* chaos_faults: the harm: one thing at a time, to a minority, then healed.
 *
 * Happy path: a plan of kinds is drawn from the seed, with at least the asked number of kills and
 * freezes of the leader; each is done to whoever leads at that moment, lasts a drawn time, is
 * healed; the next one waits until pairs succeed again. Failure modes: a cluster that does not come
 * back in RECOVERY_MS is a violation. */
#include "common/clock.h"
#include "tests/chaos/chaos.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define RECOVERY_MS   30000
#define PAIRS_BETWEEN 5
#define HOLD_MS_MIN   300
#define HOLD_MS_MAX   1500
#define CALM_MS_MAX   400
#define FAULTS_MAX    100000

enum fault {
    FAULT_KILL_LEADER,
    FAULT_FREEZE_LEADER,
    FAULT_RESTART_LEADER,
    FAULT_ALONE, /* the kinds above are all that one replica can suffer and serve again */
    FAULT_KILL_FOLLOWER = FAULT_ALONE,
    FAULT_FREEZE_FOLLOWER,
    FAULT_RESTART_FOLLOWER,
    FAULT_CUT_LEADER_SENDS, /* what the leader sends to others does not arrive */
    FAULT_CUT_LEADER_HEARS, /* what others send to the leader does not arrive */
    FAULT_CUT_LEADER,
    FAULT_CUT_FOLLOWER,
    FAULT_CUT_PAIR, /* the leader and one other, one way: the third still hears both */
    FAULT_KINDS,
};

static const char *const fault_names[FAULT_KINDS] = {
    [FAULT_KILL_LEADER] = "leader killed",
    [FAULT_FREEZE_LEADER] = "leader frozen",
    [FAULT_RESTART_LEADER] = "leader restarted",
    [FAULT_KILL_FOLLOWER] = "follower killed",
    [FAULT_FREEZE_FOLLOWER] = "follower frozen",
    [FAULT_RESTART_FOLLOWER] = "follower restarted",
    [FAULT_CUT_LEADER_SENDS] = "leader cut off, one way out",
    [FAULT_CUT_LEADER_HEARS] = "leader cut off, one way in",
    [FAULT_CUT_LEADER] = "leader cut off",
    [FAULT_CUT_FOLLOWER] = "follower cut off",
    [FAULT_CUT_PAIR] = "leader to one follower cut",
};

static unsigned done[FAULT_KINDS];
static int64_t worst_gap_ms[FAULT_KINDS];

static void wait_ms(int64_t ms)
{
    usleep((useconds_t)(ms * 1000));
}

static int64_t drawn_ms(struct chaos *c, uint64_t min, uint64_t max)
{
    return (int64_t)(min + vs_rand_below(&c->rand, max - min + 1));
}

/* Until pairs have succeeded again. */
static void await_service(struct chaos *c)
{
    unsigned long until = atomic_load(&c->pairs) + PAIRS_BETWEEN;
    int64_t deadline = chaos_now() + RECOVERY_MS * VS_NS_PER_MS;

    while (atomic_load(&c->pairs) < until && chaos_now() < deadline)
        wait_ms(5);
    if (atomic_load(&c->pairs) < until)
        chaos_violation(c, "no service for %d s although all is healed", RECOVERY_MS / 1000);
}

static void restart(struct chaos *c, unsigned i)
{
    if (chaos_meta_start(c, i) < 0)
        chaos_violation(c, "replica %u does not start again", i + 1);
}

static void cut_all(struct chaos *c, unsigned i, bool sends, bool hears, bool is_cut)
{
    for (unsigned j = 0; j < c->config.metas; j++) {
        if (j != i && sends)
            chaos_cut(c, i, j, is_cut);
        if (j != i && hears)
            chaos_cut(c, j, i, is_cut);
    }
}

static void fault_begin(struct chaos *c, enum fault kind, unsigned victim)
{
    struct node_proc *p = &c->meta[victim].proc;

    switch (kind) {
    case FAULT_KILL_LEADER:
    case FAULT_KILL_FOLLOWER:
        node_proc_kill(p);
        break;
    case FAULT_RESTART_LEADER:
    case FAULT_RESTART_FOLLOWER:
        if (node_proc_stop(p) != 0)
            chaos_violation(c, "replica %u did not end politely", victim + 1);
        break;
    case FAULT_FREEZE_LEADER:
    case FAULT_FREEZE_FOLLOWER:
        node_proc_freeze(p);
        break;
    case FAULT_CUT_LEADER_SENDS:
        cut_all(c, victim, true, false, true);
        break;
    case FAULT_CUT_LEADER_HEARS:
        cut_all(c, victim, false, true, true);
        break;
    case FAULT_CUT_LEADER:
    case FAULT_CUT_FOLLOWER:
        cut_all(c, victim, true, true, true);
        break;
    case FAULT_CUT_PAIR:
        chaos_cut(c, victim, (victim + 1) % (unsigned)c->config.metas, true);
        break;
    case FAULT_KINDS:
        abort();
    }
}

static void fault_heal(struct chaos *c, enum fault kind, unsigned victim)
{
    switch (kind) {
    case FAULT_KILL_LEADER:
    case FAULT_KILL_FOLLOWER:
    case FAULT_RESTART_LEADER:
    case FAULT_RESTART_FOLLOWER:
        restart(c, victim);
        break;
    case FAULT_FREEZE_LEADER:
    case FAULT_FREEZE_FOLLOWER:
        node_proc_thaw(&c->meta[victim].proc);
        break;
    default:
        cut_all(c, victim, true, true, false);
    }
}

static bool wants_follower(enum fault kind)
{
    return kind == FAULT_KILL_FOLLOWER || kind == FAULT_FREEZE_FOLLOWER ||
           kind == FAULT_RESTART_FOLLOWER || kind == FAULT_CUT_FOLLOWER;
}

static void fault_run(struct chaos *c, unsigned number, enum fault kind)
{
    unsigned victim = chaos_leader(c, RECOVERY_MS), metas = (unsigned)c->config.metas;
    int64_t hold_ms = drawn_ms(c, HOLD_MS_MIN, HOLD_MS_MAX), gap_ms;

    if (victim == CHAOS_METAS_MAX) {
        chaos_violation(c, "no leader for %d s", RECOVERY_MS / 1000);
        return;
    }
    if (wants_follower(kind))
        victim = (victim + 1 + (unsigned)vs_rand_below(&c->rand, metas - 1)) % metas;
    atomic_store(&c->fault_gap_ns, 0);
    fault_begin(c, kind, victim);
    wait_ms(hold_ms);
    fault_heal(c, kind, victim);
    await_service(c);
    done[kind]++;
    gap_ms = atomic_load(&c->fault_gap_ns) / VS_NS_PER_MS;
    if (gap_ms > worst_gap_ms[kind])
        worst_gap_ms[kind] = gap_ms;
    printf("%4u  %6.1f s  %-28s  replica %u, %4lld ms, longest gap %4lld ms\n", number,
           (double)(chaos_now() - c->began_ns) / VS_NS_PER_S, fault_names[kind], victim + 1,
           (long long)hold_ms, (long long)gap_ms);
    fflush(stdout);
    wait_ms(drawn_ms(c, 0, CALM_MS_MAX));
}

/* Kinds in a drawn order, kills and freezes of the leader among them. */
static void draw_plan(struct chaos *c, enum fault *plan, unsigned count)
{
    unsigned kinds = c->config.metas == 1 ? FAULT_ALONE : FAULT_KINDS;

    for (unsigned i = 0; i < count; i++) {
        if (i < c->config.kills)
            plan[i] = FAULT_KILL_LEADER;
        else if (i < c->config.kills + c->config.freezes)
            plan[i] = FAULT_FREEZE_LEADER;
        else if (i < c->config.kills + c->config.freezes + c->config.cuts && kinds == FAULT_KINDS)
            plan[i] = FAULT_CUT_LEADER;
        else
            plan[i] = (enum fault)vs_rand_below(&c->rand, kinds);
    }
    for (unsigned i = count; i > 1; i--) {
        unsigned j = (unsigned)vs_rand_below(&c->rand, i);
        enum fault swap = plan[i - 1];

        plan[i - 1] = plan[j];
        plan[j] = swap;
    }
}

void chaos_faults(struct chaos *c)
{
    unsigned count = (unsigned)c->config.faults, n;
    enum fault *plan = calloc(count + 1, sizeof(*plan));
    int64_t until = c->began_ns + (int64_t)c->config.seconds * VS_NS_PER_S;

    if (plan == NULL)
        abort();
    draw_plan(c, plan, count);
    await_service(c);
    for (n = 0; n < count && chaos_now() < until && atomic_load(&c->violations) == 0; n++)
        fault_run(c, n + 1, plan[n]);
    if (n < count)
        printf("ended after %u of %u faults\n", n, count);
    free(plan);
}

void chaos_faults_print(void)
{
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        if (done[i] > 0)
            printf("  %4u  %-28s  longest gap %lld ms\n", done[i], fault_names[i],
                   (long long)worst_gap_ms[i]);
}
