/* read_op: resolve into pieces, fetch them, put the answer together. See the header. */
#include "fs/read_op.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/inode_table.h"
#include "fs/vsfs.h"
#include <string.h>

#define READ_OP_WHOLE_RUN   2 /* sequential reads in a row before whole chunks are fetched */
#define READ_OP_RETRIES_MAX 8 /* times the content may be swapped away under one read */

static int read_op_content(struct read_op *op, struct content *c);

void read_op_put(struct read_op *op)
{
    for (unsigned i = 0; i < op->part_count; i++)
        chunk_read_put(&op->parts[i].read);
    free(op->parts);
    op->parts = NULL;
    op->part_count = op->part_cap = 0;
    free(op->mem);
    op->mem = NULL;
    free(op->iov);
    op->iov = NULL;
    op->iovcnt = 0;
    content_put(op->content);
    op->content = NULL;
}

void *read_op_add(struct read_op *op, const struct mf_chunk *chunk, uint32_t chunk_offset,
                  uint32_t bytes)
{
    struct read_part *p;
    uint32_t at = 0;

    if (op->part_count == READ_OP_PARTS_MAX)
        return NULL;
    if (op->part_count == op->part_cap) {
        unsigned cap = op->part_cap > 0 ? op->part_cap * 2 : 2;
        struct read_part *parts = realloc(op->parts, cap * sizeof(*parts));

        if (parts == NULL)
            return NULL;
        op->parts = parts;
        op->part_cap = cap;
    }
    if (op->part_count > 0)
        at = op->parts[op->part_count - 1].at + op->parts[op->part_count - 1].bytes;
    VS_ASSERT(bytes > 0 && at + (uint64_t)bytes <= op->bytes);
    if (chunk == NULL && op->mem == NULL) {
        op->mem = calloc(1, op->bytes);
        if (op->mem == NULL)
            return NULL;
    }
    p = &op->parts[op->part_count++];
    *p = (struct read_part){ .at = at, .bytes = bytes };
    if (chunk == NULL)
        return op->mem + at;
    p->read.chunk = *chunk;
    p->read.offset = chunk_offset;
    p->read.bytes = bytes;
    return p;
}

/* ---- fetching ---- */

static void read_op_reset(struct read_op *op)
{
    struct content *keep = op->content;

    op->content = NULL;
    read_op_put(op);
    content_put(keep);
}

/* Keep a loaded content for the reads that follow; takes the reference, gives one to the newest
 * that is known. What was overtaken by a commit while it was on its way must not come back. */
static struct content *read_op_keep(struct inode *i, struct content *c)
{
    struct content *older = NULL;

    {
        VS_LOCK_SCOPE(&i->lock);
        if (i->content != NULL && i->content->version >= c->version) {
            older = c;
            c = content_ref(i->content);
        } else {
            older = inode_take_content(i, c);
        }
    }
    content_put(older);
    return c;
}

static void read_op_reloaded(struct content_load *l)
{
    struct read_op *op = vs_container_of(l, struct read_op, load);
    int done = 1;

    if (l->status < 0)
        op->status = l->status;
    else
        done = read_op_content(op, read_op_keep(op->inode, l->content));
    if (done)
        op->done(op);
}

static void read_op_load(struct read_op *op)
{
    op->load = (struct content_load){ .ino = op->inode->ino, .done = read_op_reloaded };
    content_load(op->fs->meta, &op->load);
}

/* All parts are there: the answer, or again with the file's new content. 1: op is finished. */
static int read_op_finish(struct read_op *op)
{
    op->status = atomic_load(&op->failed);
    if (op->status == -ESTALE && op->content != NULL && op->retries < READ_OP_RETRIES_MAX) {
        op->retries++;
        op->bytes = op->want;
        read_op_reset(op);
        read_op_load(op);
        return 0;
    }
    if (op->status < 0)
        return 1;
    op->iov = calloc(op->part_count + 1, sizeof(*op->iov));
    if (op->iov == NULL) {
        op->status = -ENOMEM;
        return 1;
    }
    op->got_bytes = 0;
    for (unsigned i = 0; i < op->part_count; i++) {
        const struct read_part *p = &op->parts[i];
        const uint8_t *from = p->read.bytes > 0 ? p->read.data : op->mem + p->at;

        op->iov[op->iovcnt++] = (struct iovec){ (void *)from, p->bytes };
        op->got_bytes += p->bytes;
    }
    return 1;
}

static bool read_op_arrived(struct read_op *op, int status)
{
    int none = 0;

    if (status < 0)
        atomic_compare_exchange_strong(&op->failed, &none, status);
    return atomic_fetch_sub(&op->waiting, 1) == 1;
}

static void read_part_done(struct chunk_read *r)
{
    struct read_op *op = vs_container_of(r, struct read_part, read)->op;

    if (read_op_arrived(op, r->status) && read_op_finish(op))
        op->done(op);
}

int read_op_fetch(struct vsfs *fs, struct inode *i, struct read_op *op)
{
    unsigned run = op->cursor != NULL ? atomic_load(&op->cursor->run) : 0;

    op->fs = fs;
    op->inode = i;
    atomic_store(&op->waiting, 1);
    atomic_store(&op->failed, 0);
    for (unsigned n = 0; n < op->part_count; n++) {
        struct read_part *p = &op->parts[n];

        p->op = op;
        if (p->read.bytes == 0)
            continue;
        p->read.ino = i->ino;
        p->read.whole = run >= READ_OP_WHOLE_RUN;
        p->read.done = read_part_done;
        atomic_fetch_add(&op->waiting, 1);
        if (chunk_read_start(fs->reader, &p->read) == 1)
            read_op_arrived(op, p->read.status); /* never the last: we hold one count */
    }
    if (!read_op_arrived(op, 0))
        return 0;
    return read_op_finish(op);
}

/* ---- resolving a stored content into parts ---- */

/* Add the piece at the current end of the parts; its bytes are in f->chunk. */
static int read_op_add_found(struct read_op *op, const struct content_find *f)
{
    uint64_t in = f->offset - f->chunk.offset;
    uint64_t left = op->offset + op->bytes - f->offset, bytes = f->chunk.bytes - in;

    if (bytes > left)
        bytes = left;
    if (read_op_add(op, vs_id_is_zero(&f->chunk.id) ? NULL : &f->chunk, (uint32_t)in,
                    (uint32_t)bytes) == NULL)
        return op->part_count == READ_OP_PARTS_MAX ? -EIO : -ENOMEM;
    if (op->cursor != NULL && atomic_load(&op->cursor->run) >= READ_OP_WHOLE_RUN &&
        f->next.bytes > 0 && !vs_id_is_zero(&f->next.id))
        chunk_reader_prefetch(op->fs->reader, &f->next, op->inode->ino);
    return 0;
}

static void read_op_found(struct content_find *f);

/* Find chunks from the end of the parts to the end of the range. 1: op is finished. */
static int read_op_resolve(struct read_op *op)
{
    uint64_t end = op->offset + op->bytes;

    for (;;) {
        uint64_t at = op->offset;
        int r;

        if (op->part_count > 0)
            at += op->parts[op->part_count - 1].at + op->parts[op->part_count - 1].bytes;
        if (at == end)
            return read_op_fetch(op->fs, op->inode, op);
        op->find = (struct content_find){ .offset = at, .done = read_op_found };
        if (content_find(op->content, &op->find) == 0)
            return 0;
        r = op->find.status;
        if (r == 0)
            r = read_op_add_found(op, &op->find);
        if (r < 0) {
            atomic_store(&op->failed, r);
            return read_op_finish(op);
        }
    }
}

static void read_op_found(struct content_find *f)
{
    struct read_op *op = vs_container_of(f, struct read_op, find);
    int r = f->status, done;

    if (r == 0)
        r = read_op_add_found(op, f);
    if (r < 0) {
        atomic_store(&op->failed, r);
        done = read_op_finish(op);
    } else {
        done = read_op_resolve(op);
    }
    if (done)
        op->done(op);
}

/* Read from `c`, whose reference the op takes. 1: op is finished. */
static int read_op_content(struct read_op *op, struct content *c)
{
    op->content = c;
    atomic_store(&op->failed, 0);
    if (op->offset >= c->size)
        op->bytes = 0;
    else if (op->bytes > c->size - op->offset)
        op->bytes = (uint32_t)(c->size - op->offset);
    if (op->bytes == 0)
        return read_op_finish(op);
    if (c->kind == NS_CONTENT_INLINE) {
        void *dst = read_op_add(op, NULL, 0, op->bytes);

        if (dst == NULL)
            atomic_store(&op->failed, -ENOMEM);
        else
            memcpy(dst, c->inline_bytes + op->offset, op->bytes);
        return read_op_finish(op);
    }
    return read_op_resolve(op);
}

static void read_cursor_note(struct read_cursor *cursor, uint64_t offset, uint32_t bytes)
{
    uint64_t expected = atomic_exchange(&cursor->next, offset + bytes);

    /* the kernel's read-ahead arrives slightly out of order: close by counts as sequential */
    if (offset == expected || (offset > expected && offset - expected <= READ_OP_BYTES_MAX) ||
        (offset < expected && expected - offset <= READ_OP_BYTES_MAX))
        atomic_fetch_add(&cursor->run, 1);
    else
        atomic_store(&cursor->run, 0);
}

int read_op_start(struct vsfs *fs, struct inode *i, struct read_op *op)
{
    struct content *c = NULL;

    VS_ASSERT(op->bytes <= READ_OP_BYTES_MAX);
    op->fs = fs;
    op->inode = i;
    op->retries = 0;
    op->want = op->bytes;
    if (op->cursor != NULL)
        read_cursor_note(op->cursor, op->offset, op->bytes);
    {
        VS_LOCK_SCOPE(&i->lock);
        if (i->content != NULL)
            c = content_ref(i->content);
    }
    if (c == NULL) {
        read_op_load(op);
        return 0;
    }
    return read_op_content(op, c);
}
