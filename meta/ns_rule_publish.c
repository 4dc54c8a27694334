/* PUBLISH: an inbox file moves to its place in the tree.
 *
 * Happy path: the counterpart of its directory is there or is made, the name is free there, the
 * name moves. Failure modes: the name is taken: the same content is there already (the inbox name
 * is dropped), or another (numbered, replacing or refused, as the entry says). The inbox never
 * replaces unless it was told to. */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/ns_name.h"

#include <string.h>
#include <sys/stat.h>

struct publish {
    const struct ns_entry *e;
    struct ns_inode box; /* the inbox directory, before */
    struct ns_link from; /* the name in it */
    struct ns_inode file;
    uint64_t dir;         /* where it goes */
    struct ns_link there; /* what has its name there; ino 0: nothing */
    struct ns_inode old;  /* the inode of `there` */
    uint8_t how;          /* enum ns_published */
};

static int publish_load(struct ns_tx *tx, struct publish *p)
{
    const struct ns_entry *e = p->e;
    int r = ns_name_check(e->name, e->name_len);

    if (r == 0)
        r = ns_tx_dir(tx, e->parent, &p->box);
    if (r == 0)
        r = ns_in_inbox(tx, e->parent);
    if (r <= 0)
        return r < 0 ? r : -EINVAL;
    r = ns_tx_find(tx, e->parent, e->name, e->name_len, &p->from);
    if (r < 0)
        return r;
    r = ns_tx_inode(tx, p->from.ino, &p->file);
    if (r < 0)
        return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
    if (ns_is_dir(&p->file))
        return -EISDIR; /* directories were published when they were made */
    return ns_mirror_make(tx, e->parent, &p->dir);
}

static int publish_look(struct ns_tx *tx, struct publish *p, const char *name, size_t len)
{
    int r;

    p->there = (struct ns_link){ 0 };
    r = ns_tx_find(tx, p->dir, name, len, &p->there);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = ns_tx_inode(tx, p->there.ino, &p->old);
    return r == -ENOENT ? ns_tx_note(tx, -VS_ECORRUPT) : r;
}

/* Nothing would be won by keeping the file beside the one that has its name. */
static int publish_is_same(struct ns_tx *tx, const struct publish *p)
{
    if (p->file.attr.ino == p->old.attr.ino)
        return 1;
    if (S_ISREG(p->file.attr.mode) && p->file.attr.size == 0)
        return 1; /* an empty file says nothing that the name does not say already */
    return ns_content_same(tx, &p->file, &p->old);
}

/* What has the name is of no use to anybody, so this copy must not be dropped for it. */
static bool publish_is_lost(const struct publish *p)
{
    return (p->e->taken & NS_TAKEN_LOST) != 0 && p->file.attr.size > 0 &&
           p->file.attr.ino != p->old.attr.ino;
}

/* One name that might do: 1 and p->how when it is decided, 0 when the next number is to be tried.
 */
static int publish_try(struct ns_tx *tx, struct publish *p, const struct ns_answer *a, unsigned n)
{
    uint8_t taken = p->e->taken & (uint8_t)~NS_TAKEN_LOST;
    int r = publish_look(tx, p, a->name, a->name_len);

    if (r < 0)
        return r;
    if (p->there.ino == 0) {
        p->how = n == 1 ? NS_PUBLISHED_MOVED : NS_PUBLISHED_NUMBERED;
        return 1;
    }
    r = n == 1 && publish_is_lost(p) ? 0 : publish_is_same(tx, p);
    if (r != 0) {
        p->how = NS_PUBLISHED_SAME;
        return r;
    }
    if (taken == NS_TAKEN_REFUSE)
        return -EEXIST;
    if (n == 1 && taken == NS_TAKEN_REPLACE && !ns_is_dir(&p->old)) {
        p->how = NS_PUBLISHED_REPLACED;
        return 1;
    }
    return 0;
}

/* Decide on the name, which the answer gets. A card that is copied twice must not be stored twice,
 * so the same content is looked for under the numbered names too. */
static int publish_name(struct ns_tx *tx, struct publish *p, struct ns_answer *a)
{
    const struct ns_entry *e = p->e;
    int r;

    memcpy(a->name, e->name, e->name_len);
    a->name_len = (uint8_t)e->name_len;
    r = publish_try(tx, p, a, 1);
    for (unsigned n = 2; r == 0 && n <= NS_NAME_NUMBER_MAX; n++) {
        a->name_len = ns_name_numbered(e->name, e->name_len, n, a->name);
        r = publish_try(tx, p, a, n);
    }
    if (r == 0)
        return -EEXIST;
    return r < 0 ? r : 0;
}

/* The inbox name goes; the directory keeps times that were set by hand. */
static int publish_leave(struct ns_tx *tx, const struct publish *p)
{
    const struct ns_entry *e = p->e;
    int r;

    ns_tx_del_name(tx, e->parent, e->name, e->name_len, p->from.cookie);
    r = ns_tx_touch_dir(tx, e->parent, -1, 0);
    return r < 0 ? r : ns_mirror_keep_times(tx, e->parent, &p->box);
}

static int publish_arrive(struct ns_tx *tx, struct publish *p, struct ns_answer *a)
{
    bool replaces = p->how == NS_PUBLISHED_REPLACED;
    struct ns_link link = { .ino = p->file.attr.ino, .cookie = p->there.cookie };
    int r = 0;

    if (replaces)
        r = ns_tx_unlink_inode(tx, p->there.ino, &a->replaced);
    else
        link.cookie = tx->state.next_cookie++;
    if (r < 0)
        return r;
    ns_tx_set_name(tx, p->dir, a->name, a->name_len, &link, p->file.attr.mode);
    p->file.attr.flags &= ~(uint32_t)NS_F_FLUSHED;
    p->file.attr.ctime = tx->now;
    ns_tx_put_inode(tx, &p->file);
    r = ns_tx_touch_dir(tx, p->dir, replaces ? 0 : 1, 0);
    if (r < 0 || p->e->parent == NS_INO_INBOX)
        return r; /* times set on the inbox are the inbox's own */
    return ns_mirror_keep_times(tx, p->dir, &p->box);
}

int ns_rule_publish(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct publish p = { .e = e };
    int r;

    if ((e->taken & (uint8_t)~NS_TAKEN_LOST) > NS_TAKEN_REFUSE)
        return -EINVAL;
    r = publish_load(tx, &p);
    if (r == 0)
        r = publish_name(tx, &p, a);
    if (r == 0)
        r = publish_leave(tx, &p);
    if (r < 0)
        return r;
    ns_writer_put(tx, p.file.attr.ino, 0);
    a->published = p.how;
    a->dir = p.dir;
    if (p.how == NS_PUBLISHED_SAME) {
        r = ns_tx_unlink_inode(tx, p.file.attr.ino, &a->replaced);
        if (r == 0)
            r = ns_tx_inode(tx, p.there.ino, &p.old); /* it may have been the same inode */
        a->attr = p.old.attr;
        return r;
    }
    r = publish_arrive(tx, &p, a);
    a->attr = p.file.attr;
    return r;
}
