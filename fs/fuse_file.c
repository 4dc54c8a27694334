/* fuse_file: open, read, write, flush, release, fsync, fallocate, lseek.
 *
 * Reads and appended writes are answered without a thread that waits: by the loop's thread when the
 * bytes are in memory (or taken), else by the thread that has them. What must wait for stores runs
 * on fs->ops. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/fuse_calls.h"
#include "fs/fuse_wire.h"
#include "fs/read_report.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- handles ---- */

static struct fuse_handles files_open_now = FUSE_HANDLES_INIT(files_open_now);

void fuse_file_given(struct file *f)
{
    fuse_handles_add(&files_open_now, &f->of_session);
}

void fuse_file_back(struct vsfs *fs, struct file *f)
{
    fuse_handles_del(&files_open_now, &f->of_session);
    files_release(fs, f);
}

void fuse_file_drop_all(struct vsfs *fs)
{
    struct vs_list *h;

    while ((h = fuse_handles_take(&files_open_now)) != NULL) {
        struct file *f = vs_container_of(h, struct file, of_session);

        control_close(fs, f->control);
        free(f);
    }
}

int fuse_file_opened(struct fuse_call *c)
{
    int r;

    if (!c->kills_privs || (c->fi.flags & O_TRUNC) == 0 || c->file->control != NULL)
        return 0;
    r = files_drop_privs(c->fs, c->file->inode);
    if (r == 0)
        return 0;
    files_release(c->fs, c->file);
    c->file = NULL;
    return r;
}

/* ---- open ---- */

static int work_open(struct fuse_call *c)
{
    int r = files_open(c->fs, &c->who, c->ino, c->fi.flags, &c->file, &c->keep_pages);

    return r < 0 ? r : fuse_file_opened(c);
}

static void answer_open(struct fuse_call *c, int r)
{
    if (r < 0) {
        fuse_reply_error(c->req, r);
        return;
    }
    c->fi.fh = (uintptr_t)c->file;
    c->fi.keep_cache = c->keep_pages;
    c->fi.direct_io = c->file->control != NULL; /* its size is not known before it is read */
    fuse_file_given(c->file);
    if (fuse_reply_open(c->req, &c->fi) == -ENOENT) /* interrupted: no release will come */
        fuse_file_back(c->fs, c->file);
}

void fuse_call_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL)
        return;
    c->fi = *fi;
    if ((fi->flags & O_ACCMODE) != O_RDONLY)
        fuse_call_start_long(c, work_open, answer_open); /* may truncate */
    else
        fuse_call_start(c, work_open, answer_open);
}

/* ---- read ---- */

struct reading {
    fuse_req_t req;
    struct read_op op;
};

/* More pieces than writev(2) takes: many tiny chunks. */
static void read_reply_copied(fuse_req_t req, const struct read_op *op)
{
    VS_AUTO_FREE char *flat = malloc(op->got_bytes > 0 ? op->got_bytes : 1);
    size_t at = 0;

    for (int n = 0; flat != NULL && n < op->iovcnt; n++) {
        memcpy(flat + at, op->iov[n].iov_base, op->iov[n].iov_len);
        at += op->iov[n].iov_len;
    }
    if (flat == NULL)
        fuse_reply_err(req, ENOMEM);
    else
        fuse_reply_buf(req, flat, at);
}

static void read_done(struct read_op *op)
{
    struct reading *r = vs_container_of(op, struct reading, op);

    if (op->status < 0) {
        read_report(op->fs, op->inode, op->offset, op->bytes, op->status);
        fuse_reply_error(r->req, op->status);
    } else if (op->got_bytes == 0) {
        fuse_reply_buf(r->req, NULL, 0);
    } else if (op->iovcnt >= IOV_MAX) {
        read_reply_copied(r->req, op);
    } else {
        fuse_reply_iov(r->req, op->iov, op->iovcnt);
    }
    read_op_put(op);
    free(r);
    fuse_end();
}

static int work_read_control(struct fuse_call *c)
{
    uint64_t answer = c->file->control_answer;

    if (c->offset >= answer) /* else somebody has gone back to the start */
        c->offset -= answer;
    return control_read(c->file->control, c->offset, c->len, &c->bytes);
}

static void answer_read_control(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_buf(c->req, (const char *)c->bytes.data, c->bytes.len);
}

static bool inode_has_wfile(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    return i->wfile != NULL;
}

void fuse_call_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct file *f = fuse_file(fi);
    struct inode *i = f->inode;
    struct fuse_call *c;
    struct reading *r;
    int now;

    if (f->control != NULL) {
        c = fuse_call_new(req, ino);
        if (c == NULL)
            return;
        c->file = f;
        c->offset = (uint64_t)off;
        c->len = size < FUSE_OPS_BYTES_MAX ? size : FUSE_OPS_BYTES_MAX;
        fuse_call_start(c, work_read_control, answer_read_control);
        return;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fuse_begin();
    r->req = req;
    r->op.offset = (uint64_t)off;
    r->op.bytes = (uint32_t)(size < READ_OP_BYTES_MAX ? size : READ_OP_BYTES_MAX);
    r->op.cursor = &f->cursor;
    if (!f->writer)
        view_report_read(fuse_fs(req)->view_report, &f->track, i->ino, r->op.offset, r->op.bytes);
    r->op.done = read_done;
    now = inode_has_wfile(i) ? wfile_read_start(fuse_fs(req), i, &r->op)
                             : read_op_start(fuse_fs(req), i, &r->op);
    if (now == 1)
        read_done(&r->op);
}

/* ---- write ---- */

/* A write that was taken and waits for room. */
struct writing {
    fuse_req_t req;
    size_t len;
    struct upload_room room;
};

static void write_reply(fuse_req_t req, int r, size_t len)
{
    if (r < 0)
        fuse_reply_error(req, r);
    else
        fuse_reply_write(req, len);
}

static void write_room(struct upload_room *room)
{
    struct writing *w = vs_container_of(room, struct writing, room);

    write_reply(w->req, room->status, w->len);
    free(w);
    fuse_end();
}

static int work_write(struct fuse_call *c)
{
    struct inode *i = c->file->inode;
    int r;

    c->count = (int64_t)c->len;
    if (c->file->control != NULL) {
        c->count = control_write(c->fs, c->file->control, c->text, c->len);
        c->file->control_answer = c->offset + c->len;
        return c->count < 0 ? (int)c->count : 0;
    }
    r = c->kills_privs ? files_drop_privs(c->fs, i) : 0;
    return r < 0 ? r : wfile_write_wait(c->fs, i, c->offset, c->text, c->len);
}

static void answer_write(struct fuse_call *c, int r)
{
    write_reply(c->req, r, (size_t)c->count);
}

static void write_wait(fuse_req_t req, uint64_t ino, struct file *f, const char *buf, size_t size,
                       uint64_t offset)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL || !fuse_call_text(c, buf, size))
        return;
    c->file = f;
    c->offset = offset;
    fuse_call_start_long(c, work_write, answer_write);
}

void fuse_call_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    struct file *f = fuse_file(fi);
    struct inode *i = f->inode;
    struct writing *w;
    uint64_t offset;
    int r;

    if (f->control != NULL) {
        write_wait(req, ino, f, buf, size, (uint64_t)off);
        return;
    }
    f->wrote = true;
    /* a page of a mapping has its place, whatever the handle says of write(2) */
    offset = f->append && !fi->writepage ? WFILE_AT_END : (uint64_t)off;
    if (fuse_wire_kills_privs() && files_may_have_privs(i)) {
        write_wait(req, ino, f, buf, size, offset);
        return;
    }
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fuse_begin();
    w->req = req;
    w->len = size;
    w->room.done = write_room;
    r = wfile_write(fuse_fs(req), i, offset, buf, size, &w->room);
    if (r == 1)
        return; /* write_room() answers, perhaps already */
    free(w);
    if (r == -EINPROGRESS)
        write_wait(req, ino, f, buf, size, offset);
    else
        write_reply(req, r, size);
    fuse_end();
}

/* ---- flush, fsync, release ---- */

static int work_flush(struct fuse_call *c)
{
    return files_flush(c->fs, c->file);
}

void fuse_call_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *f = fuse_file(fi);
    struct fuse_call *c;

    if (!files_flush_due(f)) {
        fuse_reply_err(req, 0);
        return;
    }
    c = fuse_call_new(req, ino);
    if (c == NULL)
        return;
    c->file = f;
    fuse_call_start_long(c, work_flush, fuse_answer_err);
}

static int work_fsync(struct fuse_call *c)
{
    return files_fsync(c->fs, c->file);
}

void fuse_call_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    (void)datasync;
    if (c == NULL)
        return;
    c->file = fuse_file(fi);
    fuse_call_start_long(c, work_fsync, fuse_answer_err);
}

static int work_release(struct fuse_call *c)
{
    fuse_file_back(c->fs, c->file);
    return 0;
}

void fuse_call_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *f = fuse_file(fi);
    struct fuse_call *c;

    if (!files_release_waits(f)) {
        fuse_file_back(fuse_fs(req), f);
        fuse_reply_err(req, 0);
        return;
    }
    c = fuse_call_new(req, ino);
    if (c == NULL)
        return; /* no memory to close it: the file stays open until the mount ends */
    c->file = f;
    fuse_call_start_long(c, work_release, fuse_answer_err);
}

/* ---- fallocate, lseek ---- */

/* The kernel does not say who may keep suid and sgid over this one: root may. */
static int work_fallocate(struct fuse_call *c)
{
    struct inode *i = c->file->inode;
    int r = i != NULL && c->who.uid != 0 ? files_drop_privs(c->fs, i) : 0;

    return r < 0 ? r : files_fallocate(c->fs, c->file, (int)c->mode, c->offset, c->len);
}

void fuse_call_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *fi)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL)
        return;
    c->file = fuse_file(fi);
    c->mode = (uint32_t)mode;
    c->offset = (uint64_t)offset;
    c->len = (uint64_t)length;
    fuse_call_start_long(c, work_fallocate, fuse_answer_err);
}

static int work_seek(struct fuse_call *c)
{
    c->count = files_seek(c->fs, c->file, c->offset, c->data);
    return c->count < 0 ? (int)c->count : 0;
}

static void answer_seek(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_lseek(c->req, (off_t)c->count);
}

void fuse_call_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi)
{
    struct fuse_call *c;

    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    c = fuse_call_new(req, ino);
    if (c == NULL)
        return;
    c->file = fuse_file(fi);
    c->offset = (uint64_t)off;
    c->data = whence == SEEK_DATA;
    fuse_call_start_long(c, work_seek, answer_seek);
}
