/* Entries that make and remove names: CREATE, LINK, UNLINK, RMDIR.
 *
 * Happy path: check the name, the directory, what is there; change both keys of the name, the
 * inode and the directory. Failure modes: the errno of open(2), mkdir(2), symlink(2), mknod(2),
 * link(2), unlink(2), rmdir(2). */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/ns_name.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RMDIR_DIRECTORIES_MAX 4096

/* Directory and name of an entry that makes a name. The name's present owner in *ret_link, which is
 * zero when it is free. */
static int name_to_make(struct ns_tx *tx, uint64_t parent, const char *name, size_t len,
                        struct ns_inode *ret_dir, struct ns_link *ret_link)
{
    int r = ns_name_check(name, len);

    if (r < 0)
        return r;
    r = ns_tx_dir(tx, parent, ret_dir);
    if (r < 0)
        return r;
    r = ns_name_reserved(parent, name, len);
    if (r < 0)
        return r;
    *ret_link = (struct ns_link){ 0 };
    r = ns_tx_find(tx, parent, name, len, ret_link);
    return r == -ENOENT ? 0 : r;
}

/* The same for an entry that takes a name away. */
static int name_to_remove(struct ns_tx *tx, const struct ns_entry *e, struct ns_link *ret_link,
                          struct ns_inode *ret)
{
    struct ns_inode dir;
    int r = ns_name_check(e->name, e->name_len);

    if (r < 0)
        return r;
    r = ns_tx_dir(tx, e->parent, &dir);
    if (r < 0)
        return r;
    r = ns_tx_find(tx, e->parent, e->name, e->name_len, ret_link);
    if (r < 0)
        return r;
    r = ns_tx_inode(tx, ret_link->ino, ret);
    return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
}

/* ---- create ------------------------------------------------------------------------------------
 */

static bool mode_ok(uint32_t mode)
{
    if ((mode & ~(uint32_t)(S_IFMT | 07777)) != 0)
        return false;
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode) ||
           S_ISCHR(mode) || S_ISBLK(mode);
}

/* A reserved number, or the next one. */
static int create_number(struct ns_tx *tx, uint64_t wanted, uint64_t *ret)
{
    struct ns_key numbers = ns_key(NS_T_NUMBERS);
    int r;

    *ret = wanted;
    if (wanted == 0) {
        *ret = tx->state.next_ino++;
        return 0;
    }
    r = ns_range_take(tx, &numbers, wanted);
    return r == -ENOENT ? -EINVAL : r;
}

static void create_attr(struct ns_tx *tx, const struct ns_entry *e, const struct ns_inode *dir,
                        struct ns_attr *a)
{
    a->generation = 1; /* numbers are never used again */
    a->mode = e->attr.mode;
    a->uid = e->attr.uid;
    a->gid = e->attr.gid;
    a->rdev = S_ISCHR(a->mode) || S_ISBLK(a->mode) ? e->attr.rdev : 0;
    a->nlink = S_ISDIR(a->mode) ? 2 : 1;
    if ((dir->attr.mode & S_ISGID) != 0) { /* inode_init_owner() of Linux */
        a->gid = dir->attr.gid;
        if (S_ISDIR(a->mode))
            a->mode |= S_ISGID;
    }
    a->btime = a->ctime = tx->now;
    a->atime = (e->set & NS_SET_ATIME) != 0 ? e->attr.atime : tx->now;
    a->mtime = (e->set & NS_SET_MTIME) != 0 ? e->attr.mtime : tx->now;
}

static int create_check(struct ns_tx *tx, const struct ns_entry *e, const struct ns_link *there,
                        uint64_t *ret_chunks)
{
    struct ns_inode old;
    int r;

    if (!mode_ok(e->attr.mode) || (e->flags & ~(uint32_t)NS_CREATE_REPLACE) != 0)
        return -EINVAL;
    if (there->ino != 0) {
        if ((e->flags & NS_CREATE_REPLACE) == 0 || S_ISDIR(e->attr.mode))
            return -EEXIST;
        r = ns_tx_inode(tx, there->ino, &old);
        if (r < 0)
            return r;
        if (ns_is_dir(&old))
            return -EISDIR;
    }
    return ns_content_check(tx, &e->content, e->attr.mode, ret_chunks);
}

/* Put the new inode under its name; what had the name before loses it. */
static int create_name(struct ns_tx *tx, const struct ns_entry *e, struct ns_link *there,
                       struct ns_inode *i, struct ns_answer *a)
{
    int r;

    ns_tx_count(tx, i, 1);
    if (there->ino == 0)
        return ns_tx_add_name(tx, e->parent, e->name, e->name_len, i);
    r = ns_tx_unlink_inode(tx, there->ino, &a->replaced);
    if (r < 0)
        return r;
    there->ino = i->attr.ino; /* the name keeps its place in listings */
    ns_tx_set_name(tx, e->parent, e->name, e->name_len, there, i->attr.mode);
    ns_tx_put_inode(tx, i);
    return ns_tx_touch_dir(tx, e->parent, 0, 0);
}

/* A directory below the inbox has its published counterpart at once. */
static int create_mirror(struct ns_tx *tx, uint64_t parent, struct ns_inode *i, struct ns_answer *a)
{
    uint64_t mirror;
    int r = ns_in_inbox(tx, parent);

    if (r <= 0)
        return r;
    r = ns_mirror_make(tx, i->attr.ino, &mirror);
    if (r < 0)
        return r;
    r = ns_tx_inode(tx, i->attr.ino, i);
    return r < 0 ? r : ns_mirror_answer(tx, i->attr.ino, a);
}

int ns_rule_create(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode dir, i = { 0 };
    struct ns_link there;
    uint64_t chunks;
    int r;

    r = name_to_make(tx, e->parent, e->name, e->name_len, &dir, &there);
    if (r < 0)
        return r;
    r = create_check(tx, e, &there, &chunks);
    if (r < 0)
        return r;
    r = create_number(tx, e->ino, &i.attr.ino);
    if (r < 0)
        return r;
    create_attr(tx, e, &dir, &i.attr);
    r = ns_content_put(tx, &i, &e->content, chunks);
    if (r < 0)
        return r;
    r = create_name(tx, e, &there, &i, a);
    if (r < 0)
        return r;
    if (ns_is_dir(&i))
        r = create_mirror(tx, e->parent, &i, a);
    if (e->mount != 0)
        ns_writer_put(tx, i.attr.ino, e->mount);
    a->attr = i.attr;
    return r;
}

/* ---- link, unlink ------------------------------------------------------------------------------
 */

int ns_rule_link(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode dir, i;
    struct ns_link there;
    int r;

    r = name_to_make(tx, e->parent, e->name, e->name_len, &dir, &there);
    if (r < 0)
        return r;
    r = ns_tx_inode(tx, e->ino, &i);
    if (r < 0)
        return r;
    if (there.ino != 0)
        return -EEXIST;
    if (ns_is_dir(&i))
        return -EPERM;
    if (i.attr.nlink == 0) /* its content may be on the way out already */
        return -ENOENT;
    if (i.attr.nlink >= NS_LINK_MAX)
        return -EMLINK;
    i.attr.nlink++;
    i.attr.ctime = tx->now;
    r = ns_tx_add_name(tx, e->parent, e->name, e->name_len, &i);
    a->attr = i.attr;
    return r;
}

int ns_rule_unlink(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode i;
    struct ns_link link;
    int r;

    r = name_to_remove(tx, e, &link, &i);
    if (r < 0)
        return r;
    if (ns_is_dir(&i))
        return -EISDIR;
    ns_tx_del_name(tx, e->parent, e->name, e->name_len, link.cookie);
    r = ns_tx_touch_dir(tx, e->parent, -1, 0);
    if (r < 0)
        return r;
    return ns_tx_unlink_inode(tx, link.ino, &a->replaced);
}

/* ---- rmdir -------------------------------------------------------------------------------------
 */

/* Directories of a subtree, breadth first; those before `done` have been emptied. */
struct rmdir_walk {
    struct ns_tx *tx;
    uint64_t dir; /* the one that is being read */
    uint32_t done, count;
    uint64_t dirs[RMDIR_DIRECTORIES_MAX];
};

/* The names go into the batch at once: a walk that ends at a file refuses the entry, and the batch
 * with it. */
static int rmdir_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct rmdir_walk *w = arg;
    struct ns_item item;
    int r;

    if (key_len != 1 + 8 + 8)
        return -VS_ECORRUPT;
    r = ns_item_decode(value, value_len, &item);
    if (r < 0)
        return r;
    if (!S_ISDIR(item.type) || w->count == RMDIR_DIRECTORIES_MAX)
        return -ENOTEMPTY;
    w->dirs[w->count++] = item.ino;
    ns_tx_del_name(w->tx, w->dir, item.name, item.name_len, ns_key_get_u64(key, 8));
    return 0;
}

/* An inbox directory goes with all directories below it, if there is nothing else: what was copied
 * has been published out of them, and whoever made them sees them as removed with their files. */
static int rmdir_below(struct ns_tx *tx, uint64_t ino)
{
    struct rmdir_walk *w = malloc(sizeof(*w));
    struct ns_inode i;
    int r = 0;

    if (w == NULL)
        return ns_tx_note(tx, -ENOMEM);
    w->tx = tx;
    w->dirs[0] = ino;
    w->count = 1;
    for (w->done = 0; r == 0 && w->done < w->count; w->done++) {
        struct ns_key prefix = ns_key_u64(NS_T_COOKIE, w->dirs[w->done]);

        w->dir = w->dirs[w->done];
        r = ns_tx_scan(tx, &prefix, rmdir_item, w);
    }
    for (uint32_t n = 1; r == 0 && n < w->count; n++) {
        r = ns_tx_inode(tx, w->dirs[n], &i);
        if (r < 0)
            break;
        i.attr.size = 0;
        ns_tx_orphan(tx, &i);
    }
    free(w);
    return r == -ENOTEMPTY ? r : ns_tx_note(tx, r);
}

int ns_rule_rmdir(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode i;
    struct ns_link link;
    int r;

    r = name_to_remove(tx, e, &link, &i);
    if (r < 0)
        return r;
    if (!ns_is_dir(&i))
        return -ENOTDIR;
    if (i.attr.ino == NS_INO_INBOX || i.attr.ino == NS_INO_ROOT)
        return -EBUSY;
    if (i.attr.size > 0) {
        r = ns_in_inbox(tx, e->parent);
        if (r <= 0)
            return r < 0 ? r : -ENOTEMPTY;
        r = rmdir_below(tx, i.attr.ino);
        if (r < 0)
            return r;
    }
    ns_tx_del_name(tx, e->parent, e->name, e->name_len, link.cookie);
    r = ns_tx_touch_dir(tx, e->parent, -1, -1);
    if (r < 0)
        return r;
    i.attr.size = 0;
    ns_tx_orphan(tx, &i);
    a->replaced = i.attr;
    return 0;
}
