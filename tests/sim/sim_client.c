/* sim_client: clients of registers: they create, change, delete and read at random, and take an
 * unanswered operation to the next coordinator under the same number.
 *
 * A client that has waited in vain may have changed its mind about the value of a fresh id (its
 * upload was coded anew): it says so. */
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

static void client_send(struct reg_sim *s, struct reg_client *c)
{
    world_send(s->w, c->proc, c->at, &c->request,
               offsetof(struct reg_request, item) + c->request.n * sizeof(c->request.item[0]), 0);
    world_timer(s->w, c->proc, REG_PATIENCE_US, TIMER_RETRY, c->op << 8 | c->tries);
}

static struct reg_value fresh_value(struct reg_sim *s)
{
    return (struct reg_value){ .state = REG_LIVE,
                               .generation = 1,
                               .tag = (uint32_t)world_rand(s->w) | 1 };
}

static void choose_create(struct reg_sim *s, struct reg_client *c)
{
    unsigned n = world_chance(s->w, 80) ? 1 : 1 + (unsigned)world_below(s->w, REG_BATCH_MAX);

    /* The owner is asked first, as a rule. */
    c->request.n = 0;
    for (unsigned i = 0; i < n && s->keys < s->keys_wanted; i++) {
        int key = reg_issue(s, c->at);

        if (key < 0)
            break;
        c->request.item[c->request.n++] = (struct reg_item){
            .key = (uint8_t)key, .what = WHAT_CREATE, .fresh = true, .value = fresh_value(s)
        };
    }
    if (world_chance(s->w, 20))
        c->at = s->config.member[world_below(s->w, s->config.n)];
}

static void choose_change(struct reg_sim *s, struct reg_client *c)
{
    unsigned key = (unsigned)world_below(s->w, s->keys);
    unsigned draw = (unsigned)world_below(s->w, 100);
    struct reg_item item = { .key = (uint8_t)key, .what = WHAT_LOOK };

    if (draw < 50) {
        item.what = WHAT_CAS;
        item.expect = c->known[key];
        item.value = fresh_value(s);
        item.value.generation = (uint8_t)(item.expect.generation + 1);
    } else if (draw < 55) {
        item.what = WHAT_TOMB;
        item.value.state = REG_TOMB;
    } else if (draw < 60) {
        item.what = WHAT_TOMB_ABSENT;
        item.value.state = REG_TOMB;
    }
    c->request.n = 1;
    c->request.item[0] = item;
}

static void client_begin(struct reg_sim *s, struct reg_client *c)
{
    c->at = s->config.member[world_below(s->w, s->config.n)];
    c->request.n = 0;
    if (s->keys < s->keys_wanted && world_up(s->w, c->at) &&
        (s->keys == 0 || world_chance(s->w, 30)))
        choose_create(s, c);
    if (c->request.n == 0 && s->keys > 0)
        choose_change(s, c);
    if (c->request.n == 0) {
        world_timer(s->w, c->proc, WORLD_MS, TIMER_CLIENT, 0);
        return;
    }
    c->request.kind = MSG_REQUEST;
    c->request.op = ++c->op;
    c->tries = 0;
    c->waiting = true;
    c->left = c->request.n;
    client_send(s, c);
}

void reg_client_setup(struct reg_sim *s, unsigned i)
{
    struct reg_client *c = &s->client[i];

    c->proc = world_proc_add(s->w, "client", WORLD_MAY_CUT);
    c->waiting = false;
    c->op = 0;
    memset(c->known, 0, sizeof(c->known));
    world_timer(s->w, c->proc, world_below(s->w, 10 * WORLD_MS), TIMER_CLIENT, 0);
}

static void client_next(struct reg_sim *s, struct reg_client *c)
{
    c->waiting = false;
    if (!world_healed(s->w))
        world_timer(s->w, c->proc, world_below(s->w, WORLD_MS << world_below(s->w, 6)),
                    TIMER_CLIENT, 0);
}

void reg_client_reply(struct reg_sim *s, unsigned proc, const struct reg_reply *m)
{
    struct reg_client *c = client_of(s, proc);
    struct reg_item *item;

    if (c == NULL || !c->waiting || m->op != c->op || m->status == -ETIMEDOUT)
        return;
    item = &c->request.item[m->i];
    if (item->what == UINT8_MAX)
        return; /* answered before */
    item->what = UINT8_MAX;
    c->known[m->key] = m->value;
    if (--c->left == 0)
        client_next(s, c);
}

/* What is still to be asked, at the next coordinator. */
static void client_retry(struct reg_sim *s, struct reg_client *c)
{
    unsigned i = 0;

    if (++c->tries >= REG_TRIES_MAX) {
        client_next(s, c); /* unknown, for ever */
        return;
    }
    while (s->config.member[i] != c->at && i + 1 < s->config.n)
        i++;
    c->at = s->config.member[(i + 1) % s->config.n];
    for (unsigned j = 0; j < c->request.n; j++) {
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

    if (kind == TIMER_CLIENT && !c->waiting)
        client_begin(s, c);
    else if (kind == TIMER_RETRY && c->waiting && data == (c->op << 8 | c->tries))
        client_retry(s, c);
}
