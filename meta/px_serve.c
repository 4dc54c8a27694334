/* Frames of the other replicas; see the header.
 *
 * Happy path: one allocation per body holds all of its frames; the last one that ends answers.
 * Failure modes: one counter of those that have not ended, one more while they are handed out, so
 * that the answer comes once, whichever thread ends last. */
#include "meta/px_serve.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdlib.h>

struct serve;

struct serve_frame {
    struct meta_replica_frame f;
    struct serve *v;
};

struct serve {
    struct px_serve *s;
    struct http_req *q;
    struct px_post post;
    struct vs_buf out;
    atomic_uint left; /* frames that have not ended; and the one who hands them out */
    struct serve_frame frame[];
};

/* ---- the end ----------------------------------------------------------------------------------
 */

static void refuse(struct px_serve *s, struct http_req *q, int err)
{
    vs_counter_add(&s->count->refused, 1);
    switch (err) {
    case -VS_ENEWER:
        http_reply_error(q, 400, "newer",
                         "The frame is of a newer version of V-Stack; update this "
                         "replica.");
        return;
    case -EXDEV:
        http_reply_error(q, 421, "other-cluster",
                         "This replica is of another cluster; look at --peers and --cluster.");
        return;
    case -EPERM:
        http_reply_error(q, 403, "stranger",
                         "The sender is not one of the --peers of this replica.");
        return;
    case -ESTALE:
        http_reply_error(q, 409, "former-life",
                         "The sender is a former life of that replica; only the latest is heard.");
        return;
    case -EAGAIN:
    case -ENOMEM:
    case -ENOBUFS:
        http_reply_error(q, 503, "busy", "Too much at once; ask again in a moment.");
        return;
    default:
        http_reply_error(q, 400, "frame", "Those are no frames between replicas (docs/API.md).");
    }
}

static void serve_reply(struct serve *v)
{
    struct px_serve *s = v->s;
    int err = 0;

    for (unsigned i = 0; i < v->post.count; i++) {
        struct meta_replica_frame *f = &v->frame[i].f;

        if (f->status < 0)
            err = f->status;
        else if (f->answer.len > 0 && vs_buf_append(&v->out, f->answer.data, f->answer.len,
                                                    PX_SERVE_ANSWER_BYTES_MAX) < 0)
            err = -ENOMEM; /* it is asked again */
    }
    if (v->out.len > 0) {
        px_count_frames(s->count, PX_COUNT_OUT, v->out.data, v->out.len);
        http_reply_lent(v->q, 200, "application/octet-stream", v->out.data, v->out.len);
    } else if (err < 0) {
        refuse(s, v->q, err);
    } else {
        http_reply(v->q, 204, NULL, NULL, 0);
    }
}

static void serve_put(struct serve *v)
{
    if (atomic_fetch_sub(&v->left, 1) == 1)
        serve_reply(v); /* v may be gone now */
}

static void frame_done(struct meta_replica_frame *f)
{
    serve_put(vs_container_of(f, struct serve_frame, f)->v);
}

/* ---- the beginning ----------------------------------------------------------------------------
 */

/* It was none when this replica was started. Under s->lock. */
static bool is_member_since(struct px_serve *s, const struct px_post *post)
{
    struct px_frame f;

    if (s->http == NULL || px_frame_open(post->frame[0].bytes, post->frame[0].len, &f) < 0 ||
        !px_http_knows(s->http, f.head.pid))
        return false;
    px_post_know(&s->gate, f.head.pid);
    return true;
}

static int judge(struct px_serve *s, struct px_post *post, bool tells)
{
    int r = 0;

    for (unsigned i = 0; tells && i < post->count; i++)
        if (post->frame[i].kind != PX_FRAME_JOURNAL)
            return -VS_ECORRUPT;
    pthread_mutex_lock(&s->lock);
    r = px_post_judge(&s->gate, post);
    if (r == -EPERM && is_member_since(s, post))
        r = px_post_judge(&s->gate, post);
    for (unsigned i = 0; r == 0 && i < s->gate.peers; i++)
        if (s->gate.peer[i].pid == post->pid)
            atomic_store(&s->heard_ns[i], vs_now_ns(&vs_clock_system));
    pthread_mutex_unlock(&s->lock);
    return r;
}

static void hand_out(struct serve *v)
{
    struct px_serve *s = v->s;
    unsigned count = v->post.count;

    atomic_store(&v->left, count + 1);
    for (unsigned i = 0; i < count; i++) {
        v->frame[i].v = v;
        v->frame[i].f = (struct meta_replica_frame){ .from = v->post.pid,
                                                     .bytes = v->post.frame[i].bytes,
                                                     .len = v->post.frame[i].len,
                                                     .done = frame_done };
    }
    for (unsigned i = 0; i < count; i++)
        s->receive(s->replica, &v->frame[i].f);
    serve_put(v);
}

static int serve_new(struct px_serve *s, struct http_req *q, bool tells, struct serve **ret)
{
    size_t len;
    const void *body = http_req_body(q, &len);
    struct px_post post;
    struct serve *v;
    int r = px_post_split(body, len, &post);

    if (r > 0)
        r = judge(s, &post, tells);
    if (r < 0)
        return r;
    v = calloc(1, sizeof(*v) + post.count * sizeof(v->frame[0]));
    if (v == NULL)
        return -ENOMEM;
    v->s = s;
    v->q = q;
    v->post = post;
    *ret = v;
    return 0;
}

void px_serve_run(struct px_serve *s, struct http_req *q, bool tells)
{
    struct serve *v = NULL;
    int r;

    if (atomic_fetch_add(&s->in_flight, 1) >= PX_SERVE_IN_FLIGHT)
        r = -EAGAIN;
    else
        r = serve_new(s, q, tells, &v);
    if (r < 0) {
        atomic_fetch_sub(&s->in_flight, 1);
        refuse(s, q, r);
        return;
    }
    http_req_set_state(q, v);
    vs_counter_add(&s->count->requests[PX_COUNT_IN], 1);
    for (unsigned i = 0; i < v->post.count; i++)
        px_count_one(s->count, PX_COUNT_IN, v->post.frame[i].kind, v->post.frame[i].len);
    hand_out(v);
}

void px_serve_end(struct http_req *q)
{
    struct serve *v = http_req_state(q);

    if (v == NULL)
        return;
    VS_ASSERT(atomic_load(&v->left) == 0);
    for (unsigned i = 0; i < v->post.count; i++)
        vs_buf_close(&v->frame[i].f.answer);
    vs_buf_close(&v->out);
    atomic_fetch_sub(&v->s->in_flight, 1);
    free(v);
}

void px_serve_init(struct px_serve *s, const struct vs_id *cluster, const uint32_t *peers,
                   unsigned count, struct px_count *counted)
{
    VS_ASSERT(count <= PX_MEMBERS_MAX);
    *s = (struct px_serve){ .count = counted };
    s->gate.cluster = *cluster;
    s->gate.peers = count;
    for (unsigned i = 0; i < count; i++)
        s->gate.peer[i].pid = peers[i];
    pthread_mutex_init(&s->lock, NULL);
}

void px_serve_close(struct px_serve *s)
{
    pthread_mutex_destroy(&s->lock);
}
