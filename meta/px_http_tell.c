/* Telling frames: a queue per peer and size, emptied by a few requests.
 *
 * Happy path: a frame joins the queue, and with whatever waits there leaves in a request. While
 * requests are under way frames gather, so a peer that is slow gets more of them in each.
 * Failure modes: a full queue loses its oldest frames, which are the least worth; a request that
 * fails loses its frames, and until one is answered again there is one at a time. A peer that
 * refuses connections is asked again by the first frame after PX_HTTP_PAUSE_MS. No memory: the
 * frame is lost. */
#include "meta/px_http_impl.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_MS_MIN 1024 /* a long request has more time: 1 MiB/s */

struct px_told {
    struct vs_list link;
    size_t len;
    uint8_t bytes[];
};

/* ---- the queue: all under the peer's lock ---- */

static struct px_told *lane_first(struct px_lane *lane)
{
    return vs_list_first(&lane->waiting, struct px_told, link);
}

static void lane_take(struct px_lane *lane, struct px_told *t)
{
    vs_list_del(&t->link);
    lane->frames--;
    lane->bytes -= t->len;
}

/* The oldest go until there is room for one more. */
static void lane_make_room(struct px_lane *lane, size_t len)
{
    struct px_told *t;

    while ((t = lane_first(lane)) != NULL &&
           (lane->frames == lane->frames_max || lane->bytes + len > lane->bytes_max)) {
        lane_take(lane, t);
        free(t);
        vs_counter_add(&lane->peer->http->count->dropped, 1);
    }
}

/* Move what waits into the request, up to its limit. */
static void post_fill(struct px_post_out *post)
{
    struct px_lane *lane = post->lane;
    struct px_told *t;

    post->body.len = 0;
    post->frames = 0;
    while ((t = lane_first(lane)) != NULL) {
        if (post->frames > 0 && post->body.len + t->len > lane->post_bytes_max)
            return;
        lane_take(lane, t);
        if (vs_buf_append(&post->body, t->bytes, t->len, PX_HTTP_BULK_BYTES_MAX) == 0)
            post->frames++;
        else
            vs_counter_add(&lane->peer->http->count->failed, 1);
        free(t);
    }
}

/* A request that is ready to leave, or NULL. */
static struct px_post_out *lane_next_locked(struct px_lane *lane)
{
    unsigned max = lane->silent ? 1 : PX_HTTP_POSTS;

    if (vs_list_empty(&lane->waiting) || lane->under_way >= max ||
        vs_now_ns(&vs_clock_system) < lane->not_before_ns)
        return NULL;
    for (unsigned i = 0; i < PX_HTTP_POSTS; i++) {
        struct px_post_out *post = &lane->post[i];

        if (post->busy)
            continue;
        post_fill(post);
        if (post->frames == 0)
            return NULL;
        post->busy = true;
        lane->under_way++;
        return post;
    }
    return NULL;
}

/* ---- requests ---- */

static void post_done(struct http_request *req);

static void post_send(struct px_post_out *post)
{
    struct px_lane *lane = post->lane;
    struct px_count *count = lane->peer->http->count;

    px_count_frames(count, PX_COUNT_OUT, post->body.data, post->body.len);
    vs_counter_add(&count->requests[PX_COUNT_OUT], 1);
    post->req = (struct http_request){
        .method = HTTP_POST,
        .path = lane->path,
        .send = post->body.data,
        .send_bytes = post->body.len,
        .timeout_ms = PX_HTTP_TELL_MS + (unsigned)(post->body.len / BYTES_PER_MS_MIN),
        .done = post_done,
    };
    http_client_submit(lane->host, &post->req);
}

static void lane_go(struct px_lane *lane)
{
    struct px_post_out *post;

    pthread_mutex_lock(&lane->peer->lock);
    post = lane_next_locked(lane);
    pthread_mutex_unlock(&lane->peer->lock);
    if (post != NULL)
        post_send(post);
}

static void post_done(struct http_request *req)
{
    struct px_post_out *post = vs_container_of(req, struct px_post_out, req);
    struct px_lane *lane = post->lane;
    struct px_peer *p = lane->peer;
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    bool answered = req->status == 0, stopped = req->status == -ECANCELED;

    if (answered)
        atomic_store(&p->heard_ns, now_ns);
    if (!answered || req->http_status >= 300)
        vs_counter_add(&p->http->count->failed, post->frames);
    pthread_mutex_lock(&p->lock);
    lane->silent = !answered;
    if (req->status == -ECONNREFUSED || req->status == -ECONNRESET)
        lane->not_before_ns = now_ns + PX_HTTP_PAUSE_MS * VS_NS_PER_MS;
    post->busy = false;
    lane->under_way--;
    if (post->body.cap > lane->post_bytes_max) /* one long frame is not kept in memory for ever */
        vs_buf_close(&post->body);
    pthread_mutex_unlock(&p->lock);
    if (!stopped)
        lane_go(lane);
}

/* ---- what the others call ---- */

void px_lane_tell(struct px_lane *lane, const void *frame, size_t len)
{
    struct px_told *t = malloc(sizeof(*t) + len);
    struct px_post_out *post;

    if (t == NULL) {
        vs_counter_add(&lane->peer->http->count->failed, 1);
        return;
    }
    t->len = len;
    memcpy(t->bytes, frame, len);
    pthread_mutex_lock(&lane->peer->lock);
    lane_make_room(lane, len);
    vs_list_add_tail(&lane->waiting, &t->link);
    lane->frames++;
    lane->bytes += len;
    post = lane_next_locked(lane);
    pthread_mutex_unlock(&lane->peer->lock);
    if (post != NULL)
        post_send(post);
}

void px_lane_init(struct px_lane *lane, struct px_peer *p, const char *path)
{
    bool brief = lane == &p->brief;

    *lane = (struct px_lane){
        .peer = p,
        .path = path,
        .post_bytes_max = brief ? PX_HTTP_SHORT_POST_BYTES_MAX : 1u << 20,
        .frames_max = brief ? PX_HTTP_SHORT_FRAMES_MAX : PX_HTTP_BULK_FRAMES_MAX,
        .bytes_max =
            brief ? PX_HTTP_SHORT_FRAMES_MAX * PX_HTTP_SHORT_BYTES_MAX : PX_HTTP_BULK_BYTES_MAX,
    };
    vs_list_init(&lane->waiting);
    for (unsigned i = 0; i < PX_HTTP_POSTS; i++)
        lane->post[i].lane = lane;
}

void px_lane_close(struct px_lane *lane)
{
    struct px_told *t;

    VS_ASSERT(lane->under_way == 0);
    while ((t = lane_first(lane)) != NULL) {
        lane_take(lane, t);
        free(t);
    }
    for (unsigned i = 0; i < PX_HTTP_POSTS; i++)
        vs_buf_close(&lane->post[i].body);
}
