/* names: finding what a name stands for, making and removing names. rename: fs/rename.c.
 *
 * A provisional name comes before a stored one, a stored one before an alias: the alias of a film
 * is entered before its PUBLISH, and takes over at the moment the stored name is gone. */
#include "fs/names.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/control.h"
#include "fs/dir_view.h"
#include "fs/files.h"
#include "fs/inbox.h"
#include "fs/orphan.h"
#include "fs/provisional.h"
#include "fs/wfile.h"
#include <string.h>
#include <sys/stat.h>

int names_check(uint64_t parent, const char *name, size_t len, bool fresh)
{
    static const char *const inbox_reserved[] = { "inbox", CONTROL_DIR_NAME };

    if (len > NS_NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    if (len == 0)
        return -ENOENT;
    if (control_has_name(parent, name, len))
        return -EPERM;
    for (unsigned n = 0; fresh && parent == NS_INO_INBOX && n < 2; n++) {
        if (strlen(inbox_reserved[n]) == len && memcmp(inbox_reserved[n], name, len) == 0)
            return -EINVAL; /* published, it would be the root's own */
    }
    return 0;
}

int names_find(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
               struct names_found *ret)
{
    struct meta_req req = { .op = META_LOOKUP, .ino = parent, .name = name, .name_len = len };
    struct names_found f = { .kind = NAMES_PROVISIONAL };
    int r;

    f.inode = provisional_find(fs->provisional, parent, name, len);
    if (f.inode != NULL) {
        *ret = f;
        return 0;
    }
    r = meta_call(fs->meta, &req);
    if (r == 0) {
        f.kind = NAMES_STORED;
        f.attr = req.attr;
        f.inode = inode_find(fs->inodes, req.attr.ino);
    } else if (r == -ENOENT) {
        f.inode = inbox_alias_find(fs, parent, name, len);
        f.kind = f.inode != NULL ? NAMES_ALIAS : NAMES_NONE;
    } else {
        return r;
    }
    *ret = f;
    return 0;
}

void names_found_close(struct vsfs *fs, struct names_found *f)
{
    inode_put(fs->inodes, f->inode);
    f->inode = NULL;
}

void names_seen(struct inode *i, uint64_t parent, const char *name, size_t len)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->provisional || len > NS_NAME_BYTES_MAX) /* the map of provisional names keeps it */
        return;
    i->parent = parent;
    memmove(i->name, name, len);
    i->name_len = (uint8_t)len;
}

int names_attr(struct vsfs *fs, struct inode *i, struct ns_attr *ret)
{
    struct meta_req req = { .op = META_GETATTR, .ino = i->ino };
    bool provisional;
    int r;

    pthread_mutex_lock(&i->lock);
    provisional = i->provisional;
    if (provisional)
        req.attr = i->attr;
    pthread_mutex_unlock(&i->lock);
    if (!provisional) {
        r = meta_call(fs->meta, &req);
        if (r < 0)
            return r;
    }
    wfile_getattr(i, &req.attr);
    *ret = req.attr;
    return 0;
}

/* ---- make ---- */

static void create_attr(struct vsfs *fs, const struct names_caller *who, const struct ns_attr *dir,
                        struct inode *i, uint32_t mode)
{
    struct ns_time now = vsfs_now(fs);

    i->attr = (struct ns_attr){ .ino = i->ino,
                                .generation = 1,
                                .mode = S_IFREG | (mode & 07777),
                                .uid = who->uid,
                                .gid = (dir->mode & S_ISGID) ? dir->gid : who->gid,
                                .nlink = 1,
                                .atime = now,
                                .mtime = now,
                                .ctime = now,
                                .btime = now };
}

/* A new inode object under that name, in the map; nobody else knows it yet. */
static int create_enter(struct vsfs *fs, struct inode *i, uint64_t parent, const char *name,
                        size_t len)
{
    int r;

    i->parent = parent;
    memcpy(i->name, name, len);
    i->name_len = (uint8_t)len;
    i->provisional = true;
    i->no_capability = true;
    r = wfile_create(fs, i);
    if (r < 0)
        return r;
    r = provisional_put(fs->provisional, i);
    if (r < 0)
        wfile_drop(fs, i);
    return r;
}

/* -EEXIST: it is not. What the kernel has just been told is not asked again. */
static int create_is_free(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct names_found found = { .kind = NAMES_NONE };
    int r = 0;

    if (dir_view_take_missing(fs->dirs, parent, name, len)) {
        found.inode = provisional_find(fs->provisional, parent, name, len);
        found.kind = found.inode != NULL ? NAMES_PROVISIONAL : NAMES_NONE;
    } else {
        r = names_find(fs, parent, name, len, &found);
    }
    if (r < 0)
        return r;
    names_found_close(fs, &found);
    return found.kind == NAMES_PROVISIONAL || found.kind == NAMES_STORED ? -EEXIST : 0;
}

/* The directory that a file is made in: nothing but its owner, mode and life count. */
static int create_dir(struct vsfs *fs, uint64_t parent, struct ns_attr *ret)
{
    struct dir_view_moment moment = dir_view_moment(fs->dirs, parent);
    struct meta_req req = { .op = META_GETATTR, .ino = parent };
    uint64_t since;
    int r;

    if (dir_view_attr(fs->dirs, parent, ret, &since))
        return 0;
    r = meta_call(fs->meta, &req);
    if (r < 0)
        return r;
    dir_view_told(fs->dirs, &moment, &req.attr);
    *ret = req.attr;
    return 0;
}

int names_create(struct vsfs *fs, const struct names_caller *who, uint64_t parent, const char *name,
                 size_t len, uint32_t mode, struct inode **ret)
{
    struct ns_attr dir;
    struct inode *i;
    uint64_t ino;
    int r;

    r = names_check(parent, name, len, true);
    if (r == 0)
        r = create_is_free(fs, parent, name, len);
    if (r == 0)
        r = create_dir(fs, parent, &dir);
    if (r == 0 && !S_ISDIR(dir.mode))
        r = -ENOTDIR;
    if (r == 0 && dir.nlink == 0)
        r = -ENOENT;
    if (r == 0)
        r = inode_number_new(fs->inodes, &ino);
    if (r < 0)
        return r;
    i = inode_get(fs->inodes, ino);
    if (i == NULL)
        return -ENOMEM;
    create_attr(fs, who, &dir, i, mode);
    r = create_enter(fs, i, parent, name, len);
    if (r < 0) {
        inode_put(fs->inodes, i);
        return r;
    }
    inbox_alias_drop(fs, parent, name, len); /* a new upload: the film published before stays */
    inbox_dir_used(fs->inbox, parent);
    *ret = i;
    return 0;
}

int names_make(struct vsfs *fs, const struct names_caller *who, uint64_t parent, const char *name,
               size_t len, uint32_t mode, uint32_t rdev, const char *target, struct ns_attr *ret)
{
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = parent,
                          .name = name,
                          .name_len = len,
                          .attr = {
                              .mode = mode, .uid = who->uid, .gid = who->gid, .rdev = rdev } };
    struct names_found found;
    struct ns_answer answer;
    int r;

    r = names_check(parent, name, len, true);
    if (r == 0)
        r = names_find(fs, parent, name, len, &found);
    if (r < 0)
        return r;
    names_found_close(fs, &found);
    if (found.kind != NAMES_NONE)
        return -EEXIST;
    if (target != NULL) {
        e.content.kind = NS_CONTENT_INLINE;
        e.content.bytes = target;
        e.content.bytes_len = e.content.size = strlen(target);
    }
    r = vsfs_change(fs, &e, &answer);
    if (r < 0)
        return r;
    *ret = answer.attr;
    inbox_dir_used(fs->inbox, parent);
    if (S_ISDIR(mode))
        inbox_dir_seen(fs->inbox, parent, name, len, ret);
    else
        inbox_named(fs, ret->ino, parent, name, len, NULL, 0);
    return 0;
}

/* A file that was never committed has to be, before it can have two names. */
static int link_commit(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);
    bool provisional;
    int r = 0;

    if (i == NULL)
        return 0;
    pthread_mutex_lock(&i->lock);
    provisional = i->provisional;
    pthread_mutex_unlock(&i->lock);
    if (provisional)
        r = files_commit(fs, i, WFILE_FSYNC);
    inode_put(fs->inodes, i);
    return r;
}

int names_link(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
               struct ns_attr *ret)
{
    struct ns_entry e = {
        .kind = NS_E_LINK, .ino = ino, .parent = parent, .name = name, .name_len = len
    };
    struct names_found found;
    struct ns_answer answer;
    struct inode *i;
    int r;

    if (control_owns(ino))
        return -EPERM;
    r = names_check(parent, name, len, true);
    if (r == 0)
        r = names_find(fs, parent, name, len, &found);
    if (r < 0)
        return r;
    names_found_close(fs, &found);
    if (found.kind != NAMES_NONE)
        return -EEXIST;
    r = link_commit(fs, ino);
    if (r == 0)
        r = vsfs_change(fs, &e, &answer);
    if (r < 0)
        return r;
    *ret = answer.attr;
    i = inode_find(fs->inodes, ino);
    if (i != NULL) {
        wfile_getattr(i, ret);
        names_seen(i, parent, name, len); /* the name it is settled under, when it is closed */
    }
    inode_put(fs->inodes, i);
    inbox_dir_used(fs->inbox, parent);
    inbox_named(fs, ino, parent, name, len, NULL, 0);
    return 0;
}

/* ---- remove ---- */

int names_detach(struct vsfs *fs, struct inode *i)
{
    bool was, hides;

    pthread_mutex_lock(&i->lock);
    was = i->provisional && !i->unlinked;
    hides = i->replace;
    if (was) {
        i->unlinked = true; /* a flush commits nothing from now on */
        i->attr.nlink = 0;
        i->replace = false;
    }
    pthread_mutex_unlock(&i->lock);
    if (!was)
        return -ESTALE;
    provisional_drop(fs->provisional, i);
    inbox_unexpect(fs, i->ino);
    return hides ? 1 : 0;
}

int names_drop_provisional(struct vsfs *fs, struct inode *i)
{
    char name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    size_t len;
    int r;

    pthread_mutex_lock(&i->names);
    r = names_detach(fs, i);
    parent = i->parent;
    len = i->name_len;
    memcpy(name, i->name, len);
    pthread_mutex_unlock(&i->names);
    if (r <= 0)
        return r;
    r = names_unlink_stored(fs, 0, parent, name, len); /* what it was renamed over goes too */
    return r == -ENOENT ? 0 : r;
}

/* `lost` has no name any more. Is it to be forgotten now? Else when its last handle closes. */
static bool lost_forget_now(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);
    bool now;

    if (i == NULL) /* the kernel does not know it: nobody has it open */
        return true;
    pthread_mutex_lock(&i->lock);
    i->unlinked = true;
    now = i->opens == 0;
    pthread_mutex_unlock(&i->lock);
    inode_put(fs->inodes, i);
    return now;
}

void names_lost(struct vsfs *fs, const struct ns_attr *lost)
{
    if (lost->ino == 0 || lost->nlink > 0)
        return;
    if (lost_forget_now(fs, lost->ino))
        orphan_forget(fs, lost->ino);
}

int names_unlink_locked(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct ns_entry e = { .kind = NS_E_UNLINK, .parent = parent, .name = name, .name_len = len };
    struct ns_answer answer;
    int r = vsfs_change(fs, &e, &answer);

    if (r < 0)
        return r;
    names_lost(fs, &answer.replaced);
    inbox_unexpect_name(fs, answer.replaced.ino, parent, name, len);
    return 0;
}

int names_unlink_stored(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                        size_t len)
{
    struct inode *i = ino != 0 ? inode_find(fs->inodes, ino) : NULL;
    int r;

    if (i != NULL)
        pthread_mutex_lock(&i->names); /* not while it is committed under this name */
    r = names_unlink_locked(fs, parent, name, len);
    if (i != NULL)
        pthread_mutex_unlock(&i->names);
    inode_put(fs->inodes, i);
    return r;
}

int names_unlink(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct names_found found;
    int r;

    r = names_check(parent, name, len, false);
    if (r == 0)
        r = names_find(fs, parent, name, len, &found);
    if (r < 0)
        return r;
    switch (found.kind) {
    case NAMES_PROVISIONAL:
        r = names_drop_provisional(fs, found.inode);
        if (r == -ESTALE) /* committed a moment ago: it is a stored name now */
            r = names_unlink_stored(fs, found.inode->ino, parent, name, len);
        break;
    case NAMES_STORED:
        r = names_unlink_stored(fs, found.attr.ino, parent, name, len);
        if (r == -ENOENT && inbox_alias_drop(fs, parent, name, len) == 1)
            r = 0; /* published a moment ago */
        break;
    case NAMES_ALIAS:
        r = inbox_alias_drop(fs, parent, name, len) == 1 ? 0 : -ENOENT;
        break;
    case NAMES_NONE:
        r = -ENOENT;
    }
    names_found_close(fs, &found);
    if (r == 0)
        inbox_dir_left(fs, parent);
    return r;
}

int names_rmdir(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct ns_entry e = { .kind = NS_E_RMDIR, .parent = parent, .name = name, .name_len = len };
    struct names_found found;
    struct ns_answer answer;
    int r;

    r = names_check(parent, name, len, false);
    if (r == 0)
        r = names_find(fs, parent, name, len, &found);
    if (r < 0)
        return r;
    names_found_close(fs, &found);
    if (found.kind == NAMES_NONE)
        return -ENOENT;
    if (found.kind != NAMES_STORED || !S_ISDIR(found.attr.mode))
        return -ENOTDIR;
    if (found.attr.ino == NS_INO_INBOX)
        return -EBUSY;
    if (inbox_dir_busy(fs, found.attr.ino))
        return -ENOTEMPTY;
    r = vsfs_change(fs, &e, &answer);
    if (r < 0)
        return r;
    inbox_dir_gone(fs->inbox, found.attr.ino);
    names_lost(fs, &answer.replaced);
    inbox_dir_left(fs, parent);
    return 0;
}
