/* The way to the other replicas: opened, watched, closed; see the header.
 *
 * Happy path: two HTTP clients, one for short frames alone; for each peer a host in both per kind
 * of traffic. Failure modes at open: whatever was opened is closed again. */
#include "meta/px_http_impl.h"

#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS         PX_HTTP_TELL_MS
#define THREADS            2
#define ASK_CONNECTIONS    8
#define LEADER_CONNECTIONS 64
#define POSTS_QUEUE        (4 * PX_HTTP_POSTS) /* with those whose callback has not returned */

struct px_peer *px_http_peer_of(struct px_http *h, uint32_t pid)
{
    for (unsigned i = 0; i < h->peer_count; i++)
        if (h->peer[i].pid == pid)
            return &h->peer[i];
    return NULL;
}

static void px_http_tell(struct px_link *l, uint32_t to, const void *frame, size_t len)
{
    struct px_http *h = vs_container_of(l, struct px_http, link);
    struct px_peer *p = px_http_peer_of(h, to);

    if (p == NULL || len > PX_FRAME_JOURNAL_BYTES_MAX)
        vs_counter_add(&h->count->dropped, 1);
    else
        px_lane_tell(len <= PX_HTTP_SHORT_BYTES_MAX ? &p->brief : &p->bulk, frame, len);
}

/* ---- who is there? ---- */

static void ping_done(struct http_request *req)
{
    struct px_peer *p = vs_container_of(req, struct px_peer, ping);
    VS_LOCK_SCOPE(&p->lock);

    if (req->status == 0)
        atomic_store(&p->heard_ns, vs_now_ns(&vs_clock_system));
    p->pinging = false;
}

/* Under h->lock, so none leaves once the end has begun. */
static void peer_ping_locked(struct px_peer *p)
{
    int64_t quiet_ns = vs_now_ns(&vs_clock_system) - atomic_load(&p->heard_ns);
    VS_LOCK_SCOPE(&p->lock);

    if (p->pinging || quiet_ns < PX_HTTP_PING_MS * VS_NS_PER_MS)
        return;
    p->pinging = true;
    p->ping = (struct http_request){ .method = HTTP_GET,
                                     .path = PX_HTTP_PING_PATH,
                                     .timeout_ms = PX_HTTP_PING_MS,
                                     .done = ping_done };
    http_client_submit(p->brief.host, &p->ping);
}

static void ping_all(struct vs_job *job)
{
    struct px_http *h = vs_container_of(job, struct px_http, ping_job);
    VS_LOCK_SCOPE(&h->lock);

    if (h->stopping)
        return;
    for (unsigned i = 0; i < h->peer_count; i++)
        peer_ping_locked(&h->peer[i]);
    vs_exec_after(h->exec, &h->ping_job, PX_HTTP_PING_MS * VS_NS_PER_MS);
}

unsigned px_http_peers(struct px_http *h, struct px_http_peer_state ret[PX_HTTP_PEERS_MAX])
{
    int64_t now_ns = vs_now_ns(&vs_clock_system);

    for (unsigned i = 0; i < h->peer_count; i++) {
        struct px_peer *p = &h->peer[i];

        ret[i] = (struct px_http_peer_state){ .pid = p->pid };
        ret[i].heard_ns = atomic_load(&p->heard_ns);
        ret[i].reachable =
            ret[i].heard_ns > 0 && now_ns - ret[i].heard_ns < 3 * PX_HTTP_PING_MS * VS_NS_PER_MS;
        memcpy(ret[i].origin, p->origin, sizeof(ret[i].origin));
    }
    return h->peer_count;
}

unsigned px_http_reachable(struct px_http *h)
{
    struct px_http_peer_state state[PX_HTTP_PEERS_MAX];
    unsigned count = px_http_peers(h, state), n = 0;

    for (unsigned i = 0; i < count; i++)
        n += state[i].reachable;
    return n;
}

/* ---- life ---- */

static int host_open(struct px_peer *p, struct http_client *client, unsigned connections,
                     unsigned queue, struct http_host **ret)
{
    const struct http_host_config config = { .origin = p->origin,
                                             .connections_max = connections,
                                             .queue_max = queue,
                                             .connect_timeout_ms = CONNECT_MS };

    return http_host_open(ret, client, &config);
}

static void peer_close(struct px_peer *p)
{
    px_lane_close(&p->brief);
    px_lane_close(&p->bulk);
    pthread_mutex_destroy(&p->lock);
}

static int peer_open(struct px_http *h, const struct px_http_peer *who)
{
    struct px_peer *p = &h->peer[h->peer_count];
    int r;

    if (who->pid == 0 || h->peer_count == PX_HTTP_PEERS_MAX ||
        px_http_peer_of(h, who->pid) != NULL || strlen(who->origin) >= sizeof(p->origin))
        return -EINVAL;
    *p = (struct px_peer){ .http = h, .pid = who->pid };
    snprintf(p->origin, sizeof(p->origin), "%s", who->origin);
    pthread_mutex_init(&p->lock, NULL);
    px_lane_init(&p->brief, p, PX_HTTP_TELL_PATH);
    px_lane_init(&p->bulk, p, PX_HTTP_PATH);
    r = host_open(p, h->brief, PX_HTTP_POSTS + 1, POSTS_QUEUE, &p->brief.host);
    if (r == 0)
        r = host_open(p, h->bulk, PX_HTTP_POSTS, POSTS_QUEUE, &p->bulk.host);
    if (r == 0)
        r = host_open(p, h->bulk, ASK_CONNECTIONS, PX_HTTP_ASKS_MAX, &p->asks);
    if (r == 0)
        r = host_open(p, h->bulk, LEADER_CONNECTIONS, PX_HTTP_QUESTIONS_MAX, &p->questions);
    if (r < 0)
        peer_close(p);
    else
        h->peer_count++;
    return r;
}

bool px_http_knows(struct px_http *h, uint32_t pid)
{
    return px_http_peer_of(h, pid) != NULL;
}

/* A member that came later. One that is known already stays where it is. */
static void px_http_learn(struct px_link *l, uint32_t pid, const char *url)
{
    struct px_http *h = vs_container_of(l, struct px_http, link);
    const struct px_http_peer who = { pid, url };
    int r = 0;

    pthread_mutex_lock(&h->lock);
    if (!h->stopping && px_http_peer_of(h, pid) == NULL)
        r = peer_open(h, &who);
    pthread_mutex_unlock(&h->lock);
    if (r < 0)
        vs_warn("metadata: replica %u at %s cannot be reached: %s -> start this replica again", pid,
                url, vs_err_text(r));
}

static const struct px_link_ops px_http_ops = { .tell = px_http_tell,
                                                .ask = px_http_ask,
                                                .learn = px_http_learn };

struct px_link *px_http_link(struct px_http *h)
{
    return &h->link;
}

int px_http_open(struct px_http **ret, const struct px_http_config *config)
{
    struct px_http *h;
    int r;

    if (config->peer_count > PX_HTTP_PEERS_MAX)
        return -EINVAL;
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->link.ops = &px_http_ops;
    h->count = config->count;
    h->ping_job.fn = ping_all;
    h->end_job.fn = px_http_ask_end;
    pthread_mutex_init(&h->lock, NULL);
    vs_list_init(&h->ended);
    r = vs_exec_start(&h->exec, "vs-px", THREADS);
    if (r == 0)
        r = http_client_start(&h->brief, NULL);
    if (r == 0)
        r = http_client_start(&h->bulk, h->exec);
    for (unsigned i = 0; r == 0 && i < config->peer_count; i++)
        r = peer_open(h, &config->peers[i]);
    if (r < 0) {
        px_http_stop(h);
        return r;
    }
    vs_exec_submit(h->exec, &h->ping_job);
    *ret = h;
    return 0;
}

void px_http_stop(struct px_http *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    http_client_stop(h->brief);
    http_client_stop(h->bulk);
    vs_exec_stop(h->exec);
    for (unsigned i = 0; i < h->peer_count; i++)
        peer_close(&h->peer[i]);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
