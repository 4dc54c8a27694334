/* The superblock store: open, the vtable, health, down, stop.
 *
 * Happy path: a request is counted in, becomes a job of the I/O threads (a delete: work for the
 * committer), and is counted out when it has been answered; a stop waits for the last one, gives
 * the unused tail back and writes a clean checkpoint.
 * Failure modes: a store that is down answers everything with -VS_EDOWN and touches its files no
 * more; what was in flight is answered the same way. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/thread.h"
#include "node/sb_checkpoint.h"
#include "node/sb_faults.h"
#include "node/sb_ident.h"
#include "node/sb_recover.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define IO_THREADS_MAX         16
#define RESERVE_PERCENT_MAX    50
#define CHECKPOINT_S_DEFAULT   60
#define SCRUB_PERIOD_S_DEFAULT (14u * 24 * 3600)
#define FILE_BYTES_DIVISOR     256 /* of the file system: the default size of a superblock file */

static const struct chunk_store_ops sb_store_ops;

/* ---- state ------------------------------------------------------------------------------------
 */

void sb_store_fail(struct sb_store *s, int err, const char *fmt, ...)
{
    char what[160];
    va_list args;
    VS_LOCK_SCOPE(&s->lock);

    if (s->state == STORE_DOWN)
        return;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    snprintf(s->why, sizeof(s->why), "%s: %s. It answers nothing until it is started again.", what,
             vs_err_text(err));
    s->state = STORE_DOWN;
    s->fault_err = sb_fault_counts(err) ? -err : 0;
    pthread_cond_broadcast(&s->wake);
    pthread_cond_broadcast(&s->changed);
    pthread_cond_broadcast(&s->scrubber.wake);
}

bool sb_store_is_down(struct sb_store *s)
{
    VS_LOCK_SCOPE(&s->lock);

    return s->state == STORE_DOWN;
}

bool sb_store_is_readonly(struct sb_store *s)
{
    VS_LOCK_SCOPE(&s->lock);

    return s->state == STORE_READONLY;
}

uint64_t sb_store_reserve_bytes(const struct sb_store *s, const struct vs_io_space *space)
{
    return space->total_bytes / 100 * s->config.reserve_percent;
}

void sb_store_tick(struct sb_store *s)
{
    struct vs_io_space space = { 0 };
    int r;

    if (sb_store_is_down(s))
        return;
    r = vs_file_linked(s->ident);
    if (r != 1) {
        sb_store_fail(s, r < 0 ? r : -ENOENT, "Its directory was removed or emptied");
        return;
    }
    r = vs_io_space(s->io, &space);
    if (r < 0) {
        sb_store_fail(s, r, "Its directory cannot be read");
        return;
    }
    VS_LOCK_SCOPE(&s->lock);
    s->space = space;
}

static void sb_store_health(struct chunk_store *base, struct store_health *ret)
{
    struct sb_store *s = sb_store_of(base);
    uint64_t reserve;
    VS_LOCK_SCOPE(&s->lock);

    reserve = sb_store_reserve_bytes(s, &s->space);
    ret->state = s->state;
    memcpy(ret->why, s->why, sizeof(ret->why));
    ret->fragments = s->live;
    ret->payload_bytes = s->live_bytes;
    ret->total_bytes = s->space.total_bytes;
    ret->free_bytes = s->unused_bytes;
    if (s->space.free_bytes > reserve)
        ret->free_bytes += s->space.free_bytes - reserve;
    ret->device = s->space.device;
    ret->corrupt_records = s->corrupt_records;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

/* Count a request in; what to answer it with without any work, or 0. */
static int store_enter(struct sb_store *s, bool put)
{
    VS_LOCK_SCOPE(&s->lock);

    VS_ASSERT(!s->stopping);
    s->in_flight++;
    if (put)
        s->puts_waiting++;
    if (s->state == STORE_DOWN)
        return -VS_EDOWN;
    return s->in_flight > CHUNK_STORE_QUEUE_MAX ? -EAGAIN : 0;
}

void sb_store_leave(struct sb_store *s, unsigned count)
{
    VS_LOCK_SCOPE(&s->lock);

    VS_ASSERT(s->in_flight >= count);
    s->in_flight -= count;
    if (s->in_flight == 0)
        pthread_cond_broadcast(&s->changed);
}

static void sb_store_put(struct chunk_store *base, struct store_put *p)
{
    struct sb_store *s = sb_store_of(base);

    p->store = s;
    p->table_crc = 0;
    p->status = store_enter(s, true);
    p->job.fn = sb_put_job;
    vs_exec_submit(s->exec, &p->job);
}

static void sb_store_get(struct chunk_store *base, struct store_get *g)
{
    struct sb_store *s = sb_store_of(base);

    g->store = s;
    g->got_bytes = g->payload_bytes = 0;
    g->status = store_enter(s, false);
    g->job.fn = sb_get_job;
    vs_exec_submit(s->exec, &g->job);
}

static void refused_del_job(struct vs_job *job)
{
    struct store_del *d = vs_container_of(job, struct store_del, job);
    struct sb_store *s = d->store;

    d->done(d);
    sb_store_leave(s, 1);
}

static void sb_store_del(struct chunk_store *base, struct store_del *d)
{
    struct sb_store *s = sb_store_of(base);

    d->store = s;
    d->status = store_enter(s, false);
    if (d->status < 0) {
        d->job.fn = refused_del_job;
        vs_exec_submit(s->exec, &d->job);
        return;
    }
    VS_LOCK_SCOPE(&s->lock);
    vs_list_add_tail(&s->dels, &d->job.link);
    pthread_cond_signal(&s->wake);
}

static void sb_store_stat(struct chunk_store *base, struct store_stat *st)
{
    struct sb_store *s = sb_store_of(base);

    st->store = s;
    st->status = store_enter(s, false);
    st->job.fn = sb_stat_job;
    vs_exec_submit(s->exec, &st->job);
}

static void sb_store_list(struct chunk_store *base, struct store_list *l)
{
    struct sb_store *s = sb_store_of(base);

    l->store = s;
    l->keys_count = 0;
    l->status = store_enter(s, false);
    l->job.fn = sb_list_job;
    vs_exec_submit(s->exec, &l->job);
}

static void sb_store_hold(struct chunk_store *base, struct store_hold *h)
{
    struct sb_store *s = sb_store_of(base);

    h->store = s;
    h->status = store_enter(s, false);
    h->job.fn = sb_hold_job;
    vs_exec_submit(s->exec, &h->job);
}

static int sb_store_hold_now(struct chunk_store *base, struct store_hold *h)
{
    struct sb_store *s = sb_store_of(base);

    h->store = s;
    h->status = store_enter(s, false);
    if (h->status == 0)
        h->status = sb_hold_now(s, h);
    sb_store_leave(s, 1);
    return h->status;
}

static void sb_store_unhold(struct chunk_store *base, struct store_hold *h)
{
    sb_hold_end(sb_store_of(base), h);
}

/* ---- serial mode ------------------------------------------------------------------------------
 */

void sb_store_run(struct chunk_store *base)
{
    struct sb_store *s = sb_store_of(base);
    bool more = true;

    VS_ASSERT(s->config.serial);
    pthread_mutex_lock(&s->lock);
    s->tombs_held = s->dead_held = false;
    pthread_mutex_unlock(&s->lock);
    while (more) {
        more = vs_exec_run_all(s->exec) > 0;
        if (sb_commit_once(s))
            more = true;
    }
    sb_store_tick(s);
    sb_maint_run(s);
    sb_faults_note(s);
}

/* ---- stop -------------------------------------------------------------------------------------
 */

static void store_drain(struct sb_store *s)
{
    if (s->config.serial)
        sb_store_run(&s->base);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->scrubber.wake);
    while (s->in_flight > 0 || s->maint_running)
        pthread_cond_wait(&s->changed, &s->lock);
    s->quit = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->threads)
        pthread_join(s->committer, NULL);
    s->threads = false;
    sb_scrubber_stop(s);
}

/* Leave the files as short as they can be, and say that this was a clean stop. */
static void store_close_clean(struct sb_store *s)
{
    struct sb_file *f = s->active;
    int r = 0;

    sb_maint_run(s);
    if (sb_store_is_down(s))
        return;
    if (f != NULL && f->allocated_to > f->append) {
        r = vs_file_truncate(f->fd, f->append);
        if (r == 0)
            r = vs_file_fdatasync(f->fd);
        f->allocated_to = f->append;
    }
    if (r < 0)
        return; /* then it was no clean stop, and the next start finds out */
    VS_LOCK_SCOPE(&s->maint_lock);
    (void)sb_checkpoint_write(s, true);
}

/* Free everything; forgives a store that is half open. */
static void store_free(struct sb_store *s)
{
    if (s->active != NULL)
        sb_files_unpin(&s->files, s->active);
    vs_exec_stop(s->exec);
    sb_tombs_close(&s->tombs);
    free(s->dead);
    sb_index_close(&s->index);
    sb_files_close(&s->files);
    vs_file_close(s->ident);
    vs_io_free(s->io);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->changed);
    pthread_cond_destroy(&s->scrubber.wake);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->append_lock);
    pthread_mutex_destroy(&s->maint_lock);
    free(s);
}

static void sb_store_stop(struct chunk_store *base)
{
    struct sb_store *s = sb_store_of(base);

    store_drain(s);
    VS_ASSERT(s->holds.count == 0);
    store_close_clean(s);
    sb_faults_note(s);
    store_free(s);
}

/* ---- open -------------------------------------------------------------------------------------
 */

static void store_init(struct sb_store *s, const struct sb_store_config *config)
{
    s->base.ops = &sb_store_ops;
    s->config = *config;
    s->io = config->io;
    pthread_mutex_init(&s->maint_lock, NULL);
    pthread_mutex_init(&s->append_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    vs_cond_init(&s->wake);
    vs_cond_init(&s->changed);
    vs_cond_init(&s->scrubber.wake);
    vs_list_init(&s->outstanding);
    vs_list_init(&s->dels);
    vs_list_init(&s->later_dels);
    vs_list_init(&s->later_puts);
    sb_files_init(&s->files, s->io);
    sb_holds_init(&s->holds);
    s->next_sb = 1;
    s->next_seq = s->run_seq = 1;
}

/* Options with their defaults. -EINVAL */
static int store_options(struct sb_store *s)
{
    struct sb_store_config *c = &s->config;

    if (c->clock == NULL)
        c->clock = &vs_clock_system;
    if (c->io_threads == 0)
        c->io_threads = SB_IO_THREADS_DEFAULT;
    if (c->checkpoint_s == 0)
        c->checkpoint_s = CHECKPOINT_S_DEFAULT;
    if (c->scrub_period_s == 0)
        c->scrub_period_s = SCRUB_PERIOD_S_DEFAULT;
    if (c->file_bytes == 0) {
        c->file_bytes = s->space.total_bytes / FILE_BYTES_DIVISOR;
        c->file_bytes = c->file_bytes < SB_FILE_BYTES_MIN ? SB_FILE_BYTES_MIN : c->file_bytes;
        c->file_bytes = c->file_bytes > SB_FILE_BYTES_MAX ? SB_FILE_BYTES_MAX : c->file_bytes;
    }
    c->file_bytes -= c->file_bytes % SB_BLOCK_BYTES;
    if (c->io_threads > IO_THREADS_MAX || c->reserve_percent > RESERVE_PERCENT_MAX ||
        c->file_bytes > SB_FILE_BYTES_MAX)
        return -EINVAL;
    return 0;
}

/* Is this the store that it should be? Its identity file stays open. */
static int store_identify(struct sb_store *s)
{
    struct sb_ident id;
    bool damaged;
    int r;

    r = sb_ident_find(s->io, &id, &damaged);
    if (r < 0)
        return r;
    if (vs_id_cmp(&id.cluster, &s->config.cluster) != 0 ||
        vs_id_cmp(&id.node, &s->config.node) != 0)
        return -ESTALE;
    if (damaged) {
        r = sb_ident_write(s->io, &id);
        if (r == -ENOSPC && vs_io_unlink(s->io, SB_BALLAST_NAME) == 0)
            r = sb_ident_write(s->io, &id);
        if (r < 0)
            return r;
    }
    return vs_io_open(s->io, SB_IDENT_NAME, VS_IO_READ, &s->ident);
}

static int store_start(struct sb_store *s)
{
    int r;

    if (s->config.serial)
        return vs_exec_serial_new(&s->exec);
    r = vs_exec_start(&s->exec, "sb-io", s->config.io_threads);
    if (r < 0)
        return r;
    s->threads = true; /* the committer starts others that look at it */
    r = vs_thread_start(&s->committer, sb_commit_main, s);
    if (r < 0) {
        s->threads = false;
        return r;
    }
    return sb_scrubber_start(s);
}

/* An open that failed with `err`. */
static void store_abandon(struct sb_store *s, int err)
{
    if (s->threads)
        store_drain(s);
    if (err == -EIO)
        s->fault_err = EIO;
    sb_faults_note(s);
    store_free(s);
}

int sb_store_open(struct chunk_store **ret, const struct sb_store_config *config,
                  struct sb_recovery *ret_recovery)
{
    struct sb_recovery recovery = { 0 };
    struct sb_store *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        vs_io_free(config->io);
        return -ENOMEM;
    }
    store_init(s, config);
    r = vs_io_space(s->io, &s->space);
    if (r == 0)
        r = store_options(s);
    if (r == 0)
        r = store_identify(s);
    if (r == 0)
        r = sb_faults_open(s);
    if (r == 0)
        r = sb_recover(s, &recovery);
    if (r == 0)
        r = store_start(s);
    if (r < 0) {
        store_abandon(s, r);
        return r;
    }
    if (ret_recovery != NULL)
        *ret_recovery = recovery;
    *ret = &s->base;
    return 0;
}

int sb_store_checkpoint(struct chunk_store *base)
{
    struct sb_store *s = sb_store_of(base);
    VS_LOCK_SCOPE(&s->maint_lock);

    if (sb_store_is_down(s))
        return -VS_EDOWN;
    return sb_checkpoint_write(s, false);
}

static const struct chunk_store_ops sb_store_ops = {
    .put = sb_store_put,
    .get = sb_store_get,
    .del = sb_store_del,
    .stat = sb_store_stat,
    .list = sb_store_list,
    .hold = sb_store_hold,
    .hold_now = sb_store_hold_now,
    .unhold = sb_store_unhold,
    .health = sb_store_health,
    .stop = sb_store_stop,
};
