/* wfile_tail: the upload at the end of a file: begun, appended to, caught up with what was staged.
 *
 * Appending to a stored file whose last chunk is short goes on in that chunk: it is read back and
 * stored anew together with what comes, so that many small appends do not leave many small chunks.
 * Failure: an upload that fails is sticky for the whole write state, since what it took is gone. */
#include "common/assert.h"
#include "common/err.h"
#include "fs/wfile_state.h"

static int wfile_sticky(struct wfile *w, int error)
{
    VS_LOCK_SCOPE(&w->lock);
    if (w->error == 0)
        w->error = error;
    return w->error;
}

int wfile_upload_new(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t start,
                     bool allow_inline, struct upload **ret)
{
    struct upload_config config = { .ino = i->ino,
                                    .name = w->name,
                                    .name_len = w->name_len,
                                    .offset = start,
                                    .live_cut = start == 0,
                                    .allow_inline = allow_inline };

    if (w->session == NULL) {
        int r = upload_session_new(&w->session, fs->uploads);

        if (r < 0)
            return r;
    }
    config.session = w->session;
    if (start > 0 && w->base != NULL && w->base->kind == NS_CONTENT_CHUNKS)
        config.chunk_seq = (uint32_t)w->base->head.chunk_count; /* a hint */
    return upload_new(ret, fs->uploads, &config);
}

struct room_wait {
    struct upload_room room;
    struct waiter waiter;
};

static void room_wait_done(struct upload_room *room)
{
    waiter_wake(&vs_container_of(room, struct room_wait, room)->waiter);
}

int wfile_upload_append(struct wfile *w, struct upload *u, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        struct room_wait rw = { .room = { .done = room_wait_done }, .waiter = WAITER_INIT };
        size_t n = len - done < WFILE_COPY_BYTES ? len - done : WFILE_COPY_BYTES;
        int r;

        {
            VS_LOCK_SCOPE(&w->lock); /* readers peek */
            r = upload_append(u, (const uint8_t *)bytes + done, n, &rw.room);
        }
        if (r == 1) {
            waiter_wait(&rw.waiter);
            r = rw.room.status;
        }
        if (r < 0)
            return wfile_sticky(w, r);
        done += n;
    }
    return 0;
}

int wfile_upload_gap(struct wfile *w, struct upload *u, uint64_t bytes)
{
    static const uint8_t zeros[WFILE_HOLE_BYTES_MIN];
    int r;

    if (bytes < WFILE_HOLE_BYTES_MIN)
        return wfile_upload_append(w, u, zeros, (size_t)bytes);
    {
        VS_LOCK_SCOPE(&w->lock);
        uint64_t at = upload_end(u);

        if (u == w->tail)
            (void)extent_set_add(&w->tail_holes, at, at + bytes); /* full: only st_blocks suffers */
        r = upload_hole(u, bytes);
    }
    return r < 0 ? wfile_sticky(w, r) : 0;
}

int wfile_tail_start_empty(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    VS_ASSERT(w->tail == NULL && w->base_end == 0);
    w->tail_start = 0;
    return wfile_upload_new(fs, i, w, 0, true, &w->tail);
}

/* Where the tail begins, given that the base ends at base_end > 0. */
static int wfile_tail_place(struct wfile *w, uint64_t *ret_start)
{
    const struct mf_chunk *last;
    int r;

    if (w->base->kind == NS_CONTENT_INLINE) {
        *ret_start = 0;
        return 0;
    }
    r = wfile_load_chunks(w);
    if (r < 0)
        return r;
    last = wfile_base_chunk(w, w->base_end - 1);
    if (vs_id_is_zero(&last->id))
        *ret_start = w->base_end;
    else if (last->offset + last->bytes > w->base_end || last->bytes < WFILE_MERGE_BYTES)
        *ret_start = last->offset;
    else
        *ret_start = w->base_end;
    return 0;
}

/* A new upload from `start` on that holds the file's bytes up to `end`, not yet the tail. */
static int wfile_tail_copy(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t start,
                           uint64_t end, struct upload **ret)
{
    VS_AUTO_FREE uint8_t *buf = malloc(WFILE_COPY_BYTES);
    struct upload *u;
    int r;

    if (buf == NULL)
        return -ENOMEM;
    r = wfile_upload_new(fs, i, w, start, start == 0, &u);
    if (r < 0)
        return r;
    while (start < end) {
        size_t want = end - start < WFILE_COPY_BYTES ? (size_t)(end - start) : WFILE_COPY_BYTES;
        int64_t n = wfile_view_read(fs, i, w, start, buf, want, true);

        r = n < 0 ? (int)n : n == 0 ? -EIO : wfile_upload_append(w, u, buf, (size_t)n);
        if (r < 0) {
            upload_free(u);
            return r;
        }
        start += (uint64_t)n;
    }
    *ret = u;
    return 0;
}

int wfile_tail_start(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    uint64_t start = 0;
    struct upload *u;
    int r = 0;

    VS_ASSERT(w->tail == NULL);
    if (w->base_end > 0)
        r = wfile_tail_place(w, &start);
    if (r == 0)
        r = wfile_tail_copy(fs, i, w, start, w->base_end, &u);
    if (r < 0)
        return r;
    VS_LOCK_SCOPE(&w->lock);
    w->tail = u;
    w->tail_start = w->base_end = start;
    return 0;
}

int wfile_tail_restart(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t end)
{
    struct upload *u, *old;
    int r = wfile_tail_copy(fs, i, w, w->tail_start, end, &u);

    if (r < 0)
        return r;
    {
        VS_LOCK_SCOPE(&w->lock);
        old = w->tail;
        w->tail = u;
        extent_set_close(&w->tail_holes);
    }
    upload_free(old);
    return 0;
}

/* One run of staged bytes at the tail's end. */
static int wfile_drain_staged(struct wfile *w, uint64_t end, uint8_t *buf)
{
    uint64_t at = upload_end(w->tail);
    size_t n = end - at < WFILE_COPY_BYTES ? (size_t)(end - at) : WFILE_COPY_BYTES;
    int r = staging_read(w->staging, at, buf, n);

    if (r == 0)
        r = wfile_upload_append(w, w->tail, buf, n);
    if (r < 0)
        return r;
    {
        VS_LOCK_SCOPE(&w->lock);
        r = extent_set_remove(&w->staged, at, at + n); /* the start of an extent: never a split */
        VS_ASSERT(r == 0);
    }
    staging_punch(w->staging, at, at + n, n);
    return 0;
}

int wfile_drain(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t to)
{
    VS_AUTO_FREE uint8_t *buf = NULL;
    int r = 0;

    if (wfile_stream_end(w) >= to)
        return 0;
    if (w->tail == NULL)
        r = wfile_tail_start(fs, i, w);
    while (r == 0 && upload_end(w->tail) < to) {
        uint64_t at = upload_end(w->tail);
        struct extent e;

        if (!extent_set_next(&w->staged, at, &e) || e.start >= to) {
            r = wfile_upload_gap(w, w->tail, to - at);
        } else if (e.start > at) {
            r = wfile_upload_gap(w, w->tail, e.start - at);
        } else {
            if (buf == NULL)
                buf = malloc(WFILE_COPY_BYTES);
            r = buf == NULL ? -ENOMEM : wfile_drain_staged(w, e.end < to ? e.end : to, buf);
        }
    }
    return r;
}
