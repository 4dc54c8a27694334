/* Keyframes of a stream while it arrives: the upload's side of the live cutter.
 *
 * Happy path: the first 64 KiB tell whether keyframes are to be expected; the demuxer is started by
 * a job and fed from the window, its reports go to the cut plan. Failure modes: a demuxer that is
 * slow to start or lags makes the writer wait a moment; one that takes nothing for
 * UPLOAD_LAG_MS_MAX, died, or keeps a flush waiting is left, and the rest is cut by size. Nothing
 * else is lost with it. */
#include "common/assert.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

/* While it is being started, the writer may be so far ahead. */
#define START_LAG_BYTES_MAX (16u << 20)

static void cut_now_locked(struct upload *u)
{
    if (u->status == 0 && !u->freed && !u->appending && u->flush == NULL)
        upload_cut_due_locked(u, false, false);
}

void upload_live_stop_locked(struct upload *u)
{
    cut_plan_keyframe(&u->plan, UINT64_MAX, 0, 0);
    u->cut.lagging = false;
}

/* Cutter's thread. */
static void on_keyframe(void *arg, uint64_t offset, uint32_t time_ms, uint64_t parsed)
{
    struct upload *u = arg;
    struct upload_env *env = u->env;

    pthread_mutex_lock(&env->lock);
    if (!u->freed && u->status == 0) {
        u->cut.told_ns = upload_now_ns(env);
        cut_plan_keyframe(&u->plan, offset, time_ms, parsed);
        if (u->plan.over)
            u->cut.lagging = false;
        cut_now_locked(u);
        upload_settle_locked(u);
        upload_rooms_locked(env);
    }
    pthread_mutex_unlock(&env->lock);
}

static void open_job(struct vs_job *job)
{
    struct upload *u = vs_container_of(job, struct upload, cut.open_job);
    struct upload_env *env = u->env;
    struct cutter_live *live = NULL;
    int r;

    r = cutter_live_open(&live, env->cutter, u->cut.head->bytes, u->cut.head_bytes, u->name,
                         u->name_bytes, on_keyframe, u);
    pthread_mutex_lock(&env->lock);
    u->cut.opening = false;
    up_buf_put(u->cut.head);
    u->cut.head = NULL;
    if (r == 0) {
        u->cut.cutter = live; /* freed with the upload, also when it came too late */
    } else {
        if (r == -ENOTSUP)
            u->plan.expects_keyframes = false;
        upload_live_stop_locked(u);
    }
    u->cut.took_ns = upload_now_ns(env);
    upload_live_feed_locked(u);
    cut_now_locked(u);
    upload_settle_locked(u);
    upload_rooms_locked(env);
    upload_busy_end_locked(u);
    pthread_mutex_unlock(&env->lock);
}

void upload_plan_locked(struct upload *u, bool look)
{
    const struct up_piece *first = vs_list_first(&u->window, struct up_piece, link);
    bool expects = false;

    VS_ASSERT(!u->planned);
    if (look && u->live_cut && u->window_from == 0 && first != NULL && u->env->cutter != NULL)
        expects = cutter_expects_keyframes(first->buf->bytes, first->bytes);
    u->planned = true;
    upload_session_prepare_locked(u->session);
    if (cut_plan_init(&u->plan, u->window_from, expects) < 0) {
        upload_fail_locked(u, -ENOMEM);
        return;
    }
    if (!expects)
        return;
    u->next_start_ms = 0;
    u->cut.head = up_buf_ref(first->buf);
    u->cut.head_bytes = first->bytes;
    u->cut.opening = true;
    u->cut.took_ns = upload_now_ns(u->env);
    u->cut.open_job.fn = open_job;
    upload_busy_locked(u);
    vs_exec_submit(u->env->exec, &u->cut.open_job);
}

static bool is_looking(const struct upload *u)
{
    return u->planned && !u->plan.over && u->status == 0 && !u->freed;
}

/* The piece that holds file offset `offset`, and where in it. */
static struct up_piece *piece_at(struct upload *u, uint64_t offset, size_t *ret_in)
{
    uint64_t at = u->window_from;
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &u->window) {
        struct up_piece *p = vs_container_of(pos, struct up_piece, link);

        if (offset < at + p->bytes) {
            *ret_in = (size_t)(offset - at);
            return p;
        }
        at += p->bytes;
    }
    return NULL;
}

/* Give it one piece: 0, or what the cutter said. */
static int feed_piece(struct upload *u)
{
    struct upload_env *env = u->env;
    size_t in, bytes;
    struct up_piece *p;
    struct up_buf *buf;
    const uint8_t *from;
    int r;

    if (u->cut.fed < u->window_from)
        return -EPIPE; /* cut away already */
    p = piece_at(u, u->cut.fed, &in);
    VS_ASSERT(p != NULL);
    buf = up_buf_ref(p->buf);
    from = buf->bytes + p->from + in;
    bytes = p->bytes - in;

    pthread_mutex_unlock(&env->lock);
    r = cutter_live_feed(u->cut.cutter, from, bytes);
    up_buf_put(buf);
    pthread_mutex_lock(&env->lock);
    if (r == 0) {
        u->cut.fed += bytes;
        u->cut.took_ns = upload_now_ns(env);
    }
    return r;
}

static void timer_job(struct vs_job *job);

static void timer_locked(struct upload *u, int64_t delay_ms)
{
    if (u->cut.timer)
        return;
    u->cut.timer = true;
    u->cut.timer_job.fn = timer_job;
    upload_busy_locked(u);
    vs_exec_after(u->env->exec, &u->cut.timer_job, delay_ms * VS_NS_PER_MS);
}

void upload_live_feed_locked(struct upload *u)
{
    int64_t waited_ns;
    int r = 0;

    if (!is_looking(u) || u->cut.feeding)
        return;
    u->cut.feeding = true;
    while (r == 0 && u->cut.cutter != NULL && is_looking(u) && u->cut.fed < u->end)
        r = feed_piece(u);
    u->cut.feeding = false;
    if (!is_looking(u))
        return;
    u->cut.lagging = r == -EAGAIN || (u->cut.opening && u->end - u->cut.fed > START_LAG_BYTES_MAX);
    waited_ns = upload_now_ns(u->env) - u->cut.took_ns;
    if ((r < 0 && r != -EAGAIN) ||
        (u->cut.lagging && waited_ns >= UPLOAD_LAG_MS_MAX * VS_NS_PER_MS))
        upload_live_stop_locked(u);
    else if (u->cut.lagging)
        timer_locked(u, UPLOAD_LAG_RETRY_MS);
}

/* A flush has waited for reports for as long as it may. */
static bool has_waited(const struct upload *u)
{
    int64_t now_ns = upload_now_ns(u->env);
    int64_t told_ns = u->cut.told_ns > u->cut.flush_ns ? u->cut.told_ns : u->cut.flush_ns;

    return now_ns - told_ns >= UPLOAD_FLUSH_QUIET_MS * VS_NS_PER_MS ||
           now_ns - u->cut.flush_ns >= UPLOAD_FLUSH_WAIT_MS * VS_NS_PER_MS;
}

static void timer_job(struct vs_job *job)
{
    struct upload *u = vs_container_of(job, struct upload, cut.timer_job);
    struct upload_env *env = u->env;
    bool end;

    pthread_mutex_lock(&env->lock);
    u->cut.timer = false;
    upload_live_feed_locked(u);
    end = u->flush != NULL && is_looking(u) && u->cut.cutter != NULL && !u->cut.feeding &&
          u->cut.fed == u->end && !u->cut.ended;
    if (end) {
        u->cut.ended = true;
        pthread_mutex_unlock(&env->lock);
        cutter_live_end(u->cut.cutter);
        pthread_mutex_lock(&env->lock);
    }
    if (u->flush != NULL && is_looking(u)) {
        if (has_waited(u))
            upload_live_stop_locked(u);
        else
            timer_locked(u, UPLOAD_LAG_RETRY_MS);
    }
    cut_now_locked(u);
    upload_settle_locked(u);
    upload_rooms_locked(env);
    upload_busy_end_locked(u);
    pthread_mutex_unlock(&env->lock);
}

bool upload_live_done_locked(struct upload *u)
{
    if (!is_looking(u))
        return true;
    if (u->cut.flush_ns == 0) {
        u->cut.flush_ns = upload_now_ns(u->env);
        timer_locked(u, 0);
    }
    return false;
}
