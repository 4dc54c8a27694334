/* node_follow: see the header. */
#include "fs/node_follow.h"
#include "common/err.h"
#include "common/log.h"
#include "common/periodic.h"
#include "fs/data_cluster.h"
#include "meta/placement.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node_follow {
    struct vsfs *fs;
    struct vs_periodic turn;
    struct ns_node *nodes; /* of the look that runs */
    struct health_now *now;
};

/* ---- one node ---- */

/* A node that only the metadata does not hear may be up: our own requests tell. */
static enum store_takes takes_of(const struct ns_node *node, const struct health_now *now)
{
    if (node->state != NS_NODE_IN)
        return STORE_TAKES_NOTHING;
    if (now == NULL || !now->known)
        return STORE_TAKES_ALL;
    if (now->state == HEALTH_SUSPECT || now->state == HEALTH_DOWN)
        return STORE_TAKES_LAST;
    return STORE_TAKES_ALL;
}

static struct store_set_entry *entry_of(struct vsfs *fs, const struct ns_node *node, unsigned *ret)
{
    for (unsigned i = 0; i < fs->stores.count; i++) {
        if (fs->stores.entries[i].node != node->node)
            continue;
        *ret = i;
        return &fs->stores.entries[i];
    }
    return NULL;
}

static uint64_t domain_of(const struct ns_node *node)
{
    return node->domain[0] != '\0' ? placement_domain(node->domain) : 0;
}

static void join(struct vsfs *fs, const struct ns_node *node, enum store_takes takes)
{
    struct chunk_store *store = NULL;
    char path[256], why[256] = "";
    int r = data_cluster_store(fs, node, path, &store, why);

    if (r < 0)
        vs_warn("%s", why);
    r = store_set_add(&fs->stores, node->node, node->name, path, domain_of(node), store, why);
    if (r < 0) {
        vs_warn("node %s (%s): %s -> not used by this mount", node->name, path, vs_err_text(r));
        return;
    }
    atomic_store(&fs->stores.entries[fs->stores.count - 1].takes, (uint8_t)takes);
    vs_info("node %s (%s): has joined -> used from now on", node->name, path);
}

static void move(struct vsfs *fs, const struct ns_node *node, unsigned i)
{
    struct chunk_store *store = NULL;
    char path[256], why[256] = "", old[STORE_SET_PATH_BYTES];
    int r;

    store_set_path(&fs->stores, i, old);
    r = data_cluster_store(fs, node, path, &store, why);
    if (r == 0)
        r = store_set_replace(&fs->stores, i, store, path);
    if (r < 0) {
        chunk_store_stop(store);
        vs_warn("node %s: it moved to %s and cannot be reached there (%s) -> mount again",
                node->name, node->path, vs_err_text(r));
        return;
    }
    vs_info("node %s: moved from %s to %s -> used there", node->name, old, path);
}

static void say_takes(const struct ns_node *node, enum store_takes was, enum store_takes is)
{
    if (was == is || was == STORE_TAKES_LAST || is == STORE_TAKES_LAST)
        return; /* a moment's silence is said by the store's own watch, if it is one */
    vs_info("node %s: %s", node->name,
            is == STORE_TAKES_ALL         ? "takes new fragments again"
            : node->state == NS_NODE_GONE ? "was removed -> gets nothing new"
                                          : "is being emptied -> gets nothing new");
}

static void follow(struct vsfs *fs, const struct ns_node *node, const struct health_now *now)
{
    enum store_takes takes = takes_of(node, now), was;
    unsigned i;
    struct store_set_entry *e = entry_of(fs, node, &i);
    char path[STORE_SET_PATH_BYTES];

    if (e == NULL) {
        if (node->state != NS_NODE_GONE)
            join(fs, node, takes);
        return;
    }
    if (node->state != NS_NODE_GONE && strncmp(node->path, "http://", 7) == 0 &&
        strcmp(node->path, store_set_path(&fs->stores, i, path)) != 0)
        move(fs, node, i);
    atomic_store(&e->domain, domain_of(node));
    was = (enum store_takes)atomic_exchange(&e->takes, (uint8_t)takes);
    say_takes(node, was, takes);
}

void node_follow_take(struct vsfs *fs, const struct ns_node *nodes, const struct health_now *now,
                      unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        follow(fs, &nodes[i], now != NULL ? &now[i] : NULL);
}

/* ---- from time to time ---- */

static void look(struct vs_periodic *p)
{
    struct node_follow *w = vs_container_of(p, struct node_follow, turn);
    struct meta_req r = { .op = META_NODES,
                          .hint = true,
                          .nodes = w->nodes,
                          .nodes_now = w->now,
                          .nodes_max = NS_NODE_NUMBER_MAX };

    if (meta_call(w->fs->meta, &r) == 0)
        node_follow_take(w->fs, w->nodes, w->now, r.nodes_count);
}

int node_follow_start(struct node_follow **ret, struct vsfs *fs)
{
    struct node_follow *w;

    *ret = NULL;
    if (fs->metas == NULL)
        return 0;
    w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    w->nodes = calloc(NS_NODE_NUMBER_MAX, sizeof(*w->nodes));
    w->now = calloc(NS_NODE_NUMBER_MAX, sizeof(*w->now));
    if (w->nodes == NULL || w->now == NULL) {
        free(w->nodes);
        free(w->now);
        free(w);
        return -ENOMEM;
    }
    w->fs = fs;
    *ret = w;
    vs_periodic_start(&w->turn, fs->ops, 0, NODE_FOLLOW_S * VS_NS_PER_S, look);
    return 0;
}

void node_follow_stop(struct node_follow *w)
{
    if (w == NULL)
        return;
    vs_periodic_stop(&w->turn);
    free(w->nodes);
    free(w->now);
    free(w);
}
