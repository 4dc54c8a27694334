/* sim_reg: the registers as a system of the simulated world: setting up, handing on, checking.
 *
 * Each seed draws its own cluster: three or five replicas, how many registers, how many clients,
 * how long asks wait for company. */
#include "tests/sim/sim_reg.h"
#include "common/assert.h"
#include "common/err.h"
#include "meta/px_mutant.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *reg_new(void)
{
    return calloc(1, sizeof(struct reg_sim));
}

static void reg_free(void *sys)
{
    free(sys);
}

static void setup_uploads(struct reg_sim *s)
{
    unsigned actors = 3 + (unsigned)world_below(s->w, 4);

    s->nodes = REG_NODES;
    for (unsigned n = 0; n < s->nodes; n++) {
        s->node[n].proc =
            world_proc_add(s->w, "node", WORLD_MAY_CRASH | WORLD_MAY_PAUSE | WORLD_MAY_CUT);
        reg_client_add(s, s->node[n].proc, ROLE_NODE);
    }
    reg_client_add(s, world_proc_add(s->w, "upload", WORLD_MAY_CUT | WORLD_MAY_PAUSE), ROLE_UPLOAD);
    for (unsigned i = 0; i < actors; i++) {
        enum reg_role role = (enum reg_role)(ROLE_UPLOAD + world_below(s->w, 3));

        reg_client_add(s,
                       world_proc_add(s->w,
                                      role == ROLE_UPLOAD   ? "upload"
                                      : role == ROLE_REAPER ? "reaper"
                                                            : "mover",
                                      WORLD_MAY_CUT | WORLD_MAY_PAUSE),
                       role);
    }
}

static void setup_shape(struct reg_sim *s)
{
    struct sim_world *w = s->w;

    s->voters = world_chance(w, 75) ? 3 : 5;
    s->replicas = s->voters + (world_chance(w, 40) ? 1 + (unsigned)world_below(w, 2) : 0);
    s->keys_wanted = world_chance(w, 80) ? 1 + (unsigned)world_below(w, 4) : REG_KEYS_MAX;
    if (s->replicas > s->voters && world_chance(w, 50))
        s->keys_wanted = 1;
    s->batching = world_chance(w, 40);
    s->uploads = world_chance(w, 40);
    s->config = (struct reg_config){ .epoch = 1, .n = (uint8_t)s->voters };
    for (unsigned r = 0; r < s->voters; r++)
        s->config.member[r] = (uint8_t)r;
    s->coming = s->config;
    s->wiped = s->newcomer = s->spares_used = 0;
    s->hasty = world_chance(w, 60);
    s->gather = world_chance(w, 40);
    s->node_lost = false;
    s->wire = world_chance(w, 10) && PX_MUTANT == 0;
    s->keys = s->sessions = s->nodes = s->clients = 0;
    s->decided = s->looked = s->linked = 0;
}

static void reg_setup(void *sys, struct sim_world *w)
{
    static const char *const names[] = { "r0", "r1", "r2", "r3", "r4", "r5", "r6" };
    struct reg_sim *s = sys;
    unsigned clients;

    s->w = s->history.w = w;
    setup_shape(s);
    for (unsigned r = 0; r < s->replicas; r++)
        world_proc_add(w, names[r], WORLD_MAY_CRASH | WORLD_MAY_PAUSE | WORLD_MAY_CUT);
    for (unsigned r = 0; r < s->replicas; r++)
        reg_replica_setup(s, r, r < s->voters);
    s->journal = world_proc_add(w, "journal", 0);
    if (s->replicas > s->voters)
        world_timer(w, s->journal, WORLD_MS << world_below(w, 8), TIMER_OPERATOR, 0);
    if (s->uploads) {
        setup_uploads(s);
        return;
    }
    clients = (s->replicas > s->voters ? 2 : 1) + (unsigned)world_below(w, 4);
    for (unsigned c = 0; c < clients; c++)
        reg_client_add(s, world_proc_add(w, "client", WORLD_MAY_CUT), ROLE_RANDOM);
}

static void reg_message(void *sys, unsigned to, unsigned from, const void *msg, size_t len)
{
    struct reg_sim *s = sys;
    uint8_t kind = *(const uint8_t *)msg;

    (void)len;
    switch ((enum reg_msg_kind)kind) {
    case MSG_ASK:
        reg_replica_ask(s, to, from, msg);
        break;
    case MSG_ANSWER:
        reg_coordinator_answer(s, to, from, msg);
        break;
    case MSG_REQUEST:
        reg_coordinator_request(s, to, from, msg);
        break;
    case MSG_ENTRY:
        reg_journal_entry(s, from, msg);
        break;
    case MSG_FRAG:
        reg_node_frag(s, to, from, msg);
        break;
    case MSG_REPLY:
    case MSG_ENTRY_DONE:
    case MSG_FRAG_DONE:
        reg_client_answer(s, to, msg);
        break;
    case MSG_COPY:
    case MSG_COPIED:
    case MSG_FENCE:
    case MSG_FENCED:
    case MSG_OPEN:
    case MSG_OPENED:
    case MSG_GATHER:
    case MSG_GATHERED:
        reg_member_message(s, to, from, msg);
        break;
    }
}

static void reg_timer(void *sys, unsigned proc, uint32_t kind, uint64_t data)
{
    struct reg_sim *s = sys;

    if (kind == TIMER_COORDINATOR)
        reg_coordinator_timer(s, proc, data);
    else if (kind == TIMER_JOIN)
        reg_member_timer(s, proc);
    else if (kind == TIMER_OPERATOR)
        reg_operator_timer(s);
    else if (kind == TIMER_NODE_LOST && !world_healed(s->w))
        world_crash(s->w, s->node[world_below(s->w, s->nodes)].proc, true);
    else
        reg_client_timer(s, proc, kind, data);
}

static void reg_crash(void *sys, unsigned proc, bool wiped)
{
    struct reg_sim *s = sys;

    if (wiped && proc >= s->replicas)
        reg_node_wiped(s, proc);
    else if (wiped)
        reg_replica_wiped(s, proc);
    else if (proc < s->replicas)
        s->join[proc].active = s->join[proc].gathering = false;
}

static void reg_restart(void *sys, unsigned proc)
{
    struct reg_sim *s = sys;

    if (proc < s->replicas)
        reg_replica_restart(s, proc);
    else
        reg_client_restart(s, proc);
}

static bool reg_done(void *sys)
{
    struct reg_sim *s = sys;

    for (unsigned c = 0; c < s->clients; c++)
        if (s->client[c].call != CALL_NONE)
            return false;
    return true;
}

/* I9: k = 1 fragment is enough to read it; all are there while no node has lost its disk. */
static void check_fragments(struct reg_sim *s, unsigned key, const struct reg_value *v)
{
    unsigned there = 0;

    for (unsigned f = 0; f < REG_FRAGS; f++)
        there += reg_node_holds(s, v->frag[f].node, key, f, v->frag[f].generation);
    if (there < (s->node_lost ? 1 : REG_FRAGS))
        world_violation(s->w, "I9 key %u is LIVE, and %u of its %u fragments are there", key, there,
                        REG_FRAGS);
    if (v->tag != 1000u + key)
        world_violation(s->w, "I11 key %u names other bytes", key);
}

void reg_decided(struct reg_sim *s, unsigned key)
{
    const struct history_ballot *b = history_find(&s->history, key, &s->history.key[key].frontier);

    if (!s->uploads || b == NULL)
        return;
    if (b->value.state == REG_LIVE)
        check_fragments(s, key, &b->value);
    else if (s->session[s->session_of[key]].linked)
        world_violation(s->w, "I10 key %u is a TOMB, and linked", key);
}

static void reg_check(void *sys, bool quiet)
{
    struct reg_sim *s = sys;

    for (unsigned k = 0; k < s->keys; k++)
        reg_decided(s, k);
    if (!quiet)
        world_violation(s->w, "healed, and still not done");
}

static void describe_ask(const struct reg_ask *a, char text[WORLD_TEXT_MAX])
{
    static const char *const phases[] = { "?", "ACCEPT0", "PREPARE", "ACCEPT", "READ" };

    snprintf(text, WORLD_TEXT_MAX, "%s%s id %u.%u.%u (%u,%u,%u) tag %x", phases[a->ask.phase],
             a->ask.create ? " create" : "", vs_id_pid(&a->ask.id), vs_id_inc(&a->ask.id),
             (unsigned)vs_id_seq(&a->ask.id), (unsigned)a->ask.ballot.round, a->ask.ballot.pid,
             a->ask.ballot.inc, a->ask.phase == PX_PREPARE ? 0 : a->value.tag);
}

static void describe_answer(const struct reg_answer *a, char text[WORLD_TEXT_MAX])
{
    static const char *const words[] = { "?", "OK", "NO", "EPOCH" };
    const struct px_answer *p = &a->answer;

    snprintf(text, WORLD_TEXT_MAX, "%s phase %u (%u,%u,%u): promised (%u,%u,%u) has (%u,%u,%u)",
             words[p->word], p->phase, (unsigned)p->ballot.round, p->ballot.pid, p->ballot.inc,
             (unsigned)p->promised.round, p->promised.pid, p->promised.inc,
             (unsigned)p->accepted_at.round, p->accepted_at.pid, p->accepted_at.inc);
}

static void reg_describe(const void *msg, size_t len, char text[WORLD_TEXT_MAX])
{
    const struct reg_frame *f = msg;
    const struct reg_request *q = msg;
    const struct reg_reply *p = msg;
    const struct reg_entry *e = msg;
    const struct reg_frag *g = msg;
    const struct reg_records *m = msg;
    static const char *const steps[] = { "copy",  "copied", "fence",  "fenced",
                                         "open?", "opened", "gather", "gathered" };

    (void)len;
    if (f->kind == MSG_ASK)
        describe_ask(&f->ask[0], text);
    else if (f->kind == MSG_ANSWER)
        describe_answer(&f->answer[0], text);
    else if (f->kind == MSG_REQUEST)
        snprintf(text, WORLD_TEXT_MAX, "op %u: %u items, key %u what %u", q->op, q->n,
                 q->item[0].key, q->item[0].what);
    else if (f->kind == MSG_REPLY)
        snprintf(text, WORLD_TEXT_MAX, "op %u key %u: %d", p->op, p->key, p->status);
    else if (f->kind == MSG_ENTRY || f->kind == MSG_ENTRY_DONE)
        snprintf(text, WORLD_TEXT_MAX, "entry %u session %u: state %u", e->what, e->session,
                 e->state);
    else if (f->kind >= MSG_COPY)
        snprintf(text, WORLD_TEXT_MAX, "%s epoch %u, %u records", steps[f->kind - MSG_COPY],
                 (unsigned)m->epoch, m->n);
    else
        snprintf(text, WORLD_TEXT_MAX, "%s %u.%u.%u", g->remove ? "remove" : "put", g->key,
                 g->index, g->generation);
}

const struct sim_system sim_reg_system = {
    .name = "registers",
    .msg_bytes_max = sizeof(struct reg_frame),
    .new = reg_new,
    .free = reg_free,
    .setup = reg_setup,
    .message = reg_message,
    .timer = reg_timer,
    .crash = reg_crash,
    .restart = reg_restart,
    .done = reg_done,
    .check = reg_check,
    .describe = reg_describe,
};
