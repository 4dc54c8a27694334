/* Group commit: one fdatasync for all records that have been written, then the index, then the
 * answers.
 *
 * Happy path: the committer sleeps until something was written, waits a little for what is being
 * written right now, writes one TOMB for all deletes that wait, syncs, makes the group visible and
 * answers it. It is also the store's pulse: it notices a directory that is gone.
 * Failure modes: a failed sync, or a file that has lost its name, takes the store down; everything
 * in flight is answered with -VS_EDOWN, for nobody knows what of it is on the disk. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/thread.h"
#include "node/sb_faults.h"
#include "node/sb_impl.h"

#include <inttypes.h>

#define PUNCH_NOW_MAX 64u

/* ---- a group ----------------------------------------------------------------------------------
 */

/* Records that have been written, in the order of their places. */
static unsigned group_collect(struct sb_store *s)
{
    struct vs_list *pos, *tmp;
    unsigned n = 0;
    VS_LOCK_SCOPE(&s->lock);

    vs_list_for_each (pos, tmp, &s->outstanding) {
        struct sb_append *a = vs_container_of(pos, struct sb_append, link);

        if (a->written && n < SB_GROUP_MAX)
            s->group[n++] = a;
    }
    return n;
}

static int file_sync(struct sb_store *s, struct sb_file *f)
{
    int r;

    r = vs_file_fdatasync(f->fd);
    if (r < 0) {
        sb_store_fail(s, r, "Syncing superblock file %" PRIu64 " failed", f->id);
        return r;
    }
    r = vs_file_linked(f->fd);
    if (r == 1)
        r = vs_file_linked(s->ident);
    if (r == 1)
        return 0;
    sb_store_fail(s, r < 0 ? r : -ENOENT, "Its directory or a file in it was removed");
    return -VS_EDOWN;
}

/* Sync the files of the group: neighbours by place, so each file once. */
static int group_sync(struct sb_store *s, unsigned n)
{
    const struct sb_file *synced = NULL;

    if (sb_store_is_down(s))
        return -VS_EDOWN;
    for (unsigned i = 0; i < n; i++) {
        struct sb_file *f = s->group[i]->file;

        if (f == synced)
            continue;
        if (file_sync(s, f) < 0)
            return -VS_EDOWN;
        synced = f;
    }
    return 0;
}

/* Under lock: a put is durable: its entry becomes visible. */
static void put_apply(struct sb_store *s, const struct sb_append *a)
{
    const struct store_put *p = a->put;
    struct sb_entry *e = sb_index_find(&s->index, &p->key);

    VS_ASSERT(e != NULL && (e->flags & SB_BUSY) != 0);
    if (a->status < 0) {
        e->flags &= (uint8_t)~SB_BUSY;
        if ((e->flags & SB_LIVE) == 0)
            sb_index_remove(&s->index, &p->key);
        return;
    }
    if ((e->flags & SB_LIVE) != 0) {
        struct sb_file *old = sb_files_find(&s->files, e->sb);
        struct sb_tomb_work w = { .tomb = a->replaced, .payload_bytes = a->replaced_payload };

        VS_ASSERT(old != NULL && old->live > 0);
        old->live--;
        old->live_bytes -= e->payload_bytes;
        s->live--;
        s->live_bytes -= e->payload_bytes;
        w.tomb.birth = a->seq;
        if (sb_tombs_add(&s->tombs, &w) < 0)
            s->maint_wanted = true; /* without memory the old record stays until a restart */
    }
    e->sb = (uint32_t)a->file->id;
    e->offset_block = (uint32_t)(a->offset / SB_BLOCK_BYTES);
    e->payload_bytes = (uint32_t)p->bytes;
    e->flags = SB_LIVE;
    sb_entry_set_birth(e, a->seq);
    a->file->live++;
    a->file->live_bytes += e->payload_bytes;
    s->live++;
    s->live_bytes += e->payload_bytes;
}

uint64_t sb_committed_to(const struct sb_store *s, const struct sb_file *f, uint64_t *ret_last_seq)
{
    const struct vs_list *pos;

    for (pos = s->outstanding.next; f->pending > 0 && pos != &s->outstanding; pos = pos->next) {
        const struct sb_append *a = vs_container_of(pos, struct sb_append, link);

        if (a->file != f)
            continue;
        *ret_last_seq = a->seq - 1;
        return a->offset;
    }
    *ret_last_seq = f->last_seq;
    return f->append;
}

void sb_commit_later(struct sb_store *s)
{
    struct store_put *p;

    vs_list_splice_tail(&s->dels, &s->later_dels);
    while ((p = vs_list_first(&s->later_puts, struct store_put, job.link)) != NULL) {
        vs_list_del(&p->job.link);
        s->puts_waiting++;
        vs_exec_submit(s->exec, &p->job);
    }
}

static void group_apply(struct sb_store *s, unsigned n, int status)
{
    VS_LOCK_SCOPE(&s->lock);

    for (unsigned i = 0; i < n; i++) {
        struct sb_append *a = s->group[i];

        if (a->status == 0)
            a->status = status;
        vs_list_del(&a->link);
        VS_ASSERT(a->file->pending > 0);
        a->file->pending--;
        if (a->file->to_seal && a->file->pending == 0)
            s->maint_wanted = true;
        if (a->put != NULL)
            put_apply(s, a);
        else
            sb_delete_apply(s, a);
    }
    if (status == 0) {
        const struct sb_append *first = vs_list_first(&s->outstanding, struct sb_append, link);

        s->synced_seq = first != NULL ? first->seq - 1 : s->next_seq - 1;
        s->changes += n;
    }
    sb_commit_later(s);
    pthread_cond_broadcast(&s->changed);
}

/* A long upload must not push everything else out of the page cache. */
static void cache_drop_behind(struct sb_file *f, uint64_t written_to)
{
    uint64_t to = written_to > SB_CACHE_BEHIND_BYTES ? written_to - SB_CACHE_BEHIND_BYTES : 0;

    if (to < f->dropped_to + SB_CACHE_STEP_BYTES)
        return;
    vs_file_drop_cache(f->fd, f->dropped_to, to - f->dropped_to);
    f->dropped_to = to;
}

static void answer_one(struct sb_store *s, struct sb_append *a)
{
    unsigned answered = 1;

    cache_drop_behind(a->file, a->offset);
    sb_files_unpin(&s->files, a->file);
    if (a->put != NULL) {
        a->put->status = a->status;
        a->put->done(a->put);
    } else {
        answered = sb_delete_answer(a);
    }
    free(a);
    sb_store_leave(s, answered);
}

/* Who deletes wants room, and looks for it as soon as there is an answer: a few holes are punched
 * before. Not at the cost of writers, and not when maintenance is at work: it does the same. */
static void punch_now(struct sb_store *s)
{
    if (pthread_mutex_trylock(&s->maint_lock) != 0)
        return;
    sb_maint_punch(s, PUNCH_NOW_MAX);
    pthread_mutex_unlock(&s->maint_lock);
}

static void group_answer(struct sb_store *s, unsigned n)
{
    unsigned deletes = 0;

    for (unsigned i = 0; i < n; i++) {
        if (s->group[i]->put != NULL)
            answer_one(s, s->group[i]);
        else
            s->group[deletes++] = s->group[i];
    }
    if (deletes > 0)
        punch_now(s);
    for (unsigned i = 0; i < deletes; i++)
        answer_one(s, s->group[i]);
}

bool sb_commit_once(struct sb_store *s)
{
    bool wrote = sb_delete_write(s);
    unsigned n = group_collect(s);

    if (n == 0)
        return wrote;
    group_apply(s, n, group_sync(s, n));
    group_answer(s, n);
    return true;
}

int sb_commit_tombs(struct sb_store *s)
{
    VS_LOCK_SCOPE(&s->lock);

    while (s->state != STORE_DOWN && (s->tombs.count > 0 || s->tombs_busy)) {
        if (s->tombs_held)
            return -ENOSPC;
        if (s->threads) {
            pthread_cond_signal(&s->wake);
            pthread_cond_wait(&s->changed, &s->lock);
        } else {
            pthread_mutex_unlock(&s->lock);
            sb_commit_once(s);
            pthread_mutex_lock(&s->lock);
        }
    }
    return s->state == STORE_DOWN ? -VS_EDOWN : 0;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

/* Under lock. */
static bool commit_wanted(const struct sb_store *s)
{
    const struct vs_list *pos;

    if (!vs_list_empty(&s->dels) || (s->tombs.count > 0 && !s->tombs_held))
        return true;
    for (pos = s->outstanding.next; pos != &s->outstanding; pos = pos->next)
        if (vs_container_of(pos, struct sb_append, link)->written)
            return true;
    return false;
}

/* Under lock: sleep until woken or until `due_ns`; false when the time has come. */
static bool commit_sleep(struct sb_store *s, int64_t due_ns)
{
    return vs_cond_wait_until(&s->wake, &s->lock, due_ns);
}

/* Under lock: puts that are being written right now are worth a moment. */
static void commit_gather(struct sb_store *s)
{
    int64_t due_ns = vs_now_ns(&vs_clock_system) + (int64_t)s->config.gather_us * 1000;

    while (s->puts_waiting > 0 && s->state != STORE_DOWN)
        if (s->config.gather_us == 0 || !commit_sleep(s, due_ns))
            return;
}

/* Under lock: start what has to be done besides, on an I/O thread. */
static void commit_start_maint(struct sb_store *s)
{
    if (s->maint_running || s->quit || !sb_maint_due(s))
        return;
    s->maint_running = true;
    s->maint_job.fn = sb_maint_job;
    vs_exec_submit(s->exec, &s->maint_job);
}

void *sb_commit_main(void *arg)
{
    struct sb_store *s = arg;

    pthread_setname_np(pthread_self(), "sb-commit");
    pthread_mutex_lock(&s->lock);
    while (!s->quit) {
        int64_t now_ns = vs_now_ns(&vs_clock_system);

        if (now_ns >= s->tick_ns) {
            s->tick_ns = now_ns + SB_TICK_NS;
            s->tombs_held = s->dead_held = false;
            pthread_mutex_unlock(&s->lock);
            sb_store_tick(s);
            pthread_mutex_lock(&s->lock);
        }
        if (s->fault_err != 0) {
            pthread_mutex_unlock(&s->lock);
            sb_faults_note(s);
            pthread_mutex_lock(&s->lock);
        }
        commit_start_maint(s);
        if (!commit_wanted(s)) {
            commit_sleep(s, s->tick_ns);
            continue;
        }
        commit_gather(s);
        pthread_mutex_unlock(&s->lock);
        sb_commit_once(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
