/* What a store does besides: punching dead payloads, sealing full files, removing dead ones,
 * checkpoints, the ballast.
 *
 * Happy path: one job at a time on an I/O thread, started by the committer when something is due.
 * Failure modes: no room is a reason to do it later; any other error of a write or a sync takes
 * the store down. */
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_checkpoint.h"
#include "node/sb_impl.h"

#include <inttypes.h>
#include <limits.h>

bool sb_maint_due(struct sb_store *s)
{
    int64_t period_ns = (int64_t)s->config.checkpoint_s * VS_NS_PER_S;

    if (s->state == STORE_DOWN)
        return false;
    if ((s->dead_count > 0 && !s->dead_held) || s->maint_wanted)
        return true;
    return s->changes > 0 && vs_now_ns(s->config.clock) - s->checkpoint_ns >= period_ns;
}

/* ---- punching ---------------------------------------------------------------------------------
 */

static int punch_one(struct sb_store *s, const struct sb_dead *d)
{
    struct sb_file *f;
    int r;

    r = sb_files_pin(&s->files, d->sb, &f);
    if (r < 0)
        return 0; /* the file is gone, and its blocks with it */
    r = vs_file_punch(f->fd, d->offset, d->bytes);
    sb_files_unpin(&s->files, f);
    if (r < 0 && r != -ENOSPC) {
        sb_store_fail(s, r, "Punching a hole into superblock file %" PRIu64 " failed", d->sb);
        return -VS_EDOWN;
    }
    return r;
}

/* Under lock: the last entry that may be punched now, -1: none. At most one more than there are
 * holds is looked at. */
static int64_t punch_next(const struct sb_store *s)
{
    int64_t at = (int64_t)s->dead_count - 1;

    while (at >= 0 && sb_holds_cover(&s->holds, s->dead[at].sb, s->dead[at].offset))
        at--;
    return at;
}

/* The entry stays in the list while it is worked on, and only this function takes entries out. */
void sb_maint_punch(struct sb_store *s, unsigned max)
{
    for (unsigned done = 0; done < max; done++) {
        struct sb_dead d;
        int64_t at;
        int r;

        pthread_mutex_lock(&s->lock);
        at = punch_next(s);
        if (at < 0 || s->state == STORE_DOWN) {
            s->dead_held = s->dead_count > 0;
            pthread_mutex_unlock(&s->lock);
            return;
        }
        d = s->dead[at];
        pthread_mutex_unlock(&s->lock);
        r = punch_one(s, &d);
        VS_LOCK_SCOPE(&s->lock);
        s->dead_held = r < 0;
        if (r < 0)
            return;
        s->dead[at] = s->dead[--s->dead_count];
    }
}

/* ---- ballast ----------------------------------------------------------------------------------
 */

bool sb_ballast_release(struct sb_store *s)
{
    bool had;

    pthread_mutex_lock(&s->lock);
    had = s->ballast;
    s->ballast = false;
    pthread_mutex_unlock(&s->lock);
    return had && vs_io_unlink(s->io, SB_BALLAST_NAME) == 0;
}

/* Make the ballast when there is room for it beyond the reserve. */
void sb_maint_ballast(struct sb_store *s)
{
    struct vs_io_space space;
    struct vs_file *f;
    int r;

    if (s->ballast || vs_io_space(s->io, &space) < 0 ||
        space.free_bytes < sb_store_reserve_bytes(s, &space) + SB_BALLAST_BYTES)
        return;
    r = vs_io_open(s->io, SB_BALLAST_NAME, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0 && r != -EEXIST)
        return;
    if (r == 0) {
        r = vs_file_allocate(f, 0, SB_BALLAST_BYTES);
        vs_file_close(f);
        if (r < 0) {
            (void)vs_io_unlink(s->io, SB_BALLAST_NAME);
            return;
        }
    }
    VS_LOCK_SCOPE(&s->lock);
    s->ballast = true;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static bool checkpoint_due(struct sb_store *s)
{
    int64_t period_ns = (int64_t)s->config.checkpoint_s * VS_NS_PER_S;
    VS_LOCK_SCOPE(&s->lock);

    return s->changes > 0 && vs_now_ns(s->config.clock) - s->checkpoint_ns >= period_ns;
}

void sb_maint_run(struct sb_store *s)
{
    bool wanted;
    VS_LOCK_SCOPE(&s->maint_lock);

    pthread_mutex_lock(&s->lock);
    wanted = s->maint_wanted;
    s->maint_wanted = false;
    pthread_mutex_unlock(&s->lock);
    sb_maint_punch(s, UINT_MAX);
    if (wanted) { /* both look at every file */
        sb_maint_seal(s);
        sb_maint_remove(s);
    }
    if (!sb_store_is_down(s) && checkpoint_due(s))
        (void)sb_checkpoint_write(s, false);
    if (!sb_store_is_down(s))
        sb_maint_ballast(s);
}

void sb_maint_job(struct vs_job *job)
{
    struct sb_store *s = vs_container_of(job, struct sb_store, maint_job);

    sb_maint_run(s);
    VS_LOCK_SCOPE(&s->lock);
    s->maint_running = false;
    pthread_cond_broadcast(&s->changed);
}
