/* file_attrs: chmod, chown, utimens, truncate, fallocate and lseek, on files that are stored, being
 * written, or known by an alias. The declarations are in fs/files.h. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/files.h"
#include "fs/inbox.h"
#include "fs/notify.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool inode_writing(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    return i->wfile != NULL;
}

/* ---- truncate ---- */

/* The handle goes on with the new upload that its alias has become. */
static int truncate_switch(struct vsfs *fs, struct file *f, struct inode *fresh)
{
    struct file *other;
    int r = files_open_created(fs, fresh, f->writer ? O_RDWR : O_RDONLY, &other);

    if (r < 0)
        return r;
    f->left = f->inode; /* closed with the handle */
    f->inode = other->inode;
    f->wrote = true;
    free(other);
    return 0;
}

/* truncate(2) to 0 of an alias: a new, empty upload. 1: done; 0: it is no alias (any more). */
static int truncate_alias(struct vsfs *fs, const struct names_caller *who, uint64_t ino,
                          struct file *f)
{
    struct inode *fresh;
    int r = files_restart_alias(fs, who, ino, &fresh);

    if (r < 0)
        return r == -ENODATA ? 0 : r;
    if (f != NULL && f->left == NULL) {
        r = truncate_switch(fs, f, fresh);
    } else {
        r = files_commit(fs, fresh, WFILE_RELEASE); /* nobody has it open */
        if (r == 0)
            inbox_released(fs, fresh);
    }
    inode_put(fs->inodes, fresh);
    return r < 0 ? r : 1;
}

static int file_truncate(struct vsfs *fs, const struct names_caller *who, uint64_t ino,
                         struct file *f, uint64_t size)
{
    struct inode *i;
    int r = 0;

    if (size == 0 && inode_is_alias(ino))
        r = truncate_alias(fs, who, ino, f);
    else if (size == 0 && f != NULL)
        r = files_before_cut(fs, f);
    if (r != 0)
        return r < 0 ? r : 0;
    i = f != NULL ? inode_ref(f->inode, fs->inodes) : inode_resolve(fs->inodes, ino);
    if (i == NULL)
        return -ENOMEM;
    r = f != NULL ? wfile_truncate(fs, i, size) : files_cut(fs, i, size, !inode_is_alias(ino));
    if (r == 0 && f != NULL && f->writer)
        f->wrote = true;
    if (inode_is_alias(ino))
        files_drop_pages(fs, i); /* the kernel has cut those of the alias */
    inode_put(fs->inodes, i);
    return r;
}

/* ---- setattr ---- */

static void inode_set_no_privs(struct inode *i, bool none)
{
    VS_LOCK_SCOPE(&i->lock);
    i->no_privs = none;
}

/* A file that is not committed keeps it for the commit; else the journal is told. */
static int setattr_named(struct vsfs *fs, struct inode *i, uint32_t set, const struct ns_attr *attr)
{
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = i->ino, .set = set, .attr = *attr };
    int r = 0;

    if (!inode_writing(i) || wfile_setattr(fs, i, set, attr) == 1)
        r = vsfs_change(fs, &e, NULL);
    if (set & NS_SET_MODE)
        inode_set_no_privs(i, false); /* after the change: who looked before it looks again */
    return r;
}

int files_setattr(struct vsfs *fs, const struct names_caller *who, uint64_t ino, struct file *f,
                  uint32_t set, const struct ns_attr *attr, const uint64_t *size,
                  struct ns_attr *ret)
{
    struct inode *i;
    uint64_t mirror;
    int r = 0;

    if (control_owns(ino))
        return size != NULL ? control_getattr(fs, ino, ret) : -EPERM;
    if (size != NULL)
        r = file_truncate(fs, who, ino, f, *size);
    if (r < 0)
        return r;
    i = f != NULL ? inode_ref(f->inode, fs->inodes) : inode_resolve(fs->inodes, ino);
    if (i == NULL)
        return -ENOMEM;
    if (set != 0)
        r = setattr_named(fs, i, set, attr);
    if (r == 0)
        r = names_attr(fs, i, ret);
    if (r == 0 && inode_is_alias(ino))
        notify_attr(fs->notify, i->ino); /* the kernel changed the alias only */
    mirror = inbox_dir_mirror(fs->inbox, ino);
    if (r == 0 && mirror != 0)
        notify_attr(fs->notify, mirror);
    inode_put(fs->inodes, i);
    return r;
}

/* ---- suid, sgid ---- */

static uint32_t mode_without_privs(uint32_t mode)
{
    mode &= ~(uint32_t)S_ISUID;
    return (mode & S_IXGRP) ? mode & ~(uint32_t)S_ISGID : mode;
}

bool files_may_have_privs(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->provisional)
        i->no_privs = mode_without_privs(i->attr.mode) == i->attr.mode;
    return !i->no_privs;
}

int files_drop_privs(struct vsfs *fs, struct inode *i)
{
    struct ns_attr attr;
    uint32_t before;
    int r;

    inode_set_no_privs(i, true); /* before the look: a chmod meanwhile takes it back */
    r = names_attr(fs, i, &attr);
    before = attr.mode;
    if (r == 0)
        attr.mode = mode_without_privs(before);
    if (r == 0 && attr.mode != before) {
        r = setattr_named(fs, i, NS_SET_MODE, &attr);
        notify_attr(fs->notify, i->ino);
    }
    if (r < 0)
        inode_set_no_privs(i, false);
    return r;
}

/* ---- fallocate, lseek ---- */

int files_fallocate(struct vsfs *fs, struct file *f, int mode, uint64_t offset, uint64_t len)
{
    struct inode *i = f->inode;
    int r;

    if (i == NULL)
        return -EPERM;
    r = wfile_fallocate(fs, i, mode, offset, len);
    if (r == 0)
        f->wrote = true;
    return r;
}

/* In a list of chunks that covers the file: the first byte at or behind `offset` that is data, or
 * is not. The end of the file counts as a hole. */
static int64_t seek_chunks(const struct mf_chunk *chunks, size_t count, uint64_t offset,
                           uint64_t size, bool data)
{
    for (size_t n = 0; n < count; n++) {
        const struct mf_chunk *c = &chunks[n];

        if (c->offset + c->bytes <= offset || vs_id_is_zero(&c->id) == data)
            continue;
        return (int64_t)(c->offset > offset ? c->offset : offset);
    }
    return data ? -ENXIO : (int64_t)size;
}

static int64_t seek_stored(struct vsfs *fs, uint64_t ino, uint64_t offset, bool data)
{
    struct mf_chunk *chunks = NULL;
    struct content *c = NULL;
    struct ns_attr attr;
    size_t count;
    int64_t r;

    r = content_load_wait(fs->meta, ino, &c, &attr);
    if (r < 0)
        return r;
    if (offset >= c->size) {
        r = -ENXIO;
    } else if (c->kind != NS_CONTENT_CHUNKS || attr.data_bytes >= c->size) {
        r = data ? (int64_t)offset : (int64_t)c->size;
    } else {
        r = content_chunks_wait(c, &chunks, &count);
        if (r == 0)
            r = seek_chunks(chunks, count, offset, c->size, data);
    }
    free(chunks);
    content_put(c);
    return r;
}

int64_t files_seek(struct vsfs *fs, struct file *f, uint64_t offset, bool data)
{
    struct inode *i = f->inode;

    if (i == NULL)
        return -EINVAL;
    if (inode_writing(i))
        return wfile_seek(fs, i, offset, data);
    return seek_stored(fs, i->ino, offset, data);
}
