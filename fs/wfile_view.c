/* wfile_view: the bytes of a file as its layers give them, for reads and for commits.
 *
 * Piece by piece: which layer holds the byte at an offset, and how far, is decided under the lock;
 * the bytes are fetched without it. A commit in between may release what is being fetched: then the
 * piece is decided again. */
#include "common/assert.h"
#include "common/err.h"
#include "fs/wfile_state.h"
#include <string.h>

#define VIEW_TRIES_MAX 4 /* commits that may get in the way of one piece */

enum view_from { VIEW_COPIED, VIEW_STAGED, VIEW_BASE, VIEW_CHUNK };

struct view_piece {
    enum view_from from;
    size_t len;
    struct staging *staging; /* a reference */
    struct content *base;    /* a reference */
    struct mf_chunk chunk;
    uint64_t epoch;
};

/* Cut `len` so that offset + len does not pass `end`. */
static size_t view_clip(uint64_t offset, size_t len, uint64_t end)
{
    return end - offset < len ? (size_t)(end - offset) : len;
}

/* A byte below the overlays, `*len` of them at most. */
static int view_stream_piece(struct wfile *w, uint64_t offset, void *dst, struct view_piece *p)
{
    int64_t n;

    if (offset >= wfile_stream_end(w)) {
        memset(dst, 0, p->len);
        p->from = VIEW_COPIED;
        return 0;
    }
    p->len = view_clip(offset, p->len, wfile_stream_end(w));
    if (w->tail == NULL || offset < w->tail_start) {
        p->len = view_clip(offset, p->len, w->base_end);
        p->base = content_ref(w->base);
        p->from = VIEW_BASE;
        return 0;
    }
    n = upload_peek(w->tail, offset, dst, p->len, &p->chunk);
    if (n < 0)
        return (int)n;
    if (n > 0) {
        p->len = (size_t)n;
        p->from = VIEW_COPIED;
        return 0;
    }
    p->len = view_clip(offset, p->len, p->chunk.offset + p->chunk.bytes);
    p->from = VIEW_CHUNK;
    return 0;
}

/* Decide the piece at `offset`; what is in memory is copied at once. len 0: end of the file. */
static int view_decide(struct wfile *w, uint64_t offset, void *dst, size_t len,
                       struct view_piece *p)
{
    struct extent e;

    VS_LOCK_SCOPE(&w->lock);
    *p = (struct view_piece){ .epoch = w->epoch };
    if (offset >= w->size)
        return 0;
    p->len = view_clip(offset, len, w->size);
    if (extent_set_next(&w->staged, offset, &e)) {
        if (e.start <= offset) {
            p->len = view_clip(offset, p->len, e.end);
            p->staging = staging_ref(w->staging);
            p->from = VIEW_STAGED;
            return 0;
        }
        p->len = view_clip(offset, p->len, e.start);
    }
    if (extent_set_next(&w->zeros, offset, &e)) {
        if (e.start <= offset) {
            p->len = view_clip(offset, p->len, e.end);
            memset(dst, 0, p->len);
            p->from = VIEW_COPIED;
            return 0;
        }
        p->len = view_clip(offset, p->len, e.start);
    }
    return view_stream_piece(w, offset, dst, p);
}

struct view_wait {
    struct chunk_read read;
    struct waiter waiter;
};

static void view_chunk_done(struct chunk_read *r)
{
    waiter_wake(&vs_container_of(r, struct view_wait, read)->waiter);
}

static int view_chunk(struct vsfs *fs, uint64_t ino, const struct view_piece *p, uint64_t offset,
                      void *dst, bool whole)
{
    struct view_wait vw = { .read = { .chunk = p->chunk,
                                      .offset = (uint32_t)(offset - p->chunk.offset),
                                      .bytes = (uint32_t)p->len,
                                      .whole = whole,
                                      .ino = ino,
                                      .done = view_chunk_done },
                            .waiter = WAITER_INIT };

    if (chunk_read_start(fs->reader, &vw.read) == 0)
        waiter_wait(&vw.waiter);
    if (vw.read.status == 0)
        memcpy(dst, vw.read.data, p->len);
    chunk_read_put(&vw.read);
    return vw.read.status;
}

static int view_fetch(struct vsfs *fs, struct inode *i, struct view_piece *p, uint64_t offset,
                      void *dst, bool whole)
{
    int64_t n;

    switch (p->from) {
    case VIEW_COPIED:
        return 0;
    case VIEW_STAGED:
        return staging_read(p->staging, offset, dst, p->len);
    case VIEW_CHUNK:
        return view_chunk(fs, i->ino, p, offset, dst, whole);
    case VIEW_BASE:
        n = content_read_wait(p->base, fs->reader, offset, dst, p->len);
        if (n >= 0 && (size_t)n != p->len)
            return -VS_ECORRUPT;
        return n < 0 ? (int)n : 0;
    }
    return -EINVAL;
}

static bool view_is_old(struct wfile *w, const struct view_piece *p)
{
    VS_LOCK_SCOPE(&w->lock);
    return w->epoch != p->epoch;
}

int64_t wfile_view_read(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t offset,
                        void *dst, size_t len, bool whole)
{
    size_t got = 0;
    unsigned tries = 0;

    while (got < len) {
        uint8_t *to = (uint8_t *)dst + got;
        struct view_piece p;
        int r = view_decide(w, offset + got, to, len - got, &p);

        if (r == 0 && p.len == 0)
            break;
        if (r == 0) {
            r = view_fetch(fs, i, &p, offset + got, to, whole);
            staging_put(p.staging);
            content_put(p.base);
        }
        if (r < 0 && view_is_old(w, &p) && ++tries < VIEW_TRIES_MAX)
            continue;
        if (r < 0)
            return r;
        got += p.len;
    }
    return (int64_t)got;
}

/* ---- chunks of the base ---- */

int wfile_load_chunks(struct wfile *w)
{
    if (w->base_chunks != NULL || w->base == NULL || w->base->kind != NS_CONTENT_CHUNKS)
        return 0;
    return content_chunks_wait(w->base, &w->base_chunks, &w->base_chunk_count);
}

const struct mf_chunk *wfile_base_chunk(const struct wfile *w, uint64_t offset)
{
    size_t low = 0, high = w->base_chunk_count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (w->base_chunks[mid].offset <= offset)
            low = mid;
        else
            high = mid;
    }
    VS_ASSERT(low < w->base_chunk_count);
    return &w->base_chunks[low];
}
