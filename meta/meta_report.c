/* What a metadata replica says about itself: /ping, /health, /metrics. All on the quick threads,
 * from memory: they answer while everything else waits for a disk.
 *
 * Failure modes: none of its own. */
#include "meta/meta_server.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>

static const char *const op_labels[] = {
    [META_CHANGE] = "op=\"change\"",
    [META_LOOKUP] = "op=\"lookup\"",
    [META_GETATTR] = "op=\"getattr\"",
    [META_READDIR] = "op=\"readdir\"",
    [META_CONTENT] = "op=\"content\"",
    [META_MEDIA] = "op=\"media\"",
    [META_GETXATTR] = "op=\"getxattr\"",
    [META_LISTXATTR] = "op=\"listxattr\"",
    [META_REG_CREATE] = "op=\"reg_create\"",
    [META_REG_READ] = "op=\"reg_read\"",
    [META_REG_CHANGE] = "op=\"reg_change\"",
    [META_NODES] = "op=\"nodes\"",
    [META_STATS] = "op=\"stats\"",
    [META_SCAN] = "op=\"scan\"",
    [META_DUMP] = "op=\"dump\"",
    [META_CHANGES] = "op=\"changes\"",
    [META_ENTRIES] = "op=\"entries\"",
    [META_VIEWS] = "op=\"views\"",
    [META_RESERVED] = "op=\"reserved\"",
};

void meta_ping_run(struct http_req *q)
{
    http_reply(q, 200, "text/plain", "ok\n", 3);
}

void meta_health_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    struct vs_json *j = vs_json_object();
    struct http_server_stats http;
    char cluster[VS_ID_TEXT_BYTES];

    http_server_stats(m->http, &http);
    vs_id_to_text(&m->meta->cluster, cluster);
    vs_json_set_u64(j, "id", m->id);
    vs_json_set_text(j, "cluster", cluster);
    vs_json_set_u64(j, "incarnation", m->meta->inc);
    vs_json_set_u64(j, "replicas", m->peers.members);
    vs_json_set_text(j, "state", meta_peers_report(&m->peers, j) ? "up" : "no-majority");
    vs_json_set_u64(j, "uptime_s",
                    (uint64_t)((vs_now_ns(&vs_clock_system) - m->started_ns) / VS_NS_PER_S));
    vs_json_set_u64(j, "connections", http.connections);
    vs_json_set_u64(j, "requests_in_flight", http.in_flight);
    http_reply_json(q, 200, j);
}

static void ops_text(struct vs_metrics_text *t, struct meta_server *m)
{
    vs_metrics_family(t, "vstack_meta_op_seconds", "histogram",
                      "From the headers of a question to the last byte of its answer.");
    for (unsigned i = 0; i < META_OPS; i++)
        vs_metrics_histogram(t, "vstack_meta_op_seconds", op_labels[i], &m->op[i].latency);
    vs_metrics_family(t, "vstack_meta_op_failed_total", "counter",
                      "Questions answered with an error of the metadata (no such file, too).");
    for (unsigned i = 0; i < META_OPS; i++)
        vs_metrics_u64(t, "vstack_meta_op_failed_total", op_labels[i],
                       vs_counter_get(&m->op[i].failed));
    vs_metrics_one(t, "vstack_meta_refused_total", "counter",
                   "Questions that were none, for another cluster, or too many at once.",
                   vs_counter_get(&m->refused));
    vs_metrics_one(t, "vstack_meta_in_flight", "gauge", "Questions being worked on.",
                   atomic_load(&m->in_flight));
    vs_metrics_one(t, "vstack_meta_incarnation", "gauge", "How often this replica was started.",
                   m->meta->inc);
}

void meta_metrics_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    struct vs_buf buf = { 0 };
    struct vs_metrics_text t = { .buf = &buf };

    ops_text(&t, m);
    meta_peers_metrics(&m->peers, &t);
    http_server_metrics(m->http, &t);
    if (t.err < 0)
        http_reply_error(q, 503, "busy", "No memory for the metrics: %s.", vs_err_text(t.err));
    else
        http_reply(q, 200, "text/plain; version=0.0.4", buf.data, buf.len);
    vs_buf_close(&buf);
}
