/* sim_history: see the header. Ballots of a register are few, so everything is a linear search. */
#include "tests/sim/sim_history.h"
#include <inttypes.h>
#include <string.h>

void history_key_reset(struct reg_history *h, unsigned key)
{
    struct history_key *k = &h->key[key];

    k->count = 0;
    k->frontier = (struct px_ballot){ 0 };
    memset(k->promised, 0, sizeof(k->promised));
    memset(k->accepted, 0, sizeof(k->accepted));
}

static bool same_ballot(const struct px_ballot *a, const struct px_ballot *b)
{
    return a->round == b->round && a->pid == b->pid && a->inc == b->inc;
}

/* Of its own: what is compared here must not depend on the code that is checked. */
static int order(const struct px_ballot *a, const struct px_ballot *b)
{
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->inc < b->inc ? -1 : a->inc > b->inc;
}

static bool none(const struct px_ballot *b)
{
    return b->pid == 0;
}

static struct history_ballot *find(struct history_key *k, const struct px_ballot *at)
{
    for (unsigned i = k->count; i-- > 0;)
        if (same_ballot(&k->ballot[i].at, at))
            return &k->ballot[i];
    return NULL;
}

const struct history_ballot *history_find(const struct reg_history *h, unsigned key,
                                          const struct px_ballot *at)
{
    return find((struct history_key *)&h->key[key], at);
}

void history_proposed(struct reg_history *h, unsigned key, const struct px_ballot *at,
                      const struct px_ballot *parent, const struct px_accepted *next)
{
    struct history_key *k = &h->key[key];
    struct history_ballot *was = find(k, at), *from = find(k, parent);
    struct reg_value value;

    if (next->value_len != sizeof(value))
        world_violation(h->w, "key %u: a value of %zu bytes is proposed", key, next->value_len);
    memcpy(&value, next->value, sizeof(value));
    if (was != NULL) {
        if (was->version != next->version || memcmp(&was->value, &value, sizeof(value)) != 0)
            world_violation(h->w, "I1 key %u: two values at ballot (%" PRIu64 ",%u,%u)", key,
                            at->round, at->pid, at->inc);
        return;
    }
    if (from != NULL && next->version != from->version + 1 &&
        (next->version != from->version || memcmp(&value, &from->value, sizeof(value)) != 0))
        world_violation(h->w, "key %u: version %" PRIu64 " does not follow %" PRIu64, key,
                        next->version, from->version);
    if (from != NULL && from->value.state == REG_TOMB && value.state != REG_TOMB)
        world_violation(h->w, "I7 key %u: LIVE follows a TOMB", key);
    if (k->count == HISTORY_MAX)
        return;
    k->ballot[k->count++] = (struct history_ballot){ .at = *at,
                                                     .parent = *parent,
                                                     .version = next->version,
                                                     .op = next->last_op[0].op,
                                                     .value = value };
}

void history_acknowledged(struct reg_history *h, unsigned key, unsigned replica,
                          const struct px_answer *a)
{
    struct history_key *k = &h->key[key];

    if (a->word != PX_SAYS_OK || a->phase == PX_READ)
        return;
    if (order(&a->ballot, &k->promised[replica]) > 0 && a->ballot.round > 0)
        k->promised[replica] = a->ballot;
    if (a->phase != PX_PREPARE && order(&a->ballot, &k->accepted[replica]) > 0)
        k->accepted[replica] = a->ballot;
}

void history_restarted(struct reg_history *h, unsigned key, unsigned replica,
                       const struct px_reg *reg)
{
    const struct history_key *k = &h->key[key];

    if (order(&reg->promised, &k->promised[replica]) < 0)
        world_violation(h->w, "I3 key %u: replica %u forgot a promise", key, replica);
    if (order(&reg->ballot, &k->accepted[replica]) < 0)
        world_violation(h->w, "I3 key %u: replica %u forgot what it had accepted", key, replica);
}

void history_replaced(struct reg_history *h, unsigned key, unsigned replica)
{
    h->key[key].accepted[replica] = (struct px_ballot){ 0 };
}

/* Going from y to its parents, x is met. What was not recorded is not doubted. */
static bool descends(struct history_key *k, const struct history_ballot *y,
                     const struct px_ballot *x)
{
    while (y != NULL && order(&y->at, x) > 0) {
        if (same_ballot(&y->parent, x))
            return true;
        if (none(&y->parent))
            return false;
        y = find(k, &y->parent);
    }
    return y == NULL || same_ballot(&y->at, x);
}

static void choose(struct reg_history *h, unsigned key, const struct px_ballot *at)
{
    struct history_key *k = &h->key[key];
    struct history_ballot *b = find(k, at);

    if (b == NULL || b->chosen)
        return;
    b->chosen = true;
    for (unsigned i = 0; i < k->count; i++) {
        struct history_ballot *other = &k->ballot[i];
        int o = order(&other->at, at);
        bool chain = o == 0 || !other->chosen ||
                     (o < 0 ? descends(k, b, &other->at) : descends(k, other, at));

        if (!chain)
            world_violation(h->w,
                            "I2 key %u: chosen at (%" PRIu64 ",%u,%u) and (%" PRIu64
                            ",%u,%u), and neither follows the other",
                            key, at->round, at->pid, at->inc, other->at.round, other->at.pid,
                            other->at.inc);
    }
}

void history_decided(struct reg_history *h, unsigned key, const struct px_ballot *at,
                     const struct px_ballot *floor)
{
    struct history_key *k = &h->key[key];

    if (order(at, floor) < 0)
        world_violation(h->w,
                        "I5 key %u: an operation ends at (%" PRIu64 ",%u,%u), and (%" PRIu64
                        ",%u,%u) was decided before it began",
                        key, at->round, at->pid, at->inc, floor->round, floor->pid, floor->inc);
    if (none(at))
        return;
    choose(h, key, at);
    if (order(at, &k->frontier) > 0)
        k->frontier = *at;
}

void history_refused(struct reg_history *h, unsigned key, const struct px_op *op,
                     const struct px_ballot *at, uint64_t version)
{
    struct history_key *k = &h->key[key];
    const struct history_ballot *now = find(k, at);

    for (unsigned i = 0; now != NULL && i < k->count; i++) {
        const struct history_ballot *b = &k->ballot[i];

        if (memcmp(&b->op, op, sizeof(*op)) == 0 && b->chosen &&
            b->version + PX_OPS_KEPT > version && order(&b->at, at) <= 0 &&
            descends(k, now, &b->at))
            world_violation(h->w, "key %u: an operation is refused that made version %" PRIu64, key,
                            b->version);
    }
}
