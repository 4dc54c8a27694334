/* GET /changes?after=SLOT&wait=MS: the change feed for people and scripts (docs/API.md).
 *
 * Happy path: what this replica has applied behind the slot, or "nothing" when the time is over; no
 * thread waits. Failure modes: a number that is none is 400; too many at once is 503. */
#include "meta/meta_server.h"

#include "common/conf.h"
#include "common/err.h"
#include "meta/feed_change.h"

#include <inttypes.h>
#include <stdlib.h>

#define CHANGES_MAX 1000 /* in one answer, but for the last slot's */

struct changes {
    struct http_req *q;
    struct meta_req meta;
};

static struct vs_json *change_json(const struct feed_change *c)
{
    static const struct {
        enum feed_what what;
        const char *word;
    } words[] = { { FEED_ATTR, "attributes" },
                  { FEED_CONTENT, "content" },
                  { FEED_XATTR, "xattrs" },
                  { FEED_GONE, "gone" } };
    struct vs_json *j = vs_json_object(), *what;

    vs_json_set_u64(j, "slot", c->slot);
    if (c->what == FEED_NAME) {
        vs_json_set_u64(j, "directory", c->dir);
        vs_json_set_bytes(j, "name", c->name, c->name_len);
        if (c->ino != 0)
            vs_json_set_u64(j, "id", c->ino);
        else
            vs_json_set_null(j, "id");
        return j;
    }
    what = vs_json_array();
    for (unsigned n = 0; n < sizeof(words) / sizeof(words[0]); n++)
        if (c->what & words[n].what)
            vs_json_add_text(what, words[n].word);
    vs_json_set_u64(j, "id", c->ino);
    vs_json_set(j, "changed", what);
    return j;
}

static void changes_answer(struct changes *a)
{
    struct meta_req *r = &a->meta;
    struct feed_walk w = feed_walk_init(r->bytes.data, r->bytes.len);
    struct vs_json *j = vs_json_object(), *list = vs_json_array();
    struct feed_change c;
    uint64_t slot = r->slot, last = r->after;
    unsigned count = 0;

    while (feed_walk_next(&w, &c) == 1) {
        if (count >= CHANGES_MAX && c.slot != last) {
            slot = last; /* the rest is for the next question */
            break;
        }
        last = c.slot;
        count++;
        vs_json_add(list, change_json(&c));
    }
    vs_json_set_u64(j, "slot", slot);
    vs_json_set_bool(j, "reset", r->reset);
    vs_json_set(j, "changes", list);
    http_reply_json(a->q, 200, j);
}

static void changes_done(struct meta_req *r)
{
    struct changes *a = vs_container_of(r, struct changes, meta);

    if (r->status < 0)
        meta_api_error(a->q, r->status, "the changes");
    else
        changes_answer(a);
}

void meta_changes_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    struct changes *a;
    uint64_t after = 0, wait_ms = 0;

    if (!meta_api_number(q, "after", INT64_MAX, &after) ||
        !meta_api_number(q, "wait", META_CHANGES_WAIT_MS_MAX, &wait_ms))
        return;
    a = calloc(1, sizeof(*a));
    if (a == NULL || atomic_fetch_add(&m->in_flight, 1) >= META_SERVER_IN_FLIGHT) {
        if (a != NULL)
            atomic_fetch_sub(&m->in_flight, 1);
        free(a);
        http_reply_error(q, 503, "busy", "Too many requests at once; ask again in a second.");
        return;
    }
    http_req_set_state(q, a);
    a->q = q;
    a->meta = (struct meta_req){ .op = META_CHANGES,
                                 .hint = true,
                                 .after = after,
                                 .wait_ms = (uint32_t)wait_ms,
                                 .done = changes_done };
    meta_submit(m->meta, &a->meta);
}

void meta_changes_end(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    struct changes *a = http_req_state(q);

    if (a == NULL)
        return;
    atomic_fetch_sub(&m->in_flight, 1);
    vs_buf_close(&a->meta.bytes);
    free(a);
}
