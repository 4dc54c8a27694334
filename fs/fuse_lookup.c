/* fuse_lookup: lookup, forget, readlink.
 *
 * A lookup asks, in this order: the control files, the provisional names, the metadata, the aliases
 * of the inbox; a name of the tree that an upload is about to get is waited for, once. Everything
 * but the control files is answered without an ops thread, so that lookups never queue behind
 * commits. */
#include "common/err.h"
#include "fs/dir_view.h"
#include "fs/fuse_calls.h"
#include "fs/inbox.h"
#include "fs/provisional.h"
#include <stdlib.h>
#include <string.h>

struct lookup {
    fuse_req_t req;
    struct vsfs *fs;
    uint64_t parent, since;
    struct dir_view_moment moment; /* when the metadata was asked */
    char name[NS_NAME_BYTES_MAX + 1];
    size_t len;
    struct inode *alias; /* its film's attributes are being asked for */
    struct meta_req meta;
    struct inbox_wait wait;
    bool expected; /* it was about to be published when the metadata was asked */
    bool waited;
};

/* The one reply. r == 0: `node` with `attr`. */
static void lookup_answer(struct lookup *l, int r, uint64_t node, const struct ns_attr *attr)
{
    if (r == -ENOENT && l->alias == NULL)
        dir_view_missing(l->fs->dirs, &l->moment, l->parent, l->name, l->len);
    if (r < 0)
        fuse_reply_error(l->req, r);
    else
        fuse_reply_found(l->req, l->since, l->parent, l->name, l->len, node, attr);
    if (l->alias != NULL)
        inode_put(l->fs->inodes, l->alias);
    free(l);
    fuse_end();
}

static void lookup_ask(struct lookup *l);

static void lookup_waited(struct inbox_wait *w)
{
    struct lookup *l = vs_container_of(w, struct lookup, wait);

    l->waited = true;
    lookup_ask(l);
}

static void lookup_alias(struct lookup *l);

static void lookup_alias_done(struct meta_req *m)
{
    struct lookup *l = vs_container_of(m, struct lookup, meta);
    char name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    size_t len;

    if (m->status == -ENOENT && l->alias->alias_of != m->ino) {
        lookup_alias(l); /* the same content was there: it stands for that now */
        return;
    }
    if (m->status == -ENOENT) /* the film is gone */
        inbox_alias_take(l->fs, l->alias, &parent, name, &len);
    lookup_answer(l, m->status, l->alias->ino, &m->attr);
}

static void lookup_alias(struct lookup *l)
{
    l->meta = (struct meta_req){ .op = META_GETATTR,
                                 .done = lookup_alias_done,
                                 .ino = l->alias->alias_of };
    meta_submit(l->fs->meta, &l->meta);
}

/* The metadata has no such name. */
static void lookup_missing(struct lookup *l)
{
    l->alias = inbox_alias_find(l->fs, l->parent, l->name, l->len);
    if (l->alias != NULL) {
        lookup_alias(l);
        return;
    }
    l->wait = (struct inbox_wait){ .dir = l->parent,
                                   .name = l->name,
                                   .name_len = l->len,
                                   .wait_ms = INBOX_EXPECT_WAIT_MS,
                                   .done = lookup_waited };
    if (!l->waited && inbox_wait(l->fs, &l->wait))
        return;
    if (!l->waited && l->expected)
        lookup_waited(&l->wait); /* published while the metadata was asked */
    else
        lookup_answer(l, -ENOENT, 0, NULL);
}

static void lookup_done(struct meta_req *m)
{
    struct lookup *l = vs_container_of(m, struct lookup, meta);

    if (m->status == -ENOENT)
        lookup_missing(l);
    else
        lookup_answer(l, m->status, m->attr.ino, &m->attr);
}

static void lookup_ask(struct lookup *l)
{
    struct vsfs *fs = l->fs;
    struct inode *i = provisional_find(fs->provisional, l->parent, l->name, l->len);
    struct ns_attr attr;

    if (i != NULL) {
        pthread_mutex_lock(&i->lock);
        attr = i->attr;
        pthread_mutex_unlock(&i->lock);
        lookup_answer(l, 0, i->ino, &attr);
        inode_put(fs->inodes, i);
        return;
    }
    l->moment = dir_view_moment(fs->dirs, l->parent);
    l->expected = inbox_expects(fs, l->parent, l->name, l->len);
    l->meta = (struct meta_req){ .op = META_LOOKUP,
                                 .done = lookup_done,
                                 .ino = l->parent,
                                 .name = l->name,
                                 .name_len = l->len };
    meta_submit(fs->meta, &l->meta);
}

static int lookup_control(struct fuse_call *c)
{
    return control_lookup(c->fs, c->ino, c->name, c->name_len, &c->attr);
}

static void lookup_control_answer(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_found(c->req, c->since, c->ino, c->name, c->name_len, c->attr.ino, &c->attr);
}

void fuse_call_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    size_t len = strlen(name);
    struct fuse_call *c;
    struct lookup *l;

    if (control_has_name(parent, name, len)) {
        c = fuse_call_new(req, parent);
        if (c != NULL && fuse_call_name(c, name))
            fuse_call_start(c, lookup_control, lookup_control_answer);
        return;
    }
    l = len <= NS_NAME_BYTES_MAX ? calloc(1, sizeof(*l)) : NULL;
    if (l == NULL) {
        fuse_reply_err(req, len <= NS_NAME_BYTES_MAX ? ENOMEM : ENAMETOOLONG);
        return;
    }
    fuse_begin();
    l->req = req;
    l->fs = fuse_fs(req);
    l->parent = parent;
    l->since = cache_guard_moment(l->fs->guard);
    l->len = len;
    memcpy(l->name, name, len + 1);
    lookup_ask(l);
}

void fuse_call_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    inode_forget(fuse_fs(req)->inodes, ino, nlookup);
    fuse_reply_none(req);
}

void fuse_call_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t n = 0; n < count; n++)
        inode_forget(fuse_fs(req)->inodes, forgets[n].ino, forgets[n].nlookup);
    fuse_reply_none(req);
}

/* ---- readlink ---- */

struct readlink {
    fuse_req_t req;
    struct meta_req meta;
};

static void readlink_done(struct meta_req *m)
{
    struct readlink *l = vs_container_of(m, struct readlink, meta);
    int r = m->status;

    if (r == 0 && !S_ISLNK(m->attr.mode))
        r = -EINVAL;
    if (r == 0)
        r = vs_buf_append(&m->bytes, "", 1, NS_SYMLINK_BYTES_MAX + 1);
    if (r < 0)
        fuse_reply_error(l->req, r);
    else
        fuse_reply_readlink(l->req, (const char *)m->bytes.data);
    vs_buf_close(&m->bytes);
    free(l);
    fuse_end();
}

void fuse_call_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct readlink *l = calloc(1, sizeof(*l));
    struct vsfs *fs = fuse_fs(req);
    struct inode *i;

    if (l == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fuse_begin();
    i = inode_resolve(fs->inodes, ino);
    l->req = req;
    l->meta = (struct meta_req){ .op = META_CONTENT,
                                 .done = readlink_done,
                                 .ino = i != NULL ? i->ino : ino };
    inode_put(fs->inodes, i);
    meta_submit(fs->meta, &l->meta);
}
