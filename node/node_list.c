/* DELETE of a fragment, and the list of all.
 *
 * Happy path: 204, durable; a page of keys in ascending order, one per line. Failure modes: those
 * of the store; an `after` that is no key and a `max` out of its range are 400. */
#include "node/node.h"

#include "common/conf.h"
#include "common/err.h"
#include "common/list.h"

#include <stdlib.h>
#include <string.h>

/* ---- delete -----------------------------------------------------------------------------------
 */

struct delete_req {
    struct node_req req; /* first */
    struct store_del del;
};

static void delete_done(struct store_del *d)
{
    struct delete_req *r = vs_container_of(d, struct delete_req, del);

    if (d->status < 0)
        node_reply_err(&r->req, d->status);
    else
        http_reply(r->req.q, 204, NULL, "", 0);
}

void node_delete_run(struct http_req *q)
{
    struct delete_req *r = node_req_new(q, sizeof(struct delete_req), NODE_OP_DELETE, true);

    if (r == NULL)
        return;
    r->del.key = r->req.key;
    r->del.done = delete_done;
    chunk_store_del(r->req.node->store, &r->del);
}

/* ---- list -------------------------------------------------------------------------------------
 */

struct list_req {
    struct node_req req; /* first */
    struct store_list list;
    char *text; /* in the request's memory, as are the keys before it */
};

static void list_done(struct store_list *l)
{
    struct list_req *r = vs_container_of(l, struct list_req, list);
    char *pos = r->text;

    if (l->status < 0) {
        node_reply_err(&r->req, l->status);
        return;
    }
    for (uint32_t i = 0; i < l->keys_count; i++) {
        frag_key_to_text(&l->keys[i], pos);
        pos += strlen(pos);
        *pos++ = '\n';
    }
    http_reply_lent(r->req.q, 200, "text/plain", r->text, (size_t)(pos - r->text));
}

/* The arguments of the query; false: replied. */
static bool query_take(struct list_req *r)
{
    const char *after = http_req_query(r->req.q, "after"), *max = http_req_query(r->req.q, "max");
    uint64_t n = NODE_LIST_MAX;

    if (after != NULL && after[0] != '\0' && frag_key_from_text(after, &r->list.after) < 0) {
        node_reply_error(
            r->req.q, -EINVAL,
            "The argument after='%.64s' names no fragment; give the last line of the page "
            "before.",
            after);
        return false;
    }
    if (max != NULL && vs_conf_number(max, 1, NODE_LIST_MAX, &n) < 0) {
        node_reply_error(r->req.q, -EINVAL, "The argument max is 1 to %u lines; '%.32s' is not.",
                         NODE_LIST_MAX, max);
        return false;
    }
    r->list.keys_max = (uint32_t)n;
    return true;
}

void node_list_run(struct http_req *q)
{
    struct list_req *r = node_req_new(q, sizeof(struct list_req), NODE_OP_LIST, false);
    size_t keys_bytes;

    if (r == NULL || !query_take(r))
        return;
    keys_bytes = r->list.keys_max * sizeof(struct frag_key);
    r->list.keys = http_req_memory(q, keys_bytes + r->list.keys_max * FRAG_KEY_TEXT_BYTES);
    if (r->list.keys == NULL) {
        node_reply_err(&r->req, -EAGAIN);
        return;
    }
    r->text = (char *)r->list.keys + keys_bytes;
    r->list.done = list_done;
    chunk_store_list(r->req.node->store, &r->list);
}
