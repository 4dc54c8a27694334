/* Reading what an upload has taken: from its window, from a chunk that is still in memory, or told
 * where a placed chunk is. Bytes are copied outside the lock, from a buffer held by a reference. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <string.h>

/* Bytes in memory: `bytes` from buf->bytes + from on; buf is a reference. */
struct view {
    struct up_buf *buf;
    size_t from;
    uint64_t bytes;
};

/* The piece of a list that holds byte `in`. */
static struct view view_pieces(const struct vs_list *pieces, uint64_t in)
{
    const struct vs_list *pos;

    for (pos = pieces->next; pos != pieces; pos = pos->next) {
        const struct up_piece *p = vs_container_of(pos, struct up_piece, link);

        if (in < p->bytes)
            return (struct view){ up_buf_ref(p->buf), p->from + in, p->bytes - in };
        in -= p->bytes;
    }
    VS_ASSERT(!"the bytes are in one of the pieces");
    return (struct view){ 0 };
}

static size_t index_at(const struct upload *u, uint64_t offset)
{
    size_t low = 0, high = u->chunk_count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (u->chunks[mid].offset <= offset)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static struct up_chunk *live_at(struct upload *u, size_t index)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &u->live) {
        struct up_chunk *c = vs_container_of(pos, struct up_chunk, of_upload);

        if (c->index == index)
            return c;
    }
    return NULL;
}

/* Where the bytes at `offset` are: 1 a view (buf NULL: zeros), 0 in *ret_chunk. */
static int look_locked(struct upload *u, uint64_t offset, struct view *ret,
                       struct mf_chunk *ret_chunk)
{
    const struct mf_chunk *entry;
    struct up_chunk *c;
    size_t i;

    if (offset >= u->window_from) {
        *ret = view_pieces(&u->window, offset - u->window_from);
        return 1;
    }
    i = index_at(u, offset);
    entry = &u->chunks[i];
    c = live_at(u, i);
    offset -= entry->offset;
    if (c != NULL && c->buf != NULL) {
        *ret = (struct view){ up_buf_ref(c->buf), c->from + offset, entry->bytes - offset };
        return 1;
    }
    if (c != NULL) {
        *ret = view_pieces(&c->pieces, offset);
        return 1;
    }
    if (vs_id_is_zero(&entry->id)) {
        *ret = (struct view){ .bytes = entry->bytes - offset };
        return 1;
    }
    *ret_chunk = *entry;
    return 0;
}

int64_t upload_peek(struct upload *u, uint64_t offset, void *dst, size_t len,
                    struct mf_chunk *ret_chunk)
{
    struct view view = { 0 };
    int r;

    pthread_mutex_lock(&u->env->lock);
    if (u->status < 0)
        r = u->status;
    else if (offset < u->start || offset >= u->end)
        r = -EINVAL;
    else
        r = look_locked(u, offset, &view, ret_chunk);
    pthread_mutex_unlock(&u->env->lock);
    if (r <= 0)
        return r;

    if (len > view.bytes)
        len = (size_t)view.bytes;
    if (view.buf != NULL)
        memcpy(dst, view.buf->bytes + view.from, len);
    else
        memset(dst, 0, len);
    up_buf_put(view.buf);
    return (int64_t)len;
}
