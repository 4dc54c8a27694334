/* fuse_attr: getattr, setattr, statfs. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/dir_view.h"
#include "fs/fuse_calls.h"
#include "fs/statfs.h"
#include <stdatomic.h>
#include <stdlib.h>

/* ---- getattr ---- */

#define GETATTR_PATIENCE_NS VS_NS_PER_S

/* The kernel asks before reads, too. So an open file, and the root (the way to `.vstack`), are
 * answered with what was told last when the metadata is out of reach, or late: a film that is open
 * plays on. Everything else is an error then. */
struct getattr {
    struct vsfs *fs;
    fuse_req_t req; /* until it is answered */
    uint64_t node, since;
    struct dir_view_moment moment;
    struct meta_req meta;
    struct inode *i; /* a reference */
    struct vs_job late;
    bool timed;       /* `late` was set */
    atomic_uint refs; /* the question, the timer */
    atomic_bool answered;
};

static void getattr_end(struct getattr *g)
{
    if (atomic_fetch_sub(&g->refs, 1) > 1)
        return;
    inode_put(g->fs->inodes, g->i);
    free(g);
    fuse_end();
}

/* What the kernel was told last, of a file that is open, or the root. */
static bool getattr_told(struct inode *i, struct ns_attr *ret)
{
    VS_LOCK_SCOPE(&i->lock);
    *ret = i->told;
    return i->told.ino != 0 && (i->opens > 0 || i->ino == NS_INO_ROOT);
}

static void getattr_late(struct vs_job *job)
{
    struct getattr *g = vs_container_of(job, struct getattr, late);
    struct ns_attr told;

    if (getattr_told(g->i, &told) && !atomic_exchange(&g->answered, true))
        fuse_reply_attributes(g->req, g->since, g->node, &told);
    getattr_end(g);
}

static void getattr_done(struct meta_req *m)
{
    struct getattr *g = vs_container_of(m, struct getattr, meta);
    struct ns_attr told;

    if (m->status == 0)
        dir_view_told(g->fs->dirs, &g->moment, &m->attr);
    if (g->timed && vs_exec_cancel_after(g->fs->exec, &g->late) == 1)
        atomic_fetch_sub(&g->refs, 1);
    if (!atomic_exchange(&g->answered, true)) {
        if (m->status == 0)
            fuse_reply_attributes(g->req, g->since, g->node, &m->attr);
        else if (m->status == -VS_EDOWN && getattr_told(g->i, &told))
            fuse_reply_attributes(g->req, g->since, g->node, &told);
        else
            fuse_reply_error(g->req, m->status);
    }
    getattr_end(g);
}

/* True: the metadata does not know it yet; its attributes. */
static bool getattr_provisional(struct inode *i, struct ns_attr *ret)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->provisional)
        *ret = i->attr;
    return i->provisional;
}

static int getattr_control(struct fuse_call *c)
{
    return control_getattr(c->fs, c->ino, &c->attr);
}

static void answer_attr(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_attributes(c->req, c->since, c->ino, &c->attr);
}

static void getattr_start(fuse_req_t req, uint64_t node, struct inode *i)
{
    struct getattr *g = calloc(1, sizeof(*g));
    struct vsfs *fs = fuse_fs(req);
    struct ns_attr told;

    if (g == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fuse_begin();
    g->fs = fs;
    g->req = req;
    g->node = node;
    g->i = inode_ref(i, fs->inodes);
    g->moment = dir_view_moment(fs->dirs, i->ino);
    g->since = cache_guard_moment(fs->guard);
    g->meta = (struct meta_req){ .op = META_GETATTR, .done = getattr_done, .ino = i->ino };
    g->timed = fs->metas != NULL && getattr_told(i, &told);
    atomic_store(&g->refs, g->timed ? 2 : 1);
    if (g->timed) {
        g->late.fn = getattr_late;
        vs_exec_after(fs->exec, &g->late, GETATTR_PATIENCE_NS);
    }
    meta_submit(fs->meta, &g->meta);
}

void fuse_call_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vsfs *fs = fuse_fs(req);
    struct ns_attr attr;
    struct fuse_call *c;
    struct inode *i;
    uint64_t since;

    (void)fi;
    if (control_owns(ino)) {
        c = fuse_call_new(req, ino);
        if (c != NULL)
            fuse_call_start(c, getattr_control, answer_attr);
        return;
    }
    i = inode_resolve(fs->inodes, ino);
    if (i == NULL)
        fuse_reply_err(req, ENOMEM);
    else if (getattr_provisional(i, &attr))
        fuse_reply_attributes(req, 0, ino, &attr); /* this mount's own */
    else if (dir_view_attr(fs->dirs, i->ino, &attr, &since))
        fuse_reply_attributes(req, since, ino, &attr);
    else
        getattr_start(req, ino, i);
    inode_put(fs->inodes, i);
}

/* ---- setattr ---- */

/* A chown, or a truncate by somebody who may not keep them. */
static int setattr_drop_privs(struct fuse_call *c)
{
    struct inode *i = c->file != NULL ? inode_ref(c->file->inode, c->fs->inodes)
                                      : inode_resolve(c->fs->inodes, c->ino);
    int r = i != NULL ? files_drop_privs(c->fs, i) : -ENOMEM;

    if (r == 0)
        r = names_attr(c->fs, i, &c->attr);
    inode_put(c->fs->inodes, i);
    return r;
}

static int work_setattr(struct fuse_call *c)
{
    struct ns_attr attr = c->attr;
    int r = files_setattr(c->fs, &c->who, c->ino, c->file, c->set, &attr,
                          c->has_size ? &c->size : NULL, &c->attr);

    if (r == 0 && c->kills_privs && !control_owns(c->ino))
        r = setattr_drop_privs(c);
    return r;
}

static struct ns_time setattr_time(struct vsfs *fs, bool now, const struct timespec *t)
{
    return now ? vsfs_now(fs) : (struct ns_time){ .s = t->tv_sec, .ns = (uint32_t)t->tv_nsec };
}

void fuse_call_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL)
        return;
    c->file = fi != NULL ? fuse_file(fi) : NULL;
    if (to_set & FUSE_SET_ATTR_MODE)
        c->set |= NS_SET_MODE;
    if (to_set & FUSE_SET_ATTR_UID)
        c->set |= NS_SET_UID;
    if (to_set & FUSE_SET_ATTR_GID)
        c->set |= NS_SET_GID;
    if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
        c->set |= NS_SET_ATIME;
    if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
        c->set |= NS_SET_MTIME;
    c->attr.mode = attr->st_mode;
    c->attr.uid = attr->st_uid;
    c->attr.gid = attr->st_gid;
    c->attr.atime = setattr_time(c->fs, to_set & FUSE_SET_ATTR_ATIME_NOW, &attr->st_atim);
    c->attr.mtime = setattr_time(c->fs, to_set & FUSE_SET_ATTR_MTIME_NOW, &attr->st_mtim);
    c->has_size = to_set & FUSE_SET_ATTR_SIZE;
    c->size = (uint64_t)attr->st_size;
    if (c->has_size)
        fuse_call_start_long(c, work_setattr, answer_attr);
    else
        fuse_call_start(c, work_setattr, answer_attr);
}

/* ---- statfs ---- */

static int work_statfs(struct fuse_call *c)
{
    c->bytes.data = calloc(1, sizeof(struct statvfs));
    return c->bytes.data != NULL ? statfs_fill(c->fs, (struct statvfs *)c->bytes.data) : -ENOMEM;
}

static void answer_statfs(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_statfs(c->req, (const struct statvfs *)c->bytes.data);
}

void fuse_call_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c != NULL)
        fuse_call_start(c, work_statfs, answer_statfs);
}
