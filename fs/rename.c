/* rename: every pair of what a name may be: provisional, stored, or the alias of a published film.
 *
 * A provisional file only changes its key; over a stored file it hides that until its commit
 * replaces it. A stored file is renamed in the journal; a provisional one in its way loses its
 * name. The alias of a film renames the film: inside the inbox, to the same place in the tree.
 *
 * Lock order: the `names` of both inodes, lower number first. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/control.h"
#include "fs/inbox.h"
#include "fs/names.h"
#include "fs/notify.h"
#include "fs/provisional.h"
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#define RENAME_TRIES_MAX 5 /* each is one state of the file: provisional, stored, published */

struct rename_ends {
    uint64_t parent, new_parent;
    const char *name, *new_name;
    size_t len, new_len;
    unsigned flags;
    struct names_found src, dst;
};

static bool found_dir(const struct names_found *f)
{
    return f->kind == NAMES_STORED && S_ISDIR(f->attr.mode);
}

static int rename_check(struct vsfs *fs, const struct rename_ends *e)
{
    bool crosses = inbox_has_dir(fs->inbox, e->parent) != inbox_has_dir(fs->inbox, e->new_parent);
    bool exchange = (e->flags & RENAME_EXCHANGE) != 0;

    if (e->src.kind == NAMES_NONE || (exchange && e->dst.kind == NAMES_NONE))
        return -ENOENT;
    if ((e->flags & RENAME_NOREPLACE) && e->dst.kind != NAMES_NONE)
        return -EEXIST;
    if (exchange && (e->src.kind != NAMES_STORED || e->dst.kind != NAMES_STORED))
        return -EINVAL;
    if (found_dir(&e->src) && e->src.attr.ino == NS_INO_INBOX)
        return -EBUSY;
    /* Their files would have to be published, or taken back: mv copies instead. */
    if (crosses && (found_dir(&e->src) || (exchange && found_dir(&e->dst))))
        return -EXDEV;
    if (found_dir(&e->src) && !exchange) {
        if (e->dst.kind != NAMES_NONE && !found_dir(&e->dst))
            return -ENOTDIR;
        if (found_dir(&e->dst) && inbox_dir_busy(fs, e->dst.attr.ino))
            return -ENOTEMPTY;
    } else if (!exchange && found_dir(&e->dst)) {
        return -EISDIR;
    }
    return 0;
}

/* ---- both ends held ---- */

static void lock_names(struct inode *a, struct inode *b)
{
    struct inode *first = a, *second = b;

    if (a != NULL && b != NULL && a->ino > b->ino) {
        first = b;
        second = a;
    }
    if (first != NULL)
        pthread_mutex_lock(&first->names);
    if (second != NULL && second != first)
        pthread_mutex_lock(&second->names);
}

static void unlock_names(struct inode *a, struct inode *b)
{
    if (a != NULL)
        pthread_mutex_unlock(&a->names);
    if (b != NULL && b != a)
        pthread_mutex_unlock(&b->names);
}

static bool still_provisional(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    return i->provisional;
}

/* The file in the way, or NULL. An alias in the way is only dropped. */
static struct inode *in_the_way(const struct rename_ends *e)
{
    return e->dst.kind != NAMES_ALIAS ? e->dst.inode : NULL;
}

/* Both names held: is what is in the way still what was found? A complete upload is published
 * first: two cameras both call theirs CLIP0001.MP4. -ESTALE: find again. */
static int way_check(struct vsfs *fs, const struct rename_ends *e)
{
    int r = 0;

    if (e->dst.kind == NAMES_PROVISIONAL)
        return still_provisional(e->dst.inode) ? 0 : -ESTALE;
    if (e->dst.kind == NAMES_STORED && !found_dir(&e->dst) && (e->flags & RENAME_EXCHANGE) == 0)
        r = inbox_publish_first(fs, e->dst.attr.ino, e->new_parent, e->new_name, e->new_len);
    return r > 0 ? -ESTALE : r;
}

/* ---- a provisional file ---- */

/* Both names held: take the new name from whoever has it. 1: a stored file stays under it until the
 * commit replaces it. */
static int way_clear(struct vsfs *fs, const struct rename_ends *e)
{
    if (e->dst.kind == NAMES_PROVISIONAL)
        return names_detach(fs, e->dst.inode);
    if (e->dst.kind != NAMES_STORED)
        return 0;
    if (!inbox_has_dir(fs->inbox, e->new_parent))
        return 1;
    /* Not complete: nobody was promised it. Left there, it could be completed, and replaced then.
     */
    return names_unlink_locked(fs, e->new_parent, e->new_name, e->new_len);
}

static int rename_provisional(struct vsfs *fs, struct rename_ends *e)
{
    struct inode *i = e->src.inode;
    bool hid = false;
    int r, over = 0;

    lock_names(i, in_the_way(e)); /* not while either is committed */
    r = still_provisional(i) ? way_check(fs, e) : -ESTALE;
    if (r == 0)
        r = over = way_clear(fs, e);
    if (r >= 0)
        r = provisional_move(fs->provisional, i, e->new_parent, e->new_name, e->new_len);
    if (r == 0) {
        pthread_mutex_lock(&i->lock);
        hid = i->replace;
        i->replace = over == 1;
        pthread_mutex_unlock(&i->lock);
    }
    unlock_names(i, in_the_way(e));
    if (r == 0 && hid) {
        r = names_unlink_stored(fs, 0, e->parent, e->name, e->len);
        if (r == -ENOENT)
            r = 0;
    }
    return r;
}

/* ---- a stored file or directory ---- */

/* The published counterpart of an inbox directory follows it, behind the kernel's back. */
static void renamed_dir(struct vsfs *fs, const struct rename_ends *e, const struct ns_answer *a)
{
    uint64_t mirror = inbox_dir_mirror(fs->inbox, e->parent);

    inbox_dir_moved(fs->inbox, e->src.attr.ino, e->new_parent, e->new_name, e->new_len);
    if (mirror == 0)
        return;
    notify_entry(fs->notify, mirror, e->name, e->len);
    notify_attr(fs->notify, mirror);
    if (a->dir != 0)
        notify_attr(fs->notify, a->dir);
}

/* A file got its name: it may be settled. From the tree it comes complete. */
static void renamed_file(struct vsfs *fs, const struct names_found *f, uint64_t parent,
                         const char *name, size_t len, uint64_t old_parent, const char *old_name,
                         size_t old_len)
{
    bool inside = inbox_has_dir(fs->inbox, old_parent);

    if (f->inode != NULL)
        names_seen(f->inode, parent, name, len);
    inbox_unexpect(fs, f->attr.ino);
    inbox_named(fs, f->attr.ino, parent, name, len, inside ? old_name : NULL, old_len);
}

static void renamed_stored(struct vsfs *fs, const struct rename_ends *e, const struct ns_answer *a)
{
    if (found_dir(&e->src))
        renamed_dir(fs, e, a);
    else
        renamed_file(fs, &e->src, e->new_parent, e->new_name, e->new_len, e->parent, e->name,
                     e->len);
    if ((e->flags & RENAME_EXCHANGE) == 0)
        return;
    if (found_dir(&e->dst))
        inbox_dir_moved(fs->inbox, e->dst.attr.ino, e->parent, e->name, e->len);
    else
        renamed_file(fs, &e->dst, e->parent, e->name, e->len, e->new_parent, e->new_name,
                     e->new_len);
}

static int rename_stored(struct vsfs *fs, struct rename_ends *e)
{
    struct ns_entry entry = { .kind = NS_E_RENAME,
                              .parent = e->parent,
                              .name = e->name,
                              .name_len = e->len,
                              .new_parent = e->new_parent,
                              .new_name = e->new_name,
                              .new_name_len = e->new_len };
    struct inode *src = e->src.inode, *dst = in_the_way(e);
    struct ns_answer answer;
    int r;

    if (e->dst.kind == NAMES_STORED && e->src.attr.ino == e->dst.attr.ino)
        return 0; /* two names of one file: rename(2) does nothing */
    entry.flags = ((e->flags & RENAME_NOREPLACE) ? NS_RENAME_NOREPLACE : 0) |
                  ((e->flags & RENAME_EXCHANGE) ? NS_RENAME_EXCHANGE : 0);
    lock_names(src, dst);
    r = way_check(fs, e);
    if (r == 0)
        r = vsfs_change(fs, &entry, &answer);
    if (r == 0)
        names_lost(fs, &answer.replaced);
    if (r == 0 && e->dst.kind == NAMES_PROVISIONAL)
        names_detach(fs, dst);
    unlock_names(src, dst);
    if (r == 0)
        renamed_stored(fs, e, &answer);
    return r;
}

/* ---- the alias of a published film ---- */

static int rename_alias(struct vsfs *fs, struct rename_ends *e)
{
    bool inside = inbox_has_dir(fs->inbox, e->new_parent);
    uint64_t dir, to = inside ? inbox_dir_mirror(fs->inbox, e->new_parent) : e->new_parent;
    char name[NS_NAME_BYTES_MAX];
    size_t len;
    int r;

    r = inbox_alias_place(fs, e->parent, e->name, e->len, &dir, name, &len);
    if (r < 0)
        return r;
    if (to == 0)
        return -ENOENT;
    /* Inside the inbox nothing published is ever replaced. */
    r = names_rename(fs, dir, name, len, to, e->new_name, e->new_len,
                     inside ? RENAME_NOREPLACE : e->flags);
    if (r < 0)
        return r;
    if (inside && (e->dst.kind == NAMES_PROVISIONAL || e->dst.kind == NAMES_STORED))
        names_unlink(fs, e->new_parent, e->new_name, e->new_len);
    inbox_alias_moved(fs, e->parent, e->name, e->len, inside ? e->new_parent : 0, e->new_name,
                      e->new_len, to, e->new_name, e->new_len);
    notify_entry(fs->notify, dir, name, len);
    notify_attr(fs->notify, dir);
    notify_attr(fs->notify, to);
    return 0;
}

/* -ESTALE: the source, or what is in the way, has changed its kind meanwhile. */
static int rename_once(struct vsfs *fs, struct rename_ends *e)
{
    int r = names_find(fs, e->parent, e->name, e->len, &e->src);

    if (r == 0)
        r = names_find(fs, e->new_parent, e->new_name, e->new_len, &e->dst);
    if (r == 0)
        r = rename_check(fs, e);
    if (r == 0 && e->dst.kind == NAMES_STORED && e->dst.inode == NULL) {
        e->dst.inode = inode_get(fs->inodes, e->dst.attr.ino);
        r = e->dst.inode != NULL ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;
    if (e->src.kind == NAMES_PROVISIONAL)
        r = rename_provisional(fs, e);
    else if (e->src.kind == NAMES_ALIAS)
        r = rename_alias(fs, e);
    else
        r = rename_stored(fs, e);
    if (r == 0 && e->dst.kind == NAMES_ALIAS)
        inbox_alias_drop(fs, e->new_parent, e->new_name, e->new_len); /* its film stays */
    if (r == -ENOENT && e->src.kind == NAMES_STORED && inbox_has_dir(fs->inbox, e->parent))
        r = -ESTALE; /* published between finding it and renaming it */
    return r;
}

int names_rename(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                 uint64_t new_parent, const char *new_name, size_t new_len, unsigned flags)
{
    struct rename_ends e = { .parent = parent,
                             .name = name,
                             .len = len,
                             .new_parent = new_parent,
                             .new_name = new_name,
                             .new_len = new_len,
                             .flags = flags };
    int r;

    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    r = names_check(parent, name, len, false);
    if (r == 0)
        r = names_check(new_parent, new_name, new_len, true);
    if (r < 0)
        return r;
    if (parent == new_parent && len == new_len && memcmp(name, new_name, len) == 0)
        return 0;
    r = -ESTALE;
    for (unsigned n = 0; r == -ESTALE && n < RENAME_TRIES_MAX; n++) {
        r = rename_once(fs, &e);
        names_found_close(fs, &e.src);
        names_found_close(fs, &e.dst);
    }
    if (r < 0)
        return r == -ESTALE ? -ENOENT : r;
    inbox_dir_used(fs->inbox, new_parent);
    inbox_dir_left(fs, parent);
    return 0;
}
