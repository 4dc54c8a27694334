/* health: see health.h.
 *
 * Happy path: a beat a second, nothing changes. Failure modes: a node that is silent steps down; a
 * message that is late, repeated, of an older start or of another store changes nothing. */
#include "meta/health.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"

#include <stddef.h>

bool health_may_move(enum health_state from, enum health_state to)
{
    static const uint8_t moves[HEALTH_STATES] = {
        [HEALTH_UP] = 1u << HEALTH_SUSPECT | 1u << HEALTH_DRAINING,
        [HEALTH_SUSPECT] = 1u << HEALTH_UP | 1u << HEALTH_DRAINING | 1u << HEALTH_DOWN,
        [HEALTH_DOWN] = 1u << HEALTH_UP | 1u << HEALTH_DRAINING | 1u << HEALTH_GONE,
        [HEALTH_DRAINING] = 1u << HEALTH_UP | 1u << HEALTH_SUSPECT | 1u << HEALTH_GONE,
    };

    VS_ASSERT((unsigned)from < HEALTH_STATES && (unsigned)to < HEALTH_STATES);
    return (moves[from] >> to & 1u) != 0;
}

const char *health_state_text(enum health_state s)
{
    static const char *const text[HEALTH_STATES] = {
        [HEALTH_UP] = "up",     [HEALTH_SUSPECT] = "suspect",
        [HEALTH_DOWN] = "down", [HEALTH_DRAINING] = "draining",
        [HEALTH_GONE] = "gone",
    };

    VS_ASSERT((unsigned)s < HEALTH_STATES);
    return text[s];
}

void health_init(struct health *h, int64_t now_ns)
{
    *h = (struct health){ .now_ns = now_ns };
}

static struct health_node *find(struct health *h, uint32_t node)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (h->nodes[i].last.node == node)
            return &h->nodes[i];
    }
    return NULL;
}

const struct health_node *health_find(const struct health *h, uint32_t node)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (h->nodes[i].last.node == node)
            return &h->nodes[i];
    }
    return NULL;
}

/* Take the caller's time. What goes beyond the stall was our own pause: nobody was silent in it. */
static void pass_time(struct health *h, int64_t now_ns)
{
    int64_t pause = now_ns - h->now_ns - HEALTH_STALL_MS * VS_NS_PER_MS;

    if (now_ns <= h->now_ns)
        return;
    for (unsigned i = 0; pause > 0 && i < h->count; i++) {
        h->nodes[i].heard_ns += pause;
        h->nodes[i].since_ns += pause;
    }
    h->now_ns = now_ns;
}

/* The state of a node that was just heard of. */
static enum health_state alive(const struct health_node *n)
{
    return n->drain ? HEALTH_DRAINING : HEALTH_UP;
}

/* 1 moved, 0 was there already. */
static int move(struct health *h, struct health_node *n, enum health_state to,
                struct health_change *ret)
{
    *ret = (struct health_change){ n->last.node, n->state, to };
    if (n->state == to)
        return 0;
    VS_ASSERT(health_may_move(n->state, to));
    n->state = to;
    n->since_ns = h->now_ns;
    return 1;
}

static struct health_node *add(struct health *h, const struct health_beat *b)
{
    struct health_node *n = &h->nodes[h->count];

    VS_ASSERT(h->count < HEALTH_NODES_MAX);
    h->count++;
    *n = (struct health_node){
        .last = *b, .state = HEALTH_UP, .heard_ns = h->now_ns, .since_ns = h->now_ns
    };
    return n;
}

static int check_same_store(const struct health_node *n, const struct vs_id *uuid)
{
    return vs_id_cmp(&n->last.uuid, uuid) == 0 ? 0 : -EEXIST;
}

int health_load(struct health *h, int64_t now_ns, uint32_t node, const struct vs_id *uuid,
                bool drain)
{
    struct health_node *n;
    struct health_change change;

    if (node == 0)
        return -EINVAL;
    pass_time(h, now_ns);
    n = find(h, node);
    if (n == NULL) {
        if (h->count == HEALTH_NODES_MAX)
            return -ENOBUFS;
        n = add(h, &(struct health_beat){ .node = node, .uuid = *uuid });
    }
    if (check_same_store(n, uuid) < 0)
        return -EEXIST;
    n->drain = drain;
    if (n->state == HEALTH_UP || n->state == HEALTH_DRAINING)
        move(h, n, alive(n), &change);
    return 0;
}

/* The newest message of a node that is not gone. */
static int take_beat(struct health *h, struct health_node *n, const struct health_beat *b,
                     struct health_change *ret)
{
    n->last = *b;
    n->heard = true;
    n->heard_ns = h->now_ns;
    return move(h, n, alive(n), ret);
}

int health_register(struct health *h, int64_t now_ns, const struct health_beat *b,
                    struct health_change *ret)
{
    struct health_node *n;

    if (b->node == 0)
        return -EINVAL;
    pass_time(h, now_ns);
    n = find(h, b->node);
    *ret = (struct health_change){ b->node, HEALTH_UP, HEALTH_UP };
    if (n == NULL) {
        if (h->count == HEALTH_NODES_MAX)
            return -ENOBUFS;
        n = add(h, b);
        n->heard = true;
        return 1;
    }
    if (check_same_store(n, &b->uuid) < 0)
        return -EEXIST;
    if (n->state == HEALTH_GONE || b->boot < n->last.boot)
        return -ESTALE;
    if (n->heard && b->boot == n->last.boot && b->seq <= n->last.seq) {
        *ret = (struct health_change){ b->node, n->state, n->state };
        return 0;
    }
    return take_beat(h, n, b, ret);
}

int health_beat(struct health *h, int64_t now_ns, const struct health_beat *b,
                struct health_change *ret)
{
    struct health_node *n;

    pass_time(h, now_ns);
    n = find(h, b->node);
    if (n == NULL)
        return -ENOENT;
    if (check_same_store(n, &b->uuid) < 0)
        return -EEXIST;
    if (n->state == HEALTH_GONE || b->boot < n->last.boot)
        return -ESTALE;
    if (b->boot > n->last.boot)
        return -ENOENT;
    *ret = (struct health_change){ b->node, n->state, n->state };
    if (b->seq <= n->last.seq)
        return 0;
    return take_beat(h, n, b, ret);
}

int health_drain(struct health *h, int64_t now_ns, uint32_t node, bool drain,
                 struct health_change *ret)
{
    struct health_node *n;

    pass_time(h, now_ns);
    n = find(h, node);
    if (n == NULL)
        return -ENOENT;
    if (n->state == HEALTH_GONE)
        return -ESTALE;
    n->drain = drain;
    if (n->state == HEALTH_UP || n->state == HEALTH_DRAINING)
        return move(h, n, alive(n), ret);
    return move(h, n, n->state, ret); /* it shows when it answers again */
}

int health_remove(struct health *h, int64_t now_ns, uint32_t node, struct health_change *ret)
{
    struct health_node *n;

    pass_time(h, now_ns);
    n = find(h, node);
    if (n == NULL)
        return -ENOENT;
    if (n->state == HEALTH_GONE)
        return -ESTALE;
    if (!health_may_move(n->state, HEALTH_GONE))
        return -EBUSY;
    return move(h, n, HEALTH_GONE, ret);
}

/* One step down for a silent node, or where it is. */
static enum health_state after_silence(const struct health_node *n, int64_t silent_ns)
{
    if (n->state == HEALTH_SUSPECT && silent_ns >= HEALTH_DOWN_MS * VS_NS_PER_MS)
        return HEALTH_DOWN;
    if ((n->state == HEALTH_UP || n->state == HEALTH_DRAINING) &&
        silent_ns >= HEALTH_SUSPECT_MS * VS_NS_PER_MS)
        return HEALTH_SUSPECT;
    return n->state;
}

unsigned health_tick(struct health *h, int64_t now_ns, struct health_change *changes, unsigned max)
{
    unsigned count = 0;

    pass_time(h, now_ns);
    for (unsigned i = 0; i < h->count && count < max; i++) {
        struct health_node *n = &h->nodes[i];
        enum health_state to = after_silence(n, h->now_ns - n->heard_ns);

        count += (unsigned)move(h, n, to, &changes[count]);
    }
    return count;
}

bool health_takes_data(const struct health_node *n)
{
    return n->state == HEALTH_UP && n->last.writable; /* not heard: not known to be writable */
}

bool health_wants_repair(const struct health *h, const struct health_node *n)
{
    if (n->state == HEALTH_GONE)
        return true;
    return n->state == HEALTH_DOWN && h->now_ns - n->since_ns >= HEALTH_REPAIR_MS * VS_NS_PER_MS;
}
