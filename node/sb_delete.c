/* Deleting: one TOMB record names all fragments that wait to be deleted; when it is durable the
 * index forgets them, the requests are answered, and their payloads are queued for punching.
 *
 * Other TOMB entries travel the same way: of records that a put has replaced, and those that a
 * file to be removed still holds about others.
 * Failure modes: no room even after the ballast was given away is -ENOSPC, and nothing has
 * changed; a crash between TOMB and punch is made good by recovery, which punches again. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_impl.h"

#include <string.h>

#define DEAD_FIRST 16u

void sb_dead_range(struct sb_store *s, uint64_t sb, uint64_t offset, uint64_t bytes)
{
    if (bytes == 0 || s->dead_count == SB_DEAD_MAX)
        return;
    if (s->dead_count == s->dead_cap) {
        uint32_t cap = s->dead_cap == 0 ? DEAD_FIRST : 2 * s->dead_cap;
        struct sb_dead *v = realloc(s->dead, cap * sizeof(*v));

        if (v == NULL)
            return; /* the space comes back with the file */
        s->dead = v;
        s->dead_cap = cap;
    }
    s->dead[s->dead_count++] = (struct sb_dead){ sb, offset, bytes };
}

void sb_dead_add(struct sb_store *s, uint64_t sb, uint64_t offset, uint32_t payload_bytes)
{
    sb_dead_range(s, sb, offset + SB_BLOCK_BYTES,
                  (uint64_t)(sb_record_blocks(payload_bytes) - 1) * SB_BLOCK_BYTES);
}

/* ---- the batch --------------------------------------------------------------------------------
 */

static void del_answer(struct store_del *d, int status)
{
    d->status = status;
    d->done(d);
}

static unsigned dels_answer(struct vs_list *dels, int status)
{
    struct store_del *d;
    unsigned n = 0;

    while ((d = vs_list_first(dels, struct store_del, job.link)) != NULL) {
        vs_list_del(&d->job.link);
        del_answer(d, status);
        n++;
    }
    return n;
}

/* Under lock: one request. It goes to the batch, to those that wait for another group, or to
 * `ready`, with its status. */
static void batch_take_del(struct sb_store *s, struct store_del *d, struct sb_tombs *batch,
                           struct vs_list *ready)
{
    struct sb_entry *e = sb_index_find(&s->index, &d->key);
    struct sb_tomb_work w = { .del = d };

    vs_list_del(&d->job.link);
    d->status = 0;
    if (e == NULL) {
        vs_list_add_tail(ready, &d->job.link);
        return;
    }
    if ((e->flags & SB_BUSY) != 0) {
        vs_list_add_tail(&s->later_dels, &d->job.link);
        return;
    }
    w.tomb = (struct sb_tomb){
        .key = d->key,
        .sb = e->sb,
        .offset = (uint64_t)e->offset_block * SB_BLOCK_BYTES,
    };
    w.payload_bytes = e->payload_bytes;
    if (sb_tombs_add(batch, &w) < 0) {
        d->status = -ENOMEM;
        vs_list_add_tail(ready, &d->job.link);
        return;
    }
    e->flags |= SB_BUSY;
}

/* Under lock: move work from the queues to a batch. */
static void batch_take(struct sb_store *s, struct sb_tombs *batch, struct vs_list *ready)
{
    uint32_t n = s->tombs.count < SB_TOMB_ENTRIES_MAX ? s->tombs.count : SB_TOMB_ENTRIES_MAX, i;
    struct store_del *d;

    for (i = 0; i < n && sb_tombs_add(batch, &s->tombs.v[i]) == 0; i++)
        continue;
    s->tombs.count -= i;
    if (s->tombs.count > 0)
        memmove(s->tombs.v, s->tombs.v + i, s->tombs.count * sizeof(s->tombs.v[0]));
    while (batch->count < SB_TOMB_ENTRIES_MAX &&
           (d = vs_list_first(&s->dels, struct store_del, job.link)) != NULL)
        batch_take_del(s, d, batch, ready);
    s->tombs_busy = batch->count > 0;
}

/* Under lock: the batch was not written; its keys are as before, entries without a request stay
 * queued. */
static void batch_undo(struct sb_store *s, struct sb_tombs *batch, int status)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct sb_tomb_work *w = &batch->v[i];
        struct sb_entry *e;

        if (w->del == NULL) {
            (void)sb_tombs_add(&s->tombs, w);
            continue;
        }
        e = sb_index_find(&s->index, &w->del->key);
        VS_ASSERT(e != NULL);
        e->flags &= (uint8_t)~SB_BUSY;
        w->del->status = status;
    }
    s->tombs_busy = false;
    s->tombs_held = status == -ENOSPC;
    sb_commit_later(s);
    pthread_cond_broadcast(&s->changed);
}

/* Place the TOMB. 0 or why not. */
static int batch_place(struct sb_store *s, struct sb_append *a)
{
    uint32_t payload_bytes = a->tombs->count * SB_TOMB_ENTRY_BYTES;
    int r;
    VS_LOCK_SCOPE(&s->append_lock);

    r = sb_append_room(s, payload_bytes, false);
    VS_LOCK_SCOPE(&s->lock);
    if (r == 0 && s->state == STORE_DOWN)
        r = -VS_EDOWN;
    if (r < 0)
        batch_undo(s, a->tombs, r);
    else
        sb_append_reserve(s, a, payload_bytes);
    return r;
}

/* Encode the entries and write the record. */
static void batch_write(struct sb_store *s, struct sb_append *a, struct vs_buf *payload)
{
    struct sb_record rec = { .type = SB_TOMB };
    unsigned blocks;

    for (uint32_t i = 0; i < a->tombs->count; i++) {
        struct sb_tomb_work *w = &a->tombs->v[i];

        if (w->tomb.birth == 0)
            w->tomb.birth = a->seq;
        VS_ASSERT(sb_tomb_append(payload, &w->tomb) == 0); /* reserved by the caller */
    }
    rec.payload_bytes = (uint32_t)payload->len;
    vs_sha256(payload->data, payload->len, rec.sha256);
    blocks = frag_crc_table(payload->data, payload->len, rec.crc);
    rec.table_crc = frag_table_crc(rec.crc, blocks);
    sb_append_write(s, a, &rec, payload->data);
}

static void batch_free(struct sb_append *a)
{
    if (a->tombs != NULL)
        sb_tombs_close(a->tombs);
    free(a->tombs);
    a->tombs = NULL;
}

/* Requests of a batch that was not written. */
static unsigned batch_answer(const struct sb_tombs *batch)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->v[i].del == NULL)
            continue;
        batch->v[i].del->done(batch->v[i].del);
        n++;
    }
    return n;
}

/* Without memory for a batch, or on a store that is down: answer all that wait. */
static bool refuse_all(struct sb_store *s, int status)
{
    struct vs_list dels;
    unsigned n;

    vs_list_init(&dels);
    pthread_mutex_lock(&s->lock);
    vs_list_splice_tail(&dels, &s->dels);
    if (status == -VS_EDOWN)
        s->tombs.count = 0;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    n = dels_answer(&dels, status);
    sb_store_leave(s, n);
    return n > 0;
}

/* Answer requests whose status is set. */
static unsigned ready_answer(struct vs_list *ready)
{
    struct store_del *d;
    unsigned n = 0;

    while ((d = vs_list_first(ready, struct store_del, job.link)) != NULL) {
        vs_list_del(&d->job.link);
        d->done(d);
        n++;
    }
    return n;
}

/* Under no lock: is there work? */
static bool batch_wanted(struct sb_store *s)
{
    VS_LOCK_SCOPE(&s->lock);

    return !vs_list_empty(&s->dels) || (s->tombs.count > 0 && !s->tombs_held);
}

bool sb_delete_write(struct sb_store *s)
{
    struct vs_buf payload = { 0 };
    struct sb_append *a;
    struct vs_list ready;
    unsigned answered;
    int r;

    if (!batch_wanted(s))
        return false;
    if (sb_store_is_down(s))
        return refuse_all(s, -VS_EDOWN);
    a = calloc(1, sizeof(*a));
    if (a != NULL)
        a->tombs = calloc(1, sizeof(*a->tombs));
    if (a == NULL || a->tombs == NULL ||
        vs_buf_reserve(&payload, SB_TOMB_ENTRIES_MAX * SB_TOMB_ENTRY_BYTES, FRAG_BYTES_MAX) < 0) {
        if (a != NULL)
            batch_free(a);
        free(a);
        return refuse_all(s, -ENOMEM);
    }

    vs_list_init(&ready);
    pthread_mutex_lock(&s->lock);
    batch_take(s, a->tombs, &ready);
    pthread_mutex_unlock(&s->lock);
    answered = ready_answer(&ready);
    r = a->tombs->count > 0 ? batch_place(s, a) : -ENOENT;
    if (r == 0) {
        batch_write(s, a, &payload); /* `a` is outstanding now */
    } else {
        answered += batch_answer(a->tombs);
        batch_free(a);
        free(a);
    }
    vs_buf_close(&payload);
    sb_store_leave(s, answered);
    return r == 0 || answered > 0;
}

/* ---- afterwards -------------------------------------------------------------------------------
 */

/* Under lock: the entry of a deleted fragment goes. */
static void del_apply(struct sb_store *s, struct store_del *d, int status)
{
    struct sb_entry *e = sb_index_find(&s->index, &d->key);
    struct sb_file *f;

    VS_ASSERT(e != NULL && (e->flags & SB_BUSY) != 0);
    if (status < 0) {
        e->flags &= (uint8_t)~SB_BUSY;
        return;
    }
    f = sb_files_find(&s->files, e->sb);
    VS_ASSERT(f != NULL && f->live > 0);
    f->live--;
    f->live_bytes -= e->payload_bytes;
    if (f->live == 0)
        s->maint_wanted = true;
    s->live--;
    s->live_bytes -= e->payload_bytes;
    sb_index_remove(&s->index, &d->key);
}

void sb_delete_apply(struct sb_store *s, struct sb_append *a)
{
    for (uint32_t i = 0; i < a->tombs->count; i++) {
        const struct sb_tomb_work *w = &a->tombs->v[i];

        if (w->del != NULL)
            del_apply(s, w->del, a->status);
        if (a->status == 0)
            sb_dead_add(s, w->tomb.sb, w->tomb.offset, w->payload_bytes);
    }
    s->tombs_busy = false;
}

unsigned sb_delete_answer(struct sb_append *a)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < a->tombs->count; i++) {
        if (a->tombs->v[i].del == NULL)
            continue;
        del_answer(a->tombs->v[i].del, a->status);
        n++;
    }
    batch_free(a);
    return n;
}
