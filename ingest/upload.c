/* upload: see upload.h. The calls of an upload's owner; what they set in motion is in the files
 * beside this one.
 *
 * Happy path: append copies into the window and cuts what is due; a flush cuts the rest and is
 * done when every chunk is placed and hashed. Failure modes: the first error sticks; it ends the
 * chunks as the work on them comes back, tells a waiting writer, and is what the flush answers. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>
#include <string.h>

int upload_new(struct upload **ret, struct upload_env *env, const struct upload_config *config)
{
    struct upload *u = calloc(1, sizeof(*u));

    if (u == NULL)
        return -ENOMEM;
    if (vs_sha_new(&u->hash.sha) < 0) {
        free(u);
        return -ENOMEM;
    }
    u->env = env;
    u->session = config->session;
    u->ino = config->ino;
    u->start = u->end = u->window_from = config->offset;
    u->chunk_seq = config->chunk_seq;
    u->live_cut = config->live_cut && config->offset == 0;
    u->allow_inline = config->allow_inline;
    u->name_bytes =
        (uint16_t)(config->name_len < sizeof(u->name) ? config->name_len : sizeof(u->name));
    if (u->name_bytes > 0)
        memcpy(u->name, config->name, u->name_bytes);
    u->next_start_ms = UINT32_MAX;
    u->hold_bytes = UPLOAD_HOLD_BYTES_MAX;
    if (u->hold_bytes > env->budget / 2)
        u->hold_bytes = env->budget / 2;
    if (u->hold_bytes < CUT_MAX_BYTES)
        u->hold_bytes = CUT_MAX_BYTES;
    u->hash.known = true;
    vs_list_init(&u->window);
    vs_list_init(&u->live);
    vs_list_init(&u->room_link);

    pthread_mutex_lock(&env->lock);
    vs_list_add_tail(&env->uploads, &u->link);
    upload_object_locked(env);
    pthread_mutex_unlock(&env->lock);
    *ret = u;
    return 0;
}

/* ---- life ---- */

static void destroy_job(struct vs_job *job)
{
    struct upload *u = vs_container_of(job, struct upload, destroy_job);
    struct upload_env *env = u->env;

    cutter_live_free(u->cut.cutter);
    cut_plan_close(&u->plan);
    vs_sha_free(u->hash.sha);
    free(u->chunks);
    free(u->start_ms);
    free(u);
    pthread_mutex_lock(&env->lock);
    upload_object_end_locked(env);
    pthread_mutex_unlock(&env->lock);
}

static void destroy_if_unused_locked(struct upload *u)
{
    if (!u->freed || u->busy > 0)
        return;
    u->destroy_job.fn = destroy_job;
    vs_exec_submit(u->env->exec, &u->destroy_job);
}

void upload_busy_locked(struct upload *u)
{
    u->busy++;
}

void upload_busy_end_locked(struct upload *u)
{
    VS_ASSERT(u->busy > 0);
    u->busy--;
    destroy_if_unused_locked(u);
}

/* What was placed and will not be in a manifest. */
static void give_up_placed_locked(struct upload *u)
{
    for (size_t i = 0; i < u->chunk_count; i++) {
        if (!vs_id_is_zero(&u->chunks[i].id))
            upload_session_give_up_locked(u->session, &u->chunks[i].id);
    }
}

void upload_free(struct upload *u)
{
    struct upload_env *env;
    struct up_chunk *c;

    if (u == NULL)
        return;
    env = u->env;
    pthread_mutex_lock(&env->lock);
    VS_ASSERT(!u->freed && !u->appending);
    if (!u->flushed || u->status < 0)
        give_up_placed_locked(u);
    vs_list_del(&u->link);
    upload_room_end_locked(u, -ECANCELED);
    u->freed = true;
    while ((c = vs_list_first(&u->live, struct up_chunk, of_upload)) != NULL)
        up_chunk_detach_locked(c);
    upload_window_drop_locked(u);
    destroy_if_unused_locked(u);
    pthread_mutex_unlock(&env->lock);
}

void upload_fail_locked(struct upload *u, int status)
{
    struct vs_list *pos, *tmp;

    VS_ASSERT(status < 0);
    if (u->status < 0)
        return;
    u->status = status;
    u->hash.known = false;
    if (!u->appending) /* else its writer does, as soon as it is back */
        upload_window_drop_locked(u);
    upload_room_end_locked(u, status);
    vs_list_for_each (pos, tmp, &u->live)
        up_chunk_unwanted_locked(vs_container_of(pos, struct up_chunk, of_upload));
    upload_settle_locked(u);
}

/* ---- writing ---- */

static void room_job(struct vs_job *job)
{
    struct upload_room *room = vs_container_of(job, struct upload_room, job);

    room->done(room);
}

void upload_room_end_locked(struct upload *u, int status)
{
    struct upload_room *room = u->room;

    if (room == NULL)
        return;
    u->room = NULL;
    vs_list_del(&u->room_link);
    room->status = status;
    room->job.fn = room_job;
    vs_exec_submit(u->env->exec, &room->job);
}

static uint64_t held(const struct upload *u)
{
    return u->end - u->window_from;
}

/* Copy what fits into one piece; the bytes copied, or the upload's error. */
static int64_t append_some_locked(struct upload *u, const uint8_t *bytes, size_t len)
{
    struct up_piece *p;
    size_t n;

    if (!u->planned && held(u) >= UP_BUF_SMALL_BYTES)
        upload_plan_locked(u, true);
    if (u->status < 0)
        return u->status;
    p = upload_window_tail_locked(u);
    if (p == NULL) {
        upload_fail_locked(u, -ENOMEM);
        return u->status;
    }
    n = p->bytes_max - p->bytes < len ? p->bytes_max - p->bytes : len;

    u->appending = true;
    pthread_mutex_unlock(&u->env->lock);
    memcpy(p->buf->bytes + p->from + p->bytes, bytes, n);
    pthread_mutex_lock(&u->env->lock);
    u->appending = false;
    if (u->status < 0) {
        upload_window_drop_locked(u);
        return u->status;
    }
    p->bytes += n;
    u->end += n;
    upload_charge_locked(u->env, n);
    upload_cut_due_locked(u, false, false);
    return (int64_t)n;
}

int upload_append(struct upload *u, const void *bytes, size_t len, struct upload_room *room)
{
    struct upload_env *env = u->env;
    const uint8_t *at = bytes;
    VS_LOCK_SCOPE(&env->lock);

    VS_ASSERT(u->flush == NULL && u->room == NULL);
    while (len > 0) {
        int64_t n = append_some_locked(u, at, len);

        if (n < 0)
            return (int)n;
        at += n;
        len -= (size_t)n;
    }
    upload_live_feed_locked(u);
    if (u->status < 0)
        return u->status;
    if (env->used <= env->budget && !u->cut.lagging)
        return 0;
    u->room = room;
    vs_list_add_tail(&env->rooms, &u->room_link);
    upload_rooms_locked(env);
    return 1;
}

static int hole_entry_locked(struct upload *u, uint64_t bytes)
{
    struct mf_chunk hole = { .offset = u->end, .bytes = bytes, .cut = MF_CUT_END };

    u->hash.hole_bytes += bytes;
    if (u->hash.hole_bytes > UPLOAD_HASH_HOLES_MAX)
        upload_hash_give_up_locked(u);
    return upload_entry_locked(u, &hole, UINT32_MAX);
}

int upload_hole(struct upload *u, uint64_t bytes)
{
    int r;
    VS_LOCK_SCOPE(&u->env->lock);

    VS_ASSERT(u->flush == NULL && u->room == NULL);
    if (u->status == 0 && bytes > 0) {
        upload_cut_rest_locked(u);
        r = u->status == 0 ? hole_entry_locked(u, bytes) : u->status;
        if (r < 0)
            upload_fail_locked(u, r);
    }
    if (u->status < 0 || bytes == 0)
        return u->status;
    u->end += bytes;
    u->window_from = u->end;
    u->next_start_ms = UINT32_MAX;
    if (u->planned)
        cut_plan_reset(&u->plan, u->end);
    upload_hash_locked(u);
    return 0;
}

uint64_t upload_end(const struct upload *u)
{
    VS_LOCK_SCOPE(&u->env->lock);

    return u->end;
}

uint32_t upload_chunk_start_ms(const struct upload *u, size_t i)
{
    VS_LOCK_SCOPE(&u->env->lock);

    return i < u->chunk_count ? u->start_ms[i] : UINT32_MAX;
}
