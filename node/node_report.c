/* What a node says about itself: /ping, /health, /metrics. All on the quick threads, from memory.
 *
 * Happy path: numbers that are known, as text. Failure modes: none of its own; a store that is down
 * is reported by a node that is up, with the sentence. */
#include "node/node.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mix.h"
#include "node/sb_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const char *const state_words[] = {
    [STORE_UP] = "up", [STORE_READONLY] = "readonly", [STORE_DOWN] = "down"
};

void node_ping_run(struct http_req *q)
{
    http_reply(q, 200, "text/plain", "ok\n", 3);
}

/* ---- health -----------------------------------------------------------------------------------
 */

static struct vs_json *scrub_json(const struct node *node)
{
    struct sb_scrub_progress p;
    struct vs_json *j = vs_json_object();

    sb_store_scrub_progress(node->store, &p);
    vs_json_set_u64(j, "pass", p.pass);
    vs_json_set_bool(j, "running", p.running);
    vs_json_set_u64(j, "done_bytes", p.done_bytes);
    vs_json_set_u64(j, "total_bytes", p.total_bytes);
    vs_json_set_u64(j, "began_s", p.began_ns / VS_NS_PER_S);
    vs_json_set_u64(j, "ended_s", p.ended_ns / VS_NS_PER_S);
    vs_json_set_u64(j, "found", p.found);
    return j;
}

static void set_id(struct vs_json *j, const char *key, const struct vs_id *id)
{
    char text[VS_ID_TEXT_BYTES];

    vs_id_to_text(id, text);
    vs_json_set_text(j, key, text);
}

/* Of the machine: of all that runs on this kernel, until it is started anew. "": not known. */
static char host_text[64];

static void host_read(void)
{
    VS_AUTO_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, host_text, sizeof(host_text) - 1) < 0)
        host_text[0] = '\0';
}

uint64_t node_device(const char *host, uint64_t device)
{
    uint64_t h = vs_mix64(~device);

    for (; *host != '\0'; host++)
        h = vs_mix64(h ^ (uint8_t)*host);
    return h;
}

static uint64_t node_device_here(uint64_t device)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, host_read);
    return node_device(host_text, device);
}

void node_health_run(struct http_req *q)
{
    struct node *node = http_req_arg(q);
    struct vs_json *j = vs_json_object();
    struct http_server_stats http;
    struct store_health h;

    chunk_store_health(node->store, &h);
    http_server_stats(node->http, &http);
    vs_json_set_text(j, "id", node->name);
    vs_json_set_text(j, "state", state_words[h.state]);
    vs_json_set_text(j, "why", h.why);
    set_id(j, "cluster", &node->cluster);
    set_id(j, "uuid", &node->uuid);
    vs_json_set_text(j, "domain", node->domain);
    vs_json_set_u64(j, "fragments", h.fragments);
    vs_json_set_u64(j, "payload_bytes", h.payload_bytes);
    vs_json_set_u64(j, "total_bytes", h.total_bytes);
    vs_json_set_u64(j, "free_bytes", h.free_bytes);
    vs_json_set_u64(j, "reserve_percent", node->reserve_percent);
    vs_json_set_u64(j, "device", node_device_here(h.device));
    vs_json_set_u64(j, "corrupt_records", h.corrupt_records);
    vs_json_set_u64(j, "uptime_s",
                    (uint64_t)((vs_now_ns(&vs_clock_system) - node->started_ns) / VS_NS_PER_S));
    vs_json_set_u64(j, "connections", http.connections);
    vs_json_set_u64(j, "requests_in_flight", http.in_flight);
    if (node->superblocks)
        vs_json_set(j, "scrub", scrub_json(node));
    http_reply_json(q, 200, j);
}

/* ---- metrics ----------------------------------------------------------------------------------
 */

static const char *const op_labels[NODE_OPS] = {
    [NODE_OP_PUT] = "op=\"put\"",   [NODE_OP_GET] = "op=\"get\"",
    [NODE_OP_HEAD] = "op=\"head\"", [NODE_OP_DELETE] = "op=\"delete\"",
    [NODE_OP_LIST] = "op=\"list\"",
};

static void ops_text(struct vs_metrics_text *t, struct node_metrics *m)
{
    vs_metrics_family(t, "vstack_node_op_seconds", "histogram",
                      "From the headers of a request to the last byte of its answer; those that "
                      "succeeded.");
    for (unsigned i = 0; i < NODE_OPS; i++)
        vs_metrics_histogram(t, "vstack_node_op_seconds", op_labels[i], &m->op[i].latency);
    vs_metrics_family(t, "vstack_node_op_failed_total", "counter",
                      "Requests answered with 4xx or 5xx.");
    for (unsigned i = 0; i < NODE_OPS; i++)
        vs_metrics_u64(t, "vstack_node_op_failed_total", op_labels[i],
                       vs_counter_get(&m->op[i].failed));
    vs_metrics_family(
        t, "vstack_node_op_lost_total", "counter",
        "Requests whose client was gone, or cut off, before the answer was complete.");
    for (unsigned i = 0; i < NODE_OPS; i++)
        vs_metrics_u64(t, "vstack_node_op_lost_total", op_labels[i],
                       vs_counter_get(&m->op[i].lost));
    vs_metrics_one(t, "vstack_node_put_bytes_total", "counter", "Payload stored.",
                   vs_counter_get(&m->put_bytes));
    vs_metrics_one(t, "vstack_node_get_bytes_total", "counter", "Payload given.",
                   vs_counter_get(&m->get_bytes));
}

static void store_text(struct vs_metrics_text *t, struct node *node)
{
    struct store_health h;

    chunk_store_health(node->store, &h);
    vs_metrics_one(t, "vstack_node_up", "gauge", "1: serves everything; 0: read-only or down.",
                   h.state == STORE_UP);
    vs_metrics_one(t, "vstack_node_fragments", "gauge", "Fragments stored.", h.fragments);
    vs_metrics_one(t, "vstack_node_payload_bytes", "gauge", "Their payload.", h.payload_bytes);
    vs_metrics_one(t, "vstack_node_disk_bytes", "gauge", "Size of the file system.", h.total_bytes);
    vs_metrics_one(t, "vstack_node_free_bytes", "gauge", "Free to puts, behind the reserve.",
                   h.free_bytes);
    vs_metrics_one(t, "vstack_node_corrupt_records_total", "counter",
                   "Damaged records found since the start.", h.corrupt_records);
}

static void scrub_text(struct vs_metrics_text *t, struct node *node)
{
    struct sb_scrub_progress p;

    sb_store_scrub_progress(node->store, &p);
    vs_metrics_one(t, "vstack_node_scrub_passes_total", "counter", "Passes begun.", p.pass);
    vs_metrics_one(t, "vstack_node_scrub_pass_done_bytes", "gauge", "Read in this pass.",
                   p.done_bytes);
    vs_metrics_one(t, "vstack_node_scrub_pass_bytes", "gauge", "All of this pass.", p.total_bytes);
    vs_metrics_one(t, "vstack_node_scrub_read_bytes_total", "counter", "Read since the start.",
                   p.read_bytes);
    vs_metrics_one(t, "vstack_node_scrub_found_total", "counter", "Damage found since the start.",
                   p.found);
}

void node_metrics_run(struct http_req *q)
{
    struct node *node = http_req_arg(q);
    struct vs_buf buf = { 0 };
    struct vs_metrics_text t = { .buf = &buf };

    ops_text(&t, &node->metrics);
    store_text(&t, node);
    if (node->superblocks)
        scrub_text(&t, node);
    http_server_metrics(node->http, &t);
    if (t.err < 0)
        node_reply_error(q, t.err, "Node %s has no memory for its metrics.", node->name);
    else
        http_reply(q, 200, "text/plain; version=0.0.4", buf.data, buf.len);
    vs_buf_close(&buf);
}
