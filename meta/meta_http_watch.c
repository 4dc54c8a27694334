/* Which replicas answer at all.
 *
 * Happy path: one whose answer did not come in time, or whose connection failed, is silent: it is
 * passed over while another one is not, and asked who it is in the background, on a connection of
 * its own, every META_HTTP_PROBE_MS, until it says so. Hence one that is frozen costs those waits
 * that were under way when it froze, and no later one. Failure modes: one that thinks long is taken
 * for silent, and says hello at once. */
#include "meta/meta_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"

static void probe_send(struct vs_job *job);

/* What the probe's end means; true: it goes on. */
static bool probe_again(struct meta_http *m, struct meta_http_probe *p, bool answered)
{
    VS_LOCK_SCOPE(&m->lock);

    if (answered)
        atomic_store(&p->silent, false);
    if (!answered && !m->stopping)
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
    bool answered = req->status == 0 && req->http_status == 200 &&
                    meta_wire_answered_hello(p->answer, req->body_bytes, &hello) == 0 &&
                    vs_id_cmp(&hello.cluster, &m->base.cluster) == 0;

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

    if (m->host_count == 1)
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

    for (unsigned i = 0; i < m->host_count; i++)
        if (!atomic_load(&m->probes[i].silent))
            answering |= 1u << i;
    if (answering == 0)
        answering = (1u << m->host_count) - 1;
    for (unsigned k = 0; k < m->host_count; k++) {
        unsigned i = (preferred + k) % m->host_count;

        if ((answering & ~tried) >> i & 1)
            return i;
    }
    return m->host_count;
}
