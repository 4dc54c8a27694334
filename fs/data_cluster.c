/* data_cluster: see the header. */
#include "fs/data_cluster.h"
#include "common/cleanup.h"
#include "common/cluster_file.h"
#include "common/err.h"
#include "fs/http_ask.h"
#include "node/store_http.h"
#include <stdio.h>
#include <string.h>

#define HTTP_THREADS       4 /* callbacks: decoding, hashing of receipts */
#define ASK_PATH           "/health"
#define ASK_TIMEOUT_MS     2000
#define WAIT_STEP_NS       (10 * VS_NS_PER_MS)
#define GET_TIMEOUT_MS     10000 /* readers look elsewhere long before (chunk_fetch) */
#define PUT_TIMEOUT_MS     30000
#define CONNECT_TIMEOUT_MS 1000

/* One node, asked who it is. */
struct node_ask {
    bool answered;      /* as the right node of the right cluster */
    char why[256];      /* why not */
    struct vs_id store; /* its uuid */
    uint64_t fragments;
};

struct data_cluster {
    struct cluster_json file;
    struct http_client *client;
    struct vs_exec *exec;
    struct node_ask ask[CLUSTER_NODES_MAX];
};

/* ---- asking ---- */

static void ask_judge(struct node_ask *a, const struct vs_id *cluster,
                      const struct cluster_member *m, const struct http_ask *said)
{
    const struct vs_json *j = said->json;
    const char *id, *of, *uuid;
    struct vs_id whose;

    if (said->status < 0 && said->status != -EBADMSG) {
        snprintf(a->why, sizeof(a->why), "%.60s at %.100s does not answer (%s)", m->id, m->url,
                 said->status == -ENOENT ? "it was never started" : vs_err_text(said->status));
        return;
    }
    id = vs_json_get_text(j, "id");
    of = vs_json_get_text(j, "cluster");
    uuid = vs_json_get_text(j, "uuid");
    if (id == NULL || of == NULL || uuid == NULL || vs_id_from_text(of, &whose) < 0 ||
        vs_id_from_text(uuid, &a->store) < 0 || vs_json_get_u64(j, "fragments", &a->fragments) < 0)
        snprintf(a->why, sizeof(a->why), "what answers at %.100s is no storage node", m->url);
    else if (strcmp(id, m->id) != 0)
        snprintf(a->why, sizeof(a->why), "the node at %.100s is %.60s, not %.60s", m->url, id,
                 m->id);
    else if (vs_id_cmp(&whose, cluster) != 0)
        snprintf(a->why, sizeof(a->why), "%.60s at %.100s belongs to another cluster", m->id,
                 m->url);
    else
        a->answered = true;
}

static int ask_all(struct data_cluster *dc)
{
    unsigned count = dc->file.nodes_count;
    VS_AUTO_FREE struct http_ask *asks = calloc(count, sizeof(*asks));

    if (asks == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        asks[i].origin = dc->file.nodes[i].url;
        asks[i].path = ASK_PATH;
        asks[i].timeout_ms = ASK_TIMEOUT_MS;
    }
    http_ask_all(dc->client, asks, count);
    for (unsigned i = 0; i < count; i++) {
        ask_judge(&dc->ask[i], &dc->file.cluster, &dc->file.nodes[i], &asks[i]);
        vs_json_free(asks[i].json);
    }
    return 0;
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
    fs->nodes = dc;
    r = cluster_file_load(fs->opt.cluster_file, &dc->file, why);
    if (r == 0) {
        r = vs_exec_start(&dc->exec, "http", HTTP_THREADS);
        if (r == 0)
            r = http_client_start(&dc->client, dc->exec);
        if (r == 0)
            r = ask_all(dc);
        if (r < 0)
            snprintf(why, DATA_DIR_WHY_BYTES, "cannot start: %s", vs_err_text(r));
    }
    if (r < 0)
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
    free(dc);
}

/* ---- what is known ---- */

struct vs_id data_cluster_id(const struct vsfs *fs)
{
    return fs->nodes->file.cluster;
}

const struct cluster_json *data_cluster_file(const struct vsfs *fs)
{
    return &fs->nodes->file;
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
    /* where replicas hold the metadata, nodes tell them themselves where they are */
    bool told = fs->metas != NULL && strncmp(node->path, "http://", 7) == 0;
    const char *url = told ? node->path : m != NULL ? m->url : "";
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

    snprintf(path, 256, "%.255s", url);
    if (url[0] == '\0') {
        snprintf(why, 256, "node %.63s: %.150s does not say where it is -> down", node->name,
                 fs->opt.cluster_file);
        return -ENOENT;
    }
    config.origin = url;
    r = store_http_new(ret, &config);
    if (r < 0)
        snprintf(why, 256, "node %.63s (%.100s): %s -> down", node->name, url, vs_err_text(r));
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
