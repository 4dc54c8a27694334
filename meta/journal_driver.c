/* journal_driver: see the header. Locks: d->lock guards the queue only; the rest belongs to the
 * journal's thread (or to open and stop, when there is none). */
#include "meta/journal_driver.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/ns_apply.h"
#include "meta/ns_entry.h"
#include "meta/reg_batch.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define COUNT_RECORD_NS VS_NS_PER_S

struct journal_driver {
    struct acceptor_store *store;
    struct kv *ns;
    const struct vs_clock *clock;
    struct ns_apply *apply;
    struct reg_batch regs;
    struct vs_buf encoded;
    uint64_t next_slot;
    uint64_t slot_bytes; /* put into slots since the last flush */
    uint64_t replayed;
    int64_t recorded_ns; /* when the count of synced batches was last recorded */
    bool is_broken;      /* the namespace failed: nothing is applied any more */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct vs_list queue; /* meta_req.link */
    bool is_stopping;

    bool is_started;
    pthread_t thread;
};

/* ---- replay ---- */

static int journal_apply(struct journal_driver *d, uint64_t slot, const uint8_t *bytes, size_t len,
                         struct ns_answer *ret)
{
    struct ns_entry entry;
    void *ids = NULL;
    int r = ns_entry_decode(bytes, len, &entry, &ids);

    if (r == 0)
        r = ns_apply_entry(d->apply, slot, &entry, ret);
    free(ids);
    return r;
}

static int journal_replay_slot(void *arg, uint64_t slot, const uint8_t *bytes, size_t len)
{
    struct journal_driver *d = arg;
    struct ns_answer answer;
    int r;

    if (slot != d->next_slot)
        return -VS_ECORRUPT;
    r = journal_apply(d, slot, bytes, len, &answer);
    if (r < 0)
        return r;
    d->next_slot++;
    d->replayed++;
    return 0;
}

static int journal_slot_seen(void *arg, uint64_t slot, const uint8_t *bytes, size_t len)
{
    uint64_t *seen = arg;

    (void)bytes;
    (void)len;
    *seen = slot;
    return 1;
}

static int journal_replay(struct journal_driver *d)
{
    uint64_t applied = ns_apply_slot(d->apply);
    uint64_t seen = 0;
    int r;

    d->next_slot = applied + 1;
    if (d->next_slot < acceptor_first_slot(d->store))
        return -VS_ECORRUPT; /* the slots between are gone */
    if (applied > 0) {
        /* A flush always leaves the newest applied slots in place. */
        r = acceptor_slots_scan(d->store, applied, journal_slot_seen, &seen);
        if (r < 0)
            return r;
        if (seen != applied)
            return -VS_EFORGOT;
    }
    return acceptor_slots_scan(d->store, d->next_slot, journal_replay_slot, d);
}

/* ---- one batch ---- */

static void journal_break(struct journal_driver *d, int err)
{
    vs_error("metadata (namespace): applying a change failed: %s -> changes are refused until the "
             "next mount, which carries on from the journal; check the disk, then mount again",
             vs_err_text(err));
    d->is_broken = true;
}

static int journal_prepare_change(struct journal_driver *d, struct meta_req *r)
{
    const struct acceptor_identity *id = acceptor_identity(d->store);
    struct ns_entry owned;
    const struct ns_entry *entry = r->entry;
    int err;

    if (d->is_broken)
        return -EIO;
    if (entry->kind == NS_E_SESSION_OPEN && entry->pid == 0) { /* the ids are this incarnation's */
        owned = *entry;
        owned.pid = (uint16_t)id->pid;
        owned.inc = id->inc;
        entry = &owned;
    }
    d->encoded.len = 0;
    err = ns_entry_encode(entry, &d->encoded);
    if (err == 0)
        err = acceptor_slot_store(d->store, d->next_slot, d->encoded.data, d->encoded.len);
    if (err < 0)
        return err;
    d->slot_bytes += d->encoded.len;
    d->next_slot++;
    return 0;
}

static void journal_prepare(struct journal_driver *d, struct meta_req *r)
{
    if (r->op == META_CHANGE)
        r->status = journal_prepare_change(d, r);
    else
        reg_batch_run(&d->regs, r);
}

/* What is applied is what the log holds, so that a replay comes to the same. */
static int journal_finish_change(struct journal_driver *d, uint64_t slot, struct ns_answer *ret)
{
    const uint8_t *bytes;
    size_t len;
    int err;

    if (d->is_broken)
        return -EIO;
    err = acceptor_slot_peek(d->store, slot, &bytes, &len);
    if (err == 0)
        err = journal_apply(d, slot, bytes, len, ret);
    if (err < 0) {
        journal_break(d, err);
        return -EIO;
    }
    return ret->status;
}

/* `doing` is answered and empty afterwards. */
static void journal_finish(struct journal_driver *d, struct vs_list *doing, uint64_t slot)
{
    struct meta_req *r;

    while ((r = vs_list_first(doing, struct meta_req, link)) != NULL) {
        vs_list_del(&r->link);
        if (r->op == META_CHANGE && r->status == 0)
            r->status = journal_finish_change(d, slot++, &r->answer);
        r->done(r); /* r may be gone now */
    }
}

/* Flush the namespace, then drop the slots that a replay cannot need any more. */
static void journal_truncate(struct journal_driver *d)
{
    uint64_t applied = ns_apply_slot(d->apply);
    uint64_t first = acceptor_first_slot(d->store);
    int r;

    if (d->is_broken || applied < first + JOURNAL_SLOTS_KEPT)
        return;
    r = kv_flush(d->ns);
    if (r < 0) {
        journal_break(d, r);
        return;
    }
    d->slot_bytes = 0;
    r = acceptor_slots_drop(d->store, applied + 1 - JOURNAL_SLOTS_KEPT);
    if (r == 0)
        acceptor_commit(d->store);
    acceptor_batch_begin(d->store);
}

/* Carry out what was taken off the queue; the list is empty afterwards. */
static void journal_run(struct journal_driver *d, struct vs_list *taken)
{
    struct vs_list doing = VS_LIST_INIT(doing);
    struct meta_req *r;

    while (!vs_list_empty(taken)) {
        uint64_t slot = d->next_slot;

        while (acceptor_batch_bytes(d->store) < JOURNAL_BATCH_BYTES_MAX &&
               (r = vs_list_first(taken, struct meta_req, link)) != NULL) {
            vs_list_del(&r->link);
            vs_list_add_tail(&doing, &r->link);
            journal_prepare(d, r);
        }
        if (!acceptor_batch_empty(d->store))
            acceptor_commit(d->store);
        journal_finish(d, &doing, slot);
        acceptor_batch_begin(d->store);
    }
    if (d->next_slot - acceptor_first_slot(d->store) >= JOURNAL_SLOTS_MAX ||
        d->slot_bytes >= JOURNAL_SLOT_BYTES_MAX)
        journal_truncate(d);
}

/* ---- the thread ---- */

/* Under load the count is recorded between batches, else a second after the last one. */
static void journal_record(struct journal_driver *d, bool now)
{
    int64_t now_ns = vs_now_ns(d->clock);

    if (!now && now_ns - d->recorded_ns < COUNT_RECORD_NS)
        return;
    acceptor_record_count(d->store);
    d->recorded_ns = now_ns;
}

/* Sleep until there is something to do (true) or a second has passed (false). Under d->lock. */
static bool journal_sleep(struct journal_driver *d)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + COUNT_RECORD_NS; /* the condition's clock */
    struct timespec until = { until_ns / VS_NS_PER_S, until_ns % VS_NS_PER_S };

    while (vs_list_empty(&d->queue) && !d->is_stopping)
        if (pthread_cond_timedwait(&d->wake, &d->lock, &until) == ETIMEDOUT)
            return false;
    return true;
}

/* Some requests into `taken`, or false to end. */
static bool journal_take(struct journal_driver *d, struct vs_list *taken)
{
    VS_LOCK_SCOPE(&d->lock);

    if (!journal_sleep(d)) {
        pthread_mutex_unlock(&d->lock);
        journal_record(d, true);
        pthread_mutex_lock(&d->lock);
        while (vs_list_empty(&d->queue) && !d->is_stopping)
            pthread_cond_wait(&d->wake, &d->lock);
    }
    for (unsigned i = 0; i < JOURNAL_BATCH_REQUESTS_MAX && !vs_list_empty(&d->queue); i++) {
        struct meta_req *r = vs_list_first(&d->queue, struct meta_req, link);

        vs_list_del(&r->link);
        vs_list_add_tail(taken, &r->link);
    }
    return !vs_list_empty(taken);
}

static void *journal_main(void *arg)
{
    struct journal_driver *d = arg;
    struct vs_list taken = VS_LIST_INIT(taken);

    pthread_setname_np(pthread_self(), "vs-journal");
    while (journal_take(d, &taken)) {
        journal_run(d, &taken);
        journal_record(d, false);
    }
    return NULL;
}

void journal_driver_submit(struct journal_driver *d, struct meta_req *r)
{
    VS_LOCK_SCOPE(&d->lock);

    VS_ASSERT(!d->is_stopping);
    vs_list_add_tail(&d->queue, &r->link);
    pthread_cond_signal(&d->wake);
}

/* ---- life ---- */

static int journal_init_locks(struct journal_driver *d)
{
    pthread_condattr_t attr;
    int err = pthread_mutex_init(&d->lock, NULL);

    if (err != 0)
        return -err;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err = pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (err != 0)
        pthread_mutex_destroy(&d->lock);
    return -err;
}

static void journal_free(struct journal_driver *d)
{
    ns_apply_free(d->apply);
    reg_batch_close(&d->regs);
    vs_buf_close(&d->encoded);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

int journal_driver_open(struct journal_driver **ret, struct acceptor_store *store, struct kv *ns,
                        const struct vs_clock *clock)
{
    struct journal_driver *d = calloc(1, sizeof(*d));
    int r;

    if (d == NULL)
        return -ENOMEM;
    d->store = store;
    d->ns = ns;
    d->clock = clock;
    d->recorded_ns = vs_now_ns(clock);
    vs_list_init(&d->queue);
    r = journal_init_locks(d);
    if (r < 0) {
        free(d);
        return r;
    }
    reg_batch_init(&d->regs, store);
    r = ns_apply_new(&d->apply, ns);
    if (r == 0)
        r = journal_replay(d);
    if (r < 0) {
        journal_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

void journal_driver_set_feed(struct journal_driver *d, struct feed *feed)
{
    ns_apply_set_feed(d->apply, feed);
}

int journal_driver_start(struct journal_driver *d)
{
    sigset_t all, old;
    int err;

    sigfillset(&all); /* signals are the program's other threads' business */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&d->thread, NULL, journal_main, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err != 0)
        return -err;
    d->is_started = true;
    return 0;
}

uint64_t journal_driver_replayed(const struct journal_driver *d)
{
    return d->replayed;
}

void journal_driver_stop(struct journal_driver *d)
{
    if (d == NULL)
        return;
    if (d->is_started) {
        pthread_mutex_lock(&d->lock);
        d->is_stopping = true;
        pthread_cond_signal(&d->wake);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
        journal_truncate(d);
    }
    journal_free(d);
}
