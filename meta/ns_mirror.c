/* The inbox and the tree beside it: every directory below the inbox has a published counterpart, so
 * that directories appear at once, with their mode and times, empty ones too.
 *
 * Happy path: the inbox directory's record names its counterpart. Failure modes: the counterpart
 * was removed, or moved into the inbox, meanwhile: it is made again, with all above it; its name is
 * taken by something that is no directory: "name (2)". */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/ns_name.h"

#include <string.h>
#include <sys/stat.h>

#define MIRROR_DEPTH_MAX 2048 /* PATH_MAX of nothing but "a/" */

int ns_in_inbox(struct ns_tx *tx, uint64_t dir)
{
    return ns_tx_is_below(tx, dir, NS_INO_INBOX);
}

int ns_mirror_find(struct ns_tx *tx, const struct ns_inode *inbox_dir, struct ns_inode *ret)
{
    uint64_t ino = inbox_dir->attr.ino == NS_INO_INBOX ? NS_INO_ROOT : inbox_dir->attr.mirror;
    int r;

    if (ino == 0)
        return -ENOENT;
    r = ns_tx_dir(tx, ino, ret);
    if (r < 0)
        return r == -ENOTDIR ? -ENOENT : r;
    r = ns_in_inbox(tx, ino);
    return r > 0 ? -ENOENT : r;
}

int ns_mirror_keep_times(struct ns_tx *tx, uint64_t dir, const struct ns_inode *set_on)
{
    struct ns_inode i;
    int r;

    if ((set_on->attr.flags & NS_F_DIR_TIMES) == 0)
        return 0;
    r = ns_tx_inode(tx, dir, &i);
    if (r < 0)
        return r;
    i.attr.mtime = set_on->attr.mtime;
    i.attr.flags |= NS_F_DIR_TIMES;
    ns_tx_put_inode(tx, &i);
    return 0;
}

/* ---- making ------------------------------------------------------------------------------------
 */

/* Number of the directory in `parent` that `name` can stand for, or 0: it is free. -EEXIST: taken
 * by something else. */
static int mirror_look(struct ns_tx *tx, uint64_t parent, const char *name, size_t len,
                       uint64_t *ret)
{
    struct ns_link link;
    struct ns_inode i;
    int r;

    *ret = 0;
    r = ns_tx_find(tx, parent, name, len, &link);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = ns_tx_inode(tx, link.ino, &i);
    if (r < 0)
        return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
    if (!ns_is_dir(&i))
        return -EEXIST;
    *ret = link.ino;
    return 0;
}

/* A new directory in the tree, like the inbox directory in all that people set. */
static int mirror_create(struct ns_tx *tx, const struct ns_inode *inbox_dir, uint64_t parent,
                         const char *name, size_t len, uint64_t *ret)
{
    const struct ns_attr *like = &inbox_dir->attr;
    struct ns_inode i = { 0 };
    int r;

    i.attr.ino = tx->state.next_ino++;
    i.attr.generation = 1;
    i.attr.mode = like->mode;
    i.attr.uid = like->uid;
    i.attr.gid = like->gid;
    i.attr.nlink = 2;
    i.attr.version = 1;
    i.attr.atime = i.attr.mtime = i.attr.ctime = i.attr.btime = tx->now;
    r = ns_xattr_copy(tx, like->ino, &i);
    if (r < 0)
        return r;
    ns_tx_count(tx, &i, 1);
    *ret = i.attr.ino;
    return ns_tx_add_name(tx, parent, name, len, &i);
}

/* Find or make the counterpart of one directory below a parent whose counterpart is there. */
static int mirror_make_one(struct ns_tx *tx, struct ns_inode *inbox_dir, uint64_t parent,
                           uint64_t *ret)
{
    char name[NS_NAME_BYTES_MAX];
    struct ns_inode above;
    struct ns_item item;
    uint8_t len;
    int r;

    r = ns_tx_item(tx, inbox_dir->attr.parent, inbox_dir->cookie, &item);
    if (r < 0)
        return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
    memcpy(name, item.name, item.name_len);
    len = item.name_len;
    r = mirror_look(tx, parent, name, len, ret);
    for (unsigned n = 2; r == -EEXIST && n <= NS_NAME_NUMBER_MAX; n++) {
        len = ns_name_numbered(item.name, item.name_len, n, name);
        r = mirror_look(tx, parent, name, len, ret);
    }
    if (r < 0)
        return r;
    if (*ret == 0) {
        r = mirror_create(tx, inbox_dir, parent, name, len, ret);
        if (r == 0)
            r = ns_tx_inode(tx, inbox_dir->attr.parent, &above);
        if (r == 0 && above.attr.ino != NS_INO_INBOX)
            r = ns_mirror_keep_times(tx, parent, &above);
        if (r < 0)
            return r;
    }
    inbox_dir->attr.mirror = *ret;
    ns_tx_put_inode(tx, inbox_dir);
    return 0;
}

int ns_mirror_make(struct ns_tx *tx, uint64_t inbox_dir, uint64_t *ret)
{
    uint64_t chain[MIRROR_DEPTH_MAX]; /* directories without a counterpart, lowest first */
    struct ns_inode dir, mirror;
    unsigned depth = 0;
    int r;

    for (;;) {
        r = ns_tx_dir(tx, inbox_dir, &dir);
        if (r < 0)
            return r;
        r = ns_mirror_find(tx, &dir, &mirror);
        if (r != -ENOENT)
            break;
        if (depth == MIRROR_DEPTH_MAX)
            return -ENAMETOOLONG;
        chain[depth++] = inbox_dir;
        inbox_dir = dir.attr.parent;
    }
    if (r < 0)
        return r;
    *ret = mirror.attr.ino;
    while (depth > 0) {
        uint64_t parent = *ret;

        r = ns_tx_inode(tx, chain[--depth], &dir);
        if (r == 0)
            r = mirror_make_one(tx, &dir, parent, ret);
        if (r < 0)
            return r;
    }
    return 0;
}

int ns_mirror_answer(struct ns_tx *tx, uint64_t ino, struct ns_answer *a)
{
    struct ns_inode i, mirror;
    struct ns_item item;
    int r;

    r = ns_tx_inode(tx, ino, &i);
    if (r < 0 || i.attr.mirror == 0)
        return r;
    r = ns_tx_inode(tx, i.attr.mirror, &mirror);
    if (r == 0)
        r = ns_tx_item(tx, mirror.attr.parent, mirror.cookie, &item);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* removed meanwhile */
    a->dir = mirror.attr.parent;
    a->name_len = item.name_len;
    memcpy(a->name, item.name, item.name_len);
    return 0;
}

/* ---- following a rename ------------------------------------------------------------------------
 */

/* The counterpart follows if it is still where and what the inbox directory was, and the new name
 * is free: 1, and its place to be in *ret_parent. */
static int mirror_follows(struct ns_tx *tx, const struct ns_entry *e, const struct ns_inode *mirror,
                          uint64_t *ret_parent)
{
    struct ns_inode old_parent, old_mirror;
    struct ns_item item;
    uint64_t taken;
    int r;

    r = ns_tx_inode(tx, e->parent, &old_parent);
    if (r == 0)
        r = ns_mirror_find(tx, &old_parent, &old_mirror);
    if (r == 0)
        r = ns_tx_item(tx, mirror->attr.parent, mirror->cookie, &item);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (mirror->attr.parent != old_mirror.attr.ino || item.name_len != e->name_len ||
        memcmp(item.name, e->name, e->name_len) != 0)
        return 0;
    r = ns_mirror_make(tx, e->new_parent, ret_parent);
    if (r == 0)
        r = mirror_look(tx, *ret_parent, e->new_name, e->new_name_len, &taken);
    if (r < 0)
        return r == -EEXIST || r == -ENAMETOOLONG ? 0 : r;
    if (taken != 0)
        return 0;
    r = ns_tx_is_below(tx, *ret_parent, mirror->attr.ino);
    return r < 0 ? r : r == 0;
}

static int mirror_move(struct ns_tx *tx, const struct ns_entry *e, struct ns_inode *mirror,
                       uint64_t new_parent)
{
    uint64_t old_parent = mirror->attr.parent;
    struct ns_link link = { .ino = mirror->attr.ino, .cookie = mirror->cookie };
    int r;

    ns_tx_del_name(tx, old_parent, e->name, e->name_len, link.cookie);
    if (old_parent != new_parent)
        link.cookie = tx->state.next_cookie++;
    ns_tx_set_name(tx, new_parent, e->new_name, e->new_name_len, &link, mirror->attr.mode);
    mirror->attr.parent = new_parent;
    mirror->attr.ctime = tx->now;
    mirror->cookie = link.cookie;
    ns_tx_put_inode(tx, mirror);
    r = ns_tx_touch_dir(tx, old_parent, -1, -1);
    return r < 0 ? r : ns_tx_touch_dir(tx, new_parent, 1, 1);
}

int ns_mirror_renamed(struct ns_tx *tx, const struct ns_entry *e, uint64_t ino)
{
    struct ns_inode i, mirror;
    uint64_t parent = 0;
    int from, to, r;

    r = ns_tx_inode(tx, ino, &i);
    if (r < 0 || i.attr.mirror == 0)
        return r;
    from = ns_in_inbox(tx, e->parent);
    to = ns_in_inbox(tx, e->new_parent);
    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    r = from > 0 && to > 0 ? ns_mirror_find(tx, &i, &mirror) : -ENOENT;
    if (r == 0)
        r = mirror_follows(tx, e, &mirror, &parent);
    if (r > 0) {
        r = ns_tx_inode(tx, mirror.attr.ino, &mirror); /* making its parent may have touched it */
        return r < 0 ? r : mirror_move(tx, e, &mirror, parent);
    }
    if (r < 0 && r != -ENOENT)
        return r;
    i.attr.mirror = 0; /* found or made again by name at the next use */
    ns_tx_put_inode(tx, &i);
    return 0;
}
