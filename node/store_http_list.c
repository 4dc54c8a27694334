/* A listing over HTTP, one page after the other until the caller's memory is full or the node has
 * no more.
 *
 * Happy path: up to NODE_LIST_MAX keys per request, one per line, parsed into the caller's array.
 * Failure modes: a line that is no key, keys that do not ascend, more of them than asked for: the
 * listing is not to be believed, -VS_EDOWN, since a caller would take a missing key for a lost
 * fragment. */
#include "node/store_http_impl.h"

#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_op {
    struct http_op op; /* first */
    struct store_list *list;
    struct frag_key after; /* of this page */
    uint32_t page_max;     /* keys asked for */
    char body[NODE_LIST_MAX * FRAG_KEY_TEXT_BYTES + 1];
};

static bool key_is_zero(const struct frag_key *k)
{
    return vs_id_is_zero(&k->chunk) && k->fragment == 0 && k->generation == 0;
}

/* The key just before one without a generation, which the wire has no word for: keys begin at
 * generation 1. */
static struct frag_key key_before(struct frag_key k)
{
    k.generation = UINT32_MAX;
    if (k.fragment-- > 0)
        return k;
    for (unsigned i = VS_ID_BYTES; i-- > 0;)
        if (k.chunk.b[i]-- > 0)
            break;
    return k;
}

static void page_ask(struct list_op *o)
{
    const struct store_list *l = o->list;
    uint32_t room = l->keys_max - l->keys_count;
    struct frag_key after = o->after;
    char text[FRAG_KEY_TEXT_BYTES];

    o->page_max = room < NODE_LIST_MAX ? room : NODE_LIST_MAX;
    o->op.req.body = o->body;
    o->op.req.body_cap = sizeof(o->body) - 1;
    if (key_is_zero(&after)) {
        snprintf(o->op.path, sizeof(o->op.path), "%s?max=%u", NODE_LIST_PATH, o->page_max);
    } else {
        if (after.generation == 0)
            after = key_before(after);
        frag_key_to_text(&after, text);
        snprintf(o->op.path, sizeof(o->op.path), "%s?after=%s&max=%u", NODE_LIST_PATH, text,
                 o->page_max);
    }
    http_op_send(&o->op);
}

/* The keys of a page into the caller's array; their number, or -VS_EDOWN. */
static int page_take(struct list_op *o)
{
    struct store_list *l = o->list;
    char *line = o->body;
    uint32_t n = 0;

    if (strlen(o->body) != o->op.req.body_bytes)
        return -VS_EDOWN;
    while (*line != '\0') {
        char *end = strchr(line, '\n');
        struct frag_key key;

        if (end == NULL || n == o->page_max)
            return -VS_EDOWN;
        *end = '\0';
        if (frag_key_from_text(line, &key) < 0 || frag_key_cmp(&key, &o->after) <= 0)
            return -VS_EDOWN;
        l->keys[l->keys_count + n++] = key;
        o->after = key;
        line = end + 1;
    }
    return (int)n;
}

static void list_finish(struct list_op *o, int status)
{
    struct store_list *l = o->list;

    l->status = status;
    if (status < 0)
        l->keys_count = 0;
    l->done(l);
    free(o);
}

static void list_done(struct http_request *r)
{
    struct list_op *o = vs_container_of(r, struct list_op, op.req);
    int n = http_op_status(&o->op);

    if (n == -ENOENT)
        n = -VS_EDOWN;
    if (n == 0) {
        o->body[r->body_bytes] = '\0'; /* body_cap leaves room */
        n = page_take(o);
    }
    if (n < 0) {
        list_finish(o, n);
        return;
    }
    o->list->keys_count += (uint32_t)n;
    if ((uint32_t)n < o->page_max || o->list->keys_count == o->list->keys_max)
        list_finish(o, 0);
    else
        page_ask(o);
}

static void list_refused(struct vs_job *job)
{
    struct store_list *l = vs_container_of(job, struct store_list, job);
    struct store_http *s = l->store;

    l->done(l);
    store_http_refuse_done(s);
}

void store_http_list(struct chunk_store *base, struct store_list *l)
{
    struct store_http *s = store_http_of(base);
    struct list_op *o = NULL;

    l->store = s;
    l->keys_count = 0;
    l->status = 0;
    if (l->keys_max > 0) {
        o = http_op_new(s, sizeof(*o), HTTP_GET, list_done);
        l->status = -EAGAIN;
    }
    if (o == NULL) {
        store_http_refuse(s, &l->job, list_refused);
        return;
    }
    o->list = l;
    o->after = l->after;
    o->op.req.timeout_ms = s->config.health_timeout_ms; /* from the node's memory, as a report */
    page_ask(o);
}
