/* Entries that change attributes: SETATTR, SETXATTR, REMOVEXATTR.
 *
 * Happy path: change the inode; if it is an inbox directory with a published counterpart, do the
 * same there, since that is the directory people will see. Failure modes: the errno of chmod(2),
 * setxattr(2), removexattr(2). */
#include "meta/ns_rules.h"

#include "common/err.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* ---- setattr -----------------------------------------------------------------------------------
 */

static void setattr_flags(struct ns_tx *tx, const struct ns_entry *e, struct ns_inode *i)
{
    uint32_t before = i->attr.flags;
    struct ns_key due = ns_key_u64(NS_T_MEDIA_DUE, i->attr.ino);

    i->attr.flags = (before | e->flags_set) & ~e->flags_clear;
    if (i->attr.nlink == 0 || i->attr.content != NS_CONTENT_CHUNKS)
        i->attr.flags &= ~(uint32_t)NS_F_MEDIA_DUE; /* nothing there to describe */
    if (((i->attr.flags ^ before) & NS_F_MEDIA_DUE) == 0)
        return;
    if ((i->attr.flags & NS_F_MEDIA_DUE) != 0)
        ns_tx_put(tx, &due, NULL, 0);
    else
        ns_tx_del(tx, &due);
}

static void setattr_one(struct ns_tx *tx, const struct ns_entry *e, struct ns_inode *i)
{
    struct ns_attr *a = &i->attr;

    if ((e->set & NS_SET_MODE) != 0)
        a->mode = (a->mode & S_IFMT) | (e->attr.mode & 07777);
    if ((e->set & NS_SET_UID) != 0)
        a->uid = e->attr.uid;
    if ((e->set & NS_SET_GID) != 0)
        a->gid = e->attr.gid;
    if ((e->set & NS_SET_ATIME) != 0)
        a->atime = e->attr.atime;
    if ((e->set & NS_SET_MTIME) != 0) {
        a->mtime = e->attr.mtime;
        if (ns_is_dir(i))
            a->flags |= NS_F_DIR_TIMES;
    }
    if ((e->set & ~(uint32_t)NS_SET_FLAGS) != 0) /* flags are the program's own: no ctime */
        a->ctime = tx->now;
    if ((e->set & NS_SET_FLAGS) != 0)
        setattr_flags(tx, e, i);
    ns_tx_put_inode(tx, i);
}

/* The published counterpart of an inbox directory. 0: `i` has none. */
static int attr_mirror(struct ns_tx *tx, const struct ns_inode *i, struct ns_inode *ret)
{
    int r;

    if (!ns_is_dir(i) || i->attr.mirror == 0)
        return 0;
    r = ns_in_inbox(tx, i->attr.ino);
    if (r <= 0)
        return r;
    r = ns_mirror_find(tx, i, ret);
    return r < 0 ? (r == -ENOENT ? 0 : r) : 1;
}

int ns_rule_setattr(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    const uint32_t known =
        NS_SET_MODE | NS_SET_UID | NS_SET_GID | NS_SET_ATIME | NS_SET_MTIME | NS_SET_FLAGS;
    const uint32_t flags = NS_F_FLUSHED | NS_F_DIR_TIMES | NS_F_MEDIA_DUE;
    struct ns_inode i, mirror;
    int r;

    if ((e->set & ~known) != 0 || ((e->flags_set | e->flags_clear) & ~flags) != 0)
        return -EINVAL;
    r = ns_tx_inode(tx, e->ino, &i);
    if (r < 0)
        return r;
    setattr_one(tx, e, &i);
    a->attr = i.attr;
    r = attr_mirror(tx, &i, &mirror);
    if (r > 0)
        setattr_one(tx, e, &mirror);
    return r < 0 ? r : 0;
}

/* ---- extended attributes -----------------------------------------------------------------------
 */

static int xattr_name_check(const struct ns_entry *e)
{
    if (e->name_len == 0 || e->name_len > NS_XATTR_NAME_BYTES_MAX)
        return -ERANGE;
    return memchr(e->name, '\0', e->name_len) != NULL ? -EINVAL : 0;
}

/* Length of the present value, or -ENODATA. */
static int64_t xattr_length(struct ns_tx *tx, const struct ns_key *key)
{
    const uint8_t *value;
    size_t len;
    int r = ns_tx_get(tx, key, &value, &len);

    return r == -ENOENT ? -ENODATA : r < 0 ? r : (int64_t)len;
}

static int xattr_set(struct ns_tx *tx, const struct ns_entry *e, struct ns_inode *i)
{
    struct ns_key key = ns_key_named(NS_T_XATTR, i->attr.ino, e->name, e->name_len);
    int64_t old = xattr_length(tx, &key);

    if (old < 0 && old != -ENODATA)
        return (int)old;
    if (old >= 0 && (e->flags & XATTR_CREATE) != 0)
        return -EEXIST;
    if (old < 0 && (e->flags & XATTR_REPLACE) != 0)
        return -ENODATA;
    if (old < 0)
        i->xattr_list_bytes += (uint32_t)e->name_len + 1;
    else
        i->xattr_bytes -= (uint32_t)old;
    i->xattr_bytes += (uint32_t)e->value_len;
    if (i->xattr_list_bytes > NS_XATTR_LIST_BYTES_MAX || i->xattr_bytes > NS_XATTR_TOTAL_BYTES_MAX)
        return -ENOSPC;
    ns_tx_put(tx, &key, e->value, e->value_len);
    i->attr.ctime = tx->now;
    ns_tx_put_inode(tx, i);
    return 0;
}

int ns_rule_setxattr(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    const uint32_t known = XATTR_CREATE | XATTR_REPLACE;
    struct ns_entry plain = *e;
    struct ns_inode i, mirror;
    int r = xattr_name_check(e);

    if (r < 0)
        return r;
    if ((e->flags & ~known) != 0 || (e->flags & known) == known)
        return -EINVAL;
    if (e->value_len > NS_XATTR_VALUE_BYTES_MAX)
        return -ERANGE;
    r = ns_tx_inode(tx, e->ino, &i);
    if (r == 0)
        r = xattr_set(tx, e, &i);
    if (r < 0)
        return r;
    a->attr = i.attr;
    r = attr_mirror(tx, &i, &mirror);
    plain.flags = 0; /* the flags were about the directory that was named */
    if (r > 0)
        r = xattr_set(tx, &plain, &mirror);
    return r < 0 && r != -ENOSPC ? r : 0;
}

static int xattr_remove(struct ns_tx *tx, const struct ns_entry *e, struct ns_inode *i)
{
    struct ns_key key = ns_key_named(NS_T_XATTR, i->attr.ino, e->name, e->name_len);
    int64_t old = xattr_length(tx, &key);

    if (old < 0)
        return (int)old;
    i->xattr_list_bytes -= (uint32_t)e->name_len + 1;
    i->xattr_bytes -= (uint32_t)old;
    ns_tx_del(tx, &key);
    i->attr.ctime = tx->now;
    ns_tx_put_inode(tx, i);
    return 0;
}

int ns_rule_removexattr(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode i, mirror;
    int r = xattr_name_check(e);

    if (r == 0)
        r = ns_tx_inode(tx, e->ino, &i);
    if (r == 0)
        r = xattr_remove(tx, e, &i);
    if (r < 0)
        return r;
    a->attr = i.attr;
    r = attr_mirror(tx, &i, &mirror);
    if (r > 0)
        r = xattr_remove(tx, e, &mirror);
    return r == -ENODATA || r > 0 ? 0 : r;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

struct xattr_walk {
    struct ns_tx *tx;
    struct ns_inode *to; /* NULL: remove */
};

static int xattr_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct xattr_walk *w = arg;
    const size_t prefix = 1 + 8;
    struct ns_key mine;

    if (w->to == NULL) {
        kv_batch_del(w->tx->batch, key, key_len);
        return 0;
    }
    mine = ns_key_named(NS_T_XATTR, w->to->attr.ino, (const char *)key + prefix, key_len - prefix);
    ns_tx_put(w->tx, &mine, value, value_len);
    w->to->xattr_list_bytes += (uint32_t)(key_len - prefix + 1);
    w->to->xattr_bytes += (uint32_t)value_len;
    return 0;
}

int ns_xattr_copy(struct ns_tx *tx, uint64_t from, struct ns_inode *to)
{
    struct ns_key prefix = ns_key_u64(NS_T_XATTR, from);
    struct xattr_walk w = { .tx = tx, .to = to };

    return ns_tx_note(tx, ns_tx_scan(tx, &prefix, xattr_item, &w));
}

int ns_xattr_drop(struct ns_tx *tx, uint64_t ino)
{
    struct ns_key prefix = ns_key_u64(NS_T_XATTR, ino);
    struct xattr_walk w = { .tx = tx };

    return ns_tx_note(tx, ns_tx_scan(tx, &prefix, xattr_item, &w));
}
