/* The routes of a storage node (docs/NODE_API.md), and what they have in common: the key in the
 * path, counting, errors as sentences.
 *
 * Happy path: a request gets its state at its beginning, becomes a request of the store, and is
 * answered from the store's callback. Failure modes: every code of the store has its status, its
 * word and its sentence here. */
#include "node/node.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct http_route node_routes[] = {
    { NODE_PING_PATH, HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, node_ping_run, NULL },
    { NODE_HEALTH_PATH, HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, node_health_run, NULL },
    { NODE_METRICS_PATH, HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, node_metrics_run, NULL },
    { NODE_CHUNK_PATH, HTTP_PUT, false, FRAG_BYTES_MAX, node_put_begin, node_put_body, node_put_run,
      node_put_end },
    { NODE_CHUNK_PATH, HTTP_GET | HTTP_HEAD, false, 0, NULL, NULL, node_get_run, node_get_end },
    { NODE_CHUNK_PATH, HTTP_DELETE, false, 0, NULL, NULL, node_delete_run, node_req_end },
    { NODE_LIST_PATH, HTTP_GET, false, 0, NULL, NULL, node_list_run, node_req_end },
};
const unsigned node_routes_count = sizeof(node_routes) / sizeof(node_routes[0]);

/* ---- a request --------------------------------------------------------------------------------
 */

/* A client that says which node it means, or which store, is answered by that one only: another
 * process may have the port by now, or the node a new disk. */
static bool meant_for_us(struct http_req *q, const struct node *node)
{
    const char *name = http_req_header(q, NODE_HEADER_NODE);
    const char *store = http_req_header(q, NODE_HEADER_STORE);
    char uuid[VS_ID_TEXT_BYTES];

    vs_id_to_text(&node->uuid, uuid);
    if (name == NULL || strcmp(name, node->name) == 0) {
        if (store == NULL || strcmp(store, uuid) == 0)
            return true;
        http_reply_header(q, NODE_HEADER_ERROR, "other-store");
        http_reply_error(q, 421, "other-store",
                         "The store of node %s is %s, and the request is for %.64s; was its disk "
                         "replaced?",
                         node->name, uuid, store);
        return false;
    }
    http_reply_header(q, NODE_HEADER_ERROR, "other-node");
    http_reply_error(q, 421, "other-node",
                     "This is node %s, and the request is for node %.64s; look up the address of "
                     "that node.",
                     node->name, name);
    return false;
}

void *node_req_new(struct http_req *q, size_t bytes, enum node_op op, bool keyed)
{
    struct node *node = http_req_arg(q);
    struct node_req *r;
    struct frag_key key = { 0 };

    if (!meant_for_us(q, node))
        return NULL;
    if (keyed && frag_key_from_text(http_req_tail(q), &key) < 0) {
        node_reply_error(q, -EINVAL,
                         "'%.64s' names no fragment; a name is 32 hex digits of the chunk, the "
                         "number of the fragment and its generation (from 1): %s%032d.0.1",
                         http_req_tail(q), NODE_CHUNK_PATH, 0);
        return NULL;
    }
    r = calloc(1, bytes);
    if (r == NULL) {
        node_reply_error(q, -ENOMEM, "Node %s has no memory for this request.", node->name);
        return NULL;
    }
    *r = (struct node_req){ .node = node, .q = q, .key = key, .op = op };
    http_req_set_state(q, r);
    return r;
}

void node_req_end(struct http_req *q)
{
    struct node_req *r = http_req_state(q);
    int status = http_req_sent_status(q);
    struct node_metrics *m;

    if (r == NULL)
        return;
    m = &r->node->metrics;
    if (status == 0)
        vs_counter_add(&m->op[r->op].lost, 1);
    else if (status >= 400)
        vs_counter_add(&m->op[r->op].failed, 1);
    if (status >= 200 && status < 300) {
        vs_histogram_add(&m->op[r->op].latency,
                         vs_now_ns(&vs_clock_system) - http_req_started_ns(q));
        vs_counter_add(r->op == NODE_OP_PUT ? &m->put_bytes : &m->get_bytes, r->bytes);
    }
    free(r);
}

/* ---- errors -----------------------------------------------------------------------------------
 */

void node_reply_error(struct http_req *q, int err, const char *fmt, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    http_reply_header(q, NODE_HEADER_ERROR, node_error_word(err));
    http_reply_error(q, (int)node_http_status(err), node_error_word(err), "%s", sentence);
}

/* Why the store says no, as it says itself, or `otherwise`. */
static void reply_store_why(struct node_req *r, int err, const char *otherwise)
{
    struct store_health h;

    chunk_store_health(r->node->store, &h);
    node_reply_error(r->q, err, "Node %s: %s", r->node->name, h.why[0] != '\0' ? h.why : otherwise);
}

void node_reply_err(struct node_req *r, int err)
{
    const char *name = r->node->name;
    char key[FRAG_KEY_TEXT_BYTES];

    frag_key_to_text(&r->key, key);
    switch (err) {
    case -ENOENT:
        node_reply_error(r->q, err, "Node %s has no fragment %s.", name, key);
        break;
    case -VS_EEXISTS_OTHER:
        node_reply_error(r->q, err,
                         "Node %s has other content as fragment %s, and content never changes; "
                         "write it with another generation.",
                         name, key);
        break;
    case -ENOSPC:
        node_reply_error(r->q, err,
                         "Node %s is full: its disk has no more than the reserve of %u %% left. "
                         "Reading and deleting work; delete something, or add a node.",
                         name, r->node->reserve_percent);
        break;
    case -VS_ECORRUPT:
        node_reply_error(r->q, err,
                         "Fragment %s on node %s is damaged; read the chunk from other nodes, and "
                         "write the fragment again.",
                         key, name);
        break;
    case -EINVAL:
        node_reply_error(r->q, err,
                         "What is said about fragment %s does not fit: its number, its redundancy "
                         "or its length.",
                         key);
        break;
    case -EROFS:
        reply_store_why(r, err, "It reads and deletes, and takes nothing new.");
        break;
    case -VS_EDOWN:
        reply_store_why(r, err, "Its store is down.");
        break;
    default:
        node_reply_error(r->q, err, "Node %s has too much to do now (%s); try again in a second.",
                         name, vs_err_text(err));
    }
}

void node_reply_table_crc(struct http_req *q, uint32_t table_crc)
{
    char text[FRAG_CRCS_TEXT_BYTES];

    frag_crcs_to_text(&table_crc, 1, text);
    http_reply_header(q, NODE_HEADER_TABLE_CRC, text);
}

void node_reply_table(struct http_req *q, const uint32_t crc[], uint32_t payload_bytes)
{
    char table[FRAG_CRCS_TEXT_BYTES];

    frag_crcs_to_text(crc, frag_blocks(payload_bytes), table);
    if (payload_bytes > 0)
        http_reply_header(q, NODE_HEADER_TABLE, table);
    node_reply_table_crc(q, frag_table_crc(crc, frag_blocks(payload_bytes)));
}
