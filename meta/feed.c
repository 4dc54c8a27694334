/* feed: see the header. f->lock guards everything; inside it only the executor's. */
#include "meta/feed.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/tail_record.h"

#include <stdlib.h>
#include <string.h>

struct feed_record {
    uint64_t slot;
    size_t len;
    uint8_t bytes[];
};

struct feed {
    struct vs_exec *exec;
    size_t bytes_max;
    pthread_mutex_t lock;
    struct feed_record *ring[FEED_RECORDS_MAX]; /* by slot, from `first` on */
    unsigned first, count;
    size_t bytes;
    uint64_t oldest, newest;
    struct vs_list waiting; /* meta_req.link */
    unsigned waiters;
    bool stopped;
    struct vs_buf scratch; /* the applier's */
};

int feed_new(struct feed **ret, struct vs_exec *exec, size_t bytes_max)
{
    struct feed *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    f->exec = exec;
    f->bytes_max = bytes_max;
    pthread_mutex_init(&f->lock, NULL);
    vs_list_init(&f->waiting);
    *ret = f;
    return 0;
}

/* under f->lock */
static void drop_oldest(struct feed *f)
{
    struct feed_record *rec = f->ring[f->first];

    f->oldest = rec->slot;
    f->bytes -= rec->len;
    f->first = (f->first + 1) % FEED_RECORDS_MAX;
    f->count--;
    free(rec);
}

/* under f->lock: what came before `slot` is not known. */
static void drop_all(struct feed *f, uint64_t slot)
{
    while (f->count > 0)
        drop_oldest(f);
    f->oldest = f->newest = slot;
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    VS_ASSERT(vs_list_empty(&f->waiting));
    drop_all(f, 0);
    vs_buf_close(&f->scratch);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static const struct feed_record *record_at(const struct feed *f, unsigned n)
{
    return f->ring[(f->first + n) % FEED_RECORDS_MAX];
}

/* under f->lock: the first record behind `slot`; f->count: there is none. */
static unsigned first_behind(const struct feed *f, uint64_t slot)
{
    unsigned low = 0, high = f->count;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (record_at(f, mid)->slot > slot)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* under f->lock: does the question have an answer without waiting? */
static bool has_answer(const struct feed *f, const struct meta_req *r)
{
    return r->after < f->oldest || (f->count > 0 && record_at(f, f->count - 1)->slot > r->after);
}

/* under f->lock */
static void answer_fill(struct feed *f, struct meta_req *r)
{
    r->status = 0;
    r->bytes.len = 0;
    r->slot = f->newest;
    r->reset = r->after < f->oldest;
    if (r->reset)
        return;
    for (unsigned n = first_behind(f, r->after); n < f->count; n++) {
        const struct feed_record *rec = record_at(f, n);
        size_t max = r->bytes.len == 0 && rec->len > FEED_ANSWER_BYTES_MAX ? rec->len
                                                                           : FEED_ANSWER_BYTES_MAX;
        int err = vs_buf_append(&r->bytes, rec->bytes, rec->len, max);

        if (err == 0) {
            r->slot = rec->slot;
            continue;
        }
        if (r->bytes.len == 0)
            r->status = err; /* no memory for a single one */
        return;              /* the rest is for the next question */
    }
    r->slot = f->newest;
}

/* The answer of one that waited, or was never let wait. */
static void answer_job(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct feed *f = r->client;

    pthread_mutex_lock(&f->lock);
    vs_list_del(&r->link); /* its time is over; forgives one that was woken */
    f->waiters--;
    answer_fill(f, r);
    pthread_mutex_unlock(&f->lock);
    r->done(r);
}

/* under f->lock. Those whose time is over just now answer by themselves. */
static void wake_all(struct feed *f)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &f->waiting) {
        struct meta_req *r = vs_container_of(pos, struct meta_req, link);

        if (!has_answer(f, r) && !f->stopped)
            continue;
        if (vs_exec_cancel_after(f->exec, &r->job) == 0)
            continue;
        vs_list_del(pos);
        vs_exec_submit(f->exec, &r->job);
    }
}

void feed_answer(struct feed *f, struct meta_req *r)
{
    VS_LOCK_SCOPE(&f->lock);

    answer_fill(f, r);
}

void feed_ask(struct feed *f, struct meta_req *r)
{
    VS_ASSERT(r->wait_ms <= META_CHANGES_WAIT_MS_MAX);
    pthread_mutex_lock(&f->lock);
    if (r->wait_ms > 0 && !has_answer(f, r) && !f->stopped && f->waiters < FEED_WAITERS_MAX) {
        f->waiters++;
        r->client = f;
        r->job.fn = answer_job;
        vs_list_add_tail(&f->waiting, &r->link);
        vs_exec_after(f->exec, &r->job, (int64_t)r->wait_ms * VS_NS_PER_MS);
        pthread_mutex_unlock(&f->lock);
        return;
    }
    answer_fill(f, r);
    pthread_mutex_unlock(&f->lock);
    r->done(r);
}

/* ---- changes ----------------------------------------------------------------------------------
 */

void feed_begin(struct feed *f, uint64_t slot)
{
    VS_LOCK_SCOPE(&f->lock);

    drop_all(f, slot);
    wake_all(f);
}

/* under f->lock */
static void keep_record(struct feed *f, struct feed_record *rec)
{
    while (f->count == FEED_RECORDS_MAX || (f->count > 0 && f->bytes + rec->len > f->bytes_max))
        drop_oldest(f);
    f->ring[(f->first + f->count++) % FEED_RECORDS_MAX] = rec;
    f->bytes += rec->len;
}

/* What is noted of a slot: `r` 1, the bytes in f->scratch; 0: nothing; negative: it cannot be told.
 */
static void note(struct feed *f, uint64_t slot, int r)
{
    struct feed_record *rec = NULL;

    if (r == 1) {
        rec = malloc(sizeof(*rec) + f->scratch.len);
        if (rec == NULL)
            r = -ENOMEM;
    }
    if (rec != NULL) {
        rec->slot = slot;
        rec->len = f->scratch.len;
        memcpy(rec->bytes, f->scratch.data, rec->len);
    }
    VS_LOCK_SCOPE(&f->lock);
    f->newest = slot;
    if (rec != NULL)
        keep_record(f, rec);
    else if (r < 0)
        drop_all(f, slot); /* what it changed cannot be told: everything may have */
    if (r != 0)
        wake_all(f);
}

void feed_note(struct feed *f, uint64_t slot, uint64_t client, const struct kv_batch *batch)
{
    if (f == NULL)
        return;
    f->scratch.len = 0;
    note(f, slot, feed_record(slot, client, batch, &f->scratch));
}

void feed_note_entry(struct feed *f, uint64_t slot, const void *bytes, size_t len)
{
    int r;

    if (f == NULL)
        return;
    f->scratch.len = 0;
    r = tail_entry_encode(slot, bytes, len, &f->scratch);
    note(f, slot, r < 0 ? r : 1);
}

void feed_stop(struct feed *f)
{
    if (f == NULL)
        return;
    VS_LOCK_SCOPE(&f->lock);
    f->stopped = true;
    wake_all(f);
}

void feed_state(struct feed *f, struct feed_state *ret)
{
    VS_LOCK_SCOPE(&f->lock);

    *ret = (struct feed_state){ f->oldest, f->newest, f->count, f->waiters, f->bytes };
}
