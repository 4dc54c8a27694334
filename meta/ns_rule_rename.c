/* RENAME: one name becomes another, over what is there if that is allowed, or both change places.
 *
 * Happy path: find both ends, check them in the order of rename(2), move both keys of the name,
 * correct link counts, times and, for directories, their place. A name that is replaced keeps its
 * cookie and a name that stays in its directory too, so that a listing that is under way meets it
 * once. Failure modes: the errno of rename(2); EBUSY for the inbox itself. */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/ns_name.h"

#include <sys/stat.h>

/* Both ends of a rename, before it. */
struct rename {
    const struct ns_entry *e;
    struct ns_link from, to;   /* to.ino 0: the new name is free */
    struct ns_inode moved, at; /* at: what `to` names */
};

static int rename_load(struct ns_tx *tx, struct rename *rn)
{
    const struct ns_entry *e = rn->e;
    struct ns_inode dir;
    int r;

    r = ns_name_check(e->name, e->name_len);
    if (r == 0)
        r = ns_name_check(e->new_name, e->new_name_len);
    if (r == 0)
        r = ns_tx_dir(tx, e->parent, &dir);
    if (r == 0)
        r = ns_tx_dir(tx, e->new_parent, &dir);
    if (r == 0)
        r = ns_tx_find(tx, e->parent, e->name, e->name_len, &rn->from);
    if (r < 0)
        return r;
    r = ns_name_reserved(e->new_parent, e->new_name, e->new_name_len);
    if (r < 0)
        return r == -EEXIST && (e->flags & NS_RENAME_NOREPLACE) == 0 ? -EBUSY : r;
    rn->to = (struct ns_link){ 0 };
    r = ns_tx_find(tx, e->new_parent, e->new_name, e->new_name_len, &rn->to);
    if (r < 0 && r != -ENOENT)
        return r;
    r = ns_tx_inode(tx, rn->from.ino, &rn->moved);
    if (r == 0 && rn->to.ino != 0)
        r = ns_tx_inode(tx, rn->to.ino, &rn->at);
    return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
}

/* -EINVAL when a directory would get below itself. */
static int rename_check_below(struct ns_tx *tx, const struct ns_inode *dir, uint64_t new_parent)
{
    int r;

    if (!ns_is_dir(dir))
        return 0;
    r = ns_tx_is_below(tx, new_parent, dir->attr.ino);
    return r > 0 ? -EINVAL : r;
}

/* 1: both names are of one inode, and nothing is to be done, says rename(2). */
static int rename_check(struct ns_tx *tx, const struct rename *rn)
{
    const struct ns_entry *e = rn->e;
    bool exchange = (e->flags & NS_RENAME_EXCHANGE) != 0;
    int r;

    if (exchange && rn->to.ino == 0)
        return -ENOENT;
    if ((e->flags & NS_RENAME_NOREPLACE) != 0 && rn->to.ino != 0)
        return -EEXIST;
    if (rn->from.ino == rn->to.ino)
        return 1;
    if (rn->from.ino == NS_INO_INBOX || rn->to.ino == NS_INO_INBOX)
        return -EBUSY;
    r = rename_check_below(tx, &rn->moved, e->new_parent);
    if (r < 0 || rn->to.ino == 0)
        return r;
    if (exchange)
        return rename_check_below(tx, &rn->at, e->parent);
    if (ns_is_dir(&rn->moved) && !ns_is_dir(&rn->at))
        return -ENOTDIR;
    if (!ns_is_dir(&rn->moved) && ns_is_dir(&rn->at))
        return -EISDIR;
    return ns_is_dir(&rn->at) && rn->at.attr.size > 0 ? -ENOTEMPTY : 0;
}

/* What had the new name loses it. */
static int rename_replace(struct ns_tx *tx, struct rename *rn, struct ns_attr *ret_replaced)
{
    if (!ns_is_dir(&rn->at))
        return ns_tx_unlink_inode(tx, rn->at.attr.ino, ret_replaced);
    ns_tx_orphan(tx, &rn->at);
    *ret_replaced = rn->at.attr;
    return 0;
}

static int rename_move(struct ns_tx *tx, struct rename *rn, struct ns_answer *a)
{
    const struct ns_entry *e = rn->e;
    bool is_dir = ns_is_dir(&rn->moved), replaces = rn->to.ino != 0;
    struct ns_link link = { .ino = rn->from.ino };
    int r = 0;

    ns_tx_del_name(tx, e->parent, e->name, e->name_len, rn->from.cookie);
    if (replaces) {
        link.cookie = rn->to.cookie;
        r = rename_replace(tx, rn, &a->replaced);
    } else {
        link.cookie = e->parent == e->new_parent ? rn->from.cookie : tx->state.next_cookie++;
    }
    if (r < 0)
        return r;
    ns_tx_set_name(tx, e->new_parent, e->new_name, e->new_name_len, &link, rn->moved.attr.mode);
    rn->moved.attr.ctime = tx->now;
    if (is_dir) {
        rn->moved.attr.parent = e->new_parent;
        rn->moved.cookie = link.cookie;
    }
    ns_tx_put_inode(tx, &rn->moved);
    r = ns_tx_touch_dir(tx, e->parent, -1, is_dir ? -1 : 0);
    if (r < 0)
        return r;
    return ns_tx_touch_dir(tx, e->new_parent, replaces ? 0 : 1, is_dir && !replaces ? 1 : 0);
}

/* One end of an exchange: `i` takes over the name that `link` was. */
static void rename_take_place(struct ns_tx *tx, struct ns_inode *i, uint64_t dir, const char *name,
                              size_t len, const struct ns_link *link)
{
    struct ns_link mine = { .ino = i->attr.ino, .cookie = link->cookie };

    ns_tx_set_name(tx, dir, name, len, &mine, i->attr.mode);
    i->attr.ctime = tx->now;
    if (ns_is_dir(i)) {
        i->attr.parent = dir;
        i->attr.mirror = 0; /* found again by name when something is published there */
        i->cookie = link->cookie;
    }
    ns_tx_put_inode(tx, i);
}

static int rename_exchange(struct ns_tx *tx, struct rename *rn)
{
    const struct ns_entry *e = rn->e;
    int more = (ns_is_dir(&rn->at) ? 1 : 0) - (ns_is_dir(&rn->moved) ? 1 : 0);
    int r;

    rename_take_place(tx, &rn->at, e->parent, e->name, e->name_len, &rn->from);
    rename_take_place(tx, &rn->moved, e->new_parent, e->new_name, e->new_name_len, &rn->to);
    r = ns_tx_touch_dir(tx, e->parent, 0, more);
    return r < 0 ? r : ns_tx_touch_dir(tx, e->new_parent, 0, -more);
}

int ns_rule_rename(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    const uint32_t known = NS_RENAME_NOREPLACE | NS_RENAME_EXCHANGE;
    struct rename rn = { .e = e };
    int r;

    if ((e->flags & ~known) != 0 || (e->flags & known) == known)
        return -EINVAL;
    r = rename_load(tx, &rn);
    if (r == 0)
        r = rename_check(tx, &rn);
    if (r < 0)
        return r;
    a->attr = rn.moved.attr;
    if (r > 0)
        return 0;
    if ((e->flags & NS_RENAME_EXCHANGE) != 0) {
        r = rename_exchange(tx, &rn);
        a->attr = rn.moved.attr;
        return r;
    }
    r = rename_move(tx, &rn, a);
    if (r == 0 && ns_is_dir(&rn.moved)) {
        r = ns_mirror_renamed(tx, e, rn.moved.attr.ino);
        if (r == 0)
            r = ns_tx_inode(tx, rn.moved.attr.ino, &rn.moved);
        if (r == 0)
            r = ns_mirror_answer(tx, rn.moved.attr.ino, a);
    }
    a->attr = rn.moved.attr;
    return r;
}
