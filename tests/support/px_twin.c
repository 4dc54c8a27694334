/* A replica that only notes frames; see the header. */
#include "tests/support/px_twin.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/thread.h"
#include "meta/px_http.h"

#include <stdio.h>
#include <string.h>

#define AWAIT_S 60

static const struct vs_id cluster = { { 7 } };

void px_twin_frame(struct vs_buf *buf, unsigned kind, uint32_t pid, uint64_t number, size_t bytes)
{
    const struct px_head head = { cluster, number, pid, 1 };
    struct px_frame_out f;
    static const uint8_t zeros[PX_FRAME_JOURNAL_BYTES_MAX];

    VS_ASSERT(bytes >= PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES && bytes <= sizeof(zeros));
    VS_ASSERT(px_frame_begin(&f, buf, (enum px_frame_kind)kind, &head) == 0);
    f.count = 1;
    VS_ASSERT(vs_buf_append(buf, zeros, bytes - PX_FRAME_HEAD_BYTES - PX_FRAME_CRC_BYTES,
                            64u << 20) == 0);
    VS_ASSERT(px_frame_end(&f) == 0);
}

static void end(struct px_twin *t, struct meta_replica_frame *f)
{
    struct px_frame in;

    VS_ASSERT(px_frame_open(f->bytes, f->len, &in) == 0);
    f->status = t->status;
    if (f->status == 0 && in.kind == PX_FRAME_ASKS)
        px_twin_frame(&f->answer, PX_FRAME_ANSWERS, t->serve.gate.peer[0].pid, in.head.epoch,
                      f->len);
    f->done(f);
}

static void receive(struct meta_replica *m, struct meta_replica_frame *f)
{
    struct px_twin *t = (struct px_twin *)m;
    struct px_frame in;
    bool held = false;

    VS_ASSERT(px_frame_open(f->bytes, f->len, &in) == 0);
    pthread_mutex_lock(&t->lock);
    VS_ASSERT(t->frames < PX_TWIN_FRAMES_MAX);
    t->epoch[t->frames++] = in.head.epoch;
    t->from = f->from;
    t->kind = in.kind;
    if (t->hold) {
        VS_ASSERT(t->held_count < PX_TWIN_FRAMES_MAX);
        t->held[t->held_count++] = f;
        held = true;
    }
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (!held)
        end(t, f);
}

static void run_px(struct http_req *q)
{
    px_serve_run(&((struct px_twin *)http_req_arg(q))->serve, q, false);
}

static void run_tell(struct http_req *q)
{
    px_serve_run(&((struct px_twin *)http_req_arg(q))->serve, q, true);
}

static void run_meta(struct http_req *q)
{
    struct px_twin *t = http_req_arg(q);
    size_t len;
    const void *body = http_req_body(q, &len);
    VS_LOCK_SCOPE(&t->lock);

    t->questions++;
    http_reply(q, 200, "application/octet-stream", body, len);
}

static void run_ping(struct http_req *q)
{
    http_reply(q, 200, "text/plain", "ok\n", 3);
}

static const struct http_route routes[] = {
    { PX_HTTP_PING_PATH, HTTP_GET, true, 0, NULL, NULL, run_ping, NULL },
    { PX_HTTP_TELL_PATH, HTTP_POST, true, PX_SERVE_TELL_BYTES_MAX, NULL, NULL, run_tell,
      px_serve_end },
    { PX_HTTP_PATH, HTTP_POST, false, PX_POST_BYTES_MAX, NULL, NULL, run_px, px_serve_end },
    { PX_HTTP_META_PATH, HTTP_POST, false, 1u << 20, NULL, NULL, run_meta, NULL },
};

void px_twin_start(struct px_twin *t, uint32_t pid)
{
    uint32_t others[3];
    unsigned n = 0;
    char why[HTTP_WHY_BYTES];
    const struct http_server_config config = { .listen = "127.0.0.1:0",
                                               .routes = routes,
                                               .route_count = sizeof(routes) / sizeof(routes[0]),
                                               .arg = t };

    memset(t, 0, sizeof(*t));
    for (uint32_t i = 1; i <= 3; i++)
        if (i != pid)
            others[n++] = i;
    pthread_mutex_init(&t->lock, NULL);
    vs_cond_init(&t->wake);
    px_serve_init(&t->serve, &cluster, others, n, &t->count);
    t->serve.receive = receive;
    t->serve.replica = (struct meta_replica *)t;
    VS_ASSERT(http_server_start(&t->http, &config, why) == 0);
    t->port = http_server_port(t->http);
    snprintf(t->origin, sizeof(t->origin), "http://127.0.0.1:%u", t->port);
}

void px_twin_stop(struct px_twin *t)
{
    px_twin_release(t);
    http_server_stop(t->http, 1000);
    px_serve_close(&t->serve);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
}

void px_twin_await(struct px_twin *t, unsigned frames)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + AWAIT_S * VS_NS_PER_S;
    VS_LOCK_SCOPE(&t->lock);

    while (t->frames < frames)
        VS_ASSERT(vs_cond_wait_until(&t->wake, &t->lock, until_ns));
}

void px_twin_release(struct px_twin *t)
{
    struct meta_replica_frame *held[PX_TWIN_FRAMES_MAX];
    unsigned count;

    pthread_mutex_lock(&t->lock);
    count = t->held_count;
    memcpy(held, t->held, sizeof(held));
    t->held_count = 0;
    t->hold = false;
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < count; i++)
        end(t, held[i]);
}
