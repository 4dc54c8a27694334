/* fuse_names: callbacks that make and remove names. All wait for the metadata; a link also for the
 * first commit of a file that has none yet. */
#include "common/err.h"
#include "fs/fuse_calls.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void answer_entry(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_found(c->req, c->since, c->new_ino, c->name, c->name_len, c->attr.ino, &c->attr);
}

/* ---- make: c->new_ino is the directory ---- */

static int work_make(struct fuse_call *c)
{
    return names_make(c->fs, &c->who, c->new_ino, c->name, c->name_len, c->mode, c->rdev, c->text,
                      &c->attr);
}

static void start_make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev,
                       const char *target)
{
    struct fuse_call *c = fuse_call_new(req, 0);

    if (c == NULL || !fuse_call_name(c, name))
        return;
    if (target != NULL && !fuse_call_text(c, target, strlen(target)))
        return;
    c->new_ino = parent;
    c->mode = mode;
    c->rdev = (uint32_t)rdev;
    fuse_call_start(c, work_make, answer_entry);
}

void fuse_call_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    start_make(req, parent, name, (mode & S_IFMT) != 0 ? mode : mode | S_IFREG, rdev, NULL);
}

void fuse_call_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    start_make(req, parent, name, S_IFDIR | (mode & 07777), 0, NULL);
}

void fuse_call_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    start_make(req, parent, name, S_IFLNK | 0777, 0, link);
}

static int work_link(struct fuse_call *c)
{
    struct inode *i = inode_resolve(c->fs->inodes, c->ino);
    int r = -ENOMEM;

    if (i != NULL)
        r = names_link(c->fs, i->ino, c->new_ino, c->name, c->name_len, &c->attr);
    inode_put(c->fs->inodes, i);
    return r;
}

void fuse_call_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL || !fuse_call_name(c, newname))
        return;
    c->new_ino = newparent;
    fuse_call_start_long(c, work_link, answer_entry);
}

/* ---- remove, rename ---- */

static int work_unlink(struct fuse_call *c)
{
    return names_unlink(c->fs, c->ino, c->name, c->name_len);
}

void fuse_call_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_call *c = fuse_call_new(req, parent);

    if (c != NULL && fuse_call_name(c, name))
        fuse_call_start(c, work_unlink, fuse_answer_err);
}

static int work_rmdir(struct fuse_call *c)
{
    return names_rmdir(c->fs, c->ino, c->name, c->name_len);
}

void fuse_call_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_call *c = fuse_call_new(req, parent);

    if (c != NULL && fuse_call_name(c, name))
        fuse_call_start(c, work_rmdir, fuse_answer_err);
}

static int work_rename(struct fuse_call *c)
{
    return names_rename(c->fs, c->ino, c->name, c->name_len, c->new_ino, c->new_name,
                        c->new_name_len, c->flags);
}

void fuse_call_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                      const char *newname, unsigned int flags)
{
    struct fuse_call *c = fuse_call_new(req, parent);

    if (c == NULL || !fuse_call_name(c, name) || !fuse_call_new_name(c, newname))
        return;
    c->new_ino = newparent;
    c->flags = flags;
    fuse_call_start(c, work_rename, fuse_answer_err);
}

/* ---- create ---- */

/* The name was taken since the kernel looked: open what is there. */
static int create_existing(struct fuse_call *c)
{
    struct names_found found;
    uint64_t ino;
    int r;

    if (c->fi.flags & O_EXCL)
        return -EEXIST;
    r = names_find(c->fs, c->new_ino, c->name, c->name_len, &found);
    if (r < 0)
        return r;
    ino = found.inode != NULL ? found.inode->ino : found.attr.ino;
    r = found.kind != NAMES_NONE ? 0 : -ENOENT;
    if (found.kind == NAMES_STORED && !S_ISREG(found.attr.mode)) /* the kernel looks again */
        r = S_ISDIR(found.attr.mode) ? -EISDIR : -ESTALE;
    if (r == 0)
        r = files_open(c->fs, &c->who, ino, c->fi.flags, &c->file, &c->keep_pages);
    if (r == 0)
        r = fuse_file_opened(c);
    if (r == 0)
        r = names_attr(c->fs, c->file->inode, &c->attr);
    names_found_close(c->fs, &found);
    return r;
}

/* A name is known to this mount alone until its file is closed. Whoever insists on being the first
 * (a lock file) is so among all mounts. -EEXIST: another one was. */
static int create_reserve(struct fuse_call *c, struct inode *i)
{
    if (!c->fs->shared || !(c->fi.flags & O_EXCL))
        return 0;
    return files_commit(c->fs, i, WFILE_FSYNC);
}

/* As it was made here, or as its commit was answered: nobody needs to be asked. */
static void create_attr(struct fuse_call *c, struct inode *i)
{
    pthread_mutex_lock(&i->lock);
    c->attr = i->attr;
    pthread_mutex_unlock(&i->lock);
    wfile_getattr(i, &c->attr);
}

static int work_create(struct fuse_call *c)
{
    struct inode *i;
    int r = names_create(c->fs, &c->who, c->new_ino, c->name, c->name_len, c->mode, &i);

    if (r == -EEXIST)
        return create_existing(c);
    if (r < 0)
        return r;
    r = files_open_created(c->fs, i, c->fi.flags, &c->file);
    if (r == 0)
        r = create_reserve(c, i);
    if (r < 0)
        names_unlink(c->fs, c->new_ino, c->name, c->name_len);
    else
        create_attr(c, i);
    inode_put(c->fs->inodes, i);
    return r;
}

static void answer_create(struct fuse_call *c, int r)
{
    struct fuse_entry_param e;

    if (r == 0)
        r = fuse_entry(c->fs, c->since, c->new_ino, c->name, c->name_len, c->attr.ino, &c->attr,
                       &e);
    if (r < 0) {
        if (c->file != NULL)
            files_release(c->fs, c->file);
        fuse_reply_error(c->req, r);
        return;
    }
    c->fi.fh = (uintptr_t)c->file;
    c->fi.keep_cache = c->keep_pages;
    fuse_file_given(c->file);
    if (fuse_reply_create(c->req, &e, &c->fi) == -ENOENT) { /* interrupted */
        fuse_file_back(c->fs, c->file);
        inode_forget(c->fs->inodes, c->attr.ino, 1);
    }
}

void fuse_call_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    struct fuse_call *c = fuse_call_new(req, 0);

    if (c == NULL || !fuse_call_name(c, name))
        return;
    c->new_ino = parent;
    c->mode = mode;
    c->fi = *fi;
    fuse_call_start(c, work_create, answer_create);
}
