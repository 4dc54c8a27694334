/* The end of an upload: all that was taken becomes durable and placed.
 *
 * Happy path: the last reports of the demuxer are awaited, the window is cut, and when every chunk
 * is placed and hashed the entries are handed over; a small file is not cut at all, but handed over
 * as it is. Failure modes: the upload's error. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"
#include "meta/ns_types.h"

static void done_job(struct vs_job *job)
{
    struct upload_flush *f = vs_container_of(job, struct upload_flush, job);

    f->done(f);
}

static void finish_locked(struct upload *u, int status)
{
    struct upload_flush *f = u->flush;

    u->flushed = true;
    f->status = status;
    if (status == 0) {
        f->chunks = u->chunks;
        f->chunk_count = u->chunk_count;
        f->sha_known = u->hash.known;
        if (u->hash.known)
            vs_sha_final(u->hash.sha, f->sha256);
        f->stored_bytes = u->stored_bytes;
        f->degraded = u->degraded;
    }
    f->job.fn = done_job;
    vs_exec_submit(u->env->exec, &f->job);
}

/* ---- small files ---- */

static bool is_inline(const struct upload *u)
{
    return u->allow_inline && u->chunk_count == 0 && u->end > u->window_from &&
           u->end - u->window_from <= NS_INLINE_BYTES_MAX;
}

_Static_assert(UP_BUF_SMALL_BYTES >= NS_INLINE_BYTES_MAX, "a small file is in one piece");

static void inline_job(struct vs_job *job)
{
    struct upload *u = vs_container_of(job, struct upload, hash.job);
    struct upload_env *env = u->env;
    const struct up_piece *p;

    pthread_mutex_lock(&env->lock);
    p = u->freed ? NULL : vs_list_first(&u->window, struct up_piece, link);
    if (p != NULL) { /* some microseconds; nobody can take the piece away meanwhile */
        vs_sha_update(u->hash.sha, p->buf->bytes, p->bytes);
        u->flush->inline_bytes = p->buf->bytes;
        u->flush->inline_len = p->bytes;
        finish_locked(u, 0);
    }
    upload_busy_end_locked(u);
    pthread_mutex_unlock(&env->lock);
}

static void finish_inline_locked(struct upload *u)
{
    if (u->inlined)
        return;
    u->inlined = true;
    upload_busy_locked(u);
    u->hash.job.fn = inline_job;
    vs_exec_submit(u->env->exec, &u->hash.job);
}

/* ---- all ---- */

void upload_settle_locked(struct upload *u)
{
    if (u->freed || u->flush == NULL || u->flushed)
        return;
    if (u->status < 0) {
        finish_locked(u, u->status);
        return;
    }
    if (!upload_live_done_locked(u))
        return;
    if (is_inline(u)) {
        finish_inline_locked(u);
        return;
    }
    if (!u->rest_cut) {
        u->rest_cut = true;
        upload_cut_rest_locked(u); /* may settle, when it fails */
    }
    if (u->flushed || u->unplaced > 0)
        return;
    if (u->hash.known && u->hash.next < u->chunk_count)
        return;
    VS_ASSERT(vs_list_empty(&u->live)); /* I10: every chunk has its register */
    finish_locked(u, 0);
}

void upload_flush(struct upload *u, struct upload_flush *f)
{
    upload_flush_fn *done = f->done;
    VS_LOCK_SCOPE(&u->env->lock);

    VS_ASSERT(u->flush == NULL && !u->freed);
    *f = (struct upload_flush){ .done = done };
    u->flush = f;
    upload_settle_locked(u);
}
