/* fuse_xattr: extended attributes.
 *
 * Three kinds: virtual ones (user.vstack.*, fs/xattrs.h), those of a file that is not committed yet
 * (fs/file_xattrs.h), and stored ones. ACLs are not supported: default_permissions asks the mode.
 * The kernel asks for security.capability before every write: "none" is remembered. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/cache_guard.h"
#include "fs/file_xattrs.h"
#include "fs/fuse_calls.h"
#include "fs/xattrs.h"
#include <stdlib.h>
#include <string.h>

static const char capability[] = "security.capability";

static bool name_begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* Others have no meaning here, and ACLs (system.) are not supported. */
static bool name_is_known(const char *name)
{
    return name_begins(name, "user.") || name_begins(name, "trusted.") ||
           name_begins(name, "security.");
}

/* What a getxattr or listxattr with room for `size` bytes is told. */
static void reply_bytes(fuse_req_t req, int r, const struct vs_buf *b, size_t size)
{
    if (r < 0)
        fuse_reply_error(req, r);
    else if (size == 0)
        fuse_reply_xattr(req, b->len);
    else if (b->len > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, (const char *)b->data, b->len);
}

static void answer_bytes(struct fuse_call *c, int r)
{
    reply_bytes(c->req, r, &c->bytes, c->size);
}

/* ---- get, list ---- */

struct getxattr {
    fuse_req_t req;
    size_t size;
    char *name; /* NULL: list */
    struct meta_req meta;
};

/* user.vstack.* are not listed: cp -a and rsync -X must not carry them. */
static void list_drop_virtual(struct vs_buf *b)
{
    size_t kept = 0;

    for (size_t at = 0; at < b->len;) {
        size_t len = strnlen((const char *)b->data + at, b->len - at);

        len += at + len < b->len ? 1 : 0;
        if (!name_begins((const char *)b->data + at, XATTRS_PREFIX)) {
            memmove(b->data + kept, b->data + at, len);
            kept += len;
        }
        at += len;
    }
    b->len = kept;
}

/* Nobody has given it one until somebody sets it. */
static void capability_is_absent(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);

    if (i == NULL)
        return;
    pthread_mutex_lock(&i->lock);
    i->no_capability = true;
    pthread_mutex_unlock(&i->lock);
    inode_put(fs->inodes, i);
}

static void getxattr_done(struct meta_req *m)
{
    struct getxattr *g = vs_container_of(m, struct getxattr, meta);

    if (m->op == META_LISTXATTR && m->status == 0)
        list_drop_virtual(&m->bytes);
    if (m->status == -ENODATA && strcmp(g->name, capability) == 0)
        capability_is_absent(fuse_fs(g->req), m->ino);
    reply_bytes(g->req, m->status, &m->bytes, g->size);
    vs_buf_close(&m->bytes);
    free(g->name);
    free(g);
    fuse_end();
}

static void getxattr_ask(fuse_req_t req, uint64_t ino, const char *name, size_t size)
{
    struct getxattr *g = calloc(1, sizeof(*g));

    if (g != NULL && name != NULL)
        g->name = strdup(name);
    if (g == NULL || (name != NULL && g->name == NULL)) {
        free(g);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fuse_begin();
    g->req = req;
    g->size = size;
    g->meta = (struct meta_req){ .op = name != NULL ? META_GETXATTR : META_LISTXATTR,
                                 .done = getxattr_done,
                                 .ino = ino,
                                 .name = g->name,
                                 .name_len = name != NULL ? strlen(name) : 0 };
    meta_submit(fuse_fs(req)->meta, &g->meta);
}

/* True: answered from what is known here, or set and not committed; *ret_r and *ret are the
 * answer. */
static bool xattr_known(const struct vsfs *fs, struct inode *i, const char *name,
                        struct vs_buf *ret, int *ret_r)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->no_xattrs && !i->provisional && i->xattrs == NULL && cache_guard_is_live(fs->guard)) {
        *ret_r = name != NULL ? -ENODATA : 0;
        return true;
    }
    if (name != NULL && i->no_capability && strcmp(name, capability) == 0) {
        *ret_r = -ENODATA;
        return true;
    }
    if (!i->provisional && i->xattrs == NULL)
        return false;
    *ret_r =
        name != NULL ? file_xattrs_get(i->xattrs, name, ret) : file_xattrs_list(i->xattrs, ret);
    return true;
}

static int work_get_virtual(struct fuse_call *c)
{
    struct inode *i = inode_resolve(c->fs->inodes, c->ino);
    int r = i != NULL ? xattrs_get(c->fs, i->ino, c->text, &c->bytes) : -ENOMEM;

    inode_put(c->fs->inodes, i);
    return r;
}

static void getxattr_start(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct vsfs *fs = fuse_fs(req);
    struct inode *i = inode_resolve(fs->inodes, ino);
    struct vs_buf bytes = { 0 };
    int r = 0;

    if (i == NULL)
        fuse_reply_err(req, ENOMEM);
    else if (xattr_known(fs, i, name, &bytes, &r))
        reply_bytes(req, r, &bytes, size);
    else
        getxattr_ask(req, i->ino, name, size);
    vs_buf_close(&bytes);
    inode_put(fs->inodes, i);
}

void fuse_call_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct fuse_call *c;

    if (!name_is_known(name)) {
        fuse_reply_err(req, EOPNOTSUPP);
    } else if (control_owns(ino)) {
        fuse_reply_err(req, ENODATA);
    } else if (name_begins(name, XATTRS_PREFIX)) {
        c = fuse_call_new(req, ino);
        if (c == NULL || !fuse_call_text(c, name, strlen(name)))
            return;
        c->size = size;
        fuse_call_start(c, work_get_virtual, answer_bytes);
    } else {
        getxattr_start(req, ino, name, size);
    }
}

void fuse_call_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct vs_buf none = { 0 };

    if (control_owns(ino))
        reply_bytes(req, 0, &none, size);
    else
        getxattr_start(req, ino, NULL, size);
}

/* ---- set, remove ---- */

/* May this attribute be changed? */
static int xattr_check(uint64_t ino, const char *name, const void *value, size_t len)
{
    if (control_owns(ino))
        return -EPERM;
    if (strlen(name) > NS_XATTR_NAME_BYTES_MAX)
        return -ERANGE;
    if (!name_is_known(name))
        return -EOPNOTSUPP;
    if (!name_begins(name, XATTRS_PREFIX))
        return 0;
    if (value == NULL || strcmp(name, XATTRS_REDUNDANCY) != 0)
        return -EPERM;
    return xattrs_check_redundancy(value, len);
}

/* Under i->names: what is set before the first commit must not come last. 1: it is for the
 * metadata. */
static int xattr_change_uncommitted(struct inode *i, const struct ns_entry *e, const char *name)
{
    VS_LOCK_SCOPE(&i->lock);
    if (strcmp(name, capability) == 0 && e->kind == NS_E_SETXATTR)
        i->no_capability = false;
    if (e->kind == NS_E_SETXATTR) {
        i->no_xattrs = false;
        i->xattrs_set = true;
    }
    if (!i->provisional && i->xattrs == NULL)
        return 1;
    if (e->kind == NS_E_REMOVEXATTR)
        return file_xattrs_remove(i->xattrs, name);
    return file_xattrs_set(&i->xattrs, name, e->value, e->value_len, (int)e->flags);
}

static int xattr_change(struct fuse_call *c, struct ns_entry *e, const char *name)
{
    struct inode *i = inode_resolve(c->fs->inodes, c->ino);
    int r;

    if (i == NULL)
        return -ENOMEM;
    e->ino = i->ino;
    e->name = name;
    e->name_len = strlen(name);
    pthread_mutex_lock(&i->names);
    r = xattr_change_uncommitted(i, e, name);
    if (r == 1)
        r = vsfs_change(c->fs, e, NULL);
    pthread_mutex_unlock(&i->names);
    inode_put(c->fs->inodes, i);
    return r;
}

static int work_set(struct fuse_call *c)
{
    struct ns_entry e = {
        .kind = NS_E_SETXATTR, .flags = c->flags, .value = c->text, .value_len = c->len
    };

    return xattr_change(c, &e, (const char *)c->bytes.data);
}

static int work_remove(struct fuse_call *c)
{
    struct ns_entry e = { .kind = NS_E_REMOVEXATTR };

    return xattr_change(c, &e, (const char *)c->bytes.data);
}

static void xattr_start(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    int r = xattr_check(ino, name, value, size);
    struct fuse_call *c;

    if (r < 0) {
        fuse_reply_error(req, r);
        return;
    }
    c = fuse_call_new(req, ino);
    if (c == NULL || !fuse_call_text(c, value != NULL ? value : "", size))
        return;
    c->bytes.data = (uint8_t *)strdup(name);
    c->flags = (unsigned)flags;
    if (c->bytes.data == NULL)
        fuse_call_start(c, fuse_work_no_memory, fuse_answer_err);
    else
        fuse_call_start(c, value != NULL ? work_set : work_remove, fuse_answer_err);
}

void fuse_call_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    xattr_start(req, ino, name, value, size, flags);
}

void fuse_call_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    xattr_start(req, ino, name, NULL, 0, 0);
}
