/* The first question: who answers, and whose metadata is it?
 *
 * Happy path: the first replica says so. Failure modes: nobody there yet (a cluster that is being
 * started): each replica is asked again until the time is over; something that is no metadata, or
 * another cluster's: passed over while there is another one to ask. */
#include "meta/meta_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"

#include <time.h>

#define HELLO_PAUSE_NS (20 * VS_NS_PER_MS)

struct hello {
    struct http_request req;
    uint8_t answer[META_WIRE_HELLO_BYTES_MAX];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done; /* under lock */
};

static void hello_done(struct http_request *r)
{
    struct hello *h = vs_container_of(r, struct hello, req);
    VS_LOCK_SCOPE(&h->lock);

    h->is_done = true;
    pthread_cond_signal(&h->wake);
}

static int hello_judge(const struct hello *h, struct meta_wire_hello *ret)
{
    if (h->req.status < 0)
        return -VS_EDOWN;
    if (h->req.http_status == 400)
        return -VS_ENEWER; /* it is older than we are, or no metadata */
    if (h->req.http_status != 200)
        return -VS_EDOWN;
    return meta_wire_answered_hello(h->answer, h->req.body_bytes, ret);
}

/* Ask one replica and wait. */
static int hello_ask(struct meta_http *m, unsigned replica, unsigned timeout_ms,
                     const struct vs_buf *frame, struct meta_wire_hello *ret)
{
    struct hello h = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

    h.req = (struct http_request){ .method = HTTP_POST,
                                   .path = META_HTTP_PATH,
                                   .send = frame->data,
                                   .send_bytes = frame->len,
                                   .body = h.answer,
                                   .body_cap = sizeof(h.answer),
                                   .timeout_ms = timeout_ms,
                                   .done = hello_done };
    http_client_submit(m->hosts[replica], &h.req);
    pthread_mutex_lock(&h.lock);
    while (!h.is_done)
        pthread_cond_wait(&h.wake, &h.lock);
    pthread_mutex_unlock(&h.lock);
    pthread_cond_destroy(&h.wake);
    pthread_mutex_destroy(&h.lock);
    return hello_judge(&h, ret);
}

void meta_http_heard(struct meta_http *m, unsigned replica, const struct meta_wire_hello *hello)
{
    atomic_store(&m->owner[replica], (uint64_t)hello->pid << 32 | hello->inc);
}

/* An address may be somebody else's by now. */
static bool is_ours(const struct meta_http *m, const struct meta_wire_hello *h)
{
    return vs_id_is_zero(&m->config.cluster) || vs_id_cmp(&m->config.cluster, &h->cluster) == 0;
}

int meta_http_hello(struct meta_http *m, struct meta_wire_hello *ret)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    int64_t end_ns = now_ns + (int64_t)m->config.open_ms * VS_NS_PER_MS;
    struct timespec pause = { 0, HELLO_PAUSE_NS };
    unsigned others = 0; /* of this round: those that are no replicas of ours */
    int r;

    for (unsigned n = 0; now_ns < end_ns; n++) {
        unsigned left_ms = (unsigned)((end_ns - now_ns) / VS_NS_PER_MS) + 1;

        others = n % m->host_count == 0 ? 0 : others;
        r = hello_ask(m, n % m->host_count,
                      left_ms < m->config.first_ms ? left_ms : m->config.first_ms, &m->hello, ret);
        if (r == 0 && is_ours(m, ret)) {
            meta_http_heard(m, n % m->host_count, ret);
            atomic_store(&m->preferred, n % m->host_count);
            return 0;
        }
        r = r == 0 ? -ESTALE : r;
        others += r != -VS_EDOWN; /* else it may be starting */
        if (n % m->host_count == m->host_count - 1) {
            if (others == m->host_count)
                return r;
            nanosleep(&pause, NULL);
        }
        now_ns = vs_now_ns(&vs_clock_system);
    }
    return -VS_EDOWN;
}
