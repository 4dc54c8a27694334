/* journal_applier: see the header. Locks: a->lock guards the queue only; the namespace belongs to
 * whoever has a->apply_lock, which is the thread but for a reload. */
#include "meta/journal_applier.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/thread.h"
#include "meta/feed.h"
#include "meta/ns_apply.h"
#include "meta/ns_entry.h"
#include <pthread.h>
#include <stdlib.h>

struct applier_item {
    uint64_t slot;
    struct journal_entry *entry;
    struct meta_req *req;
};

struct journal_applier {
    struct kv *ns;
    struct ns_apply *apply;
    struct journal_applier_calls calls;
    uint64_t start; /* applied when it was opened */
    int failed;     /* the thread's */
    pthread_mutex_t apply_lock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct applier_item item[JOURNAL_APPLIES_MAX];
    unsigned head, count;
    bool is_flush, is_stopping;
};

static int applier_apply(struct journal_applier *a, const struct applier_item *item,
                         struct ns_answer *answer)
{
    struct ns_entry entry = { .kind = NS_E_NOP };
    void *ids = NULL;
    int r = 0;

    if (item->entry != NULL)
        r = ns_entry_decode(item->entry->bytes, item->entry->len, &entry, &ids);
    if (r == 0)
        r = ns_apply_entry(a->apply, item->slot, &entry, answer);
    free(ids);
    if (r == 0)
        feed_note_entry(a->calls.entries, item->slot,
                        item->entry != NULL ? item->entry->bytes : NULL,
                        item->entry != NULL ? item->entry->len : 0);
    return r;
}

static void applier_one(struct journal_applier *a, const struct applier_item *item)
{
    struct ns_answer answer = { 0 };
    int r = a->failed;

    if (r == 0) {
        r = applier_apply(a, item, &answer);
        if (r < 0) {
            a->failed = r;
            a->calls.failed(a->calls.arg, r);
        }
    }
    if (item->req != NULL) {
        item->req->answer = answer;
        item->req->status = r < 0 ? -EIO : answer.status;
        item->req->done(item->req); /* may be gone now */
    }
    if (r == 0)
        a->calls.applied(a->calls.arg, item->slot);
}

static void applier_flush(struct journal_applier *a)
{
    uint64_t slot = ns_apply_slot(a->apply);
    int r = a->failed == 0 ? kv_flush(a->ns) : a->failed;

    if (r == 0)
        a->calls.flushed(a->calls.arg, slot);
    else if (a->failed == 0)
        a->calls.failed(a->calls.arg, a->failed = r);
}

/* The next thing to do; false: stopped, and nothing is left. */
static bool applier_take(struct journal_applier *a, struct applier_item *ret, bool *ret_flush)
{
    bool is_more;

    pthread_mutex_lock(&a->lock);
    while (a->count == 0 && !a->is_flush && !a->is_stopping)
        pthread_cond_wait(&a->wake, &a->lock);
    is_more = a->count > 0 || a->is_flush;
    *ret_flush = a->count == 0 && a->is_flush;
    if (a->count > 0) {
        *ret = a->item[a->head];
        a->head = (a->head + 1) % JOURNAL_APPLIES_MAX;
        a->count--;
    } else {
        a->is_flush = false;
    }
    pthread_mutex_unlock(&a->lock);
    return is_more;
}

static void *applier_main(void *arg)
{
    struct journal_applier *a = arg;
    struct applier_item item;
    bool is_flush;

    pthread_setname_np(pthread_self(), "vs-apply");
    while (applier_take(a, &item, &is_flush)) {
        pthread_mutex_lock(&a->apply_lock);
        if (is_flush)
            applier_flush(a);
        else
            applier_one(a, &item);
        pthread_mutex_unlock(&a->apply_lock);
    }
    return NULL;
}

void journal_applier_add(struct journal_applier *a, uint64_t slot, struct journal_entry *entry,
                         struct meta_req *req)
{
    pthread_mutex_lock(&a->lock);
    VS_ASSERT(a->count < JOURNAL_APPLIES_MAX && !a->is_stopping);
    a->item[(a->head + a->count++) % JOURNAL_APPLIES_MAX] =
        (struct applier_item){ .slot = slot, .entry = entry, .req = req };
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void journal_applier_flush(struct journal_applier *a)
{
    pthread_mutex_lock(&a->lock);
    a->is_flush = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

int journal_applier_reload(struct journal_applier *a)
{
    struct ns_apply *apply = NULL;
    int r;

    pthread_mutex_lock(&a->apply_lock);
    r = ns_apply_new(&apply, a->ns);
    if (r == 0) {
        ns_apply_free(a->apply);
        a->apply = apply;
        ns_apply_set_feed(apply, a->calls.feed); /* which begins anew */
        if (a->calls.entries != NULL)
            feed_begin(a->calls.entries, ns_apply_slot(apply));
    }
    pthread_mutex_unlock(&a->apply_lock);
    return r;
}

uint64_t journal_applier_slot(const struct journal_applier *a)
{
    return a->start;
}

static void applier_close(struct journal_applier *a)
{
    ns_apply_free(a->apply);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->apply_lock);
    free(a);
}

int journal_applier_new(struct journal_applier **ret, struct kv *ns,
                        const struct journal_applier_calls *calls)
{
    struct journal_applier *a = calloc(1, sizeof(*a));
    int r;

    if (a == NULL)
        return -ENOMEM;
    a->ns = ns;
    a->calls = *calls;
    pthread_mutex_init(&a->apply_lock, NULL);
    pthread_mutex_init(&a->lock, NULL); /* these cannot fail on Linux */
    pthread_cond_init(&a->wake, NULL);
    r = ns_apply_new(&a->apply, ns);
    if (r < 0)
        goto fail;
    ns_apply_set_feed(a->apply, calls->feed);
    if (calls->entries != NULL)
        feed_begin(calls->entries, ns_apply_slot(a->apply));
    a->start = ns_apply_slot(a->apply);
    r = vs_thread_start(&a->thread, applier_main, a);
    if (r < 0)
        goto fail;
    *ret = a;
    return 0;

fail:
    applier_close(a);
    return r;
}

void journal_applier_free(struct journal_applier *a)
{
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->is_stopping = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    applier_close(a);
}
