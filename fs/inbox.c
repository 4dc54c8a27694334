/* inbox: start and stop, its clock, and who waits for a publish. */
#include "fs/inbox.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/inbox_rules.h"
#include "fs/inbox_state.h"
#include "fs/waiter.h"
#include <stdlib.h>
#include <string.h>

static void inbox_tick(struct vs_job *job);

int inbox_start(struct inbox **ret, struct vsfs *fs)
{
    static const struct ns_attr root = { .ino = NS_INO_INBOX };
    struct inbox *b = calloc(1, sizeof(*b));
    pthread_condattr_t attr;

    if (b == NULL)
        return -ENOMEM;
    b->results = calloc(INBOX_RESULTS_MAX, sizeof(*b->results));
    if (b->results == NULL) {
        free(b);
        return -ENOMEM;
    }
    b->fs = fs;
    b->swept = true;
    b->tick_job.fn = inbox_tick;
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
    vs_list_init(&b->expected);
    vs_list_init(&b->waits);
    vs_list_init(&b->empties);
    inbox_touch(b);
    inbox_dir_seen(b, NS_INO_ROOT, "inbox", 5, &root);
    if (!inbox_has_dir(b, NS_INO_INBOX)) {
        inbox_stop(b);
        return -ENOMEM;
    }
    *ret = b;
    return 0;
}

static void inbox_free_lists(struct inbox *b)
{
    struct inbox_expected *x;
    struct inbox_empty *e;

    while ((x = vs_list_first(&b->expected, struct inbox_expected, link)) != NULL) {
        vs_list_del(&x->link);
        free(x);
    }
    while ((e = vs_list_first(&b->empties, struct inbox_empty, link)) != NULL) {
        vs_list_del(&e->link);
        free(e);
    }
}

void inbox_quiesce(struct inbox *b)
{
    VS_LOCK_SCOPE(&b->lock);
    b->stopping = true;
    if (b->ticking && vs_exec_cancel_after(b->fs->exec, &b->tick_job) == 1) {
        b->ticking = false;
        b->jobs--;
    }
    while (b->jobs > 0)
        pthread_cond_wait(&b->changed, &b->lock);
}

void inbox_stop(struct inbox *b)
{
    if (b == NULL)
        return;
    inbox_quiesce(b);
    inbox_aliases_close(b);
    inbox_dirs_close(b);
    inbox_free_lists(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b->results);
    free(b);
}

/* ---- jobs ---- */

bool inbox_job_start(struct inbox *b, struct vs_job *job, vs_job_fn *fn)
{
    VS_LOCK_SCOPE(&b->lock);
    if (b->stopping)
        return false;
    b->jobs++;
    job->fn = fn;
    vs_exec_submit(b->fs->ops, job);
    return true;
}

void inbox_job_end(struct inbox *b)
{
    VS_LOCK_SCOPE(&b->lock);
    b->jobs--;
    pthread_cond_broadcast(&b->changed);
}

void inbox_touch(struct inbox *b)
{
    b->last_use_ns = vs_now_ns(b->fs->clock);
}

/* ---- expected ---- */

/* under b->lock */
static struct inbox_expected *expected_find(struct inbox *b, uint64_t ino)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &b->expected) {
        struct inbox_expected *x = vs_container_of(pos, struct inbox_expected, link);

        if (x->ino == ino)
            return x;
    }
    return NULL;
}

/* under b->lock: those who wait for this file look again; `all`: everybody whose time is up. */
static void waits_wake(struct inbox *b, const struct inbox_expected *x, int64_t now_ns)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &b->waits) {
        struct inbox_wait *w = vs_container_of(pos, struct inbox_wait, link);
        bool mine = x != NULL && w->dir == x->dir && w->name_len == x->name_len &&
                    memcmp(w->name, x->name, x->name_len) == 0;

        if (!mine && w->until_ns > now_ns)
            continue;
        vs_list_del(&w->link);
        vs_exec_submit(b->fs->exec, &w->job);
    }
}

void inbox_expect(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len)
{
    struct inbox *b = fs->inbox;
    struct inbox_expected *x;
    uint64_t dir = inbox_dir_mirror(b, parent);

    if (dir == 0 || inbox_is_temporary(name, len))
        return;
    x = calloc(1, sizeof(*x));
    if (x == NULL)
        return; /* nobody waits: a lookup may be told too early that it is not there yet */
    x->ino = ino;
    x->dir = dir;
    x->name_len = (uint8_t)len;
    memcpy(x->name, name, len);
    pthread_mutex_lock(&b->lock);
    if (b->expected_count < INBOX_EXPECTED_MAX && expected_find(b, ino) == NULL) {
        vs_list_add_tail(&b->expected, &x->link);
        b->expected_count++;
        x = NULL;
    }
    pthread_mutex_unlock(&b->lock);
    free(x);
}

void inbox_flushed(struct vsfs *fs, struct inode *i)
{
    char name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    size_t len;

    pthread_mutex_lock(&i->lock);
    parent = i->parent;
    len = i->name_len;
    memcpy(name, i->name, len);
    pthread_mutex_unlock(&i->lock);
    if (inbox_has_dir(fs->inbox, parent))
        inbox_expect(fs, i->ino, parent, name, len);
}

/* under b->lock; frees it */
static void expected_drop(struct inbox *b, struct inbox_expected *x)
{
    vs_list_del(&x->link);
    b->expected_count--;
    waits_wake(b, x, INT64_MIN);
    free(x);
}

void inbox_unexpect(struct vsfs *fs, uint64_t ino)
{
    struct inbox_expected *x;

    VS_LOCK_SCOPE(&fs->inbox->lock);
    x = expected_find(fs->inbox, ino);
    if (x != NULL)
        expected_drop(fs->inbox, x);
}

void inbox_unexpect_name(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                         size_t len)
{
    uint64_t dir = inbox_dir_mirror(fs->inbox, parent);
    struct inbox_expected *x;

    VS_LOCK_SCOPE(&fs->inbox->lock);
    x = expected_find(fs->inbox, ino);
    if (x != NULL && x->dir == dir && x->name_len == len && memcmp(x->name, name, len) == 0)
        expected_drop(fs->inbox, x);
}

static void wait_job(struct vs_job *job)
{
    struct inbox_wait *w = vs_container_of(job, struct inbox_wait, job);

    w->done(w);
}

/* under b->lock */
static bool expected_at(struct inbox *b, uint64_t dir, const char *name, size_t len)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &b->expected) {
        struct inbox_expected *x = vs_container_of(pos, struct inbox_expected, link);

        if (x->dir == dir && x->name_len == len && memcmp(x->name, name, len) == 0)
            return true;
    }
    return false;
}

bool inbox_expects(struct vsfs *fs, uint64_t dir, const char *name, size_t len)
{
    VS_LOCK_SCOPE(&fs->inbox->lock);
    return expected_at(fs->inbox, dir, name, len);
}

bool inbox_wait(struct vsfs *fs, struct inbox_wait *w)
{
    struct inbox *b = fs->inbox;

    VS_LOCK_SCOPE(&b->lock);
    if (b->stopping || !expected_at(b, w->dir, w->name, w->name_len))
        return false;
    w->until_ns = vs_now_ns(fs->clock) + w->wait_ms * VS_NS_PER_MS;
    w->job.fn = wait_job;
    vs_list_add_tail(&b->waits, &w->link);
    inbox_tick_by(b, w->until_ns);
    return true;
}

struct inbox_awaiting {
    struct inbox_wait wait;
    struct waiter waiter;
};

static void await_done(struct inbox_wait *w)
{
    waiter_wake(&vs_container_of(w, struct inbox_awaiting, wait)->waiter);
}

void inbox_await(struct vsfs *fs, struct inode *i)
{
    struct inbox_awaiting a = { .wait = { .wait_ms = INBOX_OPEN_WAIT_MS, .done = await_done },
                                .waiter = WAITER_INIT };
    char name[NS_NAME_BYTES_MAX];
    struct inbox_expected *x;

    pthread_mutex_lock(&fs->inbox->lock);
    x = expected_find(fs->inbox, i->ino);
    if (x != NULL) {
        memcpy(name, x->name, x->name_len);
        a.wait.dir = x->dir;
        a.wait.name = name;
        a.wait.name_len = x->name_len;
    }
    pthread_mutex_unlock(&fs->inbox->lock);
    if (a.wait.name != NULL && inbox_wait(fs, &a.wait))
        waiter_wait(&a.waiter);
}

/* ---- the clock ---- */

void inbox_tick_by(struct inbox *b, int64_t due_ns)
{
    int64_t delay = due_ns - vs_now_ns(b->fs->clock);

    if (b->stopping || (b->ticking && b->tick_due_ns <= due_ns))
        return;
    if (b->tick_runs) {
        b->tick_due_ns = due_ns;
        return;
    }
    if (b->ticking && vs_exec_cancel_after(b->fs->exec, &b->tick_job) != 1)
        return; /* it is about to run, and will look at everything */
    if (!b->ticking)
        b->jobs++;
    b->ticking = true;
    b->tick_due_ns = due_ns;
    vs_exec_after(b->fs->exec, &b->tick_job, delay > 0 ? delay : 0);
}

struct empty_job {
    struct vs_job job;
    struct inbox *b;
    struct inbox_empty *empty;
};

static void empty_due(struct vs_job *job)
{
    struct empty_job *j = vs_container_of(job, struct empty_job, job);
    struct inbox_empty *e = j->empty;
    struct inbox_settle s = { .ino = e->ino,
                              .parent = e->parent,
                              .name = e->name,
                              .len = e->name_len,
                              .due = true,
                              .alias = true };
    struct inbox *b = j->b;

    inbox_settle(b->fs, &s);
    free(e);
    free(j);
    inbox_job_end(b);
}

/* Empty files that have waited long enough. When the next one has. */
static int64_t empties_due(struct inbox *b, int64_t now_ns)
{
    for (;;) {
        struct empty_job *j = malloc(sizeof(*j));
        struct inbox_empty *e;
        int64_t due = INT64_MAX;

        pthread_mutex_lock(&b->lock);
        e = vs_list_first(&b->empties, struct inbox_empty, link); /* they wait equally long */
        if (e != NULL && (e->due_ns > now_ns || j == NULL)) {
            due = e->due_ns > now_ns ? e->due_ns : now_ns + VS_NS_PER_S;
            e = NULL;
        } else if (e != NULL) {
            vs_list_del(&e->link);
            b->empty_count--;
        }
        pthread_mutex_unlock(&b->lock);
        if (e == NULL) {
            free(j);
            return due;
        }
        *j = (struct empty_job){ .b = b, .empty = e };
        if (!inbox_job_start(b, &j->job, empty_due)) {
            free(e);
            free(j);
        }
    }
}

struct sweep_job {
    struct vs_job job;
    struct inbox *b;
};

static void sweep_due(struct vs_job *job)
{
    struct sweep_job *j = vs_container_of(job, struct sweep_job, job);
    struct inbox *b = j->b;

    inbox_dirs_sweep(b->fs, NS_INO_INBOX, 0);
    free(j);
    inbox_job_end(b);
}

/* Emptied directories go when nothing has been asked for in the inbox for so long. */
static int64_t sweep_when_due(struct inbox *b, int64_t now_ns)
{
    int64_t due = b->last_use_ns + INBOX_DIR_WAIT_S * VS_NS_PER_S;
    struct sweep_job *j;
    bool now;

    pthread_mutex_lock(&b->lock);
    now = !b->swept && due <= now_ns;
    if (b->swept)
        due = INT64_MAX;
    b->swept = b->swept || now;
    pthread_mutex_unlock(&b->lock);
    if (!now)
        return due;
    j = malloc(sizeof(*j));
    if (j == NULL)
        return INT64_MAX; /* the next start removes them */
    j->b = b;
    if (!inbox_job_start(b, &j->job, sweep_due))
        free(j);
    return INT64_MAX;
}

static void inbox_tick(struct vs_job *job)
{
    struct inbox *b = vs_container_of(job, struct inbox, tick_job);
    int64_t now = vs_now_ns(b->fs->clock), due, soonest;
    struct vs_list *pos, *next;

    pthread_mutex_lock(&b->lock);
    b->tick_runs = true;
    b->tick_due_ns = INT64_MAX;
    pthread_mutex_unlock(&b->lock);
    soonest = inbox_aliases_expire(b, now);
    due = empties_due(b, now);
    soonest = due < soonest ? due : soonest;
    due = sweep_when_due(b, now);
    soonest = due < soonest ? due : soonest;

    VS_LOCK_SCOPE(&b->lock);
    waits_wake(b, NULL, now);
    vs_list_for_each (pos, next, &b->waits) {
        due = vs_container_of(pos, struct inbox_wait, link)->until_ns;
        soonest = due < soonest ? due : soonest;
    }
    soonest = b->tick_due_ns < soonest ? b->tick_due_ns : soonest;
    b->ticking = b->tick_runs = false;
    b->ticks++;
    if (soonest != INT64_MAX)
        inbox_tick_by(b, soonest);
    b->jobs--;
    pthread_cond_broadcast(&b->changed);
}
