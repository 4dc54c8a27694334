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

/* What is judged of a handle. */
struct handle {
    uint64_t ino, held_ms, read_bytes;
    struct view_track *track; /* open; NULL: closed. Under lock */
    unsigned judged_as;       /* of one that was closed while it was judged; as the track's */
    bool watched;
};

struct view_report {
    struct vsfs *fs;
    struct vs_periodic turn;
    pthread_mutex_t lock;
    struct vs_list open; /* of view_track.link, not counted yet; under lock */
    struct handle closed[VIEW_REPORT_HANDLES_MAX];
    unsigned closed_count;
    struct handle
        judged[VIEW_REPORT_HANDLES_MAX];  /* the turn's own but for .track, as what follows */
    unsigned judged_count, judged_closed; /* the first ones were closed before */
    struct vs_buf due;                    /* a report that has had no answer */
    unsigned due_count;                   /* 0: none */
};

/* ---- handles ----------------------------------------------------------------------------------
 */

void view_report_read(struct view_report *v, struct view_track *t, uint64_t ino, uint64_t offset,
                      uint32_t bytes)
{
    uint64_t next = atomic_exchange(&t->next, offset + bytes);
    int64_t none = 0;

    if (view_goes_on(next, offset))
        atomic_fetch_add(&t->bytes, bytes);
    if (atomic_load(&t->opened_ns) != 0 || v == NULL ||
        !atomic_compare_exchange_strong(&t->opened_ns, &none, vs_now_ns(&vs_clock_system)))
        return;
    VS_LOCK_SCOPE(&v->lock);
    t->ino = ino;
    vs_list_add_tail(&v->open, &t->link);
}

static struct handle facts_of(const struct view_track *t)
{
    int64_t held_ns = vs_now_ns(&vs_clock_system) - atomic_load(&t->opened_ns);

    return (struct handle){ .ino = t->ino,
                            .held_ms = (uint64_t)(held_ns / VS_NS_PER_MS),
                            .read_bytes = atomic_load(&t->bytes),
                            .judged_as = t->judged_as };
}

void view_report_closed(struct view_report *v, struct view_track *t)
{
    struct handle h;

    if (v == NULL || atomic_load(&t->opened_ns) == 0)
        return;
    VS_LOCK_SCOPE(&v->lock);
    if (vs_list_empty(&t->link)) /* counted */
        return;
    vs_list_del(&t->link);
    h = facts_of(t);
    if (h.judged_as > 0)
        v->judged[h.judged_as - 1].track = NULL;
    if (h.held_ms >= VIEW_REPORT_LEAST_MS && v->closed_count < VIEW_REPORT_HANDLES_MAX)
        v->closed[v->closed_count++] = h;
}

/* ---- judging -----------------------------------------------------------------------------------
 */

/* 1: it was; 0: it was not; -VS_EDOWN: nobody says. */
static int was_watched(struct view_report *v, const struct handle *h)
{
    struct meta_req r = { .op = META_MEDIA, .ino = h->ino };
    struct view_facts facts = { .held_ms = h->held_ms, .read_bytes = h->read_bytes };
    struct mf_media media = { 0 };
    int err = meta_call(v->fs->meta, &r);

    facts.file_bytes = r.attr.size;
    if (err == 0 && mf_media_decode(r.bytes.data, r.bytes.len, &media) == 0) {
        facts.duration_ms = media.duration_ms;
        mf_media_close(&media);
    }
    vs_buf_close(&r.bytes);
    if (err == -VS_EDOWN)
        return err;
    return (err == 0 || err == -ENODATA) && view_judge(&facts);
}

/* All that were closed, and of those that are open as many as there is room for: the others come
 * first next time. */
static void judge_begin(struct view_report *v)
{
    struct vs_list *pos, *tmp, later;
    VS_LOCK_SCOPE(&v->lock);

    v->judged_count = v->judged_closed = v->closed_count;
    memcpy(v->judged, v->closed, v->closed_count * sizeof(v->judged[0]));
    v->closed_count = 0;
    vs_list_init(&later);
    vs_list_for_each (pos, tmp, &v->open) {
        struct view_track *t = vs_container_of(pos, struct view_track, link);

        if (v->judged_count == VIEW_REPORT_HANDLES_MAX)
            break;
        v->judged[v->judged_count] = facts_of(t);
        v->judged[v->judged_count].track = t;
        t->judged_as = ++v->judged_count;
        vs_list_del(&t->link);
        vs_list_add_tail(&later, &t->link);
    }
    vs_list_splice_tail(&v->open, &later);
}

/* Who was watched is not judged again, open or closed meanwhile; nobody has said it of those from
 * `asked` on: they are judged next time. */
static void judge_end(struct view_report *v, unsigned asked)
{
    unsigned kept = 0;
    VS_LOCK_SCOPE(&v->lock);

    for (unsigned i = 0; i < v->judged_count; i++) {
        struct view_track *t = v->judged[i].track;

        if (t == NULL)
            continue;
        t->judged_as = 0;
        if (v->judged[i].watched)
            vs_list_del(&t->link);
    }
    for (unsigned i = 0; i < v->closed_count; i++) {
        struct handle h = v->closed[i];

        if (h.judged_as > 0 && v->judged[h.judged_as - 1].watched)
            continue;
        h.judged_as = 0;
        v->closed[kept++] = h;
    }
    v->closed_count = kept;
    for (unsigned i = asked; i < v->judged_closed && v->closed_count < VIEW_REPORT_HANDLES_MAX; i++)
        v->closed[v->closed_count++] = v->judged[i];
}

/* How many were: each question to metadata that are down takes as long as an answer may. */
static int judge_run(struct view_report *v, unsigned *ret_asked)
{
    unsigned i = 0;
    int r = 0;

    while (i < v->judged_count && r >= 0) {
        r = was_watched(v, &v->judged[i]);
        v->judged[i].watched = r > 0;
        i += r >= 0;
    }
    *ret_asked = i;
    return r < 0 ? r : 0;
}

static int by_ino(const void *a, const void *b)
{
    const struct handle *x = a, *y = b;

    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* A new report of what was watched since the last one. */
static int make_report(struct view_report *v)
{
    static const unsigned items_max = VIEW_REPORT_HANDLES_MAX;
    struct views_item *items = calloc(items_max, sizeof(*items));
    unsigned n = 0, asked;
    int r;

    _Static_assert(VIEW_REPORT_HANDLES_MAX <= VIEWS_REPORT_MAX, "a report has room for all");
    if (items == NULL)
        return -ENOMEM;
    judge_begin(v);
    r = judge_run(v, &asked);
    judge_end(v, asked);
    qsort(v->judged, v->judged_count, sizeof(v->judged[0]), by_ino);
    for (unsigned i = 0; i < v->judged_count; i++) {
        const struct handle *h = &v->judged[i];

        if (!h->watched)
            continue;
        if (n == 0 || items[n - 1].ino != h->ino) {
            items[n] = (struct views_item){ .ino = h->ino };
            vs_rand_system(&items[n].report, sizeof(items[n].report));
            n++;
        }
        items[n - 1].count++;
    }
    v->due.len = 0;
    v->due_count = n > 0 && views_report_encode(items, n, &v->due) == 0 ? n : 0;
    free(items);
    return v->due_count > 0 ? 0 : r;
}

int view_report_now(struct view_report *v)
{
    struct ns_entry e = { .kind = NS_E_VIEWS };
    struct ns_answer answer;
    int r = v->due_count == 0 ? make_report(v) : 0;

    if (v->due_count == 0)
        return r;
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
    vs_list_init(&v->open);
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
