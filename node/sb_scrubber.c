/* Scrub in the background: passes over all files.
 *
 * Happy path: the thread takes the next file downwards from the newest, reads it no faster than it
 * may, notes the position in the file `scrub`, and sleeps from the end of a pass until the next one
 * is due.
 * Failure modes: the position is advice: written without a sync, and when it does not check a pass
 * begins anew. A file that cannot be read is damage, told by sb_scrub_file(); without memory the
 * file is tried again later. */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/thread.h"
#include "node/sb_impl.h"

#define SCRUB_IDLE_NS  (10 * VS_NS_PER_S) /* between looks whether a pass is due, at most */
#define SCRUB_NAP_NS   (50 * VS_NS_PER_MS)
#define SCRUB_LATER_NS VS_NS_PER_S /* without memory */

/* ---- the position on the disk -----------------------------------------------------------------
 */

static void pos_read(struct sb_store *s, struct sb_scrub_pos *ret)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_file *f;

    *ret = (struct sb_scrub_pos){ 0 };
    if (vs_io_open(s->io, SB_SCRUB_NAME, VS_IO_READ, &f) < 0)
        return;
    if (vs_file_pread_full(f, block, sizeof(block), 0) == 0)
        (void)sb_scrub_pos_decode(block, ret);
    vs_file_close(f);
}

static void pos_write(struct sb_store *s, const struct sb_scrub_pos *pos)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_file *f;
    int r;

    r = vs_io_open(s->io, SB_SCRUB_NAME, VS_IO_WRITE, &f);
    if (r == -ENOENT)
        r = vs_io_open(s->io, SB_SCRUB_NAME, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0)
        return;
    sb_scrub_pos_encode(pos, block);
    (void)vs_file_pwrite(f, block, sizeof(block), 0);
    vs_file_close(f);
}

void sb_scrubber_open(struct sb_store *s, uint64_t walked_from)
{
    struct sb_scrub_pos *pos = &s->scrubber.pos;

    pos_read(s, pos);
    if (walked_from == 0)
        return;
    if (pos->fresh == 0 || pos->fresh_to > walked_from)
        pos->fresh_to = walked_from;
    pos->fresh = sb_files_id_below(&s->files, SB_ID_MAX);
}

/* ---- what is next -----------------------------------------------------------------------------
 */

static bool pass_running(const struct sb_scrub_pos *pos)
{
    return pos->ended < pos->pass;
}

/* Under lock: is it time for another pass? A clock that went back does not stop them. */
static bool pass_due(const struct sb_store *s, uint64_t now_ns)
{
    const struct sb_scrub_pos *pos = &s->scrubber.pos;
    uint64_t period_ns = s->config.scrub_period_s * (uint64_t)VS_NS_PER_S;

    return pos->pass == 0 || now_ns < pos->began_ns || now_ns - pos->began_ns >= period_ns;
}

/* Under lock: begin a pass if it is time, and if there is anything to read. */
static void pass_begin(struct sb_store *s)
{
    struct sb_scrub_pos *pos = &s->scrubber.pos;
    uint64_t now_ns = (uint64_t)vs_real_ns(s->config.clock);
    uint64_t newest = sb_files_id_below(&s->files, SB_ID_MAX);

    if (newest == 0 || !pass_due(s, now_ns))
        return;
    pos->pass++;
    pos->began_ns = now_ns;
    pos->next = newest;
    pos->done_bytes = pos->found = 0;
}

/* Under lock: the file to read now, or 0. */
static uint64_t next_id(struct sb_store *s)
{
    struct sb_scrub_pos *pos = &s->scrubber.pos;
    uint64_t id;

    if (pos->fresh != 0 && pass_running(pos) && pos->next + 1 >= pos->fresh_to) {
        pos->next = pos->fresh; /* they touch what is still to be read */
        pos->fresh = pos->fresh_to = 0;
    }
    if (pos->fresh != 0) {
        id = sb_files_id_below(&s->files, pos->fresh);
        if (id != 0 && id >= pos->fresh_to)
            return id;
        pos->fresh = pos->fresh_to = 0;
    }
    if (!pass_running(pos))
        pass_begin(s);
    return pass_running(pos) ? sb_files_id_below(&s->files, pos->next) : 0;
}

/* Under lock: file `id` was read, and `found` of it did not check. */
static void file_done(struct sb_store *s, uint64_t id, uint64_t bytes, int found)
{
    struct sb_scrub_pos *pos = &s->scrubber.pos;

    if (pos->fresh == 0)
        pos->next = id - 1;
    else if (id > pos->fresh_to)
        pos->fresh = id - 1;
    else
        pos->fresh = pos->fresh_to = 0;
    pos->done_bytes += bytes;
    pos->found += (uint64_t)found;
    s->scrubber.found += (uint64_t)found;
}

/* ---- one step ---------------------------------------------------------------------------------
 */

/* Under lock: wait until `due_ns`; false when the store stops. */
static bool wait_until(struct sb_store *s, int64_t due_ns)
{
    while (!s->stopping && s->state != STORE_DOWN && vs_now_ns(&vs_clock_system) < due_ns)
        vs_cond_wait_until(&s->scrubber.wake, &s->lock, due_ns);
    return !s->stopping && s->state != STORE_DOWN;
}

static int pace(void *arg, uint64_t bytes)
{
    struct sb_store *s = arg;
    struct sb_scrubber *sc = &s->scrubber;
    int64_t now_ns;
    VS_LOCK_SCOPE(&s->lock);

    sc->at_bytes += bytes;
    sc->read_bytes += bytes;
    if (s->config.serial || s->config.scrub_bytes_s == 0)
        return 0;
    now_ns = vs_now_ns(&vs_clock_system);
    sc->paid_ns = sc->paid_ns < now_ns ? now_ns : sc->paid_ns;
    sc->paid_ns += (int64_t)((double)bytes * (double)VS_NS_PER_S / (double)s->config.scrub_bytes_s);
    if (sc->paid_ns - now_ns < SCRUB_NAP_NS && !s->stopping)
        return 0; /* small records are paid for together */
    return wait_until(s, sc->paid_ns) ? 0 : -ECANCELED;
}

/* The end of a pass. */
static int pass_end(struct sb_store *s)
{
    struct sb_scrub_pos pos;
    int found;

    found = sb_scrub_small(s);
    if (found < 0)
        return found;
    pthread_mutex_lock(&s->lock);
    s->scrubber.pos.ended = s->scrubber.pos.pass;
    s->scrubber.pos.ended_ns = (uint64_t)vs_real_ns(s->config.clock);
    s->scrubber.pos.found += (uint64_t)found;
    s->scrubber.found += (uint64_t)found;
    pos = s->scrubber.pos;
    pthread_mutex_unlock(&s->lock);
    pos_write(s, &pos);
    return 0;
}

int sb_scrubber_step(struct sb_store *s)
{
    const struct sb_scrub_ask ask = { .pace = pace, .pace_arg = s };
    struct sb_scrub_pos pos;
    bool running;
    uint64_t id;
    int found;

    pthread_mutex_lock(&s->lock);
    id = next_id(s);
    running = pass_running(&s->scrubber.pos);
    s->scrubber.at = id;
    s->scrubber.at_bytes = 0;
    pthread_mutex_unlock(&s->lock);
    if (id == 0)
        return running ? pass_end(s) : 0;
    found = sb_scrub_file(s, id, &ask);
    if (found == -VS_ENEWER || found == -EIO)
        found = 1; /* nothing of it can be read by us; the next one may be */
    pthread_mutex_lock(&s->lock);
    if (found >= 0)
        file_done(s, id, s->scrubber.at_bytes, found);
    s->scrubber.at = s->scrubber.at_bytes = 0;
    pos = s->scrubber.pos;
    pthread_mutex_unlock(&s->lock);
    if (found < 0)
        return found;
    pos_write(s, &pos);
    return 1;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

/* Under lock: how long nothing has to be done. */
static int64_t idle_ns(const struct sb_store *s)
{
    const struct sb_scrub_pos *pos = &s->scrubber.pos;
    int64_t left_ns = (int64_t)pos->began_ns + s->config.scrub_period_s * VS_NS_PER_S -
                      vs_real_ns(s->config.clock);

    if (pos->pass == 0 || left_ns > SCRUB_IDLE_NS)
        return SCRUB_IDLE_NS;
    return left_ns > SCRUB_LATER_NS / 10 ? left_ns : SCRUB_LATER_NS / 10;
}

static void *scrubber_main(void *arg)
{
    struct sb_store *s = arg;
    bool go_on = true;

    pthread_setname_np(pthread_self(), "sb-scrub");
    while (go_on) {
        int r = sb_scrubber_step(s);
        VS_LOCK_SCOPE(&s->lock);

        go_on = !s->stopping && s->state != STORE_DOWN;
        if (go_on && r <= 0)
            go_on =
                wait_until(s, vs_now_ns(&vs_clock_system) + (r == 0 ? idle_ns(s) : SCRUB_LATER_NS));
    }
    return NULL;
}

int sb_scrubber_start(struct sb_store *s)
{
    int r;

    if (s->config.scrub_bytes_s == 0)
        return 0;
    r = vs_thread_start(&s->scrubber.thread, scrubber_main, s);
    s->scrubber.runs = r == 0;
    return r;
}

void sb_scrubber_stop(struct sb_store *s)
{
    if (s->scrubber.runs)
        pthread_join(s->scrubber.thread, NULL);
    s->scrubber.runs = false;
}

/* ---- for others -------------------------------------------------------------------------------
 */

int sb_store_scrub_step(struct chunk_store *base)
{
    return sb_scrubber_step(sb_store_of(base));
}

void sb_store_scrub_progress(struct chunk_store *base, struct sb_scrub_progress *ret)
{
    struct sb_store *s = sb_store_of(base);
    const struct sb_scrubber *sc = &s->scrubber;
    VS_LOCK_SCOPE(&s->lock);

    *ret = (struct sb_scrub_progress){
        .pass = sc->pos.pass,
        .running = pass_running(&sc->pos) || sc->pos.fresh != 0,
        .done_bytes = sc->pos.done_bytes + sc->at_bytes,
        .total_bytes = sc->pos.done_bytes,
        .began_ns = sc->pos.began_ns,
        .ended_ns = sc->pos.ended_ns,
        .read_bytes = sc->read_bytes,
        .found = sc->found,
    };
    if (pass_running(&sc->pos))
        ret->total_bytes += sb_files_bytes(&s->files, 1, sc->pos.next);
    if (sc->pos.fresh != 0)
        ret->total_bytes += sb_files_bytes(&s->files, sc->pos.fresh_to, sc->pos.fresh);
    if (ret->total_bytes < ret->done_bytes)
        ret->total_bytes = ret->done_bytes;
}
