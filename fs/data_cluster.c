/* data_cluster: see the header. */
#include "fs/data_cluster.h"
#include "common/cleanup.h"
#include "common/cluster_file.h"
#include "common/err.h"
#include "common/json.h"
#include "node/store_http.h"
#include <stdio.h>
#include <string.h>

#define HTTP_THREADS       4 /* callbacks: decoding, hashing of receipts */
#define ASK_BODY_BYTES     16384
#define ASK_PATH           "/health"
#define ASK_TIMEOUT_MS     2000
#define WAIT_STEP_NS       (10 * VS_NS_PER_MS)
#define GET_TIMEOUT_MS     10000 /* readers look elsewhere long before (chunk_fetch) */
#define PUT_TIMEOUT_MS     30000
#define CONNECT_TIMEOUT_MS 1000

/* One node, asked who it is. */
struct node_ask {
    struct data_cluster *dc;
    struct http_host *host;
    struct http_request req;
    char body[ASK_BODY_BYTES];
    bool answered;      /* as the right node of the right cluster */
    char why[256];      /* why not */
    struct vs_id store; /* its uuid */
    uint64_t fragments;
};

struct data_cluster {
    struct cluster_json file;
    struct http_client *client;
    struct vs_exec *exec;
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned waiting; /* under lock */
    struct node_ask ask[CLUSTER_NODES_MAX];
};

/* ---- asking ---- */

static void ask_judge(struct node_ask *a, const struct cluster_member *m)
{
    const struct vs_id *cluster = &a->dc->file.cluster;
    const char *id, *of, *uuid;
    struct vs_json *j = NULL;
    struct vs_id said;

    if (a->req.status < 0 || a->req.http_status != 200) {
        snprintf(a->why, sizeof(a->why), "%.60s at %.100s does not answer (%s)", m->id, m->url,
                 a->req.status < 0 ? vs_err_text(a->req.status) : "with a report");
        return;
    }
    if (vs_json_parse(a->body, a->req.body_bytes, &j) < 0) {
        snprintf(a->why, sizeof(a->why), "what answers at %.100s is no storage node", m->url);
        return;
    }
    id = vs_json_get_text(j, "id");
    of = vs_json_get_text(j, "cluster");
    uuid = vs_json_get_text(j, "uuid");
    if (id == NULL || of == NULL || uuid == NULL || vs_id_from_text(of, &said) < 0 ||
        vs_id_from_text(uuid, &a->store) < 0 || vs_json_get_u64(j, "fragments", &a->fragments) < 0)
        snprintf(a->why, sizeof(a->why), "what answers at %.100s is no storage node", m->url);
    else if (strcmp(id, m->id) != 0)
        snprintf(a->why, sizeof(a->why), "the node at %.100s is %.60s, not %.60s", m->url, id,
                 m->id);
    else if (vs_id_cmp(&said, cluster) != 0)
        snprintf(a->why, sizeof(a->why), "%.60s at %.100s belongs to another cluster", m->id,
                 m->url);
    else
        a->answered = true;
    vs_json_free(j);
}

static void ask_done(struct http_request *r)
{
    struct node_ask *a = vs_container_of(r, struct node_ask, req);
    struct data_cluster *dc = a->dc;
    VS_LOCK_SCOPE(&dc->lock);

    ask_judge(a, &dc->file.nodes[a - dc->ask]);
    if (--dc->waiting == 0)
        pthread_cond_signal(&dc->told);
}

/* Ask one; an answer will come, or `why` is set. */
static void ask_start(struct node_ask *a, const struct cluster_member *m)
{
    const struct http_host_config host = {
        .origin = m->url,
        .connections_max = 1,
        .queue_max = 1,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };
    int r = m->url[0] != '\0' ? http_host_open(&a->host, a->dc->client, &host) : -ENOENT;

    if (r < 0) {
        char id[sizeof(m->id)]; /* gcc takes it for a part of `a` else, under the sanitizers */

        memcpy(id, m->id, sizeof(id));
        snprintf(a->why, sizeof(a->why), "%.60s: %s", id,
                 r == -ENOENT ? "it was never started" : vs_err_text(r));
        return;
    }
    a->req = (struct http_request){
        .method = HTTP_GET,
        .path = ASK_PATH,
        .body = a->body,
        .body_cap = sizeof(a->body),
        .timeout_ms = ASK_TIMEOUT_MS,
        .done = ask_done,
    };
    pthread_mutex_lock(&a->dc->lock);
    a->dc->waiting++;
    pthread_mutex_unlock(&a->dc->lock);
    http_client_submit(a->host, &a->req);
}

static void ask_all(struct data_cluster *dc)
{
    for (unsigned i = 0; i < dc->file.nodes_count; i++) {
        dc->ask[i].dc = dc;
        ask_start(&dc->ask[i], &dc->file.nodes[i]);
    }
    pthread_mutex_lock(&dc->lock);
    while (dc->waiting > 0) /* each has its deadline */
        pthread_cond_wait(&dc->told, &dc->lock);
    pthread_mutex_unlock(&dc->lock);
    for (unsigned i = 0; i < dc->file.nodes_count; i++) {
        http_host_close(dc->ask[i].host);
        dc->ask[i].host = NULL;
    }
}

/* ---- start, stop ---- */

int data_cluster_start(struct vsfs *fs, char why[DATA_DIR_WHY_BYTES])
{
    struct data_cluster *dc = calloc(1, sizeof(*dc));
    int r;

    if (dc == NULL) {
        snprintf(why, DATA_DIR_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&dc->lock, NULL);
    pthread_cond_init(&dc->told, NULL);
    fs->nodes = dc;
    r = cluster_file_load(fs->opt.cluster_file, &dc->file, why);
    if (r == 0 && dc->file.metas_count > 0) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "%.300s names metadata replicas, which this version cannot use; use a newer one",
                 fs->opt.cluster_file);
        r = -VS_ENEWER;
    }
    if (r == 0) {
        r = vs_exec_start(&dc->exec, "http", HTTP_THREADS);
        if (r == 0)
            r = http_client_start(&dc->client, dc->exec);
        if (r < 0)
            snprintf(why, DATA_DIR_WHY_BYTES, "cannot start: %s", vs_err_text(r));
    }
    if (r == 0)
        ask_all(dc);
    else
        data_cluster_stop(fs);
    return r;
}

void data_cluster_stop(struct vsfs *fs)
{
    struct data_cluster *dc = fs->nodes;

    if (dc == NULL)
        return;
    fs->nodes = NULL;
    http_client_stop(dc->client);
    vs_exec_stop(dc->exec);
    pthread_cond_destroy(&dc->told);
    pthread_mutex_destroy(&dc->lock);
    free(dc);
}

/* ---- what is known ---- */

struct vs_id data_cluster_id(const struct vsfs *fs)
{
    return fs->nodes->file.cluster;
}

unsigned data_cluster_count(const struct vsfs *fs)
{
    return fs->nodes->file.nodes_count;
}

bool data_cluster_used(const struct vsfs *fs, char path[256])
{
    const struct data_cluster *dc = fs->nodes;

    for (unsigned i = 0; i < dc->file.nodes_count; i++) {
        if (!dc->ask[i].answered || dc->ask[i].fragments == 0)
            continue;
        snprintf(path, 256, "%.63s (%.150s)", dc->file.nodes[i].id, dc->file.nodes[i].url);
        return true;
    }
    return false;
}

int data_cluster_node(const struct vsfs *fs, unsigned n, struct ns_node *node,
                      char why[DATA_DIR_WHY_BYTES])
{
    const struct cluster_member *m = &fs->nodes->file.nodes[n - 1];
    const struct node_ask *a = &fs->nodes->ask[n - 1];

    if (!a->answered) {
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "storage node %s; the first mount of a cluster needs all of its nodes: start "
                 "vstack-node there, and mount again",
                 a->why);
        return -VS_EDOWN;
    }
    *node = (struct ns_node){ .node = n, .uuid = a->store };
    snprintf(node->name, sizeof(node->name), "%s", m->id);
    snprintf(node->domain, sizeof(node->domain), "%s", m->domain[0] != '\0' ? m->domain : m->id);
    snprintf(node->path, sizeof(node->path), "%s", m->url);
    return 0;
}

/* ---- stores ---- */

int data_cluster_store(struct vsfs *fs, const struct ns_node *node, char path[256],
                       struct chunk_store **ret, char why[256])
{
    const struct cluster_member *m = cluster_json_node(&fs->nodes->file, node->name);
    struct store_http_config config = {
        .client = fs->nodes->client,
        .exec = fs->nodes->exec,
        .name = node->name,
        .store = &node->uuid,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .get_timeout_ms = GET_TIMEOUT_MS,
        .put_timeout_ms = PUT_TIMEOUT_MS,
    };
    int r;

    snprintf(path, 256, "%.255s", m != NULL ? m->url : "");
    if (m == NULL || m->url[0] == '\0') {
        snprintf(why, 256, "node %.63s: %.150s does not say where it is -> down", node->name,
                 fs->opt.cluster_file);
        return -ENOENT;
    }
    config.origin = m->url;
    r = store_http_new(ret, &config);
    if (r < 0)
        snprintf(why, 256, "node %.63s (%.100s): %s -> down", node->name, m->url, vs_err_text(r));
    return r;
}

/* Is it to be expected that this entry is up in a moment? */
static bool store_expected(const struct data_cluster *dc, const struct store_set_entry *e)
{
    for (unsigned i = 0; i < dc->file.nodes_count; i++)
        if (strcmp(dc->file.nodes[i].id, e->name) == 0)
            return dc->ask[i].answered && atomic_load(&e->store) != NULL;
    return false;
}

unsigned data_cluster_wait(struct vsfs *fs)
{
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + DATA_CLUSTER_ASK_MS * VS_NS_PER_MS;
    bool late;

    do {
        late = false;
        for (unsigned i = 0; i < fs->stores.count; i++) {
            struct store_health h;

            store_set_health(&fs->stores, i, &h);
            late = late ||
                   (h.state == STORE_DOWN && store_expected(fs->nodes, &fs->stores.entries[i]));
        }
        if (late)
            nanosleep(&(struct timespec){ .tv_nsec = WAIT_STEP_NS }, NULL);
    } while (late && vs_now_ns(&vs_clock_system) < deadline_ns);
    return store_set_up_count(&fs->stores);
}
