/* wfile_size: truncate, fallocate, and where data and holes lie.
 *
 * Cutting never touches what is committed: the base is cut in memory, the tail dropped, begun anew
 * (when little of it is left) or masked. So a crash before the next commit leaves the old version,
 * also after O_TRUNC. */
#include "common/err.h"
#include "fs/wfile_state.h"
#include <fcntl.h>
#include <linux/falloc.h>

/* The layers from `size` on are gone; under lock. */
static struct upload *wfile_cut_layers(struct wfile *w, uint64_t size)
{
    struct upload *gone = NULL;

    if (w->tail != NULL && size <= w->tail_start) {
        gone = w->tail;
        w->tail = NULL;
        w->tail_closed = false;
        extent_set_close(&w->tail_holes);
    }
    if (size < w->base_end)
        w->base_end = size;
    /* to the very end: the last extent is shortened, none is split */
    (void)extent_set_remove(&w->staged, size, UINT64_MAX);
    (void)extent_set_remove(&w->zeros, size, UINT64_MAX);
    return gone;
}

static int wfile_cut(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t size)
{
    uint64_t staged = extent_set_bytes_in(&w->staged, size, UINT64_MAX);
    struct upload *gone;

    if (w->tail != NULL && !w->tail_closed && size > w->tail_start && size < upload_end(w->tail) &&
        size - w->tail_start <= WFILE_RESTART_BYTES_MAX) {
        int r = wfile_tail_restart(fs, i, w, size);

        if (r < 0)
            return r;
    }
    {
        VS_LOCK_SCOPE(&w->lock);
        gone = wfile_cut_layers(w, size);
        wfile_changed(fs, w, size);
    }
    upload_free(gone);
    if (staged > 0)
        staging_punch(w->staging, size, WFILE_BYTES_MAX, staged);
    return 0;
}

static int wfile_grow(struct vsfs *fs, struct wfile *w, uint64_t size)
{
    int r = wfile_unmask(w, size);

    if (r < 0)
        return r;
    VS_LOCK_SCOPE(&w->lock);
    wfile_changed(fs, w, size);
    return 0;
}

static int wfile_resize(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t size)
{
    int r;

    if (size == w->size)
        return w->error;
    r = wfile_change(fs, i, w);
    if (r < 0)
        return r;
    return size < w->size ? wfile_cut(fs, i, w, size) : wfile_grow(fs, w, size);
}

int wfile_truncate(struct vsfs *fs, struct inode *i, uint64_t size)
{
    struct wfile *w;
    int r, l;

    if (size > WFILE_BYTES_MAX)
        return -EFBIG;
    r = wfile_enter(fs, i);
    if (r < 0)
        return r;
    w = wfile_get(i);
    if (w == NULL)
        return -EBADF;
    r = wfile_begin_change(fs, i, w);
    if (r == 0)
        r = wfile_resize(fs, i, w, size);
    wfile_end(w);
    wfile_put(w);
    l = wfile_leave(fs, i);
    return r < 0 ? r : l;
}

/* ---- fallocate ---- */

static int wfile_zero(struct vsfs *fs, struct wfile *w, uint64_t start, uint64_t end)
{
    uint64_t stream_end = wfile_stream_end(w), staged;
    int r = 0;

    if (end > w->size)
        end = w->size;
    if (start >= end)
        return 0;
    staged = extent_set_bytes_in(&w->staged, start, end);
    {
        VS_LOCK_SCOPE(&w->lock);
        if (start < stream_end)
            r = extent_set_add(&w->zeros, start, end < stream_end ? end : stream_end);
        if (r == 0)
            r = extent_set_remove(&w->staged, start, end);
        if (r == 0)
            wfile_changed(fs, w, w->size);
    }
    if (r == 0 && staged > 0)
        staging_punch(w->staging, start, end, staged);
    return r == -ENOBUFS ? -ENOSPC : r;
}

static int wfile_fallocate_owner(struct vsfs *fs, struct inode *i, struct wfile *w, int mode,
                                 uint64_t offset, uint64_t len)
{
    bool extend = !(mode & FALLOC_FL_KEEP_SIZE) && offset + len > w->size;
    int r;

    if (!extend && !(mode & ~FALLOC_FL_KEEP_SIZE))
        return w->error;
    r = wfile_change(fs, i, w);
    if (r == 0 && (mode & ~FALLOC_FL_KEEP_SIZE))
        r = wfile_zero(fs, w, offset, offset + len);
    if (r == 0 && extend)
        r = wfile_grow(fs, w, offset + len);
    return r;
}

int wfile_fallocate(struct vsfs *fs, struct inode *i, int mode, uint64_t offset, uint64_t len)
{
    struct wfile *w;
    int r;

    if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE && mode != FALLOC_FL_ZERO_RANGE &&
        mode != (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE) &&
        mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return -EOPNOTSUPP;
    if (len == 0)
        return -EINVAL;
    if (offset > WFILE_BYTES_MAX || len > WFILE_BYTES_MAX - offset)
        return -EFBIG;
    w = wfile_get(i);
    if (w == NULL)
        return -EBADF;
    r = wfile_begin_change(fs, i, w);
    if (r == 0)
        r = wfile_fallocate_owner(fs, i, w, mode, offset, len);
    wfile_end(w);
    wfile_put(w);
    return r;
}
