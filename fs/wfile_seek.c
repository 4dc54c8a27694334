/* wfile_seek: SEEK_DATA and SEEK_HOLE over all layers, or over the stored content of a file that
 * nobody writes. Inline content is all data. */
#include "common/err.h"
#include "fs/wfile_state.h"

/* Is `offset` < size in a hole, and up to where is that so at least? Owner. */
static bool wfile_is_hole(const struct wfile *w, uint64_t offset, uint64_t *ret_end)
{
    uint64_t stream_end = wfile_stream_end(w);
    bool staged = false, zeros = false, hole = false;
    struct extent s, z, t;

    *ret_end = w->size;
    if (extent_set_next(&w->staged, offset, &s)) {
        staged = s.start <= offset;
        *ret_end = staged ? s.end : s.start;
    }
    if (staged)
        return false;
    if (extent_set_next(&w->zeros, offset, &z)) {
        zeros = z.start <= offset;
        if (*ret_end > (zeros ? z.end : z.start))
            *ret_end = zeros ? z.end : z.start;
    }
    if (zeros || offset >= stream_end)
        return true;
    if (*ret_end > stream_end)
        *ret_end = stream_end;
    if (w->tail != NULL && offset >= w->tail_start) {
        if (extent_set_next(&w->tail_holes, offset, &t)) {
            hole = t.start <= offset;
            if (*ret_end > (hole ? t.end : t.start))
                *ret_end = hole ? t.end : t.start;
        }
        return hole;
    }
    if (*ret_end > w->base_end)
        *ret_end = w->base_end;
    if (w->base->kind == NS_CONTENT_CHUNKS) {
        const struct mf_chunk *c = wfile_base_chunk(w, offset);

        hole = vs_id_is_zero(&c->id);
        if (*ret_end > c->offset + c->bytes)
            *ret_end = c->offset + c->bytes;
    }
    return hole;
}

static int64_t wfile_seek_owner(struct wfile *w, uint64_t offset, bool data)
{
    int r = wfile_load_chunks(w);

    if (r < 0)
        return r;
    if (offset >= w->size)
        return -ENXIO;
    while (offset < w->size) {
        uint64_t end;

        if (wfile_is_hole(w, offset, &end) != data)
            return (int64_t)offset;
        offset = end;
    }
    return data ? -ENXIO : (int64_t)w->size; /* there is a hole at the end of every file */
}

static int64_t content_seek(struct content *c, uint64_t offset, bool data)
{
    struct wfile stored = { .size = c->size, .base = c, .base_end = c->size };
    int64_t at = wfile_seek_owner(&stored, offset, data);

    free(stored.base_chunks);
    return at;
}

int64_t wfile_seek(struct vsfs *fs, struct inode *i, uint64_t offset, bool data)
{
    struct wfile *w = wfile_get(i);
    int64_t at;

    if (w == NULL) {
        struct content *c = NULL;
        int r = 0;

        {
            VS_LOCK_SCOPE(&i->lock);
            if (i->content != NULL) /* what reads of this inode go by, too */
                c = content_ref(i->content);
        }
        if (c == NULL)
            r = content_load_wait(fs->meta, i->ino, &c, NULL);
        if (r < 0)
            return r;
        at = content_seek(c, offset, data);
        content_put(c);
        return at;
    }
    wfile_begin(w);
    at = wfile_seek_owner(w, offset, data);
    wfile_end(w);
    wfile_put(w);
    return at;
}
