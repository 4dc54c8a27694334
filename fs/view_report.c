/* view_report: see the header. */
#include "fs/view_report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/periodic.h"
#include "common/rand.h"
#include "fs/view_judge.h"
#include "meta/manifest.h"
#include "meta/views.h"
#include <stdlib.h>
#include <string.h>

struct closed {
    uint64_t ino, held_ms, read_bytes;
};

struct view_report {
    struct vsfs *fs;
    struct vs_periodic turn;
    pthread_mutex_t lock;
    struct closed closed[VIEW_REPORT_CLOSED_MAX]; /* under lock */
    unsigned count;                               /* of them */
    struct closed taken[VIEW_REPORT_CLOSED_MAX];  /* the turn's own, as what follows */
    struct vs_buf due;                            /* a report that has had no answer; empty: none */
    unsigned due_count;
};

void view_track_read(struct view_track *t, uint64_t offset, uint32_t bytes)
{
    uint64_t next = atomic_exchange(&t->next, offset + bytes);
    int64_t none = 0;

    if (atomic_load(&t->opened_ns) == 0)
        atomic_compare_exchange_strong(&t->opened_ns, &none, vs_now_ns(&vs_clock_system));
    if (view_goes_on(next, offset))
        atomic_fetch_add(&t->bytes, bytes);
}

void view_report_closed(struct view_report *v, uint64_t ino, const struct view_track *t)
{
    int64_t opened_ns = atomic_load(&t->opened_ns);
    int64_t held_ms = (vs_now_ns(&vs_clock_system) - opened_ns) / VS_NS_PER_MS;

    if (v == NULL || opened_ns == 0 || held_ms < VIEW_REPORT_LEAST_MS)
        return;
    VS_LOCK_SCOPE(&v->lock);
    if (v->count < VIEW_REPORT_CLOSED_MAX)
        v->closed[v->count++] = (struct closed){ ino, (uint64_t)held_ms, atomic_load(&t->bytes) };
}

/* ---- judging -----------------------------------------------------------------------------------
 */

static bool was_watched(struct view_report *v, const struct closed *c)
{
    struct meta_req r = { .op = META_MEDIA, .ino = c->ino };
    struct view_facts facts = { .held_ms = c->held_ms, .read_bytes = c->read_bytes };
    struct mf_media media = { 0 };
    int err = meta_call(v->fs->meta, &r);

    facts.file_bytes = r.attr.size;
    if (err == 0 && mf_media_decode(r.bytes.data, r.bytes.len, &media) == 0) {
        facts.duration_ms = media.duration_ms;
        mf_media_close(&media);
    }
    vs_buf_close(&r.bytes);
    return (err == 0 || err == -ENODATA) && view_judge(&facts);
}

static int by_ino(const void *a, const void *b)
{
    const struct closed *x = a, *y = b;

    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* A new report of what was closed since the last one. */
static void make_report(struct view_report *v)
{
    static const unsigned items_max = VIEWS_REPORT_MAX;
    struct views_item *items = calloc(items_max, sizeof(*items));
    unsigned count, n = 0;

    pthread_mutex_lock(&v->lock);
    count = v->count;
    memcpy(v->taken, v->closed, count * sizeof(v->taken[0]));
    v->count = 0;
    pthread_mutex_unlock(&v->lock);
    qsort(v->taken, count, sizeof(v->taken[0]), by_ino);
    for (unsigned i = 0; items != NULL && i < count; i++) {
        const struct closed *c = &v->taken[i];

        if (!was_watched(v, c))
            continue;
        if (n == 0 || items[n - 1].ino != c->ino) {
            items[n] = (struct views_item){ .ino = c->ino };
            vs_rand_system(&items[n].report, sizeof(items[n].report));
            n++;
        }
        items[n - 1].count++;
    }
    v->due.len = 0;
    v->due_count = n > 0 && views_report_encode(items, n, &v->due) == 0 ? n : 0;
    free(items);
}

int view_report_now(struct view_report *v)
{
    struct ns_entry e = { .kind = NS_E_VIEWS };
    struct ns_answer answer;
    int r;

    if (v->due_count == 0)
        make_report(v);
    if (v->due_count == 0)
        return 0;
    e.value = v->due.data;
    e.value_len = v->due.len;
    r = vsfs_change(v->fs, &e, &answer);
    if (r == -VS_EDOWN || r == -EAGAIN || r == -ETIMEDOUT)
        return r; /* it may have been counted: the ids tell, next time */
    r = r == 0 ? (int)v->due_count : r;
    v->due_count = 0;
    return r;
}

/* ---- from time to time -------------------------------------------------------------------------
 */

static void report_turn(struct vs_periodic *p)
{
    (void)view_report_now(vs_container_of(p, struct view_report, turn));
}

int view_report_start(struct view_report **ret, struct vsfs *fs)
{
    struct view_report *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    v->fs = fs;
    pthread_mutex_init(&v->lock, NULL);
    *ret = v;
    vs_periodic_start(&v->turn, fs->ops, VIEW_REPORT_S * VS_NS_PER_S, VIEW_REPORT_S * VS_NS_PER_S,
                      report_turn);
    return 0;
}

void view_report_stop(struct view_report *v)
{
    if (v == NULL)
        return;
    vs_periodic_stop(&v->turn);
    (void)view_report_now(v);
    vs_buf_close(&v->due);
    pthread_mutex_destroy(&v->lock);
    free(v);
}
