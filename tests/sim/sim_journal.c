/* sim_journal: one schedule of the journal: sizes and habits are drawn from the seed; what happens
 * goes to replicas, clients or the administrator. */
#include "tests/sim/sim_journal.h"
#include "common/assert.h"
#include "tests/sim/sim_journal_msg.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *sj_new(void)
{
    return calloc(1, sizeof(struct sim_journal));
}

static void sj_free(void *sys)
{
    free(sys);
}

static void sj_setup_ops(struct sim_journal *s)
{
    for (unsigned c = 0; c < s->clients; c++)
        for (unsigned n = 0; n < SJ_OPS; n++)
            s->op[c][n] = (struct sj_op){ .entry = { .refs = 1u << 30, .len = s->entry_bytes },
                                          .client = (uint8_t)c,
                                          .seq = (uint16_t)n };
}

static void sj_setup_clients(struct sim_journal *s)
{
    static const char *const names[SJ_CLIENTS] = { "c0", "c1", "c2", "c3", "c4" };

    for (unsigned c = 0; c < s->clients; c++) {
        s->client[c] = (struct sj_client){ .proc = world_proc_add(s->w, names[c], 0),
                                           .reads_pct = 10 + (unsigned)world_below(s->w, 85),
                                           .stays_pct = (unsigned)world_below(s->w, 95),
                                           .floor = UINT64_MAX };
        world_timer(s->w, s->client[c].proc,
                    world_below(s->w, 200 * WORLD_MS) + world_below(s->w, s->think_us + 1),
                    SJ_T_CLIENT, 0);
    }
}

static void sj_setup_admin(struct sim_journal *s)
{
    s->admin = (struct sj_admin){ .proc = world_proc_add(s->w, "admin", 0), .epoch = 1 };
    if (world_chance(s->w, 30))
        s->admin.changes = 1 + (unsigned)world_below(s->w, 2);
    world_timer(s->w, s->admin.proc, world_below(s->w, 3 * WORLD_S), SJ_T_ADMIN, 0);
    memset(s->cut_us, 0, sizeof(s->cut_us));
    memset(s->no_nack_us, 0, sizeof(s->no_nack_us));
    s->has_foe = world_chance(s->w, 50);
    if (!s->has_foe)
        return;
    world_timer(s->w, s->admin.proc, 600 * WORLD_MS + world_below(s->w, WORLD_S), SJ_T_FOE, 0);
    if (world_chance(s->w, 60)) /* nothing else goes wrong: all depends on who hears whom */
        world_rates(s->w)->loss_pct = world_rates(s->w)->slow_pct = world_rates(s->w)->fault_us = 0;
}

static void sj_setup(void *sys, struct sim_world *w)
{
    static const char *const names[SJ_REPLICAS] = { "r1", "r2", "r3", "r4", "r5", "r6", "r7" };
    struct sim_journal *s = sys;
    unsigned members, may = WORLD_MAY_CRASH | WORLD_MAY_PAUSE | WORLD_MAY_CUT, frail;

    s->w = w;
    sj_ghost_reset(s);
    members = world_chance(w, 75) ? 3 : 5;
    s->replicas = members + 2;
    s->clients = 2 + (unsigned)world_below(w, SJ_CLIENTS - 1);
    s->ring = 8 + 4 * (unsigned)world_below(w, (SJ_RING - 8) / 4 + 1);
    s->window = 1 + (unsigned)world_below(w, s->ring / 2);
    s->kept = world_chance(w, 50) ? 0 : (unsigned)world_below(w, s->ring / 4);
    /* Long entries (their bytes are only counted here) make messages of one or two slots. */
    s->entry_bytes = world_chance(w, 70) ? 32 : JOURNAL_ITEM_BYTES_MAX / 4 * 3;
    s->ring_bytes =
        s->entry_bytes * (world_chance(w, 70) ? s->ring : 2 + (unsigned)world_below(w, 8));
    s->gather_us = world_chance(w, 50) ? 0 : 1 + world_below(w, 3 * WORLD_MS);
    s->think_us = WORLD_MS << world_below(w, 8);
    s->floor = s->installs = 0;
    s->members = (1u << members) - 1;
    world_rates(w)->events = 150 + (unsigned)world_below(w, 500);
    if (world_chance(w, 5)) /* disks that hang */
        world_rates(w)->sync_us = (100 + world_below(w, 2000)) * WORLD_MS;
    sj_setup_ops(s);
    frail = (unsigned)world_below(w, members);
    for (unsigned i = 0; i < s->replicas; i++) /* at most one disk is lost, of the first set */
        s->replica[i].proc = world_proc_add(w, names[i], i == frail ? may | WORLD_MAY_WIPE : may);
    sj_setup_clients(s);
    sj_setup_admin(s);
    for (unsigned i = 0; i < s->replicas; i++)
        sj_replica_init(s, i, (s->members & 1u << i) != 0, s->members);
}

static void sj_heal(void *sys)
{
    struct sim_journal *s = sys;

    memset(s->cut_us, 0, sizeof(s->cut_us));
    memset(s->no_nack_us, 0, sizeof(s->no_nack_us));
    if (world_rates(s->w)->sync_us > 50 * WORLD_MS)
        world_rates(s->w)->sync_us = 50 * WORLD_MS;
}

static void sj_message(void *sys, unsigned to, unsigned from, const void *msg, size_t len)
{
    struct sim_journal *s = sys;

    if (to < s->replicas)
        sj_replica_message(s, to, from, msg, len);
    else if (to == s->admin.proc)
        sj_admin_report(s, from, msg);
    else
        sj_client_message(s, to - s->replicas, msg);
}

static void sj_timer(void *sys, unsigned proc, uint32_t kind, uint64_t data)
{
    struct sim_journal *s = sys;

    if (proc < s->replicas)
        sj_replica_timer(s, proc, kind, data);
    else if (kind == SJ_T_FOE)
        sj_foe_strike(s);
    else if (proc == s->admin.proc)
        sj_admin_tick(s);
    else
        sj_client_timer(s, proc - s->replicas, data);
}

static void sj_crash(void *sys, unsigned proc, bool wiped)
{
    sj_replica_crash(sys, proc, wiped);
}

static void sj_restart(void *sys, unsigned proc)
{
    sj_replica_restart(sys, proc);
}

static bool sj_done(void *sys)
{
    return sj_ghost_done(sys);
}

static void sj_check(void *sys, bool quiet)
{
    sj_ghost_check(sys, quiet);
}

/* ---- the trace ---- */

static void describe_journal(const struct sj_msg_journal *m, char text[WORLD_TEXT_MAX])
{
    static const char *const kinds[] = { "?",      "ASK",      "ASKED",     "PREPARE", "PROMISE",
                                         "ACCEPT", "ACCEPTED", "HEARTBEAT", "HEARD",   "NACK" };
    static const char *const nacks[] = { "", " promised", " snapshot", " heard", " config" };
    const struct journal_msg *j = &m->msg;
    int n = snprintf(
        text, WORLD_TEXT_MAX,
        "%s%s e%" PRIu64 " b%" PRIu64 ".%u slot %" PRIu64 " next %" PRIu64 " commit %" PRIu64
        " have %" PRIu64 " safe %" PRIu64 " round %" PRIu64 " promised %" PRIu64 ".%u",
        kinds[j->kind], nacks[j->reason], j->epoch, j->ballot.round, j->ballot.pid, j->slot,
        j->next, j->commit, j->have, j->safe, j->round, j->promised.round, j->promised.pid);

    if (j->item_count > 0)
        snprintf(text + n, WORLD_TEXT_MAX - (size_t)n, " items %" PRIu64 "..%" PRIu64,
                 m->item[0].slot, m->item[j->item_count - 1].slot);
}

static void sj_describe(const void *msg, size_t len, char text[WORLD_TEXT_MAX])
{
    const struct sj_msg_op *op = msg;
    const struct sj_msg_answer *a = msg;
    const struct sj_msg_order *o = msg;

    (void)len;
    switch ((enum sj_msg_type)op->type) {
    case SJ_JOURNAL:
        describe_journal(msg, text);
        break;
    case SJ_OP:
        snprintf(text, WORLD_TEXT_MAX, "%s %" PRIu64 ".%" PRIu64, op->is_read ? "read" : "write",
                 op->client, op->seq);
        break;
    case SJ_ANSWER:
        snprintf(text, WORLD_TEXT_MAX, "answer %" PRIu64 " kind %" PRIu64 " slot %" PRIu64, a->seq,
                 a->kind, a->slot);
        break;
    case SJ_WANT:
        snprintf(text, WORLD_TEXT_MAX, "want snapshot");
        break;
    case SJ_SNAPSHOT:
        snprintf(text, WORLD_TEXT_MAX, "snapshot %" PRIu64,
                 ((const struct sj_msg_snapshot *)msg)->ns.applied);
        break;
    case SJ_ORDER:
    case SJ_REPORT:
        snprintf(text, WORLD_TEXT_MAX, "%s %s e%" PRIu64,
                 o->type == SJ_ORDER ? "order" : "confirmed",
                 (const char *[]){ "fence", "join", "open" }[o->order], o->epoch);
        break;
    }
}

const struct sim_system sim_journal_system = {
    .name = "journal",
    .msg_bytes_max = sizeof(struct sj_msg_journal),
    .new = sj_new,
    .free = sj_free,
    .setup = sj_setup,
    .message = sj_message,
    .timer = sj_timer,
    .crash = sj_crash,
    .restart = sj_restart,
    .heal = sj_heal,
    .done = sj_done,
    .check = sj_check,
    .describe = sj_describe,
};
