/* sim_client: clients: calls that are repeated until they are answered, and clients that create,
 * change, delete and read bare registers at random.
 *
 * A request goes to the next coordinator under the same operation number when no answer has come in
 * time. A client that has waited in vain may have changed its mind about the value of a fresh id
 * (its upload was coded anew): it says so. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/sim/sim_reg.h"
#include <stddef.h>
#include <string.h>

static struct reg_client *client_of(struct reg_sim *s, unsigned proc)
{
    for (unsigned i = 0; i < s->clients; i++)
        if (s->client[i].proc == proc)
            return &s->client[i];
    return NULL;
}

/* ---- calls ---- */

static void send_request(struct reg_sim *s, const struct reg_client *c)
{
    world_send(s->w, c->proc, c->at, &c->request,
               offsetof(struct reg_request, item) + c->request.n * sizeof(c->request.item[0]), 0);
}

static void send_frags(struct reg_sim *s, const struct reg_client *c)
{
    for (unsigned i = 0; i < c->frags; i++)
        if (!c->put[i].done)
            world_send(s->w, c->proc, s->node[c->put[i].node].proc, &c->put[i].frag,
                       sizeof(c->put[i].frag), 0);
}

static void client_send(struct reg_sim *s, struct reg_client *c)
{
    if (c->call == CALL_REQUEST)
        send_request(s, c);
    else if (c->call == CALL_ENTRY)
        world_send(s->w, c->proc, s->journal, &c->entry, sizeof(c->entry), 0);
    else
        send_frags(s, c);
    world_timer(s->w, c->proc, REG_PATIENCE_US, TIMER_RETRY, (uint64_t)c->op << 8 | c->tries);
}

void reg_client_call(struct reg_sim *s, struct reg_client *c, enum reg_call call)
{
    c->op++;
    c->call = (uint8_t)call;
    c->tries = 0;
    c->left = 1;
    if (call == CALL_REQUEST) {
        c->request.kind = MSG_REQUEST;
        c->request.op = c->op;
        c->left = c->request.n;
    } else if (call == CALL_ENTRY) {
        c->entry.kind = MSG_ENTRY;
        c->entry.op = c->op;
    } else {
        c->left = (uint8_t)c->frags;
        for (unsigned i = 0; i < c->frags; i++) {
            c->put[i].done = false;
            c->put[i].frag.kind = MSG_FRAG;
            c->put[i].frag.item = (uint8_t)i;
            c->put[i].frag.op = c->op;
        }
    }
    VS_ASSERT(c->left > 0);
    client_send(s, c);
}

void reg_client_wait(struct reg_sim *s, struct reg_client *c, uint64_t us)
{
    c->call = CALL_NONE;
    if (!world_healed(s->w))
        world_timer(s->w, c->proc, us, TIMER_CLIENT, 0);
}

void reg_client_want(struct reg_sim *s, struct reg_client *c, const struct reg_item *item)
{
    c->at = s->config.member[world_below(s->w, s->config.n)];
    c->request.n = 1;
    c->request.item[0] = *item;
    reg_client_call(s, c, CALL_REQUEST);
}

/* ---- bare registers ---- */

static void random_pause(struct reg_sim *s, struct reg_client *c)
{
    reg_client_wait(s, c, world_below(s->w, WORLD_MS << world_below(s->w, 6)));
}

static struct reg_value fresh_value(struct reg_sim *s)
{
    return (struct reg_value){ .state = REG_LIVE,
                               .generation = 1,
                               .tag = (uint32_t)world_rand(s->w) | 1 };
}

static void random_create(struct reg_sim *s, struct reg_client *c)
{
    unsigned n = world_chance(s->w, 80) ? 1 : 1 + (unsigned)world_below(s->w, REG_BATCH_MAX);

    c->request.n = 0;
    for (unsigned i = 0; i < n && s->keys < s->keys_wanted; i++) {
        int key = reg_issue(s, c->at);

        if (key < 0)
            break;
        c->request.item[c->request.n++] = (struct reg_item){
            .key = (uint8_t)key, .what = WHAT_CREATE, .fresh = true, .value = fresh_value(s)
        };
    }
    if (world_chance(s->w, 20)) /* the owner is asked first, as a rule */
        c->at = s->config.member[world_below(s->w, s->config.n)];
}

static void random_change(struct reg_sim *s, struct reg_client *c)
{
    unsigned key = (unsigned)world_below(s->w, s->keys);
    unsigned draw = (unsigned)world_below(s->w, 100);
    struct reg_item item = { .key = (uint8_t)key, .what = WHAT_LOOK };

    if (draw < 50) {
        item.what = WHAT_CAS;
        item.expect = c->known[key];
        item.value = fresh_value(s);
        item.value.generation = (uint8_t)(item.expect.generation + 1);
    } else if (draw < 60) {
        item.what = draw < 55 ? WHAT_TOMB : WHAT_TOMB_ABSENT;
        item.value.state = REG_TOMB;
    }
    reg_client_want(s, c, &item);
}

static void random_step(struct reg_sim *s, struct reg_client *c)
{
    c->at = s->config.member[world_below(s->w, s->config.n)];
    c->request.n = 0;
    if (s->keys < s->keys_wanted && reg_may_issue(s, c->at) &&
        (s->keys == 0 || world_chance(s->w, 30)))
        random_create(s, c);
    if (c->request.n > 0)
        reg_client_call(s, c, CALL_REQUEST);
    else if (s->keys > 0)
        random_change(s, c);
    else
        random_pause(s, c);
}

/* ---- answers, silences ---- */

static void client_step(struct reg_sim *s, struct reg_client *c)
{
    static void (*const steps[])(struct reg_sim *, struct reg_client *) = {
        [ROLE_RANDOM] = random_step,     [ROLE_UPLOAD] = reg_upload_step,
        [ROLE_REAPER] = reg_reaper_step, [ROLE_MOVER] = reg_mover_step,
        [ROLE_NODE] = reg_node_step,
    };

    steps[c->role](s, c);
}

static void random_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    (void)answered;
    random_pause(s, c);
}

static void client_done(struct reg_sim *s, struct reg_client *c, bool answered)
{
    static void (*const dones[])(struct reg_sim *, struct reg_client *, bool) = {
        [ROLE_RANDOM] = random_done,     [ROLE_UPLOAD] = reg_upload_done,
        [ROLE_REAPER] = reg_reaper_done, [ROLE_MOVER] = reg_mover_done,
        [ROLE_NODE] = reg_node_done,
    };

    c->call = CALL_NONE;
    dones[c->role](s, c, answered);
}

static void on_reply(struct reg_sim *s, struct reg_client *c, const struct reg_reply *m)
{
    struct reg_item *item = &c->request.item[m->i];

    if (c->call != CALL_REQUEST || m->op != c->op || m->status == -ETIMEDOUT ||
        item->what == UINT8_MAX)
        return;
    item->what = UINT8_MAX;
    c->reply[m->i] = *m;
    c->known[m->key] = m->value;
    if (--c->left == 0)
        client_done(s, c, true);
}

void reg_client_answer(struct reg_sim *s, unsigned proc, const void *msg)
{
    struct reg_client *c = client_of(s, proc);
    const struct reg_reply *reply = msg;
    const struct reg_entry *entry = msg;
    const struct reg_frag *frag = msg;

    if (c == NULL)
        return;
    if (reply->kind == MSG_REPLY) {
        on_reply(s, c, reply);
    } else if (entry->kind == MSG_ENTRY_DONE) {
        if (c->call != CALL_ENTRY || entry->op != c->op)
            return;
        c->entry.state = entry->state;
        client_done(s, c, true);
    } else {
        if (c->call != CALL_FRAGS || frag->op != c->op || c->put[frag->item].done)
            return;
        c->put[frag->item].done = true;
        if (--c->left == 0)
            client_done(s, c, true);
    }
}

static void client_retry(struct reg_sim *s, struct reg_client *c)
{
    unsigned i = 0;

    if (++c->tries >= REG_TRIES_MAX) {
        client_done(s, c, false); /* unknown, for ever */
        return;
    }
    while (s->config.member[i] != c->at && i + 1 < s->config.n)
        i++;
    c->at = s->config.member[(i + 1) % s->config.n];
    for (unsigned j = 0; c->role == ROLE_RANDOM && j < c->request.n; j++) {
        struct reg_item *item = &c->request.item[j];

        if (item->what == WHAT_CREATE && world_chance(s->w, 30)) {
            item->fresh = false;
            item->value = fresh_value(s);
        }
    }
    client_send(s, c);
}

void reg_client_timer(struct reg_sim *s, unsigned proc, uint32_t kind, uint64_t data)
{
    struct reg_client *c = client_of(s, proc);

    if (c == NULL)
        return;
    if (kind == TIMER_CLIENT && c->call == CALL_NONE)
        client_step(s, c);
    else if (kind == TIMER_RETRY && c->call != CALL_NONE &&
             data == ((uint64_t)c->op << 8 | c->tries))
        client_retry(s, c);
}

void reg_client_add(struct reg_sim *s, unsigned proc, enum reg_role role)
{
    struct reg_client *c = &s->client[s->clients++];

    VS_ASSERT(s->clients <= REG_CLIENTS_MAX);
    c->proc = proc;
    c->role = (uint8_t)role;
    c->call = CALL_NONE;
    c->step = 0;
    c->op = 0;
    memset(c->known, 0, sizeof(c->known));
    world_timer(s->w, proc, world_below(s->w, 10 * WORLD_MS), TIMER_CLIENT, 0);
}

void reg_client_restart(struct reg_sim *s, unsigned proc)
{
    struct reg_client *c = client_of(s, proc);

    if (c == NULL)
        return;
    c->step = 0;
    reg_client_wait(s, c, world_below(s->w, 10 * WORLD_MS));
}
