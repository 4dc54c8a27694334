/* The window: bytes taken and not yet cut, as pieces of buffers.
 *
 * Happy path: where cuts come by size, a buffer is exactly as large as what is left of its chunk,
 * and becomes the chunk's own. Where they wait for keyframes, buffers are UPLOAD_LIVE_BLOCK, cuts
 * fall inside them, and the executor brings a chunk's pieces together. An upload begins with a
 * small buffer: most files are small. Failure modes: -ENOMEM fails the upload. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>
#include <string.h>

void upload_pieces_free(struct vs_list *pieces)
{
    struct up_piece *p;

    while ((p = vs_list_first(pieces, struct up_piece, link)) != NULL) {
        vs_list_del(&p->link);
        up_buf_put(p->buf);
        free(p);
    }
}

static struct up_piece *window_last(struct upload *u)
{
    return vs_list_empty(&u->window) ? NULL
                                     : vs_container_of(u->window.prev, struct up_piece, link);
}

/* Bytes of the buffer that begins at the end of the window. */
static size_t block_bytes(const struct upload *u)
{
    uint64_t held = u->end - u->window_from;

    if (!u->planned)
        return UP_BUF_SMALL_BYTES;
    if (!u->plan.over || held >= CUT_TARGET_BYTES)
        return UPLOAD_LIVE_BLOCK;
    return CUT_TARGET_BYTES - held;
}

static struct up_piece *piece_add_locked(struct upload *u, size_t bytes_max)
{
    struct up_piece *p = malloc(sizeof(*p));
    struct up_buf *b = up_buf_new(&u->env->pool, bytes_max);

    if (p == NULL || b == NULL) {
        free(p);
        up_buf_put(b);
        return NULL;
    }
    *p = (struct up_piece){ .buf = b, .bytes_max = bytes_max };
    vs_list_add_tail(&u->window, &p->link);
    return p;
}

/* The small first buffer is full and the chunk will be cut by size: move into one of full size, so
 * that the chunk is in one piece. */
static struct up_piece *grow_first_locked(struct upload *u, struct up_piece *small)
{
    struct up_piece *p = piece_add_locked(u, CUT_TARGET_BYTES);

    if (p == NULL)
        return NULL;
    memcpy(p->buf->bytes, small->buf->bytes, small->bytes);
    p->bytes = p->buf->used = small->bytes;
    vs_list_del(&small->link);
    up_buf_put(small->buf);
    free(small);
    return p;
}

struct up_piece *upload_window_tail_locked(struct upload *u)
{
    struct up_piece *p = window_last(u);

    if (p != NULL && p->bytes < p->bytes_max)
        return p;
    if (p != NULL && u->planned && u->plan.over && p->link.prev == &u->window && p->from == 0 &&
        p->bytes_max == UP_BUF_SMALL_BYTES)
        return grow_first_locked(u, p);
    return piece_add_locked(u, block_bytes(u));
}

void upload_window_drop_locked(struct upload *u)
{
    uint64_t held = u->end - u->window_from;

    upload_pieces_free(&u->window);
    u->window_from = u->end;
    upload_uncharge_locked(u->env, held);
}

/* Split the first `bytes` of a piece off, as a piece before it that shares its buffer. */
static struct up_piece *piece_split(struct up_piece *p, size_t bytes)
{
    struct up_piece *front = malloc(sizeof(*front));

    if (front == NULL)
        return NULL;
    *front = (struct up_piece){
        .buf = up_buf_ref(p->buf), .from = p->from, .bytes = bytes, .bytes_max = bytes
    };
    p->from += bytes;
    p->bytes -= bytes;
    p->bytes_max -= bytes;
    vs_list_add_tail(&p->link, &front->link);
    return front;
}

int upload_window_take_locked(struct upload *u, uint64_t bytes, struct vs_list *ret_pieces,
                              bool *ret_in_place)
{
    bool shared = false;

    u->window_from += bytes;
    while (bytes > 0) {
        struct up_piece *p = vs_list_first(&u->window, struct up_piece, link);

        if (p->bytes > bytes) {
            p = piece_split(p, bytes);
            if (p == NULL)
                return -ENOMEM;
            shared = true;
        }
        bytes -= p->bytes;
        vs_list_del(&p->link);
        vs_list_add_tail(ret_pieces, &p->link);
    }
    *ret_in_place = !shared && ret_pieces->next->next == ret_pieces;
    return 0;
}

int upload_entry_locked(struct upload *u, const struct mf_chunk *entry, uint32_t start_ms)
{
    if (u->chunk_count == u->chunk_cap) {
        size_t cap = u->chunk_cap > 0 ? u->chunk_cap * 2 : 16;
        struct mf_chunk *chunks;
        uint32_t *start;

        if (cap > UPLOAD_CHUNKS_MAX)
            return -EFBIG;
        chunks = realloc(u->chunks, cap * sizeof(*chunks));
        if (chunks == NULL)
            return -ENOMEM;
        u->chunks = chunks;
        start = realloc(u->start_ms, cap * sizeof(*start));
        if (start == NULL)
            return -ENOMEM;
        u->start_ms = start;
        u->chunk_cap = cap;
    }
    u->chunks[u->chunk_count] = *entry;
    u->start_ms[u->chunk_count] = start_ms;
    u->chunk_count++;
    return 0;
}

static void cut_locked(struct upload *u, const struct cut *cut)
{
    struct mf_chunk entry = { .offset = u->window_from,
                              .bytes = cut->offset - u->window_from,
                              .cut = cut->cut };
    uint32_t start_ms = u->next_start_ms;
    int r;

    u->next_start_ms = cut->time_ms;
    r = upload_entry_locked(u, &entry, start_ms);
    if (r == 0)
        r = up_chunk_new_locked(u, u->chunk_count - 1, (uint32_t)entry.bytes);
    if (r < 0)
        upload_fail_locked(u, r);
}

void upload_cut_due_locked(struct upload *u, bool must, bool final)
{
    struct cut cut;

    while (u->status == 0 && u->planned && u->window_from < u->end) {
        uint64_t seen = u->end;

        if (!must && !final)
            seen = um_plan_end(u->window_from, u->end, u->plan.parsed, u->plan.over, u->hold_bytes);
        if (cut_plan_next(&u->plan, seen, must, final, &cut) == 0)
            return;
        cut_locked(u, &cut);
    }
}

void upload_cut_here_locked(struct upload *u)
{
    struct cut cut = { u->end, MF_CUT_EXEMPT, UINT32_MAX };

    if (!u->planned)
        upload_plan_locked(u, false);
    while (u->status == 0 && u->end - u->window_from > CUT_MAX_BYTES) {
        struct cut full = { u->window_from + CUT_TARGET_BYTES, MF_CUT_SIZE, UINT32_MAX };

        cut_locked(u, &full);
    }
    if (u->status < 0 || u->end == u->window_from)
        return;
    if (u->plan.expects_keyframes)
        cut.cut = MF_CUT_SIZE;
    cut_plan_reset(&u->plan, u->end);
    cut_locked(u, &cut);
}

void upload_cut_rest_locked(struct upload *u)
{
    if (u->end > u->window_from && !u->planned)
        upload_plan_locked(u, false);
    if (u->status < 0)
        return;
    if (u->planned)
        upload_live_stop_locked(u);
    upload_cut_due_locked(u, false, true);
    if (u->status < 0)
        return;
    VS_ASSERT(u->end == u->window_from);
    if (u->chunk_count > 0) /* also one that happened to be full just here */
        u->chunks[u->chunk_count - 1].cut = MF_CUT_END;
}
