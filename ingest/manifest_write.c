/* manifest_write: a manifest's new segments into registers of their own, and its head.
 *
 * Happy path: a job plans which segments are new and hashes the root; their ids come from the
 * session; the head names old and new ones; the registers of the new ones are created some dozens
 * at a time, and copies of them put on stores at the same time, the last with the head. Failure
 * modes: what the session, the metadata or memory says; ids taken by then are given up. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/manifest_plan.h"
#include "ingest/segment_copy.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_AT_ONCE 64 /* registers in one request: about half a megabyte */

struct writing {
    struct upload_env *env;
    struct manifest_write *w;
    struct up_want want;
    struct manifest_run *runs;
    size_t run_count;
    struct vs_id *ids; /* of the new segments, in order */
    size_t fresh, ids_taken, written, next_run;
    unsigned waiting; /* registers and copies of a batch; under env->lock */
    struct vs_job job;
    struct meta_req req;
    struct meta_reg reg[SEGMENTS_AT_ONCE];
    struct vs_buf value[SEGMENTS_AT_ONCE];
};

static void write_batch_job(struct vs_job *job);
static void finish_job(struct vs_job *job);

static void run_on_exec(struct writing *m, vs_job_fn *fn)
{
    m->job.fn = fn;
    vs_exec_submit(m->env->exec, &m->job);
}

/* ---- the end ---- */

static void values_close(struct writing *m)
{
    for (unsigned i = 0; i < SEGMENTS_AT_ONCE; i++) {
        vs_buf_close(&m->value[i]);
        vs_buf_close(&m->reg[i].current);
    }
}

/* Exec. Everything of it is freed before `done`, which may end the session and the env. */
static void finish(struct writing *m, int status)
{
    struct manifest_write *w = m->w;
    struct upload_env *env = m->env;

    VS_ASSERT(status < 0 || m->written == m->fresh); /* I10: what will be linked is there */
    if (status < 0) {
        mf_head_close(&w->head);
        vs_buf_close(&w->encoded);
        free(w->dropped);
        w->dropped = NULL;
        w->dropped_count = 0;
    }
    pthread_mutex_lock(&env->lock);
    for (size_t i = 0; status < 0 && i < m->ids_taken; i++)
        upload_session_give_up_locked(w->session, &m->ids[i]);
    values_close(m);
    free(m->runs);
    free(m->ids);
    free(m);
    upload_session_user_end_locked(w->session);
    upload_object_end_locked(env);
    pthread_mutex_unlock(&env->lock);
    w->priv = NULL;
    w->status = status;
    w->done(w);
}

static int head_segments(struct writing *m)
{
    struct mf_head *head = &m->w->head;
    size_t fresh = 0;

    if (m->run_count == 0)
        return 0;
    head->segments = calloc(m->run_count, sizeof(*head->segments));
    if (head->segments == NULL)
        return -ENOMEM;
    head->segment_count = (uint32_t)m->run_count;
    for (size_t i = 0; i < m->run_count; i++) {
        const struct manifest_run *run = &m->runs[i];

        head->segments[i] = (struct mf_segment_ref){
            .offset = m->w->chunks[run->first].offset,
            .count = run->count,
            .id =
                run->base == MANIFEST_FRESH ? m->ids[fresh++] : m->w->base->segments[run->base].id,
        };
    }
    return 0;
}

/* Runs ascend, and so do the base's segments that they use: what is skipped is dropped. */
static int dropped_segments(struct writing *m)
{
    struct manifest_write *w = m->w;
    size_t run = 0;

    if (w->base == NULL || w->base->segment_count == 0)
        return 0;
    w->dropped = calloc(w->base->segment_count, sizeof(*w->dropped));
    if (w->dropped == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < w->base->segment_count; i++) {
        while (run < m->run_count && (m->runs[run].base == MANIFEST_FRESH || m->runs[run].base < i))
            run++;
        if (run == m->run_count || m->runs[run].base != i)
            w->dropped[w->dropped_count++] = w->base->segments[i].id;
    }
    return 0;
}

/* All ids are known. */
static int head_end(struct writing *m)
{
    int r = head_segments(m);

    if (r == 0)
        r = dropped_segments(m);
    return r == 0 ? mf_head_encode(&m->w->head, &m->w->encoded) : r;
}

static void finish_job(struct vs_job *job)
{
    struct writing *m = vs_container_of(job, struct writing, job);
    int r = m->w->status;

    if (r == 0 && m->fresh == 0)
        r = head_end(m);
    finish(m, r);
}

/* ---- registers ---- */

/* One of registers and copies is through. */
static void batch_part_done(void *arg)
{
    struct writing *m = arg;
    bool last;

    pthread_mutex_lock(&m->env->lock);
    last = --m->waiting == 0;
    pthread_mutex_unlock(&m->env->lock);
    if (last)
        run_on_exec(m, m->w->status < 0 || m->written == m->fresh ? finish_job : write_batch_job);
}

static void registers_done(struct meta_req *req)
{
    struct writing *m = vs_container_of(req, struct writing, req);

    m->w->status = req->status;
    for (uint32_t i = 0; i < req->reg_count && m->w->status == 0; i++)
        m->w->status = m->reg[i].status;
    batch_part_done(m);
}

/* The next fresh run at or behind *run. */
static const struct manifest_run *next_fresh(const struct writing *m, size_t *run)
{
    while (m->runs[*run].base != MANIFEST_FRESH)
        (*run)++;
    return &m->runs[(*run)++];
}

static int copies_begin(struct writing *m, struct segment_copy **ret)
{
    const struct file_about *about = m->w->about;
    struct frag_note note = { .inode = about->ino,
                              .session = upload_session_number(m->w->session),
                              .name_bytes = (uint16_t)about->name_len };

    memcpy(note.name, about->name, about->name_len);
    return segment_copy_new(ret, m->env, m->w->session, &note, SEGMENTS_AT_ONCE);
}

/* The segment that was just encoded; the last one carries the description of the file. */
static int copy_add(struct writing *m, struct segment_copy *copies, const struct meta_reg *reg,
                    uint64_t offset)
{
    struct segment_note note = { .segment = reg->value, .segment_len = reg->value_len };
    struct vs_buf payload = { 0 };
    int r;

    note.has_about = m->written + 1 == m->fresh;
    if (note.has_about) {
        note.about = *m->w->about;
        note.about.session = upload_session_number(m->w->session);
        note.about.head = m->w->encoded.data;
        note.about.head_len = m->w->encoded.len;
    }
    r = segment_note_encode(&note, &payload);
    if (r == 0)
        segment_copy_add(copies, &reg->id, offset, &payload);
    vs_buf_close(&payload);
    return r;
}

/* Registers of the next segments, and their copies. How many, or why not. */
static int batch_fill(struct writing *m, struct segment_copy *copies)
{
    size_t run = m->next_run;
    int count = 0;

    values_close(m);
    memset(m->reg, 0, sizeof(m->reg));
    while (count < SEGMENTS_AT_ONCE && m->written < m->fresh) {
        const struct manifest_run *fresh = next_fresh(m, &run);
        int r = mf_segment_encode(m->w->chunks + fresh->first, fresh->count, &m->value[count]);

        m->reg[count] = (struct meta_reg){ .id = m->ids[m->written],
                                           .value = m->value[count].data,
                                           .value_len = m->value[count].len };
        if (r == 0 && copies != NULL)
            r = copy_add(m, copies, &m->reg[count], m->w->chunks[fresh->first].offset);
        if (r < 0)
            return r;
        count++;
        m->written++;
    }
    m->next_run = run;
    return count;
}

static void write_batch_job(struct vs_job *job)
{
    struct writing *m = vs_container_of(job, struct writing, job);
    struct segment_copy *copies = NULL;
    int r = 0;

    if (m->written == 0)
        r = head_end(m);
    if (r == 0 && m->w->about != NULL)
        r = copies_begin(m, &copies);
    if (r == 0)
        r = batch_fill(m, copies);
    if (r < 0) {
        segment_copy_free(copies);
        finish(m, r);
        return;
    }
    m->waiting = copies != NULL ? 2 : 1;
    m->req = (struct meta_req){
        .op = META_REG_CREATE, .done = registers_done, .regs = m->reg, .reg_count = (uint32_t)r
    };
    meta_submit(m->env->meta, &m->req);
    if (copies != NULL)
        segment_copy_put(copies, batch_part_done, m);
}

/* ---- ids ---- */

static void take_ids_locked(struct writing *m)
{
    while (m->ids_taken < m->fresh &&
           upload_session_take_locked(m->w->session, VS_ID_SEGMENT, &m->ids[m->ids_taken]))
        m->ids_taken++;
    if (m->ids_taken < m->fresh)
        upload_session_want_locked(m->w->session, &m->want);
    else
        run_on_exec(m, write_batch_job);
}

static void ids_served_locked(struct up_want *want, int status)
{
    struct writing *m = vs_container_of(want, struct writing, want);

    if (status == 0) {
        take_ids_locked(m);
        return;
    }
    m->w->status = status;
    run_on_exec(m, finish_job);
}

/* ---- the beginning ---- */

static void count_chunk(struct mf_head *head, const struct mf_chunk *c)
{
    head->chunk_count++;
    head->hole_count += vs_id_is_zero(&c->id);
    head->size = c->offset + c->bytes;
    if (c->cut == MF_CUT_END)
        return;
    head->cuts_interior++;
    if (c->cut == MF_CUT_KEYFRAME)
        head->cuts_at_keyframe++;
    else
        head->cuts_by_size++;
}

static int head_begin(struct manifest_write *w)
{
    struct vs_sha *root;
    int r = vs_sha_new(&root);

    if (r < 0)
        return r;
    for (size_t i = 0; i < w->chunk_count; i++) {
        count_chunk(&w->head, &w->chunks[i]);
        mf_root_add(root, &w->chunks[i]);
    }
    vs_sha_final(root, w->head.root);
    vs_sha_free(root);
    w->head.has_sha = w->sha != NULL;
    if (w->sha != NULL)
        memcpy(w->head.sha256, w->sha, VS_SHA256_BYTES);
    return 0;
}

/* A commit that makes no segment (the file was cut where one ends) would not tell the stores. */
static void last_is_fresh(struct writing *m)
{
    for (size_t i = 0; i < m->run_count; i++)
        if (m->runs[i].base == MANIFEST_FRESH)
            return;
    m->runs[m->run_count - 1].base = MANIFEST_FRESH;
}

static int plan_begin(struct writing *m)
{
    struct manifest_write *w = m->w;
    int r =
        manifest_plan(w->chunks, w->chunk_count, w->base, w->base_chunks, &m->runs, &m->run_count);

    if (r < 0)
        return r;
    if (w->about != NULL && m->run_count > 0)
        last_is_fresh(m);
    for (size_t i = 0; i < m->run_count; i++)
        m->fresh += m->runs[i].base == MANIFEST_FRESH;
    m->ids = calloc(m->fresh + 1, sizeof(*m->ids));
    return m->ids != NULL ? 0 : -ENOMEM;
}

static void start_job(struct vs_job *job)
{
    struct manifest_write *w = vs_container_of(job, struct manifest_write, job);
    struct upload_env *env = w->priv;
    struct writing *m = calloc(1, sizeof(*m));
    int r;

    if (m == NULL) {
        pthread_mutex_lock(&env->lock);
        upload_session_user_end_locked(w->session);
        upload_object_end_locked(env);
        pthread_mutex_unlock(&env->lock);
        w->status = -ENOMEM;
        w->done(w);
        return;
    }
    m->env = env;
    m->w = w;
    m->want.served = ids_served_locked;
    vs_list_init(&m->want.link);
    r = head_begin(w);
    if (r == 0)
        r = plan_begin(m);
    if (r < 0) {
        finish(m, r);
        return;
    }
    pthread_mutex_lock(&env->lock);
    if (m->fresh > 0)
        take_ids_locked(m);
    else
        run_on_exec(m, finish_job);
    pthread_mutex_unlock(&env->lock);
}

void manifest_write(struct upload_env *env, struct manifest_write *w)
{
    VS_LOCK_SCOPE(&env->lock);

    w->status = 0;
    w->head = (struct mf_head){ 0 };
    w->encoded = (struct vs_buf){ 0 };
    w->dropped = NULL;
    w->dropped_count = 0;
    w->priv = env;
    w->job.fn = start_job;
    upload_object_locked(env);
    upload_session_user_locked(w->session);
    vs_exec_submit(env->exec, &w->job);
}
