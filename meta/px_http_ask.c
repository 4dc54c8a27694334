/* Asking another replica: one request, one answer, exactly one callback.
 *
 * Happy path: the frame or question is the body of a request, and the body that comes back is the
 * answer. Failure modes: each status of HTTP and of the connection says whether the ask can have
 * arrived; an ask that could not even be begun is ended by a job. */
#include "meta/px_http_impl.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdlib.h>

#define ASK_TIMEOUT_MS_MAX 60000

struct asked {
    struct http_request req;
    struct px_link_ask *a;
    struct px_peer *peer;
};

static int status_of(const struct http_request *req)
{
    switch (req->status) {
    case 0:
        if (req->http_status == 200 || req->http_status == 204)
            return 0;
        return req->http_status == 503 ? -EAGAIN : -ECONNREFUSED;
    case -ETIMEDOUT:
    case -EMSGSIZE:
    case -ECONNREFUSED:
        return req->status;
    case -EAGAIN:
    case -ENOMEM:
        return -EAGAIN;
    default: /* broken off, cancelled, no HTTP: it may have arrived */
        return -ECONNRESET;
    }
}

static void count_answer(struct asked *s, const struct http_request *req)
{
    struct px_count *c = s->peer->http->count;

    if (req->status == 0)
        atomic_store(&s->peer->heard_ns, vs_now_ns(&vs_clock_system));
    if (req->status < 0 || req->http_status != 200)
        return;
    if (s->a->kind == PX_LINK_QUESTION)
        px_count_one(c, PX_COUNT_IN, PX_COUNT_REPLY, req->body_bytes);
    else
        px_count_frames(c, PX_COUNT_IN, req->body, req->body_bytes);
}

static void asked_done(struct http_request *req)
{
    struct asked *s = vs_container_of(req, struct asked, req);
    struct px_link_ask *a = s->a;

    count_answer(s, req);
    a->status = status_of(req);
    if (a->status == 0 && req->http_status == 200 && req->body_bytes > 0)
        a->answer =
            (struct vs_buf){ .data = req->body, .len = req->body_bytes, .cap = req->body_cap };
    else
        free(req->body);
    free(s);
    a->done(a); /* a may be gone now */
}

/* ---- asks that end without a request ---- */

void px_http_ask_end(struct vs_job *job)
{
    struct px_http *h = vs_container_of(job, struct px_http, end_job);
    struct px_link_ask *a;

    for (;;) {
        pthread_mutex_lock(&h->lock);
        a = vs_list_first(&h->ended, struct px_link_ask, link);
        if (a != NULL)
            vs_list_del(&a->link);
        else
            h->ending = false;
        pthread_mutex_unlock(&h->lock);
        if (a == NULL)
            return;
        a->done(a);
    }
}

static void end_soon(struct px_http *h, struct px_link_ask *a, int status)
{
    bool submit;

    a->status = status;
    pthread_mutex_lock(&h->lock);
    vs_list_add_tail(&h->ended, &a->link);
    submit = !h->ending;
    h->ending = true;
    pthread_mutex_unlock(&h->lock);
    if (submit)
        vs_exec_submit(h->exec, &h->end_job);
}

/* ---- asking ---- */

void px_http_ask(struct px_link *l, uint32_t to, struct px_link_ask *a)
{
    struct px_http *h = vs_container_of(l, struct px_http, link);
    struct px_peer *p = px_http_peer_of(h, to);
    bool question = a->kind == PX_LINK_QUESTION;
    struct asked *s;
    void *room;

    VS_ASSERT(a->done != NULL && a->timeout_ms >= 1 && a->answer_max > 0);
    a->answer = (struct vs_buf){ 0 };
    if (p == NULL) {
        end_soon(h, a, -ENOENT);
        return;
    }
    s = malloc(sizeof(*s));
    room = malloc(a->answer_max);
    if (s == NULL || room == NULL) {
        free(s);
        free(room);
        end_soon(h, a, -EAGAIN);
        return;
    }
    if (question)
        px_count_one(h->count, PX_COUNT_OUT, PX_COUNT_QUESTION, a->len);
    else
        px_count_frames(h->count, PX_COUNT_OUT, a->bytes, a->len);
    vs_counter_add(&h->count->requests[PX_COUNT_OUT], 1);
    *s = (struct asked){ .a = a, .peer = p };
    s->req = (struct http_request){
        .method = HTTP_POST,
        .path = question ? PX_HTTP_META_PATH : PX_HTTP_PATH,
        .send = a->bytes,
        .send_bytes = a->len,
        .body = room,
        .body_cap = a->answer_max,
        .timeout_ms = a->timeout_ms < ASK_TIMEOUT_MS_MAX ? a->timeout_ms : ASK_TIMEOUT_MS_MAX,
        .done = asked_done,
    };
    a->state = s;
    http_client_submit(question ? p->questions : p->asks, &s->req);
}
