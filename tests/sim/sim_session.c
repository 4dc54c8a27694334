/* sim_session: uploads in sessions, the reaper that ends abandoned ones, movers that put fragments
 * elsewhere: three actors that must not hurt each other, however late their messages arrive.
 *
 * An upload: session opened with its ids, fragments durable, registers created, session linked;
 * sometimes unlinked and deleted later. It may be abandoned at every step. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/frag_rule.h"
#include "tests/sim/sim_reg.h"

enum upload_step {
    UPLOAD_BEGIN,
    UPLOAD_OPEN,
    UPLOAD_PUT,
    UPLOAD_CREATE,
    UPLOAD_LINK,
    UPLOAD_LINKED,
    UPLOAD_UNLINK,
    UPLOAD_TOMB
};
enum reaper_step { REAPER_PICK, REAPER_ABORT, REAPER_TOMB };
enum mover_step { MOVER_PICK, MOVER_LOOK, MOVER_PUT, MOVER_CAS, MOVER_REMOVE };

static void tomb_session(struct reg_sim *s, struct reg_client *c)
{
    const struct reg_session *session = &s->session[c->session];

    c->at = s->config.member[world_below(s->w, s->config.n)];
    c->request.n = session->keys;
    for (unsigned i = 0; i < session->keys; i++)
        c->request.item[i] = (struct reg_item){ .key = (uint8_t)(session->first + i),
                                                .what = WHAT_TOMB,
                                                .value.state = REG_TOMB };
    reg_client_call(s, c, CALL_REQUEST);
}

/* ---- an upload ---- */

static void upload_again(struct reg_sim *s, struct reg_client *c)
{
    c->step = UPLOAD_BEGIN;
    reg_client_wait(s, c, WORLD_MS << world_below(s->w, 8));
}

static void upload_begin(struct reg_sim *s, struct reg_client *c)
{
    unsigned keys = world_chance(s->w, 95) ? 1 + (unsigned)world_below(s->w, 2) : 20;

    c->at = s->config.member[world_below(s->w, s->config.n)];
    if (s->sessions == REG_SESSIONS_MAX || s->keys + keys > REG_KEYS_MAX ||
        !reg_may_issue(s, c->at)) {
        upload_again(s, c);
        return;
    }
    c->session = (uint8_t)s->sessions++;
    c->entry = (struct reg_entry){
        .what = ENTRY_OPEN, .session = c->session, .first = (uint8_t)s->keys, .keys = (uint8_t)keys
    };
    s->session[c->session] = (struct reg_session){ 0 };
    for (unsigned i = 0; i < keys; i++) {
        int key = reg_issue(s, c->at);

        VS_ASSERT(key >= 0);
        s->session_of[key] = c->session;
        for (unsigned n = 0; n < s->nodes; n++)
            for (unsigned f = 0; f < REG_FRAGS; f++)
                s->node[n].held[key][f] = 0;
    }
    c->step = UPLOAD_OPEN;
    reg_client_call(s, c, CALL_ENTRY);
}

/* Fragments go to nodes that differ; the value names them. */
static void upload_put(struct reg_sim *s, struct reg_client *c)
{
    const struct reg_entry *e = &c->entry;

    c->frags = 0;
    c->request.n = e->keys;
    for (unsigned i = 0; i < e->keys; i++) {
        uint8_t key = (uint8_t)(e->first + i);
        unsigned node = (unsigned)world_below(s->w, s->nodes);
        struct reg_item item = { .key = key, .what = WHAT_CREATE, .fresh = true };

        item.value = (struct reg_value){
            .state = REG_LIVE, .generation = 1, .session = c->session, .tag = 1000u + key
        };
        for (unsigned f = 0; f < REG_FRAGS; f++) {
            uint8_t at = (uint8_t)((node + f) % s->nodes);

            item.value.frag[f].node = at;
            item.value.frag[f].generation = 1;
            c->put[c->frags].node = at;
            c->put[c->frags++].frag =
                (struct reg_frag){ .key = key, .index = (uint8_t)f, .generation = 1 };
        }
        c->request.item[i] = item;
    }
    c->step = UPLOAD_PUT;
    reg_client_call(s, c, CALL_FRAGS);
}

static bool upload_created(const struct reg_client *c)
{
    for (unsigned i = 0; i < c->request.n; i++)
        if (c->reply[i].status != 0)
            return false;
    return true;
}

static void upload_entry(struct reg_sim *s, struct reg_client *c, enum upload_step step,
                         enum reg_entry_what what)
{
    c->step = (uint8_t)step;
    c->entry.what = (uint8_t)what;
    reg_client_call(s, c, CALL_ENTRY);
}

void reg_upload_step(struct reg_sim *s, struct reg_client *c)
{
    if (c->step == UPLOAD_LINKED)
        upload_entry(s, c, UPLOAD_UNLINK, ENTRY_UNLINK);
    else
        upload_begin(s, c);
}

void reg_upload_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    if (!answered || world_chance(s->w, 4)) { /* given up, or dead: what was sent is on its way */
        upload_again(s, c);
        return;
    }
    switch ((enum upload_step)c->step) {
    case UPLOAD_OPEN:
        upload_put(s, c);
        break;
    case UPLOAD_PUT:
        c->step = UPLOAD_CREATE;
        reg_client_call(s, c, CALL_REQUEST);
        break;
    case UPLOAD_CREATE:
        if (upload_created(c))
            upload_entry(s, c, UPLOAD_LINK, ENTRY_LINK);
        else
            upload_again(s, c);
        break;
    case UPLOAD_LINK:
        s->linked += c->entry.state == SESSION_COMMITTED;
        if (c->entry.state != SESSION_COMMITTED || world_chance(s->w, 60)) {
            upload_again(s, c);
            break;
        }
        c->step = UPLOAD_LINKED;
        reg_client_wait(s, c, WORLD_MS << world_below(s->w, 8));
        break;
    case UPLOAD_UNLINK:
        c->step = UPLOAD_TOMB;
        tomb_session(s, c);
        break;
    default:
        upload_again(s, c);
        break;
    }
}

/* ---- the reaper ---- */

static void reaper_later(struct reg_sim *s, struct reg_client *c)
{
    c->step = REAPER_PICK;
    reg_client_wait(s, c, WORLD_MS << world_below(s->w, 11));
}

/* Any session may look abandoned to a clock that jumps. */
void reg_reaper_step(struct reg_sim *s, struct reg_client *c)
{
    if (s->sessions == 0 || !world_chance(s->w, 50)) {
        reaper_later(s, c);
        return;
    }
    c->session = (uint8_t)world_below(s->w, s->sessions);
    if (s->session[c->session].state == SESSION_OPEN && frag_may_reap(FRAG_SESSION_OPEN)) {
        c->step = REAPER_TOMB;
        tomb_session(s, c);
        return;
    }
    c->step = REAPER_ABORT;
    c->entry = (struct reg_entry){ .what = ENTRY_ABORT, .session = c->session };
    reg_client_call(s, c, CALL_ENTRY);
}

void reg_reaper_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    if (answered && c->step == REAPER_ABORT && c->entry.state == SESSION_ABORTED &&
        frag_may_reap(FRAG_SESSION_CLOSED)) {
        c->step = REAPER_TOMB;
        tomb_session(s, c);
        return;
    }
    reaper_later(s, c);
}

/* ---- a mover ---- */

static void mover_later(struct reg_sim *s, struct reg_client *c)
{
    c->step = MOVER_PICK;
    reg_client_wait(s, c, WORLD_MS << world_below(s->w, 9));
}

void reg_mover_step(struct reg_sim *s, struct reg_client *c)
{
    struct reg_item look = { .what = WHAT_LOOK };

    if (s->keys == 0) {
        mover_later(s, c);
        return;
    }
    c->key = look.key = (uint8_t)world_below(s->w, s->keys);
    c->step = MOVER_LOOK;
    reg_client_want(s, c, &look);
}

/* A new fragment of the next generation, anywhere but beside another one of the chunk. */
static void mover_put(struct reg_sim *s, struct reg_client *c)
{
    const struct reg_reply *m = &c->reply[0];
    uint8_t index = (uint8_t)world_below(s->w, REG_FRAGS);
    uint8_t node = (uint8_t)world_below(s->w, s->nodes);

    if (m->status < 0 || !m->present || m->value.state != REG_LIVE ||
        m->value.generation >= REG_GENERATION_MAX) {
        mover_later(s, c);
        return;
    }
    for (unsigned f = 0; f < REG_FRAGS; f++)
        if (f != index && m->value.frag[f].node == node)
            node = m->value.frag[index].node; /* written anew in its place */
    c->known[c->key] = m->value;
    c->index = index;
    c->node = node;
    c->generation = (uint8_t)(m->value.generation + 1);
    c->frags = 1;
    c->put[0].node = node;
    c->put[0].frag =
        (struct reg_frag){ .key = c->key, .index = index, .generation = c->generation };
    c->step = MOVER_PUT;
    reg_client_call(s, c, CALL_FRAGS);
}

static void mover_cas(struct reg_sim *s, struct reg_client *c)
{
    struct reg_item item = { .key = c->key, .what = WHAT_CAS };

    item.expect = item.value = c->known[c->key];
    item.value.generation = c->generation;
    item.value.frag[c->index].node = c->node;
    item.value.frag[c->index].generation = c->generation;
    c->step = MOVER_CAS;
    reg_client_want(s, c, &item);
}

void reg_mover_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    int status;

    if (c->step == MOVER_LOOK && answered) {
        mover_put(s, c);
    } else if (c->step == MOVER_PUT && answered) {
        mover_cas(s, c);
    } else if (c->step == MOVER_CAS) {
        status = answered ? c->reply[0].status : -ETIMEDOUT;
        if (frag_after_repair(status) != FRAG_REMOVE) {
            mover_later(s, c);
            return;
        }
        c->put[0].frag.remove = true;
        c->step = MOVER_REMOVE;
        reg_client_call(s, c, CALL_FRAGS);
    } else {
        mover_later(s, c);
    }
}
