/* /nodes/...: storage nodes register, say each second that they are there, and are listed.
 *
 * Happy path: a heartbeat is answered from memory, on the server's own thread; what changes the
 * journal has a thread to wait on. Failure modes: a name, an address or a store that is not what
 * it says: each a sentence; 404 tells a node to register (again); 410 tells it that it was removed.
 */
#include "meta/meta_server.h"

#include "common/cluster_json.h"
#include "common/err.h"
#include "common/member_file.h"
#include "meta/meta_nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_NAME_MAX 63

/* ---- what a node says -------------------------------------------------------------------------
 */

static bool word_ok(const char *text, const char *more)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = text != NULL ? strlen(text) : 0;

    if (n == 0 || n > NODE_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strchr(letters, text[i]) == NULL && strchr(more, text[i]) == NULL)
            return false;
    return true;
}

static uint64_t number_or_0(const struct vs_json *j, const char *key)
{
    uint64_t v = 0;

    (void)vs_json_get_u64(j, key, &v);
    return v;
}

/* What both messages have. False: answered. */
static bool beat_of(struct http_req *q, const struct vs_json *j, struct meta_nodes_beat *b)
{
    const char *uuid = vs_json_get_text(j, "uuid");

    *b = (struct meta_nodes_beat){ .writable = true,
                                   .boot = (uint32_t)number_or_0(j, "boot"),
                                   .seq = number_or_0(j, "seq"),
                                   .free_bytes = number_or_0(j, "free_bytes"),
                                   .total_bytes = number_or_0(j, "total_bytes"),
                                   .fragments = number_or_0(j, "fragments"),
                                   .errors = number_or_0(j, "errors") };
    (void)vs_json_get_bool(j, "writable", &b->writable);
    if (uuid != NULL && vs_id_from_text(uuid, &b->uuid) == 0 && !vs_id_is_zero(&b->uuid))
        return true;
    http_reply_error(q, 400, "invalid", "uuid is that of the node's store: 32 hex digits.");
    return false;
}

static bool take_text(struct http_req *q, const char *key, const char *text, char *to, size_t cap)
{
    if (snprintf(to, cap, "%s", text) < (int)cap)
        return true;
    http_reply_error(q, 400, "invalid", "%s has more than %zu bytes.", key, cap - 1);
    return false;
}

/* Name, address and domain of a node that registers. False: answered. */
static bool node_of(struct http_req *q, const struct vs_json *j, struct ns_node *node)
{
    const char *id = vs_json_get_text(j, "id"), *url = vs_json_get_text(j, "url");
    const char *domain = vs_json_get_text(j, "domain");

    *node = (struct ns_node){ .capacity_bytes = number_or_0(j, "total_bytes") };
    if (!word_ok(id, "._-")) {
        http_reply_error(q, 400, "invalid",
                         "id is the node's name: 1 to %d letters, digits and '.', '_', '-'.",
                         NODE_NAME_MAX);
        return false;
    }
    if (url == NULL || cluster_url_port(url) == 0) {
        http_reply_error(q, 400, "invalid",
                         "url is where the node can be reached: http://HOST:PORT.");
        return false;
    }
    if (domain == NULL || domain[0] == '\0')
        domain = id;
    if (!word_ok(domain, "._-/")) {
        http_reply_error(q, 400, "invalid",
                         "domain is what fails together with the node: 1 to %d letters, digits "
                         "and '.', '_', '-', '/'.",
                         NODE_NAME_MAX);
        return false;
    }
    return take_text(q, "id", id, node->name, sizeof(node->name)) &&
           take_text(q, "url", url, node->path, sizeof(node->path)) &&
           take_text(q, "domain", domain, node->domain, sizeof(node->domain));
}

/* ---- what it is told --------------------------------------------------------------------------
 */

static void refuse_node(struct http_req *q, int err, const struct ns_node *said,
                        const struct meta_nodes_row *rival)
{
    const struct ns_node *r = &rival->node;
    bool same_name = strcmp(said->name, r->name) == 0;
    char uuid[VS_ID_TEXT_BYTES];

    vs_id_to_text(&r->uuid, uuid);
    if (err == -EEXIST && same_name)
        http_reply_error(q, 409, "other-store",
                         "%s is the id of another node, with store %s, at %s; mount the right "
                         "disk, or give this one an --id of its own.",
                         said->name, uuid, r->path);
    else if (err == -EEXIST)
        http_reply_error(q, 409, "other-id",
                         "This store belongs to node %s, not to %s; start it with --id %s.",
                         r->name, said->name, r->name);
    else if (err == -ESTALE)
        http_reply_error(q, 410, "gone",
                         "Node %s was removed from this cluster for good; with an empty directory "
                         "and a new --id this machine can join again.",
                         said->name);
    else if (err == -ENOBUFS)
        http_reply_error(q, 409, "full",
                         "This cluster has %d storage nodes, and no more are possible.",
                         NS_NODES_MAX);
    else
        meta_api_error(q, err, "the list of nodes");
}

/* Which replicas there are: a node tells all of them that it is there. */
static void say_members(struct meta_server *m, struct vs_json *out)
{
    struct member_set set;

    if (meta_peers_members(&m->peers, &set))
        member_set_to_json(&set, out);
}

static void register_answer(struct meta_server *m, struct http_req *q)
{
    struct vs_json *j = meta_api_body(q), *out;
    struct meta_nodes_row row;
    struct meta_nodes_beat b;
    struct ns_node said;
    struct vs_id cluster;
    const char *text = vs_json_get_text(j, "cluster");
    uint32_t boot;
    int err;

    if (j == NULL)
        return;
    if (text != NULL && vs_id_from_text(text, &cluster) == 0 &&
        vs_id_cmp(&cluster, &m->meta->cluster) != 0) {
        char ours[VS_ID_TEXT_BYTES];

        vs_id_to_text(&m->meta->cluster, ours);
        http_reply_error(q, 421, "other-cluster",
                         "This is cluster %s, and the node's store belongs to cluster %.32s; mount "
                         "the right disk, or look up --metas in cluster.json.",
                         ours, text);
    } else if (text == NULL || vs_id_from_text(text, &cluster) < 0) {
        http_reply_error(q, 400, "invalid", "cluster is whose store it is: 32 hex digits.");
    } else if (beat_of(q, j, &b) && node_of(q, j, &said)) {
        said.uuid = b.uuid;
        err = meta_nodes_register(m->nodes, &said, &b, &row, &boot);
        if (err < 0) {
            refuse_node(q, err, &said, &row);
        } else {
            out = vs_json_object();
            vs_json_set_u64(out, "node", row.node.node);
            vs_json_set_text(out, "state", health_state_text(row.now.state));
            vs_json_set_u64(out, "boot", boot);
            vs_json_set_u64(out, "heartbeat_ms", HEALTH_BEAT_MS);
            say_members(m, out);
            http_reply_json(q, 200, out);
        }
    }
    vs_json_free(j);
}

void meta_node_register_run(struct http_req *q)
{
    meta_api_start(q, register_answer);
}

/* ---- /nodes/{id}/... --------------------------------------------------------------------------
 */

/* The name before `behind` in the path. */
static bool path_name(struct http_req *q, const char *behind, char name[NODE_NAME_MAX + 1])
{
    const char *tail = http_req_tail(q), *slash = strchr(tail, '/');

    if (slash == NULL || strcmp(slash, behind) != 0 || slash - tail > NODE_NAME_MAX)
        return false;
    snprintf(name, NODE_NAME_MAX + 1, "%.*s", (int)(slash - tail), tail);
    return true;
}

static void heartbeat_run(struct http_req *q, const char *name)
{
    struct meta_server *m = http_req_arg(q);
    struct vs_json *j = meta_api_body(q), *out;
    struct meta_nodes_row row;
    struct meta_nodes_beat b;
    int err;

    if (j == NULL)
        return;
    if (beat_of(q, j, &b)) {
        err = meta_nodes_beat(m->nodes, name, &b, &row);
        if (err == 0) {
            out = vs_json_object();
            vs_json_set_text(out, "state", health_state_text(row.now.state));
            say_members(m, out);
            http_reply_json(q, 200, out);
        } else if (err == -ENOENT) {
            http_reply_error(q, 404, "missing",
                             "Node %s has not registered here since it was started, or since this "
                             "replica was; it must do that first.",
                             name);
        } else if (err == -EEXIST) {
            http_reply_error(q, 409, "other-store",
                             "%s is the id of another node, with another store; mount the right "
                             "disk, or give this one an --id of its own.",
                             name);
        } else {
            http_reply_error(q, 410, "gone", "Node %s was removed from this cluster for good.",
                             name);
        }
    }
    vs_json_free(j);
}

static void set_row(struct vs_json *j, const struct meta_nodes_row *row);

static void state_answer(struct meta_server *m, struct http_req *q)
{
    static const char *const words[] = {
        [NS_NODE_IN] = "in", [NS_NODE_DRAINING] = "draining", [NS_NODE_GONE] = "gone"
    };
    struct vs_json *j = meta_api_body(q), *out;
    const char *text = vs_json_get_text(j, "state");
    char name[NODE_NAME_MAX + 1], what[96];
    struct meta_nodes_row row;
    unsigned to = 0;
    int err;

    if (j == NULL)
        return;
    while (to <= NS_NODE_GONE && (text == NULL || strcmp(text, words[to]) != 0))
        to++;
    if (to > NS_NODE_GONE || !path_name(q, "/state", name)) {
        http_reply_error(q, 400, "invalid", "state is \"in\", \"draining\" or \"gone\".");
        vs_json_free(j);
        return;
    }
    err = meta_nodes_put(m->nodes, name, (enum ns_node_state)to, &row);
    snprintf(what, sizeof(what), "node %s", name);
    if (err == -EBUSY) {
        http_reply_error(q, 409, "busy",
                         "Node %s is %s, with %" PRIu64 " fragments; drain it and wait until it is "
                         "empty, or stop it for good.",
                         name, health_state_text(row.now.state), row.now.fragments);
    } else if (err == -ESTALE) {
        http_reply_error(q, 410, "gone", "Node %s was removed from this cluster for good.", name);
    } else if (err < 0) {
        meta_api_error(q, err, what);
    } else {
        out = vs_json_object();
        set_row(out, &row);
        http_reply_json(q, 200, out);
    }
    vs_json_free(j);
}

void meta_node_post_run(struct http_req *q)
{
    char name[NODE_NAME_MAX + 1];

    if (path_name(q, "/heartbeat", name))
        heartbeat_run(q, name);
    else if (path_name(q, "/state", name))
        meta_api_start(q, state_answer);
    else
        http_reply_error(q, 404, "path", "There is nothing at /nodes/%.100s.", http_req_tail(q));
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void set_row(struct vs_json *j, const struct meta_nodes_row *row)
{
    char uuid[VS_ID_TEXT_BYTES];

    vs_id_to_text(&row->node.uuid, uuid);
    vs_json_set_text(j, "id", row->node.name);
    vs_json_set_u64(j, "node", row->node.node);
    vs_json_set_text(j, "state", health_state_text(row->now.state));
    vs_json_set_text(j, "url", row->node.path);
    vs_json_set_text(j, "domain", row->node.domain);
    vs_json_set_text(j, "uuid", uuid);
    vs_json_set_bool(j, "heard", row->now.heard);
    vs_json_set_bool(j, "writable", row->now.writable);
    vs_json_set_u64(j, "silent_ms", row->silent_ms);
    vs_json_set_u64(j, "free_bytes", row->now.free_bytes);
    vs_json_set_u64(j, "total_bytes", row->now.total_bytes);
    vs_json_set_u64(j, "fragments", row->now.fragments);
    vs_json_set_u64(j, "errors", row->errors);
}

/* A page of the nodes, all or those that are up. */
static void list_reply(struct http_req *q, const struct meta_nodes_row *rows, unsigned count,
                       bool healthy)
{
    struct vs_json *j, *list;
    uint64_t limit, offset, seen = 0, given = 0;

    if (!meta_api_page(q, &limit, &offset))
        return;
    j = vs_json_object();
    list = vs_json_array();
    for (unsigned i = 0; i < count; i++) {
        struct vs_json *one;

        if (healthy && rows[i].now.state != HEALTH_UP)
            continue;
        if (seen++ < offset || given == limit)
            continue;
        one = vs_json_object();
        set_row(one, &rows[i]);
        vs_json_add(list, one);
        given++;
    }
    vs_json_set_u64(j, "offset", offset);
    vs_json_set_u64(j, "limit", limit);
    vs_json_set_u64(j, "total", seen);
    vs_json_set(j, "nodes", list);
    if (offset + given < seen)
        vs_json_set_u64(j, "next_offset", offset + given);
    else
        vs_json_set_null(j, "next_offset");
    http_reply_json(q, 200, j);
}

static void summary_reply(struct http_req *q, const struct meta_nodes_row *rows, unsigned count)
{
    uint64_t by_state[HEALTH_STATES] = { 0 }, free_bytes = 0, total_bytes = 0, fragments = 0;
    unsigned domains = 0;
    struct vs_json *j = vs_json_object();

    for (unsigned i = 0; i < count; i++) {
        bool new_domain = rows[i].now.state == HEALTH_UP;

        by_state[rows[i].now.state]++;
        if (rows[i].now.state == HEALTH_GONE)
            continue;
        free_bytes += rows[i].now.state == HEALTH_UP ? rows[i].now.free_bytes : 0;
        total_bytes += rows[i].now.total_bytes;
        fragments += rows[i].now.fragments;
        for (unsigned k = 0; new_domain && k < i; k++)
            new_domain = rows[k].now.state != HEALTH_UP ||
                         strcmp(rows[k].node.domain, rows[i].node.domain) != 0;
        domains += new_domain;
    }
    vs_json_set_u64(j, "nodes", count - by_state[HEALTH_GONE]);
    for (unsigned s = 0; s < HEALTH_STATES; s++)
        vs_json_set_u64(j, health_state_text((enum health_state)s), by_state[s]);
    vs_json_set_u64(j, "domains_up", domains);
    vs_json_set_u64(j, "free_bytes", free_bytes);
    vs_json_set_u64(j, "total_bytes", total_bytes);
    vs_json_set_u64(j, "fragments", fragments);
    http_reply_json(q, 200, j);
}

void meta_nodes_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    const char *which = http_req_tail(q);
    struct meta_nodes_row *rows = calloc(META_NODES_ROWS_MAX, sizeof(*rows));
    unsigned count;

    if (rows == NULL) {
        http_reply_error(q, 503, "busy", "No memory for this request now; ask again in a second.");
        return;
    }
    count = meta_nodes_list(m->nodes, rows, META_NODES_ROWS_MAX);
    if (strcmp(which, "all") == 0)
        list_reply(q, rows, count, false);
    else if (strcmp(which, "healthy") == 0)
        list_reply(q, rows, count, true);
    else if (strcmp(which, "health-summary") == 0)
        summary_reply(q, rows, count);
    else
        http_reply_error(q, 404, "path",
                         "There is nothing at /nodes/%.100s; there are all, healthy and "
                         "health-summary.",
                         which);
    free(rows);
}
