/* meta_dumps: see the header. */
#include "meta/meta_dumps.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/dump_kv.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include <stdlib.h>
#include <string.h>

struct meta_dump_open {
    uint64_t handle;
    int64_t used_ns;
    bool is_busy; /* somebody fills a piece from it */
    struct kv_view *view;
    struct dump_out out;
};

static void dump_free(struct meta_dump_open *o)
{
    if (o == NULL)
        return;
    kv_view_close(o->view);
    dump_out_close(&o->out);
    free(o);
}

void meta_dumps_init(struct meta_dumps *d)
{
    /* Not the numbers of the process before: its dumps are not ours. */
    *d = (struct meta_dumps){ .last = (uint64_t)vs_real_ns(&vs_clock_system) };
    pthread_mutex_init(&d->lock, NULL);
}

void meta_dumps_close(struct meta_dumps *d)
{
    for (unsigned i = 0; i < META_DUMPS_MAX; i++)
        dump_free(d->open[i]);
    pthread_mutex_destroy(&d->lock);
}

/* What the view says of itself: its first key is the state. */
static int dump_head_of(struct kv_view *view, struct dump_head *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    const uint8_t *k, *v;
    size_t k_len, v_len;
    struct ns_state state;
    int r = kv_view_seek(view, key.b, key.len);

    if (r == 0)
        r = kv_view_next(view, &k, &k_len, &v, &v_len);
    if (r < 0)
        return r;
    if (r == 0 || k_len != key.len || memcmp(k, key.b, key.len) != 0)
        return -ENOENT;
    r = ns_state_decode(v, v_len, &state);
    if (r < 0)
        return r;
    *ret =
        (struct dump_head){ .kind = DUMP_SNAPSHOT, .cluster = state.cluster, .slot = state.slot };
    return kv_view_seek(view, "", 0);
}

static int dump_begin(struct kv *ns, struct meta_dump_open **ret, struct vs_buf *to)
{
    struct meta_dump_open *o = calloc(1, sizeof(*o));
    struct dump_head head;
    int r;

    if (o == NULL)
        return -ENOMEM;
    r = kv_view_open(ns, &o->view);
    if (r == 0)
        r = dump_head_of(o->view, &head);
    if (r == 0)
        r = dump_out_begin(&o->out, &head, to);
    if (r < 0) {
        dump_free(o);
        return r;
    }
    *ret = o;
    return 0;
}

/* A place for a new one, by giving up one that was left. Under lock. */
static int dumps_place(struct meta_dumps *d, int64_t now_ns)
{
    for (unsigned i = 0; i < META_DUMPS_MAX; i++) {
        struct meta_dump_open *o = d->open[i];

        if (o != NULL && !o->is_busy && now_ns - o->used_ns > META_DUMP_IDLE_S * VS_NS_PER_S) {
            dump_free(o);
            d->open[i] = NULL;
        }
        if (d->open[i] == NULL)
            return (int)i;
    }
    return -EAGAIN;
}

static int dumps_new(struct meta_dumps *d, struct kv *ns, struct vs_buf *to,
                     struct meta_dump_open **ret)
{
    struct meta_dump_open *o;
    int r = dump_begin(ns, &o, to), place;

    if (r < 0)
        return r;
    VS_LOCK_SCOPE(&d->lock);
    place = dumps_place(d, vs_now_ns(&vs_clock_system));
    if (place < 0) {
        dump_free(o);
        return place;
    }
    o->handle = ++d->last;
    o->is_busy = true;
    d->open[place] = o;
    *ret = o;
    return 0;
}

static int dumps_find(struct meta_dumps *d, uint64_t handle, struct meta_dump_open **ret)
{
    VS_LOCK_SCOPE(&d->lock);

    for (unsigned i = 0; i < META_DUMPS_MAX; i++) {
        struct meta_dump_open *o = d->open[i];

        if (o == NULL || o->handle != handle)
            continue;
        if (o->is_busy)
            return -EAGAIN;
        o->is_busy = true;
        *ret = o;
        return 0;
    }
    return -ESTALE;
}

/* It is over, or can be gone on with. */
static void dumps_leave(struct meta_dumps *d, struct meta_dump_open *o, bool over)
{
    VS_LOCK_SCOPE(&d->lock);

    o->is_busy = false;
    o->used_ns = vs_now_ns(&vs_clock_system);
    for (unsigned i = 0; over && i < META_DUMPS_MAX; i++)
        if (d->open[i] == o) {
            d->open[i] = NULL;
            dump_free(o);
            return;
        }
}

int meta_dumps_read(struct meta_dumps *d, struct kv *ns, struct meta_req *r)
{
    struct meta_dump_open *o;
    int n;

    r->bytes.len = 0;
    r->dump_ended = false;
    n = r->dump == 0 ? dumps_new(d, ns, &r->bytes, &o) : dumps_find(d, r->dump, &o);
    if (n < 0)
        return n;
    r->dump = o->handle;
    n = dump_kv_out(&o->out, DUMP_NAMESPACE, o->view, &r->bytes, META_DUMP_PIECE_BYTES);
    if (n == 0) {
        n = dump_out_end(&o->out, &r->bytes);
        r->dump_ended = n == 0;
    }
    dumps_leave(d, o, n < 0 || r->dump_ended);
    return n < 0 ? n : 0;
}
