/* inbox_publish: is it settled? then it moves: alias, PUBLISH, what the kernel and people are told.
 *
 * Failure: a name that is gone meanwhile was renamed or removed by somebody, who saw to it; a name
 * that is taken stays in the inbox when the mount was told to refuse; everything else is in the log
 * and in `inbox ls`, and tried again by the next close, or start. */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/file_info.h"
#include "fs/inbox_rules.h"
#include "fs/inbox_state.h"
#include "fs/names.h"
#include "fs/notify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- results ---- */

static void result_add(struct inbox *b, const char *name, const char *path, const char *what,
                       int err)
{
    struct inbox_result *r;

    VS_LOCK_SCOPE(&b->lock);
    r = &b->results[b->result_count++ % INBOX_RESULTS_MAX];
    r->at = vsfs_now(b->fs);
    r->what = what;
    r->err = err;
    snprintf(r->name, sizeof(r->name), "%s", name);
    snprintf(r->path, sizeof(r->path), "%s", path);
}

/* What a PUBLISH did, in words; `path` is where the file is now. */
static const char *published_text(uint8_t how)
{
    switch (how) {
    case NS_PUBLISHED_SAME:
        return "same content was there already";
    case NS_PUBLISHED_NUMBERED:
        return "name was taken, both are kept";
    case NS_PUBLISHED_REPLACED:
        return "replaced the file of that name";
    default:
        return "published";
    }
}

static void say_published(struct inbox *b, uint64_t parent, const char *name, size_t len,
                          const struct ns_answer *a)
{
    char from[INBOX_PATH_MAX], to[INBOX_PATH_MAX];

    inbox_path(b, parent, name, len, from);
    inbox_path(b, parent, a->name, a->name_len, to);
    if (a->published == NS_PUBLISHED_MOVED)
        vs_info("inbox: %s -> %s", from, to);
    else
        vs_info("inbox: %s -> %s (%s)", from, to, published_text(a->published));
    result_add(b, from, to, published_text(a->published), 0);
}

static void say_failed(struct inbox *b, uint64_t parent, const char *name, size_t len, int err)
{
    char from[INBOX_PATH_MAX];

    inbox_path(b, parent, name, len, from);
    vs_warn("inbox: %s: cannot be published: %s -> it stays in the inbox; see vstackfs inbox ls",
            from, vs_err_text(err));
    result_add(b, from, "", err == -EEXIST ? "name is taken, refused" : "not published", err);
}

void inbox_not_stored(struct vsfs *fs, struct inode *i, int err)
{
    char path[INBOX_PATH_MAX], name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    size_t len;

    if (fs->inbox == NULL)
        return;
    pthread_mutex_lock(&i->lock);
    parent = i->parent;
    len = i->name_len;
    memcpy(name, i->name, len);
    pthread_mutex_unlock(&i->lock);
    if (!inbox_has_dir(fs->inbox, parent))
        return;
    inbox_path(fs->inbox, parent, name, len, path);
    result_add(fs->inbox, path, "", "not stored", err);
}

/* ---- publish ---- */

/* The kernel still has a name for this inode that lost it: an open must not write to it. */
static void published_look_again(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);

    if (i == NULL)
        return;
    pthread_mutex_lock(&i->lock);
    i->told_in_inbox = true;
    pthread_mutex_unlock(&i->lock);
    inode_put(fs->inodes, i);
}

/* Everything that follows the journal's answer. */
static void published(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
                      const struct ns_answer *a)
{
    struct inode *i = inode_find(fs->inodes, ino);

    if (i != NULL && a->attr.ino == ino)
        names_seen(i, a->dir, a->name, a->name_len);
    inode_put(fs->inodes, i);
    inbox_alias_set(fs, parent, name, len, a->attr.ino, a->dir, a->name, a->name_len);
    inbox_dir_set_mirror(fs->inbox, parent, a->dir);
    published_look_again(fs, a->replaced.ino);
    names_lost(fs, &a->replaced);
    if (a->published == NS_PUBLISHED_REPLACED)
        notify_entry(fs->notify, a->dir, a->name, a->name_len);
    notify_attr(fs->notify, a->dir);
    notify_attr(fs->notify, ino);
    say_published(fs->inbox, parent, name, len, a);
    inbox_unexpect(fs, ino); /* those who wait for it find it now */
    inbox_dir_left(fs, parent);
}

/* Does a file have the name in the tree whose bytes are gone? Then a copy of it is not dropped as
 * being there already: it may be all that is left. Waits for the stores. */
static bool place_is_lost(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct meta_req there = { .op = META_LOOKUP, .name = name, .name_len = len };
    struct file_info info;
    bool lost;

    there.ino = inbox_dir_mirror(fs->inbox, parent);
    if (there.ino == 0 || meta_call(fs->meta, &there) < 0 ||
        there.attr.content != NS_CONTENT_CHUNKS || !S_ISREG(there.attr.mode))
        return false;
    if (file_info_load(fs, there.attr.ino, FILE_INFO_PLACES, &info) < 0)
        return true; /* what it says of itself cannot be read either */
    lost = info.lost > 0;
    file_info_close(&info);
    return lost;
}

int inbox_publish_now(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
                      bool alias)
{
    struct ns_entry e = { .kind = NS_E_PUBLISH,
                          .parent = parent,
                          .name = name,
                          .name_len = len,
                          .taken = fs->opt.taken };
    struct ns_answer answer;
    int r;

    if (place_is_lost(fs, parent, name, len))
        e.taken |= NS_TAKEN_LOST;
    if (alias && fs->opt.alias_s > 0)
        alias = inbox_alias_add(fs, parent, name, len, ino) == 0; /* without one it publishes too */
    r = vsfs_change(fs, &e, &answer);
    if (r == 0) {
        published(fs, ino, parent, name, len, &answer);
        return 0;
    }
    if (alias)
        inbox_alias_drop(fs, parent, name, len);
    say_failed(fs->inbox, parent, name, len, r);
    inbox_unexpect(fs, ino);
    return r;
}

/* ---- settle ---- */

static int settle_wait(struct inbox *b, const struct inbox_settle *s)
{
    struct inbox_empty *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return -ENOMEM;
    e->ino = s->ino;
    e->parent = s->parent;
    e->name_len = (uint8_t)s->len;
    memcpy(e->name, s->name, s->len);
    VS_LOCK_SCOPE(&b->lock);
    if (b->empty_count >= INBOX_EMPTIES_MAX) {
        free(e); /* it stays until the next start */
        return -ENOBUFS;
    }
    e->due_ns = vs_now_ns(b->fs->clock) + INBOX_EMPTY_WAIT_S * VS_NS_PER_S;
    vs_list_add_tail(&b->empties, &e->link);
    b->empty_count++;
    inbox_tick_by(b, e->due_ns);
    return 0;
}

/* Under the names of the inode: nobody renames or publishes it meanwhile. */
static int settle_locked(struct vsfs *fs, const struct inbox_settle *s, struct inode *i)
{
    struct meta_req req = {
        .op = META_LOOKUP, .ino = s->parent, .name = s->name, .name_len = s->len
    };
    struct inbox_facts facts = { .attr = &req.attr,
                                 .name = s->name,
                                 .len = s->len,
                                 .named = s->named,
                                 .from = s->from,
                                 .from_len = s->from_len };
    enum inbox_verdict v;
    int r;

    r = meta_call(fs->meta, &req);
    if (r == -ENOENT || (r == 0 && req.attr.ino != s->ino))
        return 0; /* renamed, removed, published: whoever did it saw to the rest */
    if (r < 0)
        return r;
    pthread_mutex_lock(&i->lock);
    facts.writers = i->writers > 0;
    pthread_mutex_unlock(&i->lock);
    v = inbox_decide(&facts);
    if (v == INBOX_WAIT && s->due)
        v = INBOX_PUBLISH;
    if (v == INBOX_PUBLISH)
        return inbox_publish_now(fs, s->ino, s->parent, s->name, s->len, s->alias);
    if (!facts.writers || (req.attr.flags & NS_F_FLUSHED) == 0)
        inbox_unexpect(fs, s->ino); /* else its release is on the way */
    return v == INBOX_WAIT ? settle_wait(fs->inbox, s) : 0;
}

int inbox_settle(struct vsfs *fs, const struct inbox_settle *s)
{
    struct inode *i;
    int r;

    if (!inbox_has_dir(fs->inbox, s->parent))
        return 0;
    i = inode_get(fs->inodes, s->ino);
    if (i == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&i->names);
    r = settle_locked(fs, s, i);
    pthread_mutex_unlock(&i->names);
    inode_put(fs->inodes, i);
    return r;
}

void inbox_released(struct vsfs *fs, struct inode *i)
{
    char name[NS_NAME_BYTES_MAX];
    struct inbox_settle s = { .ino = i->ino, .name = name, .alias = true };
    bool nameless;

    pthread_mutex_lock(&i->lock);
    nameless = i->unlinked || i->provisional;
    s.parent = i->parent;
    s.len = i->name_len;
    memcpy(name, i->name, i->name_len);
    pthread_mutex_unlock(&i->lock);
    if (!nameless && s.parent != 0)
        inbox_settle(fs, &s);
}

/* ---- first ---- */

int inbox_publish_first(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                        size_t len)
{
    struct meta_req req = { .op = META_LOOKUP, .ino = parent, .name = name, .name_len = len };

    if (!inbox_has_dir(fs->inbox, parent) || inbox_is_temporary(name, len))
        return 0;
    if (meta_call(fs->meta, &req) < 0 || req.attr.ino != ino || !S_ISREG(req.attr.mode) ||
        req.attr.size == 0 || (req.attr.flags & NS_F_FLUSHED) == 0)
        return 0;
    return inbox_publish_now(fs, ino, parent, name, len, true) == 0;
}

bool inbox_has_moved(struct vsfs *fs, struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    if (!i->told_in_inbox || i->parent == 0 || inbox_has_dir(fs->inbox, i->parent))
        return false;
    i->told_in_inbox = false; /* who has no name to look up asks once more, and means it */
    return true;
}

int inbox_before_cut(struct vsfs *fs, struct inode *i)
{
    char name[NS_NAME_BYTES_MAX];
    bool stored;
    uint64_t parent;
    size_t len;

    if (inbox_has_moved(fs, i))
        return 1;
    pthread_mutex_lock(&i->lock);
    stored = !i->provisional && i->parent != 0;
    parent = i->parent;
    len = i->name_len;
    memcpy(name, i->name, len);
    pthread_mutex_unlock(&i->lock);
    return stored ? inbox_publish_first(fs, i->ino, parent, name, len) : 0;
}

void inbox_told(struct vsfs *fs, struct inode *i, uint64_t parent)
{
    bool inside = inbox_has_dir(fs->inbox, parent);

    VS_LOCK_SCOPE(&i->lock);
    i->told_in_inbox = inside;
}

/* ---- soon ---- */

struct named_job {
    struct vs_job job;
    struct vsfs *fs;
    struct inbox_settle s;
    char name[NS_NAME_BYTES_MAX], from[NS_NAME_BYTES_MAX];
};

static void named_run(struct vs_job *job)
{
    struct named_job *j = vs_container_of(job, struct named_job, job);
    struct inbox *b = j->fs->inbox;

    inbox_settle(j->fs, &j->s);
    free(j);
    inbox_job_end(b);
}

void inbox_named(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
                 const char *from, size_t from_len)
{
    struct named_job *j;

    if (!inbox_has_dir(fs->inbox, parent) || inbox_is_temporary(name, len))
        return;
    j = calloc(1, sizeof(*j));
    if (j == NULL)
        return; /* it stays in the inbox until the next start */
    memcpy(j->name, name, len);
    if (from != NULL)
        memcpy(j->from, from, from_len);
    j->fs = fs;
    j->s = (struct inbox_settle){ .ino = ino,
                                  .parent = parent,
                                  .name = j->name,
                                  .len = len,
                                  .from = from != NULL ? j->from : NULL,
                                  .from_len = from_len,
                                  .named = true,
                                  .alias = true };
    inbox_expect(fs, ino, parent, name, len);
    if (!inbox_job_start(fs->inbox, &j->job, named_run))
        free(j);
}
