/* dir_view: see the header. `changes` counts up when an own change of any directory begins and when
 * it ends: what was asked for in between is not kept, what was kept before is not told again. */
#include "fs/dir_view.h"

#include "common/cleanup.h"
#include "common/err.h"
#include "common/mix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct dir_slot {
    uint64_t ino;     /* 0: none */
    bool known;       /* attr is */
    bool unsure;      /* files were made at the same time: in which order? */
    unsigned making;  /* own files on their way into it */
    uint64_t made;    /* counts up with each of them that ended, and when the slot changes hands */
    uint64_t changes; /* of the view, when attr was asked for */
    uint64_t since;
    struct ns_attr attr;
};

struct missing_slot {
    uint64_t dir; /* 0: none */
    uint64_t since, changes;
    int64_t until_ns;
    uint8_t len;
    char name[NS_NAME_BYTES_MAX];
};

struct dir_view {
    const struct cache_guard *guard;
    const struct vs_clock *clock;
    pthread_mutex_t lock;
    /* under lock */
    uint64_t changes;
    unsigned changing; /* own changes of any directory on their way */
    struct dir_slot dirs[DIR_VIEW_SLOTS];
    struct missing_slot missing[DIR_VIEW_SLOTS];
};

int dir_view_new(struct dir_view **ret, const struct cache_guard *guard,
                 const struct vs_clock *clock)
{
    struct dir_view *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    v->guard = guard;
    v->clock = clock;
    pthread_mutex_init(&v->lock, NULL); /* cannot fail on Linux */
    *ret = v;
    return 0;
}

void dir_view_free(struct dir_view *v)
{
    if (v == NULL)
        return;
    pthread_mutex_destroy(&v->lock);
    free(v);
}

static struct dir_slot *slot_of(struct dir_view *v, uint64_t dir)
{
    return &v->dirs[vs_mix64(dir) % DIR_VIEW_SLOTS];
}

static struct missing_slot *missing_of(struct dir_view *v, uint64_t dir, const char *name,
                                       size_t len)
{
    uint64_t h = vs_mix64(dir);

    for (size_t n = 0; n < len; n++)
        h = vs_mix64(h ^ (uint8_t)name[n]);
    return &v->missing[h % DIR_VIEW_SLOTS];
}

struct dir_view_moment dir_view_moment(struct dir_view *v, uint64_t dir)
{
    struct dir_view_moment m = { 0 };

    if (v == NULL)
        return m;
    VS_LOCK_SCOPE(&v->lock);
    m.since = cache_guard_moment(v->guard);
    m.changes = v->changes;
    m.made = slot_of(v, dir)->made;
    return m;
}

/* ---- directories ------------------------------------------------------------------------------
 */

/* The slot is that directory's from now on, unless another one's files are on their way. */
static bool slot_take(struct dir_slot *s, uint64_t dir)
{
    if (s->ino == dir)
        return true;
    if (s->making > 0)
        return false;
    *s = (struct dir_slot){ .ino = dir, .made = s->made + 1 };
    return true;
}

void dir_view_told(struct dir_view *v, const struct dir_view_moment *m, const struct ns_attr *dir)
{
    struct dir_slot *s;

    if (v == NULL || !S_ISDIR(dir->mode))
        return;
    VS_LOCK_SCOPE(&v->lock);
    s = slot_of(v, dir->ino);
    if (v->changing > 0 || v->changes != m->changes || s->made != m->made ||
        !slot_take(s, dir->ino))
        return;
    s->attr = *dir;
    s->known = true;
    s->unsure = s->making > 0; /* is that file in it? */
    s->since = m->since;
    s->changes = m->changes;
}

bool dir_view_attr(struct dir_view *v, uint64_t dir, struct ns_attr *ret, uint64_t *ret_since)
{
    struct dir_slot *s;

    if (v == NULL)
        return false;
    VS_LOCK_SCOPE(&v->lock);
    s = slot_of(v, dir);
    if (s->ino != dir || !s->known || s->changes != v->changes || (s->unsure && s->making == 0) ||
        !cache_guard_inode(v->guard, dir, s->since))
        return false;
    *ret = s->attr;
    *ret_since = s->since;
    return true;
}

/* ---- names ------------------------------------------------------------------------------------
 */

void dir_view_missing(struct dir_view *v, const struct dir_view_moment *m, uint64_t dir,
                      const char *name, size_t len)
{
    struct missing_slot *s;

    if (v == NULL || len > NS_NAME_BYTES_MAX)
        return;
    VS_LOCK_SCOPE(&v->lock);
    s = missing_of(v, dir, name, len);
    s->dir = dir;
    s->since = m->since;
    s->changes = m->changes;
    s->until_ns = vs_now_ns(v->clock) + DIR_VIEW_ABSENT_NS;
    s->len = (uint8_t)len;
    memcpy(s->name, name, len);
}

bool dir_view_take_missing(struct dir_view *v, uint64_t dir, const char *name, size_t len)
{
    struct missing_slot *s;

    if (v == NULL || len > NS_NAME_BYTES_MAX)
        return false;
    VS_LOCK_SCOPE(&v->lock);
    s = missing_of(v, dir, name, len);
    if (s->dir != dir || s->len != len || memcmp(s->name, name, len) != 0)
        return false;
    s->dir = 0;
    return v->changing == 0 && s->changes == v->changes && vs_now_ns(v->clock) < s->until_ns &&
           cache_guard_name(v->guard, dir, name, len, s->since);
}

/* ---- own changes ------------------------------------------------------------------------------
 */

static enum dir_view_change change_kind(const struct ns_entry *e, bool is_file)
{
    switch (e->kind) {
    case NS_E_CREATE:
        return S_ISREG(e->attr.mode) ? DIR_VIEW_MAKES : DIR_VIEW_ANY;
    case NS_E_SETATTR:
    case NS_E_SETXATTR:
    case NS_E_REMOVEXATTR:
        return is_file || e->ino == NS_INO_COPY ? DIR_VIEW_NOTHING : DIR_VIEW_ANY;
    case NS_E_LINK:
    case NS_E_UNLINK:
    case NS_E_RMDIR:
    case NS_E_RENAME:
    case NS_E_PUBLISH:
        return DIR_VIEW_ANY;
    default:
        return DIR_VIEW_NOTHING;
    }
}

enum dir_view_change dir_view_begin(struct dir_view *v, const struct ns_entry *e, bool is_file)
{
    enum dir_view_change what = v != NULL ? change_kind(e, is_file) : DIR_VIEW_NOTHING;
    struct dir_slot *s;

    if (what == DIR_VIEW_NOTHING)
        return what;
    VS_LOCK_SCOPE(&v->lock);
    s = slot_of(v, e->parent);
    if (what == DIR_VIEW_MAKES && slot_take(s, e->parent)) {
        s->making++;
        return what;
    }
    v->changing++; /* also for a file that cannot be counted in */
    v->changes++;
    return DIR_VIEW_ANY;
}

static bool is_later(struct ns_time a, struct ns_time b)
{
    return a.s > b.s || (a.s == b.s && a.ns > b.ns);
}

/* A file was made in it; or nobody knows. */
static void slot_made(struct dir_slot *s, const struct ns_entry *e, const struct ns_answer *a)
{
    s->making--;
    s->made++;
    s->unsure = s->unsure || s->making > 0;
    if (a->status == -VS_EDOWN)
        s->known = false;
    if (a->status < 0 || !s->known)
        return;
    s->attr.size += a->replaced.ino == 0;
    s->attr.flags &= ~(uint32_t)NS_F_DIR_TIMES;
    if (s->unsure && !is_later(e->now, s->attr.mtime))
        return;
    s->attr.mtime = s->attr.ctime = e->now;
}

void dir_view_end(struct dir_view *v, enum dir_view_change what, const struct ns_entry *e,
                  const struct ns_answer *a)
{
    if (what == DIR_VIEW_NOTHING)
        return;
    VS_LOCK_SCOPE(&v->lock);
    if (what == DIR_VIEW_ANY) {
        v->changes++;
        v->changing--;
        return;
    }
    slot_made(slot_of(v, e->parent), e, a);
}
