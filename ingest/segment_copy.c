/* segment_copy: see the header. */
#include "ingest/segment_copy.h"
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>
#include <string.h>

struct copy_put {
    struct store_put req;
    struct copy_item *item;
    unsigned entry;
};

struct copy_item {
    struct segment_copy *copy;
    struct vs_id id;
    struct frag_note note;
    struct vs_buf payload;
    uint8_t sha256[VS_SHA256_BYTES];
    unsigned durable, answered; /* under env->lock */
    bool is_enough;
    struct copy_put put[SEGMENT_COPY_STORES];
};

struct segment_copy {
    struct upload_env *env;
    struct upload_session *session;
    struct frag_note note;
    unsigned count, cap;
    unsigned asked; /* stores; of each item */
    uint8_t entry[SEGMENT_COPY_STORES];
    /* under env->lock */
    unsigned lacking;    /* items that have not enough */
    unsigned unanswered; /* puts */
    unsigned refs;       /* puts, the call that sends them, the timer */
    bool is_timed;       /* the timer runs */
    bool is_late;        /* it has run: those that did not answer are not waited for */
    bool is_done;        /* `done` was called, or is being called */
    struct vs_job timer;
    segment_copy_fn *done;
    void *arg;
    struct copy_item item[];
};

int segment_copy_new(struct segment_copy **ret, struct upload_env *env,
                     struct upload_session *session, const struct frag_note *note, unsigned count)
{
    struct segment_copy *c = calloc(1, sizeof(*c) + count * sizeof(c->item[0]));

    if (c == NULL)
        return -ENOMEM;
    c->env = env;
    c->session = session;
    c->note = *note;
    c->cap = count;
    *ret = c;
    return 0;
}

void segment_copy_add(struct segment_copy *c, const struct vs_id *id, uint64_t offset,
                      struct vs_buf *payload)
{
    struct copy_item *item = &c->item[c->count];

    VS_ASSERT(c->count < c->cap);
    item->copy = c;
    item->id = *id;
    item->note = c->note;
    item->note.file_offset = offset;
    item->note.chunk_bytes = (uint32_t)payload->len;
    item->payload = *payload;
    *payload = (struct vs_buf){ 0 };
    vs_sha256(item->payload.data, item->payload.len, item->sha256);
    c->count++;
}

void segment_copy_free(struct segment_copy *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->count; i++)
        vs_buf_close(&c->item[i].payload);
    free(c);
}

/* ---- answers ---- */

/* Something came to its end: the writer goes on once nothing is lacking; the last one frees. */
static void copy_leave(struct segment_copy *c)
{
    struct upload_env *env = c->env;
    bool tell;

    pthread_mutex_lock(&env->lock);
    if (c->unanswered == 0 && c->is_timed && vs_exec_cancel_after(env->exec, &c->timer) == 1) {
        c->is_timed = false;
        c->refs--;
    }
    tell = !c->is_done && c->lacking == 0 && (c->unanswered == 0 || c->is_late);
    c->is_done = c->is_done || tell;
    pthread_mutex_unlock(&env->lock);
    if (tell)
        c->done(c->arg);
    pthread_mutex_lock(&env->lock);
    if (--c->refs == 0) {
        upload_session_user_end_locked(c->session);
        segment_copy_free(c);
        upload_object_end_locked(env);
    }
    pthread_mutex_unlock(&env->lock);
}

static void copy_late(struct vs_job *job)
{
    struct segment_copy *c = vs_container_of(job, struct segment_copy, timer);

    pthread_mutex_lock(&c->env->lock);
    c->is_timed = false;
    c->is_late = true;
    pthread_mutex_unlock(&c->env->lock);
    copy_leave(c);
}

static void copy_put_done(struct store_put *req)
{
    struct copy_put *p = vs_container_of(req, struct copy_put, req);
    struct copy_item *item = p->item;
    struct segment_copy *c = item->copy;
    struct upload_env *env = c->env;

    pthread_mutex_lock(&env->lock);
    item->answered++;
    c->unanswered--;
    item->durable += req->status == 0;
    if (!item->is_enough && (item->durable > c->asked / 2 || item->answered == c->asked)) {
        item->is_enough = true;
        c->lacking--;
    } else if (c->is_done && req->status == 0 && env->missed != NULL) {
        atomic_store(env->missed, true); /* the segment may be gone by now */
    }
    pthread_mutex_unlock(&env->lock);
    copy_leave(c);
}

/* ---- asking ---- */

/* Stores that are up, from a different one on each time. */
static void copy_choose(struct segment_copy *c)
{
    struct um_store looked[UM_STORES_MAX];
    struct upload_env *env = c->env;
    unsigned count = up_stores_look(env, looked);
    unsigned turn = c->count > 0 ? (unsigned)(vs_id_seq(&c->item[0].id) % (count + 1)) : 0;

    VS_LOCK_SCOPE(&env->lock);
    for (unsigned i = 0; i < count && c->asked < SEGMENT_COPY_STORES; i++) {
        unsigned e = (turn + i) % count;

        if (looked[e].up && !looked[e].closed && !up_store_record_locked(env, e)->silent)
            c->entry[c->asked++] = (uint8_t)e;
    }
    for (unsigned n = 0; n < c->count && c->asked > 0; n++)
        c->item[n].note.red =
            (struct vs_redundancy){ VS_RED_REPLICATE, 1, (uint8_t)(c->asked - 1) };
    c->lacking = c->asked > 0 ? c->count : 0;
    c->unanswered = c->count * c->asked;
    c->refs = 1 + c->unanswered;
    if (c->unanswered > 0) {
        c->refs++;
        c->is_timed = true;
        c->timer.fn = copy_late;
        vs_exec_after(env->exec, &c->timer, SEGMENT_COPY_WAIT_MS * VS_NS_PER_MS);
    }
    upload_session_user_locked(c->session);
    upload_object_locked(env);
}

static void copy_put_one(struct segment_copy *c, struct copy_item *item, unsigned i)
{
    struct chunk_store *store = atomic_load(&c->env->stores->entries[c->entry[i]].store);
    struct copy_put *p = &item->put[i];

    p->item = item;
    p->req = (struct store_put){ .key = { item->id, (uint8_t)i, 1 },
                                 .note = &item->note,
                                 .data = item->payload.data,
                                 .bytes = item->payload.len,
                                 .done = copy_put_done };
    memcpy(p->req.sha256, item->sha256, sizeof(p->req.sha256));
    if (store != NULL) {
        chunk_store_put(store, &p->req);
        return;
    }
    p->req.status = -VS_EDOWN;
    copy_put_done(&p->req);
}

void segment_copy_put(struct segment_copy *c, segment_copy_fn *done, void *arg)
{
    unsigned count = c->count;

    c->done = done;
    c->arg = arg;
    copy_choose(c);
    for (unsigned n = 0; n < count; n++)
        for (unsigned i = 0; i < c->asked; i++)
            copy_put_one(c, &c->item[n], i);
    copy_leave(c);
}
