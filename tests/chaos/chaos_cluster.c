/* chaos_cluster: the replicas as processes: made, started, asked how they are, stopped.
 *
 * Every replica reaches each other one through a way of its own (tests/support/tcp_cut.h) that can
 * be cut. Ports are chosen before the first start, since each must know the others'.
 * Failure modes: a replica that does not come up is a violation: after a kill it must. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "tests/chaos/chaos.h"
#include "tests/support/tcp_cut.h"

#include <arpa/inet.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEALTH_BYTES_MAX 8192
#define PEERS_BYTES      (CHAOS_METAS_MAX * 64)

/* Free ports, all held until all are known. */
static void choose_ports(struct chaos *c)
{
    int fds[CHAOS_METAS_MAX];

    for (unsigned i = 0; i < c->config.metas; i++) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);

        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        VS_ASSERT(fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&a, sizeof(a)) == 0);
        VS_ASSERT(getsockname(fds[i], (struct sockaddr *)&a, &len) == 0);
        c->meta[i].port = ntohs(a.sin_port);
        snprintf(c->origins[i], sizeof(c->origins[i]), "http://127.0.0.1:%u", c->meta[i].port);
        c->origin[i] = c->origins[i];
    }
    for (unsigned i = 0; i < c->config.metas; i++)
        close(fds[i]);
}

int chaos_meta_start(struct chaos *c, unsigned i)
{
    struct chaos_meta *m = &c->meta[i];
    char cluster[VS_ID_TEXT_BYTES], peers[PEERS_BYTES];
    const char *args[] = { "--cluster", cluster, "--peers", peers, "--new", NULL };
    size_t len = 0;

    vs_id_to_text(&c->cluster, cluster);
    for (unsigned j = 0; j < c->config.metas; j++)
        len += (size_t)snprintf(peers + len, sizeof(peers) - len, "%s%u=http://127.0.0.1:%u",
                                j > 0 ? "," : "", j + 1,
                                m->to[j] == NULL ? c->meta[j].port : tcp_cut_port(m->to[j]));
    VS_ASSERT(len < sizeof(peers));
    return node_proc_start_program(&m->proc, "vstack-meta", m->id, m->dir, m->port, args);
}

int chaos_cluster_start(struct chaos *c)
{
    int r = vs_exec_start(&c->exec, "chaos-main", 1);

    if (r == 0)
        r = http_client_start(&c->http, c->exec);
    choose_ports(c);
    for (unsigned i = 0; i < c->config.metas; i++)
        for (unsigned j = 0; j < c->config.metas; j++)
            if (i != j && !c->config.is_direct)
                c->meta[i].to[j] = tcp_cut_start(c->meta[j].port);
    {
        uint8_t chance[VS_UUID_CHANCE_BYTES];

        vs_rand_system(chance, sizeof(chance));
        c->cluster = vs_uuid_make(vs_real_ns(&vs_clock_system), chance);
    }
    for (unsigned i = 0; r == 0 && i < c->config.metas; i++) {
        struct http_host_config host = { .connections_max = 2,
                                         .queue_max = 16,
                                         .connect_timeout_ms = 1000,
                                         .origin = c->origin[i] };

        snprintf(c->meta[i].id, sizeof(c->meta[i].id), "%u", i + 1);
        snprintf(c->meta[i].dir, sizeof(c->meta[i].dir), "%s/m%u", c->dir, i + 1);
        r = chaos_meta_start(c, i);
        if (r == 0)
            r = http_host_open(&c->host[i], c->http, &host);
    }
    return r;
}

void chaos_cluster_stop(struct chaos *c)
{
    for (unsigned i = 0; i < c->config.metas; i++) {
        if (c->meta[i].proc.pid == 0)
            continue;
        node_proc_thaw(&c->meta[i].proc);
        if (node_proc_stop(&c->meta[i].proc) != 0)
            chaos_violation(c, "replica %u did not end politely", i + 1);
    }
}

/* ---- how they are -----------------------------------------------------------------------------
 */

struct health_call {
    struct http_request req;
    char body[HEALTH_BYTES_MAX];
    sem_t done;
};

static void health_done(struct http_request *req)
{
    struct health_call *h = (struct health_call *)((char *)req - offsetof(struct health_call, req));

    sem_post(&h->done);
}

static int health_parse(const struct chaos *c, const char *text, size_t len,
                        struct chaos_health *ret)
{
    struct vs_json *j;
    uint64_t leader = 0, applied = 0;
    int r = vs_json_parse(text, len, &j);

    if (r < 0)
        return r;
    if (c->config.metas == 1)
        leader = 1;
    else
        (void)vs_json_get_u64(j, "leader", &leader);
    (void)vs_json_get_u64(j, "applied_slot", &applied);
    vs_json_free(j);
    *ret = (struct chaos_health){ .leader = CHAOS_METAS_MAX, .applied = applied };
    if (leader >= 1 && leader <= c->config.metas)
        ret->leader = (unsigned)leader - 1;
    return 0;
}

int chaos_health(struct chaos *c, unsigned i, unsigned timeout_ms, struct chaos_health *ret)
{
    struct health_call h = { .req = { .method = HTTP_GET,
                                      .path = "/health",
                                      .body = h.body,
                                      .body_cap = sizeof(h.body),
                                      .timeout_ms = timeout_ms,
                                      .done = health_done } };

    sem_init(&h.done, 0, 0);
    http_client_submit(c->host[i], &h.req);
    while (sem_wait(&h.done) < 0)
        VS_ASSERT(errno == EINTR);
    sem_destroy(&h.done);
    if (h.req.status < 0 || h.req.http_status != 200)
        return h.req.status < 0 ? h.req.status : -EIO;
    return health_parse(c, h.body, h.req.body_bytes, ret);
}

unsigned chaos_leader(struct chaos *c, unsigned timeout_ms)
{
    int64_t until = chaos_now() + timeout_ms * VS_NS_PER_MS;
    struct chaos_health h;

    do {
        unsigned votes[CHAOS_METAS_MAX + 1] = { 0 };

        for (unsigned i = 0; i < c->config.metas; i++)
            if (c->meta[i].proc.pid != 0 && chaos_health(c, i, 300, &h) == 0)
                votes[h.leader]++;
        for (unsigned i = 0; i < c->config.metas; i++)
            if (votes[i] > c->config.metas / 2)
                return i;
        usleep(20000);
    } while (chaos_now() < until);
    return CHAOS_METAS_MAX;
}

void chaos_cut(struct chaos *c, unsigned from, unsigned to, bool is_cut)
{
    c->is_cut[from][to] = is_cut;
    /* Its questions on the way it opened, its answers on the way the other one opened. */
    tcp_cut_set(c->meta[from].to[to], is_cut, c->is_cut[to][from]);
    tcp_cut_set(c->meta[to].to[from], c->is_cut[to][from], is_cut);
}

void chaos_cluster_close(struct chaos *c)
{
    for (unsigned i = 0; i < c->config.metas; i++) {
        for (unsigned j = 0; j < c->config.metas; j++)
            tcp_cut_stop(c->meta[i].to[j]);
        http_host_close(c->host[i]);
    }
    http_client_stop(c->http);
    vs_exec_stop(c->exec);
}
