/* wfile_write: written bytes find their layer.
 *
 * At the end of the tail: appended, on the FUSE thread, no copy but the upload's. Before it:
 * staged. A little behind it (network file systems write slightly out of order): staged, until the
 * tail gets there and takes it in. Far behind the end of the file: the gap becomes a hole.
 * Failure: -ENOSPC when the staging is full (nothing of that write is kept, the file goes on); what
 * an upload says is sticky. */
#include "common/err.h"
#include "common/log.h"
#include "fs/wfile_state.h"

/* Where the bytes go. Under lock, or owner. -EFBIG. */
static int wfile_offset(const struct wfile *w, size_t len, uint64_t *offset)
{
    if (*offset == WFILE_AT_END)
        *offset = w->size;
    return *offset > WFILE_BYTES_MAX - len ? -EFBIG : 0;
}

/* Can this write be appended right here? Under lock. */
static bool wfile_can_append(const struct wfile *w, uint64_t offset, size_t len)
{
    struct extent e;

    if (w->busy || w->settled || w->tail_closed || wfile_is_behind(w))
        return false;
    if (offset != wfile_stream_end(w) || offset > w->size)
        return false;
    if (w->tail == NULL && w->base_end > 0)
        return false;
    /* what was staged there gives way, or is taken in afterwards: both wait */
    return !extent_set_next(&w->staged, offset, &e) || e.start > offset + len;
}

static int wfile_append(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t offset,
                        const void *bytes, size_t len, struct upload_room *room)
{
    int r;

    VS_LOCK_SCOPE(&w->lock);
    if (w->error < 0)
        return w->error;
    r = wfile_offset(w, len, &offset);
    if (r < 0)
        return r;
    if (!wfile_can_append(w, offset, len))
        return -EINPROGRESS;
    if (w->tail == NULL) {
        r = wfile_tail_start_empty(fs, i, w);
        if (r < 0)
            return r;
    }
    r = upload_append(w->tail, bytes, len, room);
    if (r < 0) {
        w->error = r;
        return r;
    }
    wfile_changed(fs, w, offset + len > w->size ? offset + len : w->size);
    return r;
}

int wfile_write(struct vsfs *fs, struct inode *i, uint64_t offset, const void *bytes, size_t len,
                struct upload_room *room)
{
    struct wfile *w;
    int r;

    if (len == 0)
        return 0;
    w = wfile_get(i);
    if (w == NULL)
        return -EBADF;
    r = wfile_append(fs, i, w, offset, bytes, len, room);
    wfile_put(w);
    return r;
}

/* ---- waiting ---- */

static int wfile_stage(struct vsfs *fs, struct wfile *w, uint64_t offset, const void *bytes,
                       size_t len)
{
    uint64_t fresh = len - extent_set_bytes_in(&w->staged, offset, offset + len);
    int r;

    if (w->staging == NULL) {
        struct staging *s;

        r = staging_new(&s, fs);
        if (r < 0)
            return r;
        VS_LOCK_SCOPE(&w->lock);
        w->staging = s;
    }
    r = staging_write(w->staging, offset, bytes, len, fresh);
    if (r < 0)
        return r;
    {
        VS_LOCK_SCOPE(&w->lock);
        r = extent_set_add(&w->staged, offset, offset + len);
    }
    if (r < 0) /* the file on disk keeps the bytes, nobody reads them */
        staging_uncount(w->staging, fresh);
    return r == -ENOBUFS ? -ENOSPC : r;
}

static int wfile_append_wait(struct vsfs *fs, struct inode *i, struct wfile *w, const void *bytes,
                             size_t len)
{
    uint64_t at, covered;
    int r = 0;

    if (w->tail == NULL)
        r = wfile_tail_start(fs, i, w);
    if (r < 0)
        return r;
    at = upload_end(w->tail);
    r = wfile_upload_append(w, w->tail, bytes, len);
    if (r < 0)
        return r;
    covered = extent_set_bytes_in(&w->staged, at, at + len);
    if (covered == 0)
        return 0;
    {
        VS_LOCK_SCOPE(&w->lock);
        r = extent_set_remove(&w->staged, at, at + len); /* nothing is staged before: no split */
    }
    staging_punch(w->staging, at, at + len, covered);
    return r;
}

/* Masked bytes between the old end of the file and a write behind it read as zeros from now on. */
int wfile_unmask(struct wfile *w, uint64_t to)
{
    uint64_t end = wfile_stream_end(w);
    int r;

    if (w->size >= end || to <= w->size)
        return 0;
    VS_LOCK_SCOPE(&w->lock);
    r = extent_set_add(&w->zeros, w->size, to < end ? to : end);
    return r == -ENOBUFS ? -ENOSPC : r;
}

/* Take in what was staged right at the tail's end, some of it. */
static int wfile_absorb(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    uint64_t at = wfile_stream_end(w);
    struct extent e;

    if (w->tail_closed || !extent_set_next(&w->staged, at, &e) || e.start != at)
        return 0;
    return wfile_drain(fs, i, w,
                       e.end - at < WFILE_REORDER_BYTES ? e.end : at + WFILE_REORDER_BYTES);
}

static int wfile_place(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t offset,
                       const uint8_t *bytes, size_t len)
{
    uint64_t end = wfile_stream_end(w);
    size_t before = 0;
    int r;

    if (offset >= w->size && offset > end && offset - end > WFILE_REORDER_BYTES &&
        !w->tail_closed) {
        r = wfile_drain(fs, i, w, offset);
        if (r < 0)
            return r;
        end = offset;
    }
    r = wfile_unmask(w, offset);
    if (r < 0)
        return r;
    if (offset < end)
        before = end - offset < len ? (size_t)(end - offset) : len;
    if (before > 0)
        r = wfile_stage(fs, w, offset, bytes, before);
    if (r < 0 || before == len)
        return r;
    if (offset + before == end && !w->tail_closed)
        return wfile_append_wait(fs, i, w, bytes + before, len - before);
    return wfile_stage(fs, w, offset + before, bytes + before, len - before);
}

int wfile_write_wait(struct vsfs *fs, struct inode *i, uint64_t offset, const void *bytes,
                     size_t len)
{
    struct wfile *w = wfile_get(i);
    int r;

    if (w == NULL)
        return -EBADF;
    r = wfile_begin_change(fs, i, w);
    if (r == 0)
        r = wfile_offset(w, len, &offset);
    if (r == 0)
        r = wfile_change(fs, i, w);
    if (r == 0)
        r = wfile_place(fs, i, w, offset, bytes, len);
    if (r == 0) {
        {
            VS_LOCK_SCOPE(&w->lock);
            wfile_changed(fs, w, offset + len > w->size ? offset + len : w->size);
        }
        r = wfile_absorb(fs, i, w);
    }
    wfile_end(w);
    wfile_put(w);
    return r;
}
