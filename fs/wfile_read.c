/* wfile_read: reads of a file that has a write state.
 *
 * Nothing uncommitted: the usual way (read_op). Bytes that are still in the tail's memory: copied
 * and answered at once. All else waits for a disk or a store somewhere: an ops thread puts the
 * answer together. */
#include "common/assert.h"
#include "common/err.h"
#include "fs/wfile_state.h"
#include <stdatomic.h>

struct wfile_read {
    struct vs_job job;
    struct vsfs *fs;
    struct inode *inode;
    struct wfile *w; /* a reference */
    struct read_op *op;
};

static bool wfile_read_is_sequential(struct read_op *op)
{
    if (op->cursor == NULL)
        return false;
    return atomic_exchange(&op->cursor->next, op->offset + op->bytes) == op->offset;
}

static void wfile_read_run(struct vs_job *job)
{
    struct wfile_read *wr = vs_container_of(job, struct wfile_read, job);
    struct read_op *op = wr->op;
    bool sequential = wfile_read_is_sequential(op);
    void *dst = read_op_add(op, NULL, 0, op->bytes);
    int64_t n = -ENOMEM;

    if (dst != NULL)
        n = wfile_view_read(wr->fs, wr->inode, wr->w, op->offset, dst, op->bytes, sequential);
    if (n < 0) {
        op->status = (int)n;
    } else {
        int done;

        op->parts[0].bytes = (uint32_t)n; /* less where the file was cut meanwhile */
        if (n == 0)
            op->part_count = 0;
        done = read_op_fetch(wr->fs, wr->inode, op);
        VS_ASSERT(done == 1); /* memory only */
    }
    wfile_put(wr->w);
    free(wr);
    op->done(op);
}

/* Copy from the tail's memory. Under lock. 1: all of it is there. */
static int wfile_read_tail(struct wfile *w, struct read_op *op)
{
    uint64_t end = op->offset + op->bytes;
    struct mf_chunk chunk;
    struct extent e;
    uint8_t *dst;

    if (w->tail == NULL || op->offset < w->tail_start || end > upload_end(w->tail))
        return 0;
    if (extent_set_next(&w->staged, op->offset, &e) && e.start < end)
        return 0;
    if (extent_set_next(&w->zeros, op->offset, &e) && e.start < end)
        return 0;
    dst = read_op_add(op, NULL, 0, op->bytes);
    if (dst == NULL)
        return 0;
    for (uint32_t got = 0; got < op->bytes;) {
        int64_t n = upload_peek(w->tail, op->offset + got, dst + got, op->bytes - got, &chunk);

        if (n <= 0) {
            read_op_put(op);
            return 0;
        }
        got += (uint32_t)n;
    }
    return 1;
}

/* What can be said at once? 1: op has its parts; 2: nothing uncommitted; 0: must wait. */
static int wfile_read_now(struct wfile *w, struct read_op *op)
{
    VS_LOCK_SCOPE(&w->lock);
    if (!w->dirty && w->tail == NULL && w->base != NULL && w->base_end == w->base->size)
        return 2;
    if (op->offset >= w->size)
        op->bytes = 0;
    else if (op->bytes > w->size - op->offset)
        op->bytes = (uint32_t)(w->size - op->offset);
    if (op->bytes == 0)
        return 1;
    return wfile_read_tail(w, op);
}

int wfile_read_start(struct vsfs *fs, struct inode *i, struct read_op *op)
{
    struct wfile *w = wfile_get(i);
    struct wfile_read *wr;
    int now = 2;

    op->fs = fs; /* also of an op that fails before it fetches anything */
    op->inode = i;
    if (w != NULL)
        now = wfile_read_now(w, op);
    if (now > 0) {
        wfile_put(w);
        return now == 2 ? read_op_start(fs, i, op) : read_op_fetch(fs, i, op);
    }
    wr = calloc(1, sizeof(*wr));
    if (wr == NULL) {
        wfile_put(w);
        op->status = -ENOMEM;
        return 1;
    }
    *wr = (struct wfile_read){
        .job = { .fn = wfile_read_run }, .fs = fs, .inode = i, .w = w, .op = op
    };
    vs_exec_submit(fs->ops, &wr->job);
    return 0;
}
