/* meta_nodes: see the header.
 *
 * Happy path: one thread lets time pass for the health of the nodes and asks the metadata once a
 * second who is registered, without waiting for the answer. Failure modes: no answer: the list
 * stays as it is; a node of the list that this replica cannot follow (too many) is shown as the
 * journal has it. */
#include "meta/meta_nodes.h"

#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"

#include <stdlib.h>
#include <string.h>

/* What is remembered of a node beside its health. */
struct heard {
    uint64_t fragments, errors;
};

struct meta_nodes {
    struct meta_client *meta; /* lent */
    const struct vs_clock *clock;
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the end; the list was read */
    /* under lock */
    bool stopping, reading;
    int64_t read_ns; /* when the list was asked for last; 0: never */
    struct health health;
    struct heard heard[HEALTH_NODES_MAX]; /* like health.nodes */
    struct ns_node *list;                 /* as the metadata said last */
    unsigned count;
    /* of the request that reads the list */
    struct meta_req req;
    struct ns_node *room;
};

static int64_t now_ns(const struct meta_nodes *n)
{
    return vs_now_ns(n->clock);
}

static const struct ns_node *find_locked(const struct meta_nodes *n, const char *name)
{
    for (unsigned i = 0; i < n->count; i++)
        if (strcmp(n->list[i].name, name) == 0)
            return &n->list[i];
    return NULL;
}

static struct heard *heard_locked(struct meta_nodes *n, const struct health_node *h)
{
    return &n->heard[h - n->health.nodes];
}

static struct meta_nodes_row row_locked(struct meta_nodes *n, const struct ns_node *node)
{
    const struct health_node *h = health_find(&n->health, node->node);
    struct meta_nodes_row row = { .node = *node, .now = { .known = true, .state = HEALTH_DOWN } };

    if (h != NULL) {
        row.now.state = (uint8_t)h->state;
        row.now.heard = h->heard;
        row.now.writable = h->last.writable;
        row.now.free_bytes = h->last.free_bytes;
        row.now.total_bytes = h->last.total_bytes;
        row.now.fragments = heard_locked(n, h)->fragments;
        row.errors = heard_locked(n, h)->errors;
        row.silent_ms = (uint64_t)((n->health.now_ns - h->heard_ns) / VS_NS_PER_MS);
    }
    if (node->state == NS_NODE_GONE)
        row.now.state = HEALTH_GONE; /* the journal's word is the last one */
    return row;
}

/* ---- the list ----------------------------------------------------------------------------------
 */

static void note_locked(struct meta_nodes *n, const struct health_change *c)
{
    const char *name = "?";

    for (unsigned i = 0; i < n->count; i++)
        if (n->list[i].node == c->node)
            name = n->list[i].name;
    if (c->from != c->to)
        vs_info("node %s: %s -> %s", name, health_state_text(c->from), health_state_text(c->to));
}

/* What the journal says of a node, told to its health. */
static void follow_locked(struct meta_nodes *n, const struct ns_node *node)
{
    int64_t now = now_ns(n);
    struct health_change change;

    if (node->state != NS_NODE_GONE) {
        (void)health_load(&n->health, now, node->node, &node->uuid,
                          node->state == NS_NODE_DRAINING);
        return;
    }
    if (health_find(&n->health, node->node) == NULL)
        return;
    (void)health_drain(&n->health, now, node->node, true, &change);
    (void)health_remove(&n->health, now, node->node, &change);
}

/* One entry more in the list, or changed. None ever leaves it: who is gone stays, as gone. */
static const struct ns_node *learn_locked(struct meta_nodes *n, const struct ns_node *node)
{
    struct ns_node *at = NULL;

    for (unsigned i = 0; at == NULL && i < n->count; i++)
        if (n->list[i].node == node->node)
            at = &n->list[i];
    if (at == NULL && n->count < META_NODES_ROWS_MAX)
        at = &n->list[n->count++];
    if (at != NULL)
        *at = *node;
    follow_locked(n, node);
    return at;
}

static void list_done(struct meta_req *r)
{
    struct meta_nodes *n = r->waiter;
    VS_LOCK_SCOPE(&n->lock);

    for (unsigned i = 0; r->status == 0 && i < r->nodes_count; i++)
        learn_locked(n, &r->nodes[i]);
    n->reading = false;
    pthread_cond_broadcast(&n->wake);
}

/* Ask for the list, unless somebody does. */
static bool read_begin_locked(struct meta_nodes *n)
{
    if (n->reading || n->stopping)
        return false;
    n->reading = true;
    n->read_ns = now_ns(n);
    n->req = (struct meta_req){ .op = META_NODES,
                                .done = list_done,
                                .hint = true,
                                .nodes = n->room,
                                .nodes_max = META_NODES_ROWS_MAX,
                                .waiter = n };
    return true;
}

/* ---- time --------------------------------------------------------------------------------------
 */

static void tick_locked(struct meta_nodes *n)
{
    struct health_change changes[HEALTH_NODES_MAX];
    unsigned count = health_tick(&n->health, now_ns(n), changes, HEALTH_NODES_MAX);

    for (unsigned i = 0; i < count; i++)
        note_locked(n, &changes[i]);
}

static void *nodes_thread(void *arg)
{
    struct meta_nodes *n = arg;

    pthread_mutex_lock(&n->lock);
    while (!n->stopping) {
        tick_locked(n);
        if ((n->read_ns == 0 || now_ns(n) - n->read_ns >= META_NODES_REFRESH_MS * VS_NS_PER_MS) &&
            read_begin_locked(n)) {
            pthread_mutex_unlock(&n->lock);
            meta_submit(n->meta, &n->req);
            pthread_mutex_lock(&n->lock);
        }
        if (n->stopping)
            break;
        vs_cond_wait_until(&n->wake, &n->lock,
                           vs_now_ns(&vs_clock_system) + HEALTH_TICK_MS * VS_NS_PER_MS);
    }
    while (n->reading)
        pthread_cond_wait(&n->wake, &n->lock);
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

int meta_nodes_start(struct meta_nodes **ret, struct meta_client *meta,
                     const struct vs_clock *clock)
{
    struct meta_nodes *n = calloc(1, sizeof(*n));
    int r;

    if (n == NULL)
        return -ENOMEM;
    n->meta = meta;
    n->clock = clock != NULL ? clock : &vs_clock_system;
    pthread_mutex_init(&n->lock, NULL);
    vs_cond_init(&n->wake);
    health_init(&n->health, now_ns(n));
    n->list = calloc(META_NODES_ROWS_MAX, sizeof(*n->list));
    n->room = calloc(META_NODES_ROWS_MAX, sizeof(*n->room));
    r = n->list == NULL || n->room == NULL ? -ENOMEM : vs_thread_start(&n->thread, nodes_thread, n);
    n->threaded = r == 0;
    if (r < 0)
        meta_nodes_stop(n);
    else
        *ret = n;
    return r;
}

void meta_nodes_stop(struct meta_nodes *n)
{
    if (n == NULL)
        return;
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_cond_broadcast(&n->wake);
    pthread_mutex_unlock(&n->lock);
    if (n->threaded)
        pthread_join(n->thread, NULL);
    free(n->list);
    free(n->room);
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* ---- registering -------------------------------------------------------------------------------
 */

/* Is it in the journal as it is said now? *ret: as it is there. */
static bool is_known(struct meta_nodes *n, const struct ns_node *said, struct ns_node *ret)
{
    VS_LOCK_SCOPE(&n->lock);
    const struct ns_node *node = find_locked(n, said->name);

    if (node == NULL || vs_id_cmp(&node->uuid, &said->uuid) != 0 || node->state == NS_NODE_GONE ||
        strcmp(node->path, said->path) != 0 || strcmp(node->domain, said->domain) != 0 ||
        node->capacity_bytes != said->capacity_bytes)
        return false;
    *ret = *node;
    return true;
}

static int change(struct meta_nodes *n, const struct ns_node *node, uint32_t *ret_number)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = *node };
    struct meta_req r = { .op = META_CHANGE, .entry = &e };
    int64_t real_ns = vs_real_ns(n->clock);
    int err;

    e.now = (struct ns_time){ real_ns / VS_NS_PER_S, (uint32_t)(real_ns % VS_NS_PER_S) };
    err = meta_call(n->meta, &r);
    if (err == 0)
        *ret_number = (uint32_t)r.answer.first;
    return err;
}

/* The list as it is now, waiting. */
static int read_now(struct meta_nodes *n)
{
    struct meta_req r = { .op = META_NODES, .nodes_max = META_NODES_ROWS_MAX };
    int err;

    r.nodes = calloc(META_NODES_ROWS_MAX, sizeof(*r.nodes));
    err = r.nodes == NULL ? -ENOMEM : meta_call(n->meta, &r);
    if (err == 0) {
        VS_LOCK_SCOPE(&n->lock);

        for (unsigned i = 0; i < r.nodes_count; i++)
            learn_locked(n, &r.nodes[i]);
    }
    free(r.nodes);
    return err;
}

/* Who has its name, or its store. */
static bool rival_locked(const struct meta_nodes *n, const struct ns_node *said,
                         struct ns_node *ret)
{
    for (unsigned i = 0; i < n->count; i++) {
        const struct ns_node *node = &n->list[i];

        if (strcmp(node->name, said->name) != 0 && vs_id_cmp(&node->uuid, &said->uuid) != 0)
            continue;
        *ret = *node;
        return true;
    }
    return false;
}

static struct health_beat health_beat_of(const struct meta_nodes_beat *b, uint32_t node)
{
    return (struct health_beat){ .node = node,
                                 .uuid = b->uuid,
                                 .boot = b->boot,
                                 .seq = b->seq,
                                 .free_bytes = b->free_bytes,
                                 .total_bytes = b->total_bytes,
                                 .writable = b->writable };
}

static void keep_locked(struct meta_nodes *n, uint32_t node, const struct meta_nodes_beat *b)
{
    const struct health_node *h = health_find(&n->health, node);

    if (h != NULL)
        *heard_locked(n, h) = (struct heard){ b->fragments, b->errors };
}

/* It is in the journal: its health begins anew. */
static int started_locked(struct meta_nodes *n, const struct ns_node *node,
                          const struct meta_nodes_beat *said, struct meta_nodes_row *ret,
                          uint32_t *ret_boot)
{
    const struct ns_node *known = learn_locked(n, node);
    const struct health_node *h = health_find(&n->health, node->node);
    struct health_beat b = health_beat_of(said, node->node);
    struct health_change c;
    int r;

    if (h == NULL || known == NULL)
        return -ENOBUFS;
    b.boot = h->last.boot + 1; /* each start has a number here; the node learns it */
    b.seq = 0;
    r = health_register(&n->health, now_ns(n), &b, &c);
    if (r < 0)
        return r;
    note_locked(n, &c);
    keep_locked(n, node->node, said);
    *ret = row_locked(n, known);
    *ret_boot = b.boot;
    return 0;
}

int meta_nodes_register(struct meta_nodes *n, const struct ns_node *said,
                        const struct meta_nodes_beat *b, struct meta_nodes_row *ret,
                        uint32_t *ret_boot)
{
    struct ns_node node = *said;
    bool known = is_known(n, said, &node);
    int r = 0;

    if (!known) {
        node.node = 0;
        node.state = NS_NODE_IN;
        r = change(n, &node, &node.node);
        if (r == 0 || r == -EEXIST || r == -ESTALE)
            (void)read_now(n); /* its state, or who is in its way; r says enough without */
    }
    pthread_mutex_lock(&n->lock);
    if (r == 0) {
        const struct ns_node *recorded = find_locked(n, node.name);

        if (recorded != NULL && recorded->node == node.node)
            node.state = recorded->state;
        r = started_locked(n, &node, b, ret, ret_boot);
    } else {
        struct ns_node rival = { 0 };

        if (rival_locked(n, said, &rival))
            *ret = row_locked(n, &rival);
        else
            *ret = (struct meta_nodes_row){ .node = rival };
    }
    pthread_mutex_unlock(&n->lock);
    if (r == 0 && !known)
        vs_info("node %s: registered as number %u, at %s, in domain %s", node.name, node.node,
                node.path, node.domain);
    return r;
}

int meta_nodes_beat(struct meta_nodes *n, const char *name, const struct meta_nodes_beat *b,
                    struct meta_nodes_row *ret)
{
    VS_LOCK_SCOPE(&n->lock);
    const struct ns_node *node = find_locked(n, name);
    struct health_beat beat;
    struct health_change c;
    int r;

    if (node == NULL)
        return -ENOENT;
    beat = health_beat_of(b, node->node);
    r = node->state == NS_NODE_GONE ? -ESTALE : health_beat(&n->health, now_ns(n), &beat, &c);
    if (r == -ESTALE && node->state != NS_NODE_GONE)
        r = -ENOENT; /* it registered here once more, and does not know it */
    if (r < 0)
        return r;
    note_locked(n, &c);
    keep_locked(n, node->node, b);
    *ret = row_locked(n, node);
    return 0;
}

/* ---- what people decide ------------------------------------------------------------------------
 */

/* Nothing is lost that only it has: it is drained and empty; or nothing of it can be had. */
static bool may_go(const struct meta_nodes_row *row)
{
    return row->now.state == HEALTH_DOWN ||
           (row->node.state == NS_NODE_DRAINING && row->now.heard && row->now.fragments == 0);
}

int meta_nodes_put(struct meta_nodes *n, const char *name, enum ns_node_state state,
                   struct meta_nodes_row *ret)
{
    struct meta_nodes_row row;
    const struct ns_node *node;
    int r = read_now(n);

    if (r < 0)
        return r;
    pthread_mutex_lock(&n->lock);
    node = find_locked(n, name);
    if (node != NULL)
        row = row_locked(n, node);
    pthread_mutex_unlock(&n->lock);
    if (node == NULL)
        return -ENOENT;
    *ret = row;
    if (row.node.state == NS_NODE_GONE)
        return state == NS_NODE_GONE ? 0 : -ESTALE;
    if (state == NS_NODE_GONE && !may_go(&row))
        return -EBUSY;
    if (row.node.state != state) {
        row.node.state = (uint8_t)state;
        r = change(n, &row.node, &row.node.node);
    }
    if (r < 0)
        return r;
    pthread_mutex_lock(&n->lock);
    node = learn_locked(n, &row.node);
    if (node != NULL)
        *ret = row_locked(n, node);
    pthread_mutex_unlock(&n->lock);
    vs_info("node %s: is to be %s", name,
            state == NS_NODE_IN     ? "in"
            : state == NS_NODE_GONE ? "gone"
                                    : "drained");
    return 0;
}

/* ---- telling -----------------------------------------------------------------------------------
 */

unsigned meta_nodes_list(struct meta_nodes *n, struct meta_nodes_row *rows, unsigned max)
{
    VS_LOCK_SCOPE(&n->lock);
    unsigned count = 0;

    tick_locked(n); /* what is said is true now */
    for (unsigned i = 0; i < n->count && count < max; i++)
        rows[count++] = row_locked(n, &n->list[i]);
    return count;
}

void meta_nodes_tell(struct meta_nodes *n, struct meta_req *r)
{
    VS_LOCK_SCOPE(&n->lock);

    tick_locked(n);
    for (unsigned i = 0; r->nodes_now != NULL && i < r->nodes_count; i++)
        r->nodes_now[i] = row_locked(n, &r->nodes[i]).now;
}
