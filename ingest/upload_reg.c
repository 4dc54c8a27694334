/* Registers of chunks whose fragments are durable, created in batches.
 *
 * Happy path: what became durable while the last request was on its way, of all uploads together,
 * is one request: the slower the metadata, the larger the batches. Failure modes: each register
 * answers on its own; one that is refused fails its upload. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>

struct reg_batch {
    struct upload_env *env;
    struct meta_req req;
    unsigned count;
    struct {
        struct up_chunk *chunk;
        struct vs_buf value;
    } item[UPLOAD_REG_BATCH_MAX];
    struct meta_reg reg[UPLOAD_REG_BATCH_MAX];
};

static void chunk_register_done_locked(struct up_chunk *c, int status)
{
    if (status < 0)
        up_chunk_fail_locked(c, status);
    else if (up_chunk_is_wanted(c))
        up_chunk_placed_locked(c);
    else
        up_chunk_end_locked(c); /* its id was given up: the commit, or the abort, releases it */
}

static void batch_done(struct meta_req *req)
{
    struct reg_batch *b = vs_container_of(req, struct reg_batch, req);
    struct upload_env *env = b->env;

    pthread_mutex_lock(&env->lock);
    env->reg_batches--;
    for (unsigned i = 0; i < b->count; i++) {
        int status = b->reg[i].status;

        if (status > 0) /* the request as a whole was not carried out */
            status = req->status < 0 ? req->status : -EIO;
        chunk_register_done_locked(b->item[i].chunk, status);
        vs_buf_close(&b->item[i].value);
        vs_buf_close(&b->reg[i].current);
    }
    free(b);
    up_regs_due_locked(env);
    upload_object_end_locked(env);
    pthread_mutex_unlock(&env->lock);
}

static int value_encode(const struct up_chunk *c, struct vs_buf *ret)
{
    const struct up_attempt *a = c->attempt;
    struct place_value v = { .state = PLACE_LIVE,
                             .session = a->note.session,
                             .generation = a->generation,
                             .chunk_bytes = c->bytes,
                             .red = a->place.red };

    for (unsigned i = 0; i < a->place.count; i++) {
        VS_ASSERT(a->state[i] == UM_PUT_DURABLE); /* I9 */
        for (unsigned other = 0; other < i; other++)
            VS_ASSERT(a->frag[other].node != a->frag[i].node); /* I9 */
        v.frag[i] = a->frag[i];
        v.frag[i].generation = a->generation;
    }
    return place_value_encode(&v, ret);
}

/* Under env->lock: as many chunks as a batch takes. */
static void batch_fill_locked(struct reg_batch *b)
{
    struct up_chunk *c;

    while (b->count < UPLOAD_REG_BATCH_MAX &&
           (c = vs_list_first(&b->env->durable, struct up_chunk, queue)) != NULL) {
        struct vs_buf *value = &b->item[b->count].value;
        int r = 0;

        vs_list_del(&c->queue);
        if (!up_chunk_is_wanted(c))
            r = -ECANCELED;
        else
            r = value_encode(c, value);
        if (r < 0) {
            vs_buf_close(value);
            up_chunk_fail_locked(c, r);
            continue;
        }
        b->item[b->count].chunk = c;
        b->reg[b->count] = (struct meta_reg){
            .id = c->id, .value = value->data, .value_len = value->len, .status = 1
        };
        b->count++;
    }
}

static void reg_job(struct vs_job *job)
{
    struct upload_env *env = vs_container_of(job, struct upload_env, reg_job);
    struct reg_batch *b = calloc(1, sizeof(*b));
    struct up_chunk *c;

    pthread_mutex_lock(&env->lock);
    env->reg_due = false;
    if (b != NULL) {
        b->env = env;
        batch_fill_locked(b);
    } else if ((c = vs_list_first(&env->durable, struct up_chunk, queue)) != NULL) {
        up_chunk_fail_locked(c, -ENOMEM);
    }
    if (b == NULL || b->count == 0) {
        free(b);
        up_regs_due_locked(env);
        upload_object_end_locked(env);
        pthread_mutex_unlock(&env->lock);
        return;
    }
    env->reg_batches++;
    up_regs_due_locked(env);
    pthread_mutex_unlock(&env->lock);
    b->req = (struct meta_req){
        .op = META_REG_CREATE, .done = batch_done, .regs = b->reg, .reg_count = b->count
    };
    meta_submit(env->meta, &b->req); /* the object that began with the job ends with the batch */
}

void up_regs_due_locked(struct upload_env *env)
{
    if (env->reg_due || env->reg_batches >= UPLOAD_REG_BATCHES_MAX || vs_list_empty(&env->durable))
        return;
    env->reg_due = true;
    upload_object_locked(env);
    env->reg_job.fn = reg_job;
    vs_exec_submit(env->exec, &env->reg_job);
}
