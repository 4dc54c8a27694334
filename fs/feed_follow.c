/* feed_follow: see the header. w->lock guards what the thread shares with callbacks and askers; it
 * is not held while anybody is told anything. */
#include "fs/feed_follow.h"

#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "fs/cache_guard.h"
#include "fs/content_held.h"
#include "fs/inode_table.h"
#include "fs/mount_lease.h"
#include "fs/notify.h"
#include "meta/feed_change.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LATE_MAX    1024 /* inodes that the kernel is about to know */
#define LATE_NS     (5 * VS_NS_PER_MS)
#define LATE_ROUNDS 40

struct late {
    uint64_t ino;
    unsigned rounds;
};

struct feed_follow {
    struct vsfs *fs;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    bool stopping, answered, fenced;
    struct feed_follow_state state;
    _Atomic bool names_short; /* the kernel cannot be told to ask for all names again */
    /* the thread's */
    struct meta_req req;
    bool asking;
    int64_t asked_ns, strict_ns, again_ns;
    int64_t heard_ns; /* the kernel is being told of all up to here */
    struct vs_job fence;
    bool fencing;
    struct late late[LATE_MAX];
    unsigned late_count;
};

bool feed_follow_names_long(const struct feed_follow *w)
{
    return w == NULL || !w->names_short;
}

void feed_follow_doubt(struct vsfs *fs)
{
    atomic_store(&fs->doubt_until_ns, vs_now_ns(&vs_clock_system) + FEED_FOLLOW_DOUBT_NS);
}

void feed_follow_state(struct feed_follow *w, struct feed_follow_state *ret)
{
    VS_LOCK_SCOPE(&w->lock);

    *ret = w->state;
    ret->live = cache_guard_is_live(w->fs->guard);
}

/* ---- one change -------------------------------------------------------------------------------
 */

/* An answer that tells the kernel of this inode may be on its way to it. */
static void tell_attr(struct feed_follow *w, uint64_t ino)
{
    if (notify_attr(w->fs->notify, ino) == -ENOENT && inode_is_known(w->fs->inodes, ino) &&
        w->late_count < LATE_MAX)
        w->late[w->late_count++] = (struct late){ .ino = ino };
}

static void tell_late(struct feed_follow *w)
{
    unsigned kept = 0;

    for (unsigned n = 0; n < w->late_count; n++) {
        struct late l = w->late[n];

        if (++l.rounds < LATE_ROUNDS && inode_is_known(w->fs->inodes, l.ino) &&
            notify_attr(w->fs->notify, l.ino) == -ENOENT)
            w->late[kept++] = l;
    }
    w->late_count = kept;
}

/* What this mount keeps of an inode is not current any more. version 0: nobody knows which is. */
static void drop_inode(struct feed_follow *w, uint64_t ino, uint8_t what, uint64_t version)
{
    struct inode *i = inode_find(w->fs->inodes, ino);
    struct content *old = NULL;

    if (i == NULL)
        return;
    pthread_mutex_lock(&i->lock);
    i->no_capability = i->no_xattrs = i->no_privs = false;
    if (what & FEED_CONTENT) {
        i->cached_version = 0;
        if (i->version < version)
            i->version = version;
        if (i->content != NULL && (version == 0 || i->content->version < version)) {
            old = i->content;
            i->content = NULL;
        }
    }
    pthread_mutex_unlock(&i->lock);
    content_put(old);
    inode_put(w->fs->inodes, i);
}

static void hear_inode(struct feed_follow *w, const struct feed_change *c)
{
    struct vsfs *fs = w->fs;

    cache_guard_note_inode(fs->guard, c->ino);
    drop_inode(w, c->ino, c->what, c->version);
    tell_attr(w, c->ino);
    if ((c->what & FEED_GONE) != 0 && (c->what & FEED_ATTR) != 0 && fs->lease != NULL)
        mount_lease_unlinked(fs, c->ino); /* unlinked, not forgotten yet */
    if ((c->what & FEED_CONTENT) != 0 && inode_is_known(fs->inodes, c->ino))
        notify_pages(fs->notify, c->ino);
}

static void hear_name(struct feed_follow *w, const struct feed_change *c)
{
    struct vsfs *fs = w->fs;

    cache_guard_note_name(fs->guard, c->dir, c->name, c->name_len);
    if (inode_is_known(fs->inodes, c->dir) || c->dir == NS_INO_ROOT)
        notify_entry(fs->notify, c->dir, c->name, c->name_len);
}

/* Everything may have been changed: nothing that is kept is good. */
static void forget_all(struct feed_follow *w)
{
    struct vsfs *fs = w->fs;
    uint64_t *inos = NULL;
    int64_t count;

    cache_guard_note_all(fs->guard);
    if (notify_names(fs->notify) == -EINVAL)
        w->names_short = true;
    count = inode_list(fs->inodes, &inos);
    for (int64_t n = 0; n < count; n++) {
        drop_inode(w, inos[n], 0, 0);
        (void)notify_attr(fs->notify, inos[n]);
    }
    if (count < 0)
        vs_error("mount: no memory to take back what the kernel keeps -> it may show old "
                 "attributes");
    free(inos);
}

/* What an open file's pages are is known by its version: those that are old go one by one. */
static void forget_contents(struct feed_follow *w)
{
    struct vsfs *fs = w->fs;
    uint64_t *inos = NULL;
    int64_t count = inode_list(fs->inodes, &inos);

    content_replaced(fs->meta, 0, UINT64_MAX);
    for (int64_t n = 0; n < count; n++) {
        drop_inode(w, inos[n], FEED_CONTENT, 0);
        notify_pages(fs->notify, inos[n]);
    }
    free(inos);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static bool is_own(struct feed_follow *w, const struct feed_change *c)
{
    const struct meta_client *meta = w->fs->meta;

    return c->client >= meta->own_first && c->client - meta->own_first < meta->own_count &&
           atomic_load(&w->fs->doubt_until_ns) < vs_now_ns(&vs_clock_system);
}

static int hear_changes(struct feed_follow *w, uint64_t *ret_count)
{
    struct feed_walk walk = feed_walk_init(w->req.bytes.data, w->req.bytes.len);
    struct feed_change c;
    int r;

    *ret_count = 0;
    while ((r = feed_walk_next(&walk, &c)) == 1) {
        bool is_new = !is_own(w, &c);

        *ret_count += is_new;
        if (is_new && c.what == FEED_NAME)
            hear_name(w, &c);
        else if (is_new)
            hear_inode(w, &c);
        if (c.what != FEED_NAME && (c.what & FEED_CONTENT) != 0) /* by us, too */
            content_replaced(w->fs->meta, c.ino, c.version);
    }
    return r;
}

static void fence_passed(struct vs_job *job)
{
    struct feed_follow *w = vs_container_of(job, struct feed_follow, fence);
    VS_LOCK_SCOPE(&w->lock);

    w->fenced = true;
    pthread_cond_signal(&w->wake);
}

/* All up to the moment of the strict question is known; once the kernel knows it too, live. */
static void heard_all(struct feed_follow *w)
{
    if (w->fencing)
        return; /* the kernel is slow to take what it is told: the next time */
    w->heard_ns = w->asked_ns;
    w->fencing = true;
    w->fence.fn = fence_passed;
    notify_fence(w->fs->notify, &w->fence);
}

static void hear(struct feed_follow *w)
{
    struct meta_req *r = &w->req;
    uint64_t count = 0, resets = 0;
    bool is_reset = false;

    w->asking = false;
    if (r->status == 0) /* the journal never goes back, but for a backup that was restored */
        is_reset = r->reset || (!r->hint && r->slot < w->state.slot) || hear_changes(w, &count) < 0;
    if (is_reset) {
        cache_guard_heard(w->fs->guard, 0);
        forget_all(w);
        forget_contents(w);
        resets++;
        atomic_fetch_add(&w->fs->feed_resets, 1);
    }
    if (r->status < 0)
        w->again_ns = vs_now_ns(&vs_clock_system) + FEED_FOLLOW_AGAIN_NS;
    else if (!r->hint)
        heard_all(w);
    pthread_mutex_lock(&w->lock);
    if (r->status == 0 && (is_reset || r->slot > w->state.slot))
        w->state.slot = r->slot;
    w->state.changes += count;
    w->state.resets += resets;
    atomic_store(&w->fs->feed_slot, w->state.slot);
    pthread_mutex_unlock(&w->lock);
}

/* ---- questions --------------------------------------------------------------------------------
 */

static void on_answer(struct meta_req *r)
{
    struct feed_follow *w = r->waiter;
    VS_LOCK_SCOPE(&w->lock);

    w->answered = true;
    pthread_cond_signal(&w->wake);
}

static void ask(struct feed_follow *w, int64_t now_ns)
{
    bool is_strict = now_ns - w->strict_ns >= FEED_FOLLOW_STRICT_MS * VS_NS_PER_MS;

    vs_buf_close(&w->req.bytes);
    w->req = (struct meta_req){ .op = META_CHANGES,
                                .hint = !is_strict,
                                .after = w->state.slot,
                                .wait_ms = is_strict ? 0 : FEED_FOLLOW_WAIT_MS,
                                .done = on_answer,
                                .waiter = w };
    w->asked_ns = now_ns;
    if (is_strict)
        w->strict_ns = now_ns;
    w->asking = true;
    meta_submit(w->fs->meta, &w->req);
}

/* Nothing was heard for too long. */
static void lapse(struct feed_follow *w)
{
    vs_warn("mount: the metadata say nothing -> nothing is kept in memory until they do");
    cache_guard_heard(w->fs->guard, 0);
    forget_all(w);
    VS_LOCK_SCOPE(&w->lock);
    w->state.lapses++;
}

/* The next moment at which something is to be done without being woken. */
static int64_t next_ns(const struct feed_follow *w, bool was_live)
{
    int64_t next = INT64_MAX;

    if (!w->asking)
        next = w->again_ns;
    if (was_live && cache_guard_until_ns(w->fs->guard) < next)
        next = cache_guard_until_ns(w->fs->guard);
    if (w->late_count > 0 && vs_now_ns(&vs_clock_system) + LATE_NS < next)
        next = vs_now_ns(&vs_clock_system) + LATE_NS;
    return next;
}

/* Until woken, or `until_ns`. True: it is to end, and no question is on its way. */
static bool follow_sleep(struct feed_follow *w, int64_t until_ns, bool *ret_answered,
                         bool *ret_fenced)
{
    bool is_time = false;
    VS_LOCK_SCOPE(&w->lock);

    while (!w->answered && !w->fenced && !is_time && !(w->stopping && !w->asking && !w->fencing))
        is_time = !vs_cond_wait_until(&w->wake, &w->lock, until_ns);
    *ret_answered = w->answered;
    *ret_fenced = w->fenced;
    w->answered = w->fenced = false;
    return w->stopping && !w->asking && !w->fencing;
}

static void *follow_main(void *arg)
{
    struct feed_follow *w = arg;
    bool answered, fenced, was_live = false, stopping = false;

    pthread_setname_np(pthread_self(), "vs-follow");
    while (!stopping) {
        int64_t now_ns = vs_now_ns(&vs_clock_system);

        pthread_mutex_lock(&w->lock);
        stopping = w->stopping;
        pthread_mutex_unlock(&w->lock);
        if (!w->asking && !stopping && now_ns >= w->again_ns)
            ask(w, now_ns);
        stopping = follow_sleep(w, next_ns(w, was_live), &answered, &fenced);
        if (w->late_count > 0)
            tell_late(w);
        if (answered)
            hear(w);
        if (fenced) {
            w->fencing = false;
            cache_guard_heard(w->fs->guard, w->heard_ns);
            was_live = was_live || cache_guard_is_live(w->fs->guard);
        }
        if (was_live && !cache_guard_is_live(w->fs->guard)) {
            was_live = false;
            lapse(w);
        }
    }
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void follow_free(struct feed_follow *w)
{
    vs_buf_close(&w->req.bytes);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int feed_follow_start(struct feed_follow **ret, struct vsfs *fs)
{
    struct feed_follow *w = calloc(1, sizeof(*w));
    int r;

    if (w == NULL)
        return -ENOMEM;
    w->fs = fs;
    w->strict_ns = -FEED_FOLLOW_STRICT_MS * VS_NS_PER_MS;
    pthread_mutex_init(&w->lock, NULL); /* these cannot fail on Linux */
    vs_cond_init(&w->wake);
    w->names_short = notify_names(fs->notify) == -EINVAL;
    r = vs_thread_start(&w->thread, follow_main, w);
    if (r < 0) {
        follow_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void feed_follow_stop(struct feed_follow *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    follow_free(w);
}
