/* SHA-256 over a whole upload, in order, on the executor.
 *
 * Happy path: chunks are cut in order but coded in any; one job at a time takes the next chunk that
 * is in one piece, and makes way for other jobs after each. Failure modes: too many zeros in holes
 * (a sparse terabyte): the hash is given up, the root hash over the fragments stays. */
#include "common/assert.h"
#include "ingest/upload_chunk.h"

static struct up_chunk *chunk_at(struct upload *u, size_t index)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &u->live) {
        struct up_chunk *c = vs_container_of(pos, struct up_chunk, of_upload);

        if (c->index >= index)
            return c->index == index ? c : NULL;
    }
    return NULL;
}

void upload_hash_give_up_locked(struct upload *u)
{
    struct vs_list *pos, *tmp;

    if (!u->hash.known)
        return;
    u->hash.known = false;
    vs_list_for_each (pos, tmp, &u->live) {
        struct up_chunk *c = vs_container_of(pos, struct up_chunk, of_upload);

        c->hashed = true;
        up_chunk_release_if_done_locked(c);
    }
}

/* Exec: one chunk, or one hole. */
static void hash_job(struct vs_job *job)
{
    struct upload *u = vs_container_of(job, struct upload, hash.job);
    struct upload_env *env = u->env;
    struct up_buf *buf = NULL;
    struct mf_chunk entry;
    struct up_chunk *c;
    size_t from = 0;

    pthread_mutex_lock(&env->lock);
    c = u->freed ? NULL : chunk_at(u, u->hash.next);
    entry = u->chunks[u->hash.next];
    if (c != NULL) {
        buf = up_buf_ref(c->buf);
        from = c->from;
    }
    pthread_mutex_unlock(&env->lock);

    if (buf != NULL)
        vs_sha_update(u->hash.sha, buf->bytes + from, entry.bytes);
    else
        vs_sha_update_zeros(u->hash.sha, entry.bytes);
    up_buf_put(buf);

    pthread_mutex_lock(&env->lock);
    u->hash.running = false;
    c = u->freed ? NULL : chunk_at(u, u->hash.next);
    u->hash.next++;
    if (c != NULL) {
        c->hashed = true;
        up_chunk_release_if_done_locked(c);
    }
    upload_hash_locked(u);
    upload_settle_locked(u);
    upload_busy_end_locked(u);
    pthread_mutex_unlock(&env->lock);
}

void upload_hash_locked(struct upload *u)
{
    const struct up_chunk *c;

    if (!u->hash.known || u->hash.running || u->status < 0 || u->hash.next == u->chunk_count)
        return;
    c = chunk_at(u, u->hash.next);
    if (c != NULL && c->buf == NULL)
        return; /* coded later; it calls again */
    u->hash.running = true;
    upload_busy_locked(u);
    u->hash.job.fn = hash_job;
    vs_exec_submit(u->env->exec, &u->hash.job);
}
