/* cutter_fake: see cutter_fake.h. One thread reports for all streams; a stream that is freed waits
 * for the report that is being made, as the real one does. */
#include "tests/support/cutter_fake.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool fake_expects = true;

struct cutter {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    pthread_t thread;
    /* under lock */
    struct cutter_live *live; /* one stream at a time */
    const uint64_t *keyframes;
    unsigned count, opened, refuse;
    int open_status, feed_status;
    bool hold_open, mute, stopping;
    uint64_t lag, die_at, fed;
};

struct cutter_live {
    struct cutter *cutter;
    cutter_keyframe_fn *fn;
    void *arg;
    pthread_mutex_t call; /* held while fn runs */
    /* under cutter->lock */
    uint64_t fed, parsed, reported_parsed;
    unsigned reported;
    bool ended, over;
};

/* Under the lock: what to report next; false: nothing. */
static bool next_report(struct cutter *c, uint64_t *offset, uint32_t *time_ms, uint64_t *parsed)
{
    struct cutter_live *l = c->live;

    if (l == NULL || l->over || c->mute)
        return false;
    l->parsed = l->ended ? l->fed : l->fed > c->lag ? l->fed - c->lag : 0;
    *time_ms = UINT32_MAX;
    if (c->die_at > 0 && l->fed >= c->die_at) {
        *offset = *parsed = UINT64_MAX;
        l->over = true;
        return true;
    }
    if (l->reported < c->count && c->keyframes[l->reported] < l->parsed) {
        *offset = *parsed = c->keyframes[l->reported];
        *time_ms = 1000 * l->reported;
        l->reported++;
        return true;
    }
    if (l->ended) {
        *offset = *parsed = UINT64_MAX;
        l->over = true;
        return true;
    }
    if (l->parsed < l->reported_parsed + (1u << 20))
        return false;
    *offset = UINT64_MAX - 1;
    *parsed = l->reported_parsed = l->parsed;
    return true;
}

static void *fake_thread(void *arg)
{
    struct cutter *c = arg;
    uint64_t offset, parsed;
    uint32_t time_ms;

    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        struct cutter_live *l = c->live;

        if (!next_report(c, &offset, &time_ms, &parsed)) {
            pthread_cond_wait(&c->moved, &c->lock);
            continue;
        }
        pthread_mutex_lock(&l->call);
        pthread_mutex_unlock(&c->lock);
        l->fn(l->arg, offset, time_ms, parsed);
        pthread_mutex_unlock(&l->call);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct cutter *cutter_fake_new(const uint64_t *keyframes, unsigned count)
{
    struct cutter *c = calloc(1, sizeof(*c));

    VS_ASSERT(c != NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->moved, NULL);
    c->keyframes = keyframes;
    c->count = count;
    fake_expects = true;
    VS_ASSERT(pthread_create(&c->thread, NULL, fake_thread, c) == 0);
    return c;
}

void cutter_fake_free(struct cutter *c)
{
    pthread_mutex_lock(&c->lock);
    VS_ASSERT(c->live == NULL);
    c->stopping = true;
    pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->moved);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

#define SET(c, statement)                                                                          \
    do {                                                                                           \
        VS_LOCK_SCOPE(&(c)->lock);                                                                 \
        statement;                                                                                 \
        pthread_cond_broadcast(&(c)->moved);                                                       \
    } while (0)

void cutter_fake_expect(bool expects)
{
    fake_expects = expects;
}

void cutter_fake_open_status(struct cutter *c, int status)
{
    SET(c, c->open_status = status);
}

void cutter_fake_hold_open(struct cutter *c, bool hold)
{
    SET(c, c->hold_open = hold);
}

void cutter_fake_feed_status(struct cutter *c, int status)
{
    SET(c, c->feed_status = status);
}

void cutter_fake_refuse(struct cutter *c, unsigned feeds)
{
    SET(c, c->refuse = feeds);
}

void cutter_fake_mute(struct cutter *c, bool mute)
{
    SET(c, c->mute = mute);
}

void cutter_fake_lag(struct cutter *c, uint64_t bytes)
{
    SET(c, c->lag = bytes);
}

void cutter_fake_die_at(struct cutter *c, uint64_t bytes)
{
    SET(c, c->die_at = bytes);
}

uint64_t cutter_fake_fed(struct cutter *c)
{
    VS_LOCK_SCOPE(&c->lock);

    return c->fed;
}

unsigned cutter_fake_opened(struct cutter *c)
{
    VS_LOCK_SCOPE(&c->lock);

    return c->opened;
}

/* ---- ingest/cutter.h ---- */

bool cutter_expects_keyframes(const void *head, size_t head_len)
{
    VS_ASSERT(head != NULL && head_len >= 4096);
    return fake_expects;
}

int cutter_live_open(struct cutter_live **ret, struct cutter *c, const void *head, size_t head_len,
                     const char *name, size_t name_len, cutter_keyframe_fn *fn, void *arg)
{
    struct cutter_live *l;
    VS_LOCK_SCOPE(&c->lock);

    (void)head;
    (void)name;
    VS_ASSERT(head_len >= 4096 && name_len > 0);
    while (c->hold_open)
        pthread_cond_wait(&c->moved, &c->lock);
    if (c->open_status < 0)
        return c->open_status;
    VS_ASSERT(c->live == NULL);
    l = calloc(1, sizeof(*l));
    VS_ASSERT(l != NULL);
    *l = (struct cutter_live){ .cutter = c, .fn = fn, .arg = arg };
    pthread_mutex_init(&l->call, NULL);
    c->live = l;
    c->fed = 0;
    c->opened++;
    *ret = l;
    return 0;
}

int cutter_live_feed(struct cutter_live *l, const void *bytes, size_t len)
{
    struct cutter *c = l->cutter;
    volatile const uint8_t *touched = bytes;
    VS_LOCK_SCOPE(&c->lock);

    VS_ASSERT(!l->ended && len > 0);
    (void)touched[0];
    (void)touched[len - 1];
    if (c->feed_status < 0)
        return c->feed_status;
    if (c->refuse > 0) {
        c->refuse--;
        return -EAGAIN;
    }
    l->fed += len;
    c->fed = l->fed;
    pthread_cond_broadcast(&c->moved);
    return 0;
}

void cutter_live_end(struct cutter_live *l)
{
    SET(l->cutter, l->ended = true);
}

void cutter_live_free(struct cutter_live *l)
{
    struct cutter *c;

    if (l == NULL)
        return;
    c = l->cutter;
    pthread_mutex_lock(&c->lock);
    c->live = NULL;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&l->call); /* the report that is being made */
    pthread_mutex_unlock(&l->call);
    pthread_mutex_destroy(&l->call);
    free(l);
}
