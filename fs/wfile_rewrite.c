/* wfile_rewrite: which chunks of a file stay, which are stored anew, and doing it.
 *
 * Happy path of a sequential writer: the tail is flushed and its chunks are the file. Where staged
 * bytes or zeros lie over chunks, each run of such chunks is read as the layers give it, and goes
 * through an upload of its own; when that is more than half of the file, the whole file does, so
 * that it is cut anew and its SHA-256 is known. Failure: any; the commit gives up, the old version
 * stays. */
#include "common/assert.h"
#include "common/err.h"
#include "fs/wfile_commit.h"
#include <string.h>

/* ---- flushing uploads ---- */

static void commit_flushed(struct upload_flush *f)
{
    waiter_wake(&vs_container_of(f, struct commit_flush, flush)->waiter);
}

void commit_flush_start(struct commit *c, struct upload *u, struct commit_flush *f)
{
    *f = (struct commit_flush){ .flush = { .done = commit_flushed },
                                .waiter = WAITER_INIT,
                                .started = true };
    VS_LOCK_SCOPE(&c->w->lock); /* readers peek */
    upload_flush(u, &f->flush);
}

int commit_flush_wait(struct commit_flush *f)
{
    if (f->started && !f->done)
        waiter_wait(&f->waiter);
    f->done = true;
    return f->flush.status;
}

void commit_close(struct commit *c)
{
    (void)commit_flush_wait(&c->tail);
    for (size_t k = 0; k < c->run_count; k++) {
        (void)commit_flush_wait(&c->runs[k].flush);
        upload_free(c->runs[k].upload);
        free(c->runs[k].chunks);
        free(c->runs[k].start_ms);
    }
    free(c->runs);
    free(c->old);
    free(c->chunks);
    free(c->start_ms);
    free(c->inline_bytes);
    free(c->released);
    free(c->manifest.dropped);
    mf_head_close(&c->manifest.head);
    vs_buf_close(&c->manifest.encoded);
}

/* ---- the file as it is ---- */

static void commit_add_old(struct commit *c, const struct mf_chunk *chunk, uint64_t end,
                           uint32_t start_ms)
{
    struct commit_chunk *to = &c->old[c->old_count];
    struct wfile *w = c->w;
    bool hole = vs_id_is_zero(&chunk->id);

    if (chunk->offset >= end)
        return;
    *to = (struct commit_chunk){ .c = *chunk,
                                 .end = chunk->offset + chunk->bytes,
                                 .start_ms = start_ms };
    if (to->end > end) {
        to->end = end;
        if (hole)
            to->c.bytes = end - chunk->offset; /* any part of a hole is a hole */
        else
            to->dirty = true;
    }
    if (extent_set_bytes_in(&w->staged, chunk->offset, to->end) > 0 ||
        (!hole && extent_set_bytes_in(&w->zeros, chunk->offset, to->end) > 0))
        to->dirty = true;
    c->old_count++;
}

static int commit_list_old(struct commit *c)
{
    const struct upload_flush *f = &c->tail.flush;
    struct wfile *w = c->w;
    uint64_t base_end = w->base_end < w->size ? w->base_end : w->size;

    c->old = calloc(w->base_chunk_count + f->chunk_count + 1, sizeof(*c->old));
    if (c->old == NULL)
        return -ENOMEM;
    for (size_t k = 0; k < w->base_chunk_count; k++)
        commit_add_old(c, &w->base_chunks[k], base_end, UINT32_MAX);
    for (size_t k = 0; k < f->chunk_count; k++)
        commit_add_old(c, &f->chunks[k], w->size, upload_chunk_start_ms(w->tail, k));
    return 0;
}

/* Is the byte at `offset` in a hole, and up to where is that so at least? */
static bool commit_is_hole(const struct commit *c, uint64_t offset, uint64_t *ret_end)
{
    size_t low = 0, high = c->old_count;
    const struct commit_chunk *o;
    bool hole;
    struct extent e;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (c->old[mid].c.offset <= offset)
            low = mid;
        else
            high = mid;
    }
    o = &c->old[low];
    hole = vs_id_is_zero(&o->c.id);
    *ret_end = o->end;
    if (extent_set_next(&c->w->zeros, offset, &e)) {
        hole = hole || e.start <= offset;
        if (*ret_end > (e.start <= offset ? e.end : e.start))
            *ret_end = e.start <= offset ? e.end : e.start;
    }
    if (extent_set_next(&c->w->staged, offset, &e)) {
        hole = hole && e.start > offset;
        if (*ret_end > (e.start <= offset ? e.end : e.start))
            *ret_end = e.start <= offset ? e.end : e.start;
    }
    return hole;
}

/* ---- storing runs anew ---- */

static int commit_run_write(struct commit *c, struct upload *u, uint64_t at, uint64_t end,
                            uint8_t *buf)
{
    while (at < end) {
        uint64_t to, more;
        int64_t n;
        int r;

        if (commit_is_hole(c, at, &to)) {
            while (to < end && commit_is_hole(c, to, &more))
                to = more;
            to = to < end ? to : end;
            r = wfile_upload_gap(c->w, u, to - at);
        } else {
            to = to < end ? to : end;
            to = to - at < WFILE_COPY_BYTES ? to : at + WFILE_COPY_BYTES;
            n = wfile_view_read(c->fs, c->inode, c->w, at, buf, (size_t)(to - at), true);
            if (n >= 0 && (uint64_t)n != to - at)
                n = -EIO;
            r = n < 0 ? (int)n : wfile_upload_append(c->w, u, buf, (size_t)n);
        }
        if (r < 0)
            return r;
        at = to;
    }
    return 0;
}

static int commit_run_store(struct commit *c, struct commit_run *run, uint8_t *buf)
{
    uint64_t start = c->old[run->first].c.offset;
    int r = wfile_upload_new(c->fs, c->inode, c->w, start, false, &run->upload);

    if (r == 0)
        r = commit_run_write(c, run->upload, start, c->old[run->last - 1].end, buf);
    if (r == 0)
        commit_flush_start(c, run->upload, &run->flush);
    return r;
}

/* Wait until the run is durable, keep what it became, and let its upload go. */
static int commit_run_finish(struct commit_run *run)
{
    const struct upload_flush *f = &run->flush.flush;
    int r = commit_flush_wait(&run->flush);

    if (r < 0)
        return r;
    run->chunks = calloc(f->chunk_count + 1, sizeof(*run->chunks));
    run->start_ms = calloc(f->chunk_count + 1, sizeof(*run->start_ms));
    if (run->chunks == NULL || run->start_ms == NULL)
        return -ENOMEM;
    run->chunk_count = f->chunk_count;
    for (size_t n = 0; n < f->chunk_count; n++) {
        run->chunks[n] = f->chunks[n];
        run->start_ms[n] = upload_chunk_start_ms(run->upload, n);
    }
    run->sha_known = f->sha_known;
    memcpy(run->sha256, f->sha256, sizeof(run->sha256));
    upload_free(run->upload);
    run->upload = NULL;
    return 0;
}

/* Runs of dirty chunks; the whole file when more than half of it is dirty. */
static int commit_find_runs(struct commit *c)
{
    uint64_t dirty = 0, all = 0;

    c->runs = calloc(c->old_count, sizeof(*c->runs));
    if (c->runs == NULL)
        return -ENOMEM;
    for (size_t k = 0; k < c->old_count; k++) {
        const struct commit_chunk *o = &c->old[k];

        if (vs_id_is_zero(&o->c.id) && !o->dirty)
            continue;
        all += o->end - o->c.offset;
        if (!o->dirty)
            continue;
        dirty += o->end - o->c.offset;
        if (c->run_count > 0 && c->runs[c->run_count - 1].last == k)
            c->runs[c->run_count - 1].last++;
        else
            c->runs[c->run_count++] = (struct commit_run){ .first = k, .last = k + 1 };
    }
    if (dirty > all / 2) {
        c->runs[0] = (struct commit_run){ .first = 0, .last = c->old_count };
        c->run_count = 1;
    }
    return 0;
}

static int commit_store_runs(struct commit *c)
{
    VS_AUTO_FREE uint8_t *buf = NULL;
    int r = 0;

    if (c->run_count == 0)
        return 0;
    buf = malloc(WFILE_COPY_BYTES);
    if (buf == NULL)
        return -ENOMEM;
    for (size_t k = 0; k < c->run_count && r == 0; k++) {
        if (k >= COMMIT_RUNS_IN_FLIGHT)
            r = commit_run_finish(&c->runs[k - COMMIT_RUNS_IN_FLIGHT]);
        if (r == 0)
            r = commit_run_store(c, &c->runs[k], buf);
    }
    for (size_t k = 0; k < c->run_count && r == 0; k++)
        if (c->runs[k].upload != NULL)
            r = commit_run_finish(&c->runs[k]);
    return r;
}

/* ---- the file as it will be ---- */

static void commit_add(struct commit *c, const struct mf_chunk *chunk, uint32_t start_ms)
{
    struct mf_chunk *last = c->chunk_count > 0 ? &c->chunks[c->chunk_count - 1] : NULL;

    VS_ASSERT(chunk->offset == (last != NULL ? last->offset + last->bytes : 0));
    if (last != NULL && vs_id_is_zero(&last->id) && vs_id_is_zero(&chunk->id)) {
        last->bytes += chunk->bytes;
        return;
    }
    c->chunks[c->chunk_count] = *chunk;
    c->start_ms[c->chunk_count++] = start_ms;
}

static int commit_list_new(struct commit *c)
{
    size_t max = c->old_count;
    struct commit_run *run = c->runs, *end = c->runs + c->run_count;

    for (size_t k = 0; k < c->run_count; k++)
        max += c->runs[k].chunk_count;
    c->chunks = calloc(max + 1, sizeof(*c->chunks));
    c->start_ms = calloc(max + 1, sizeof(*c->start_ms));
    if (c->chunks == NULL || c->start_ms == NULL)
        return -ENOMEM;
    for (size_t k = 0; k < c->old_count;) {
        if (run == end || k < run->first) {
            commit_add(c, &c->old[k].c, c->old[k].start_ms);
            k++;
            continue;
        }
        for (size_t n = 0; n < run->chunk_count; n++)
            commit_add(c, &run->chunks[n], run->start_ms[n]);
        k = run->last;
        run++;
    }
    VS_ASSERT(c->chunk_count > 0 &&
              c->chunks[c->chunk_count - 1].offset + c->chunks[c->chunk_count - 1].bytes ==
                  c->w->size);
    return 0;
}

/* One upload that is the whole file knows its SHA-256. */
static const uint8_t *commit_sha(const struct commit *c)
{
    const struct wfile *w = c->w;

    if (c->run_count == 1 && c->runs[0].first == 0 && c->runs[0].last == c->old_count)
        return c->runs[0].sha_known ? c->runs[0].sha256 : NULL;
    if (c->run_count == 0 && w->tail != NULL && w->tail_start == 0 &&
        upload_end(w->tail) == w->size && c->tail.flush.sha_known)
        return c->tail.flush.sha256;
    return NULL;
}

int commit_chunks(struct commit *c)
{
    struct wfile *w = c->w;
    int r = wfile_drain(c->fs, c->inode, w, w->size);

    if (r == 0)
        r = wfile_load_chunks(w);
    if (r == 0 && w->tail != NULL) {
        {
            VS_LOCK_SCOPE(&w->lock);
            w->tail_closed = true;
        }
        commit_flush_start(c, w->tail, &c->tail);
        r = commit_flush_wait(&c->tail);
    }
    if (r == 0)
        r = commit_list_old(c);
    if (r == 0)
        r = commit_find_runs(c);
    if (r == 0)
        r = commit_store_runs(c);
    if (r == 0)
        r = commit_list_new(c);
    if (r == 0)
        c->sha = commit_sha(c);
    return r;
}
