/* up_chunk: one chunk from its cut to its register.
 *
 * Happy path: it waits for one of the slots of the pipeline, is coded on the executor while its id
 * is on its way, its fragments are put (upload_put.c), its register is created (upload_reg.c), its
 * memory goes back as soon as it is also hashed. Failure modes: no memory, no id, too few stores
 * fail the upload, which then ends all its chunks; a chunk whose work is in other hands (a job, a
 * store, the metadata) ends when that comes back. */
#include "ingest/upload_chunk.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

bool up_chunk_is_wanted(const struct up_chunk *c)
{
    return c->upload != NULL && c->upload->status == 0;
}

static bool holds_slot(enum um_state s)
{
    return s == UM_CODING || s == UM_PUTTING;
}

void up_chunk_move_locked(struct up_chunk *c, enum um_state to)
{
    struct upload_env *env = c->env;
    bool held = holds_slot(c->state);

    VS_ASSERT(um_may_move(c->state, to));
    vs_list_del(&c->queue);
    c->state = to;
    if (to == UM_PUTTING)
        vs_list_add_tail(&env->putting, &c->queue);
    if (to == UM_PLACING)
        vs_list_add_tail(&env->durable, &c->queue);
    if (held == holds_slot(to))
        return;
    if (held)
        env->slots--;
    else
        env->slots++;
}

/* ---- coding ---- */

/* Exec: the fragments are there; put them, or wait for the id. */
static void chunk_coded(struct up_chunk *c, struct up_attempt *a)
{
    struct upload_env *env = c->env;
    bool put = false;

    pthread_mutex_lock(&env->lock);
    VS_ASSERT(c->attempt == NULL && c->state == UM_CODING);
    c->attempt = a;
    c->parity_charged = a->parity != NULL ? a->parity->used : 0;
    upload_charge_locked(env, c->parity_charged);
    if (c->upload != NULL)
        upload_hash_locked(c->upload); /* its bytes are in one piece now */
    if (!up_chunk_is_wanted(c)) {
        up_chunk_end_locked(c);
    } else if (!c->has_id) {
        c->coded = true;
    } else {
        up_chunk_move_locked(c, UM_PUTTING);
        up_attempt_put_ref_locked(c);
        put = true;
    }
    pthread_mutex_unlock(&env->lock);
    if (put)
        up_attempt_put(a);
}

static void code_job(struct vs_job *job)
{
    struct up_chunk *c = vs_container_of(job, struct up_chunk, job);
    struct upload_env *env = c->env;
    struct um_store stores[UM_STORES_MAX];
    struct up_attempt *a = NULL;
    struct um_place place;
    unsigned count;
    int r;

    count = up_stores_look(env, stores);
    pthread_mutex_lock(&env->lock);
    up_stores_judge_locked(c, stores, count);
    r = up_chunk_is_wanted(c) ? 0 : -ECANCELED;
    pthread_mutex_unlock(&env->lock);

    if (r == 0)
        r = um_place(stores, count, c->turn, c->bytes, true, &place);
    if (r == 0)
        r = up_gather(c);
    if (r == 0)
        r = up_attempt_new(&a, c, &place);
    if (r == 0) {
        chunk_coded(c, a);
        return;
    }
    pthread_mutex_lock(&env->lock);
    up_chunk_fail_locked(c, r);
    pthread_mutex_unlock(&env->lock);
}

void up_chunk_code_locked(struct up_chunk *c)
{
    up_chunk_move_locked(c, UM_CODING);
    c->coded = false;
    c->generation++;
    c->job.fn = code_job;
    vs_exec_submit(c->env->exec, &c->job);
}

void up_chunk_slots_locked(struct upload_env *env)
{
    struct up_chunk *c;

    while (env->slots < UPLOAD_SLOTS_MAX &&
           (c = vs_list_first(&env->queued, struct up_chunk, queue)) != NULL)
        up_chunk_code_locked(c);
}

/* ---- the id ---- */

static void put_job(struct vs_job *job)
{
    struct up_chunk *c = vs_container_of(job, struct up_chunk, job);
    struct upload_env *env = c->env;
    struct up_attempt *a = c->attempt;

    pthread_mutex_lock(&env->lock);
    VS_ASSERT(c->state == UM_CODING && a != NULL);
    if (!up_chunk_is_wanted(c)) {
        c->coded = true; /* no job runs any more */
        up_chunk_end_locked(c);
        a = NULL;
    } else {
        up_chunk_move_locked(c, UM_PUTTING);
        up_attempt_put_ref_locked(c);
    }
    pthread_mutex_unlock(&env->lock);
    if (a != NULL)
        up_attempt_put(a);
}

static void take_id_locked(struct up_chunk *c)
{
    VS_ASSERT(upload_session_take_locked(c->session, VS_ID_CHUNK, &c->id));
    c->has_id = true;
}

static void id_served_locked(struct up_want *w, int status)
{
    struct up_chunk *c = vs_container_of(w, struct up_chunk, want);

    if (status < 0) {
        upload_fail_locked(c->upload, status); /* wants are taken back before an upload goes */
        return;
    }
    take_id_locked(c);
    if (!c->coded)
        return;
    c->coded = false;
    c->job.fn = put_job;
    vs_exec_submit(c->env->exec, &c->job);
}

/* ---- life ---- */

int up_chunk_new_locked(struct upload *u, size_t index, uint32_t bytes)
{
    struct upload_env *env = u->env;
    struct up_chunk *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL)
        return -ENOMEM;
    c->env = env;
    c->upload = u;
    c->session = u->session;
    c->index = index;
    c->offset = u->window_from;
    c->bytes = bytes;
    c->turn = u->ino + u->chunk_seq + index;
    c->note = (struct frag_note){ .chunk_bytes = bytes,
                                  .inode = u->ino,
                                  .chunk_seq = u->chunk_seq + (uint32_t)index,
                                  .file_offset = c->offset,
                                  .name_bytes = u->name_bytes };
    memcpy(c->note.name, u->name, u->name_bytes);
    vs_list_init(&c->pieces);
    vs_list_init(&c->old);
    vs_list_init(&c->of_upload);
    vs_list_init(&c->queue);
    vs_list_init(&c->want.link);
    c->want.served = id_served_locked;
    r = upload_window_take_locked(u, bytes, &c->pieces, &c->in_place);
    if (r < 0) {
        upload_pieces_free(&c->pieces);
        free(c);
        upload_uncharge_locked(env, bytes);
        return r;
    }
    c->charged = bytes;
    c->hashed = !u->hash.known;
    vs_list_add_tail(&u->live, &c->of_upload);
    u->unplaced++;
    env->chunks++;
    upload_object_locked(env);
    upload_session_user_locked(c->session);
    vs_list_add_tail(&env->queued, &c->queue);
    upload_session_want_locked(c->session, &c->want);
    up_chunk_slots_locked(env);
    return 0;
}

static void chunk_free_locked(struct up_chunk *c)
{
    struct upload_env *env = c->env;
    struct upload_session *session = c->session;
    struct up_attempt *a;
    uint64_t charged = c->charged + c->parity_charged;

    vs_list_del(&c->of_upload);
    vs_list_del(&c->queue);
    vs_list_del(&c->want.link);
    upload_pieces_free(&c->pieces);
    up_buf_put(c->buf);
    if (c->attempt != NULL)
        up_attempt_leave_locked(c->attempt, false);
    while ((a = vs_list_first(&c->old, struct up_attempt, link)) != NULL)
        up_attempt_leave_locked(a, false);
    free(c);
    env->chunks--;
    upload_uncharge_locked(env, charged);
    upload_session_user_end_locked(session);
    upload_object_end_locked(env);
}

/* An id that was assigned and will not be in a manifest: something may be stored under it. */
static void give_up_locked(struct up_chunk *c)
{
    if (c->has_id && !c->given_up)
        upload_session_give_up_locked(c->session, &c->id);
    c->given_up = c->has_id;
}

void up_chunk_end_locked(struct up_chunk *c)
{
    struct upload_env *env = c->env;
    struct upload *u = c->upload;

    give_up_locked(c);
    up_chunk_move_locked(c, UM_ENDED);
    if (u != NULL)
        u->unplaced--;
    chunk_free_locked(c);
    up_chunk_slots_locked(env);
    if (u != NULL)
        upload_settle_locked(u);
}

void up_chunk_fail_locked(struct up_chunk *c, int status)
{
    if (c->upload != NULL)
        upload_fail_locked(c->upload, status);
    up_chunk_end_locked(c);
}

void up_chunk_release_if_done_locked(struct up_chunk *c)
{
    struct upload *u = c->upload;

    if (c->state != UM_PLACED || !c->hashed)
        return;
    chunk_free_locked(c);
    if (u != NULL)
        upload_settle_locked(u);
}

void up_chunk_placed_locked(struct up_chunk *c)
{
    struct upload *u = c->upload;
    struct mf_chunk *entry = &u->chunks[c->index];
    struct up_attempt *a;

    up_chunk_move_locked(c, UM_PLACED);
    entry->id = c->id;
    entry->crc = c->crc;
    entry->red = c->attempt->place.red;
    u->stored_bytes += (uint64_t)c->attempt->fragment_bytes * c->attempt->place.count;
    u->degraded += c->attempt->place.count < 5;
    u->unplaced--;
    up_attempt_leave_locked(c->attempt, false);
    c->attempt = NULL;
    while ((a = vs_list_first(&c->old, struct up_attempt, link)) != NULL)
        up_attempt_leave_locked(a, true);
    if (c->hashed)
        up_chunk_release_if_done_locked(c);
    else
        upload_settle_locked(u);
}

void up_chunk_unwanted_locked(struct up_chunk *c)
{
    vs_list_del(&c->want.link); /* no id any more */
    if (c->state == UM_QUEUED || (c->state == UM_CODING && c->coded)) {
        up_chunk_end_locked(c);
    } else if (c->state == UM_PLACED) {
        c->hashed = true;
        up_chunk_release_if_done_locked(c);
    }
}

void up_chunk_detach_locked(struct up_chunk *c)
{
    if (c->state != UM_PLACED)
        give_up_locked(c);
    vs_list_del(&c->of_upload);
    c->upload = NULL;
    up_chunk_unwanted_locked(c);
}
