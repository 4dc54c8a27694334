/* Which replicas answer at all.
 *
 * Happy path: one whose answer did not come in time, or whose connection failed, is silent: it is
 * passed over while another one is not, and asked who it is in the background, on a connection of
 * its own, every META_HTTP_PROBE_MS, until it says so. Hence one that is frozen costs those waits
 * that were under way when it froze, and no later one. Failure modes: one that thinks long is taken
 * for silent, and says hello at once.
 *
 * And which of them leads: whoever passes questions on to the leader says so, and the replicas are
 * asked, one after the other, until one says that it leads: it is asked first from then on. */
#include "meta/meta_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"

static void probe_send(struct vs_job *job);

static bool said_hello(const struct meta_http *m, const struct http_request *req,
                       struct meta_wire_hello *ret)
{
    return req->status == 0 && req->http_status == 200 &&
           meta_wire_answered_hello(req->body, req->body_bytes, ret) == 0 &&
           vs_id_cmp(&ret->cluster, &m->base.cluster) == 0;
}

/* What the probe's end means; true: it goes on. */
static bool probe_again(struct meta_http *m, struct meta_http_probe *p, bool answered)
{
    VS_LOCK_SCOPE(&m->lock);

    if (answered)
        atomic_store(&p->silent, false);
    if (!answered && !m->stopping && (atomic_load(&m->listed) >> p->replica & 1) != 0)
        return true;
    p->running = false;
    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
    return false;
}

static void probe_done(struct http_request *req)
{
    struct meta_http_probe *p = vs_container_of(req, struct meta_http_probe, req);
    struct meta_http *m = p->m;
    struct meta_wire_hello hello;
    bool answered = said_hello(m, req, &hello);

    if (answered)
        meta_http_heard(m, p->replica, &hello); /* it may have been started again */
    if (!probe_again(m, p, answered))
        return; /* m may be gone now */
    p->job.fn = probe_send;
    vs_exec_after(m->config.exec, &p->job, META_HTTP_PROBE_MS * VS_NS_PER_MS);
}

static void probe_send(struct vs_job *job)
{
    struct meta_http_probe *p = vs_container_of(job, struct meta_http_probe, job);
    struct meta_http *m = p->m;

    p->req = (struct http_request){ .method = HTTP_POST,
                                    .path = META_HTTP_PATH,
                                    .send = m->hello.data,
                                    .send_bytes = m->hello.len,
                                    .body = p->answer,
                                    .body_cap = sizeof(p->answer),
                                    .own_connection = true,
                                    .timeout_ms = m->config.first_ms,
                                    .done = probe_done };
    http_client_submit(m->hosts[p->replica], &p->req);
}

void meta_http_silent(struct meta_http *m, unsigned replica)
{
    struct meta_http_probe *p = &m->probes[replica];
    bool start;

    if (atomic_load(&m->host_count) == 1)
        return; /* there is nobody else to ask */
    pthread_mutex_lock(&m->lock);
    start = !p->running && !m->stopping;
    if (start) {
        atomic_store(&p->silent, true);
        p->running = true;
        m->in_flight++; /* stop waits for it */
    }
    pthread_mutex_unlock(&m->lock);
    if (!start)
        return;
    p->m = m;
    p->replica = replica;
    p->job.fn = probe_send;
    vs_exec_submit(m->config.exec, &p->job);
}

unsigned meta_http_choose(struct meta_http *m, unsigned tried)
{
    unsigned preferred = atomic_load(&m->preferred), answering = 0;
    unsigned listed = atomic_load(&m->listed), count = atomic_load(&m->host_count);

    for (unsigned i = 0; i < count; i++)
        if ((listed >> i & 1) != 0 && !atomic_load(&m->probes[i].silent))
            answering |= 1u << i;
    if (answering == 0)
        answering = listed;
    for (unsigned k = 0; k < count; k++) {
        unsigned i = (preferred + k) % count;

        if ((answering & ~tried) >> i & 1)
            return i;
    }
    return META_HTTP_NONE;
}

/* ---- the leader -------------------------------------------------------------------------------
 */

static void look_end(struct meta_http_look *l)
{
    struct meta_http *m = l->m;
    VS_LOCK_SCOPE(&m->lock);

    l->running = false;
    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
}

static void look_done(struct http_request *req);

static void look_send(struct vs_job *job)
{
    struct meta_http_look *l = vs_container_of(job, struct meta_http_look, job);
    struct meta_http *m = l->m;

    l->replica = meta_http_choose(m, l->asked); /* the preferred one first */
    if (l->replica == META_HTTP_NONE) {
        look_end(l);
        return;
    }
    l->asked |= 1u << l->replica;
    l->req = (struct http_request){ .method = HTTP_POST,
                                    .path = META_HTTP_PATH,
                                    .send = m->hello.data,
                                    .send_bytes = m->hello.len,
                                    .body = l->answer,
                                    .body_cap = sizeof(l->answer),
                                    .timeout_ms = m->config.first_ms,
                                    .done = look_done };
    http_client_submit(m->hosts[l->replica], &l->req);
}

static void look_done(struct http_request *req)
{
    struct meta_http_look *l = vs_container_of(req, struct meta_http_look, req);
    struct meta_http *m = l->m;
    struct meta_wire_hello hello;

    if (said_hello(m, req, &hello)) {
        meta_http_heard(m, l->replica, &hello);
        if (hello.leads) {
            atomic_store(&m->preferred, l->replica);
            look_end(l);
            return;
        }
    }
    look_send(&l->job);
}

void meta_http_look(struct meta_http *m)
{
    struct meta_http_look *l = &m->look;
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    bool start;

    pthread_mutex_lock(&m->lock);
    start = m->host_count > 1 && !l->running && !m->stopping &&
            (l->before_ns == 0 || now_ns - l->before_ns >= META_HTTP_LOOK_MS * VS_NS_PER_MS);
    if (start) {
        l->before_ns = now_ns;
        l->running = true;
        m->in_flight++; /* stop waits for it */
    }
    pthread_mutex_unlock(&m->lock);
    if (!start)
        return;
    l->m = m;
    l->asked = 0;
    l->job.fn = look_send;
    vs_exec_submit(m->config.exec, &l->job);
}
