/* upload_env: what all uploads share: the budget, the writers that wait for it, the end of it all.
 *
 * Happy path: bytes are charged when they are taken and uncharged when their chunk is placed; a
 * writer above the budget waits in line and is told when there is room. Failure modes: memory could
 * be held by half-filled chunks of writers that all wait; then, with nothing on its way that could
 * free some, the fullest window is cut where it stands. A put that a hung store never answers pins
 * its chunk's buffer until it does, uncharged: at most UPLOAD_SLOTS_MAX chunks per store, since a
 * silent store is asked nothing more. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>

int64_t upload_now_ns(const struct upload_env *env)
{
    return vs_now_ns(env->clock);
}

int upload_env_new(struct upload_env **ret, const struct upload_env_config *config)
{
    struct upload_env *env = calloc(1, sizeof(*env));

    if (env == NULL)
        return -ENOMEM;
    env->stores = config->stores;
    env->meta = config->meta;
    env->exec = config->exec;
    env->cutter = config->cutter;
    env->missed = config->missed;
    env->mount = config->mount;
    env->clock = config->clock != NULL ? config->clock : &vs_clock_system;
    env->budget = config->budget_bytes != 0 ? config->budget_bytes : UPLOAD_BUDGET_BYTES_DEFAULT;
    pthread_mutex_init(&env->lock, NULL);
    pthread_cond_init(&env->ended, NULL);
    up_pool_init(&env->pool, env->budget / 4);
    vs_list_init(&env->uploads);
    vs_list_init(&env->rooms);
    vs_list_init(&env->queued);
    vs_list_init(&env->putting);
    vs_list_init(&env->durable);
    *ret = env;
    return 0;
}

void upload_env_free(struct upload_env *env)
{
    if (env == NULL)
        return;
    pthread_mutex_lock(&env->lock);
    VS_ASSERT(vs_list_empty(&env->uploads));
    if (vs_list_empty(&env->putting))
        up_watch_stop_locked(env);
    while (env->objects > 0)
        pthread_cond_wait(&env->ended, &env->lock);
    VS_ASSERT(env->used == 0 && env->slots == 0 && env->chunks == 0);
    pthread_mutex_unlock(&env->lock);
    up_pool_close(&env->pool);
    pthread_cond_destroy(&env->ended);
    pthread_mutex_destroy(&env->lock);
    free(env);
}

unsigned upload_env_sessions(struct upload_env *env)
{
    VS_LOCK_SCOPE(&env->lock);
    return env->sessions;
}

void upload_object_locked(struct upload_env *env)
{
    env->objects++;
}

void upload_object_end_locked(struct upload_env *env)
{
    VS_ASSERT(env->objects > 0);
    if (--env->objects == 0)
        pthread_cond_broadcast(&env->ended);
}

void upload_charge_locked(struct upload_env *env, uint64_t bytes)
{
    env->used += bytes;
}

void upload_uncharge_locked(struct upload_env *env, uint64_t bytes)
{
    VS_ASSERT(env->used >= bytes);
    env->used -= bytes;
    if (bytes > 0 && !vs_list_empty(&env->rooms))
        upload_rooms_locked(env);
}

static uint64_t window_bytes(const struct upload *u)
{
    return u->end - u->window_from;
}

/* Every writer waits, and nothing is on its way: cut the fullest window where it stands. */
static void cut_fullest_locked(struct upload_env *env)
{
    struct upload *fullest = NULL;
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &env->uploads) {
        struct upload *u = vs_container_of(pos, struct upload, link);

        if (u->appending || u->status < 0 || u->flush != NULL || window_bytes(u) == 0)
            continue;
        if (fullest == NULL || window_bytes(u) > window_bytes(fullest))
            fullest = u;
    }
    if (fullest == NULL)
        return;
    upload_cut_due_locked(fullest, true, false);
    if (env->chunks == 0)
        upload_cut_here_locked(fullest);
}

/* With nothing on its way and room left, all may go: nobody else would call them later. */
void upload_rooms_locked(struct upload_env *env)
{
    bool idle = env->chunks == 0, waiting = false;
    uint64_t expected = 0;
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &env->rooms) {
        struct upload *u = vs_container_of(pos, struct upload, room_link);

        if (u->cut.lagging)
            continue;
        waiting = !um_has_room(env->used + expected, env->budget, idle);
        if (waiting)
            break;
        if (!idle)
            expected += UPLOAD_APPEND_BYTES;
        upload_room_end_locked(u, 0);
    }
    if (waiting && idle)
        cut_fullest_locked(env);
}
