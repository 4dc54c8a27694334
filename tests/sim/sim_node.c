/* sim_node: storage nodes, which hold fragments and ask before they drop one; and the journal as
 * one place where every entry takes effect at once, in one order.
 *
 * A node never decides alone: it asks what became of the session, reads the register from a quorum,
 * and does what frag_rule() says, later, to the very fragment it asked about. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/frag_rule.h"
#include "tests/sim/sim_reg.h"
#include <string.h>

enum node_step { NODE_PICK, NODE_ASK_SESSION, NODE_ASK_REGISTER, NODE_ACT, NODE_REMOVE };
enum { ASKED_SESSION = 1, ASKED_REGISTER = 2 }; /* bits of reg_client.asked */

static struct reg_node *node_of(struct reg_sim *s, unsigned proc)
{
    for (unsigned i = 0; i < s->nodes; i++)
        if (s->node[i].proc == proc)
            return &s->node[i];
    return NULL;
}

bool reg_node_holds(const struct reg_sim *s, unsigned node, unsigned key, unsigned index,
                    unsigned generation)
{
    return (s->node[node].held[key][index] >> generation & 1) != 0;
}

/* ---- fragments ---- */

void reg_node_wiped(struct reg_sim *s, unsigned proc)
{
    struct reg_node *n = node_of(s, proc);

    memset(n->held, 0, s->keys * sizeof(n->held[0]));
    s->node_lost = true;
}

/* Does this value name the fragment? */
static bool named(const struct reg_value *v, unsigned node, unsigned index, unsigned generation)
{
    return v->state == REG_LIVE && v->frag[index].node == node &&
           v->frag[index].generation == generation;
}

static uint64_t node_put(struct reg_sim *s, struct reg_node *n, unsigned key, unsigned index,
                         uint32_t held)
{
    world_put(s->w, n->proc, 0, &n->held[key][index], &held, sizeof(held));
    return world_batch_end(s->w, n->proc, 0, true);
}

static uint64_t node_drop(struct reg_sim *s, struct reg_node *n, unsigned key, unsigned index,
                          unsigned generation)
{
    const struct history_ballot *b = history_find(&s->history, key, &s->history.key[key].frontier);
    unsigned node = (unsigned)(n - s->node);

    if (b != NULL && named(&b->value, node, index, generation))
        world_violation(s->w,
                        "I9 key %u: node %u removes fragment %u of generation %u, which the "
                        "register names",
                        key, node, index, generation);
    return node_put(s, n, key, index, n->held[key][index] & ~(1u << generation));
}

void reg_node_frag(struct reg_sim *s, unsigned proc, unsigned from, const struct reg_frag *m)
{
    struct reg_node *n = node_of(s, proc);
    struct reg_frag done = *m;
    uint64_t at;

    VS_ASSERT(n != NULL && m->generation <= REG_GENERATION_MAX);
    if (m->remove)
        at = node_drop(s, n, m->key, m->index, m->generation);
    else
        at = node_put(s, n, m->key, m->index, n->held[m->key][m->index] | 1u << m->generation);
    done.kind = MSG_FRAG_DONE;
    world_send(s->w, proc, from, &done, sizeof(done), at);
}

/* ---- what a node asks ---- */

static void node_later(struct reg_sim *s, struct reg_client *c)
{
    c->step = NODE_PICK;
    reg_client_wait(s, c, WORLD_MS << world_below(s->w, 8));
}

/* Any fragment it holds. */
static bool node_pick(struct reg_sim *s, struct reg_client *c, const struct reg_node *n)
{
    unsigned start = (unsigned)world_below(s->w, s->keys * REG_FRAGS);

    for (unsigned i = 0; i < s->keys * REG_FRAGS; i++) {
        unsigned at = (start + i) % (s->keys * REG_FRAGS);
        uint32_t held = n->held[at / REG_FRAGS][at % REG_FRAGS];

        if (held == 0)
            continue;
        c->key = (uint8_t)(at / REG_FRAGS);
        c->index = (uint8_t)(at % REG_FRAGS);
        c->generation =
            (uint8_t)(world_chance(s->w, 50) ? __builtin_ctz(held) : 31 - __builtin_clz(held));
        return true;
    }
    return false;
}

/* In either order: what is true when the first is answered may not be when the second is. */
static void node_ask(struct reg_sim *s, struct reg_client *c, bool session)
{
    struct reg_item look = { .key = c->key, .what = WHAT_LOOK };

    if (session) {
        c->step = NODE_ASK_SESSION;
        c->entry = (struct reg_entry){ .what = ENTRY_STATE, .session = s->session_of[c->key] };
        reg_client_call(s, c, CALL_ENTRY);
    } else {
        c->step = NODE_ASK_REGISTER;
        reg_client_want(s, c, &look);
    }
}

void reg_node_step(struct reg_sim *s, struct reg_client *c)
{
    struct reg_node *n = node_of(s, c->proc);

    if (c->step == NODE_REMOVE) {
        node_drop(s, n, c->key, c->index, c->generation);
        node_later(s, c);
        return;
    }
    if (s->keys == 0 || !node_pick(s, c, n)) {
        node_later(s, c);
        return;
    }
    c->asked = 0;
    node_ask(s, c, world_chance(s->w, 50));
}

static void node_judge(struct reg_sim *s, struct reg_client *c)
{
    const struct reg_reply *m = &c->reply[0];
    const struct reg_value *v = &m->value;
    struct frag_facts f = { .generation = c->generation,
                            .session = c->entry.state >= SESSION_COMMITTED ? FRAG_SESSION_CLOSED
                                                                           : FRAG_SESSION_OPEN,
                            .present = m->present,
                            .tomb = v->state == REG_TOMB,
                            .reg_generation = v->generation };
    struct reg_item item = { .key = c->key, .what = WHAT_TOMB_ABSENT, .value.state = REG_TOMB };

    f.named =
        m->present && named(v, (unsigned)(node_of(s, c->proc) - s->node), c->index, c->generation);
    switch (frag_rule(&f)) {
    case FRAG_KEEP:
        node_later(s, c);
        break;
    case FRAG_REMOVE:
        c->step = NODE_REMOVE;
        reg_client_wait(s, c, WORLD_MS << world_below(s->w, 8));
        break;
    case FRAG_RAISE_FIRST:
        item.what = WHAT_RAISE;
        item.expect = *v;
        /* fall through */
    case FRAG_TOMB_FIRST:
        c->step = NODE_ACT;
        reg_client_want(s, c, &item);
        break;
    }
}

void reg_node_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    if (!answered || c->step == NODE_ACT ||
        (c->step == NODE_ASK_REGISTER && c->reply[0].status < 0)) {
        node_later(s, c); /* and asks again */
        return;
    }
    c->asked |= c->step == NODE_ASK_SESSION ? ASKED_SESSION : ASKED_REGISTER;
    if (c->asked == (ASKED_SESSION | ASKED_REGISTER))
        node_judge(s, c);
    else
        node_ask(s, c, c->asked == ASKED_REGISTER);
}

/* ---- journal ---- */

/* I10: what becomes visible is there. */
static void check_link(struct reg_sim *s, const struct reg_session *session)
{
    for (unsigned k = session->first; k < (unsigned)session->first + session->keys; k++) {
        const struct history_ballot *b = history_find(&s->history, k, &s->history.key[k].frontier);

        if (b != NULL && b->value.state != REG_LIVE)
            world_violation(s->w, "I10 key %u is linked, and not LIVE", k);
    }
}

static void entry_apply(struct reg_sim *s, const struct reg_entry *m)
{
    struct reg_session *session = &s->session[m->session];

    switch ((enum reg_entry_what)m->what) {
    case ENTRY_OPEN:
        if (session->state == SESSION_NONE)
            *session =
                (struct reg_session){ .state = SESSION_OPEN, .first = m->first, .keys = m->keys };
        break;
    case ENTRY_LINK:
        if (session->state != SESSION_OPEN)
            break;
        session->state = SESSION_COMMITTED;
        session->linked = true;
        check_link(s, session);
        break;
    case ENTRY_ABORT:
        if (session->state == SESSION_OPEN)
            session->state = SESSION_ABORTED;
        break;
    case ENTRY_UNLINK:
        session->unlinked |= session->linked;
        session->linked = false;
        break;
    case ENTRY_STATE:
        break;
    }
}

void reg_journal_entry(struct reg_sim *s, unsigned from, const struct reg_entry *m)
{
    struct reg_entry done = *m;

    entry_apply(s, m);
    done.kind = MSG_ENTRY_DONE;
    done.state = s->session[m->session].state;
    world_mix(s->w, (uint64_t)done.session << 8 | done.state);
    world_send(s->w, s->journal, from, &done, sizeof(done), 0);
}
