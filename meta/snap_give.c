/* snap_give: see the header. Failure: whatever cannot be read ends that snapshot, and the asking
 * replica is told. */
#include "meta/snap_give.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include <string.h>

void snap_give_init(struct snap_give *g, struct kv *ns, const struct vs_id *cluster,
                    uint64_t first_id)
{
    *g = (struct snap_give){ .ns = ns, .cluster = *cluster, .last_id = first_id };
}

static void given_end(struct snap_given *s)
{
    kv_view_close(s->view);
    dump_out_close(&s->out);
    vs_buf_close(&s->bytes);
    *s = (struct snap_given){ 0 };
}

void snap_give_close(struct snap_give *g)
{
    for (unsigned i = 0; i < SNAP_GIVE_MAX; i++)
        given_end(&g->given[i]);
}

unsigned snap_give_lapse(struct snap_give *g, int64_t now_ns)
{
    unsigned left = 0;

    for (unsigned i = 0; i < SNAP_GIVE_MAX; i++) {
        struct snap_given *s = &g->given[i];

        if (s->id != 0 && now_ns - s->asked_ns >= SNAP_GIVE_LAPSE_NS)
            given_end(s);
        left += s->id != 0;
    }
    return left;
}

/* What is applied in the view: its state is its first pair. */
static int given_slot(struct snap_given *s)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct ns_state state;
    const uint8_t *at, *value;
    size_t at_len, value_len;
    int r = kv_view_next(s->view, &at, &at_len, &value, &value_len);

    if (r < 0)
        return r;
    if (r == 0 || at_len != key.len || memcmp(at, key.b, key.len) != 0)
        return -ENOENT; /* nothing is applied yet */
    r = ns_state_decode(value, value_len, &state);
    if (r < 0)
        return r;
    s->slot = state.slot;
    return kv_view_seek(s->view, "", 0);
}

/* More of the dump, until there is a whole piece and something behind it, or the end. What this
 * copy grew from is no part of it. */
static int given_fill(struct snap_given *s)
{
    struct ns_key base = ns_key(NS_T_BASE);
    const uint8_t *key, *value;
    size_t key_len, value_len;
    int r = 0;

    while (r == 0 && !s->is_ended && s->bytes.len <= PX_SNAP_PIECE_BYTES_MAX) {
        r = kv_view_next(s->view, &key, &key_len, &value, &value_len);
        if (r == 0) {
            s->is_ended = true;
            return dump_out_end(&s->out, &s->bytes);
        }
        if (r < 0)
            return r;
        if (key_len == base.len && memcmp(key, base.b, base.len) == 0)
            r = 0;
        else
            r = dump_out_pair(&s->out, DUMP_NAMESPACE, key, key_len, value, value_len, &s->bytes);
    }
    return r;
}

static int given_begin(struct snap_give *g, uint32_t from, struct snap_given *s)
{
    struct dump_head head = { .kind = DUMP_SNAPSHOT, .cluster = g->cluster };
    int r = kv_view_open(g->ns, &s->view);

    if (r < 0)
        return r;
    r = given_slot(s);
    if (r < 0)
        return r;
    s->from = from;
    head.slot = s->slot;
    r = dump_out_begin(&s->out, &head, &s->bytes);
    if (r == 0)
        s->id = ++g->last_id == 0 ? ++g->last_id : g->last_id;
    return r;
}

static struct snap_given *give_find(struct snap_give *g, uint64_t id)
{
    for (unsigned i = 0; i < SNAP_GIVE_MAX; i++)
        if (g->given[i].id == id)
            return &g->given[i];
    return NULL;
}

static void give_no(struct px_snap *ret, enum px_snap_reason reason)
{
    *ret = (struct px_snap){ .kind = PX_SNAP_NO, .reason = (uint8_t)reason };
}

/* The piece given last has arrived: it goes. -ENODATA: it was the last one. */
static int given_forward(struct snap_given *s)
{
    if (s->len == s->bytes.len)
        return -ENODATA;
    memmove(s->bytes.data, s->bytes.data + s->len, s->bytes.len - s->len);
    s->bytes.len -= s->len;
    s->offset += s->len;
    s->len = 0;
    return 0;
}

static void give_say(int err)
{
    /* Ended, replaced, or there is nothing yet: no fault of the disk. */
    if (err != -ENODATA && err != -ESTALE && err != -ENOENT)
        vs_warn("metadata: a snapshot for another replica cannot be read: %s -> it asks again; "
                "check the disk",
                vs_err_text(err));
}

void snap_give_ask(struct snap_give *g, uint32_t from, const struct px_snap *ask, int64_t now_ns,
                   struct px_snap *ret)
{
    struct snap_given *s;
    int r = 0;

    (void)snap_give_lapse(g, now_ns);
    for (unsigned i = 0; i < SNAP_GIVE_MAX && ask->id == 0; i++)
        if (g->given[i].from == from)
            given_end(&g->given[i]);
    s = give_find(g, ask->id); /* 0: a free one */
    if (s == NULL || (s->id != 0 && s->from != from)) {
        give_no(ret, ask->id == 0 ? PX_SNAP_BUSY : PX_SNAP_GONE);
        return;
    }
    if (ask->id == 0)
        r = given_begin(g, from, s);
    else if (ask->offset == s->offset + s->len)
        r = given_forward(s);
    else if (ask->offset != s->offset) { /* a late copy of an earlier ask */
        give_no(ret, PX_SNAP_GONE);
        return;
    }
    if (r == 0)
        r = given_fill(s);
    if (r < 0) {
        give_no(ret, r == -ENODATA || r == -ESTALE ? PX_SNAP_GONE : PX_SNAP_FAILED);
        give_say(r);
        given_end(s);
        return;
    }
    s->len = s->bytes.len < PX_SNAP_PIECE_BYTES_MAX ? s->bytes.len : PX_SNAP_PIECE_BYTES_MAX;
    s->asked_ns = now_ns;
    *ret = (struct px_snap){ .kind = PX_SNAP_PIECE,
                             .last = s->is_ended && s->len == s->bytes.len,
                             .id = s->id,
                             .offset = s->offset,
                             .slot = s->slot,
                             .bytes = s->bytes.data,
                             .len = s->len };
}
