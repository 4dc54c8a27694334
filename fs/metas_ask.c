/* metas_ask: see the header. */
#include "fs/metas_ask.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "fs/http_ask.h"
#include "fs/nodes_report.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void meta_judge(struct meta_said *m, const struct vs_id *cluster,
                       const struct http_ask *said)
{
    const struct vs_json *j = said->json;
    const char *of, *role;
    struct vs_id whose;
    uint64_t id;

    if (said->status < 0) {
        snprintf(m->why, sizeof(m->why), "%s",
                 said->status == -ENOENT ? "it was never started" : vs_err_text(said->status));
        return;
    }
    of = vs_json_get_text(j, "cluster");
    if (of == NULL || vs_id_from_text(of, &whose) < 0 || vs_json_get_u64(j, "id", &id) < 0) {
        snprintf(m->why, sizeof(m->why), "what answers there is no metadata replica");
    } else if (vs_id_cmp(&whose, cluster) != 0) {
        snprintf(m->why, sizeof(m->why), "what answers there belongs to another cluster");
    } else if (strtoull(m->id, NULL, 10) != id) {
        snprintf(m->why, sizeof(m->why), "what answers there is replica %llu",
                 (unsigned long long)id);
    } else {
        role = vs_json_get_text(j, "role");
        snprintf(m->role, sizeof(m->role), "%.15s", role != NULL ? role : "");
        m->has_applied = vs_json_get_u64(j, "applied_slot", &m->applied) == 0;
        m->reachable = true;
    }
}

void metas_ask(struct http_client *client, const struct vs_id *cluster, struct meta_said *metas,
               unsigned count)
{
    VS_AUTO_FREE struct http_ask *asks = calloc(CLUSTER_METAS_MAX, sizeof(*asks));

    if (asks == NULL)
        return;
    for (unsigned i = 0; i < count; i++) {
        asks[i].origin = metas[i].url;
        asks[i].path = "/health";
        asks[i].timeout_ms = METAS_ASK_MS;
    }
    http_ask_all(client, asks, count);
    for (unsigned i = 0; i < count; i++) {
        meta_judge(&metas[i], cluster, &asks[i]);
        vs_json_free(asks[i].json);
    }
}

struct vs_json *metas_ask_json(const struct meta_said *metas, unsigned count, unsigned *ret_up)
{
    struct vs_json *arr = vs_json_array();

    *ret_up = 0;
    for (unsigned i = 0; i < count; i++) {
        struct vs_json *j = vs_json_object();

        vs_json_set_text(j, "id", metas[i].id);
        vs_json_set_text(j, "url", metas[i].url);
        vs_json_set_text(j, "state", metas[i].reachable ? "up" : "down");
        if (metas[i].role[0] != '\0')
            vs_json_set_text(j, "role", metas[i].role);
        if (metas[i].has_applied)
            vs_json_set_u64(j, "applied", metas[i].applied);
        if (metas[i].why[0] != '\0')
            vs_json_set_text(j, "why", metas[i].why);
        vs_json_add(arr, j);
        *ret_up += metas[i].reachable;
    }
    return arr;
}

void metas_ask_no_majority(unsigned up, unsigned count, char *text, size_t cap)
{
    snprintf(text, cap,
             "no majority of the metadata replicas (%u of %u answer): open films play on, all else "
             "is an error; start vstack-meta there again (vstackfs up --dir DIR)",
             up, count);
}

void metas_ask_missing(unsigned missing, char *text, size_t cap)
{
    snprintf(text, cap,
             "%u metadata replica%s down: all works; start vstack-meta there again (vstackfs "
             "up --dir DIR) before another one goes",
             missing, missing == 1 ? " is" : "s are");
}

/* ---- of the nodes ---- */

/* All pages of one replica, into an array. */
static int nodes_of(struct http_client *client, const struct meta_said *m, struct http_ask *ask,
                    struct vs_json *nodes)
{
    int64_t end = vs_now_ns(&vs_clock_system) + METAS_ASK_NODES_MS * VS_NS_PER_MS;
    uint64_t offset = 0;
    char path[64];
    int r;

    do {
        int64_t left = (end - vs_now_ns(&vs_clock_system)) / VS_NS_PER_MS;

        if (left <= 0)
            return -ETIMEDOUT;
        snprintf(path, sizeof(path), "/nodes/all?limit=%d&offset=%" PRIu64, NODES_REPORT_PAGE,
                 offset);
        ask->origin = m->url;
        ask->path = path;
        ask->timeout_ms = left < METAS_ASK_MS ? (unsigned)left : METAS_ASK_MS;
        http_ask_all(client, ask, 1);
        if (ask->status < 0)
            return ask->status;
        r = nodes_report_page(ask->json, offset, nodes, &offset);
        vs_json_free(ask->json);
    } while (r == 0 && offset > 0);
    return r;
}

int metas_ask_nodes(struct http_client *client, const struct meta_said *metas, unsigned count,
                    struct vs_json **ret_nodes, const struct meta_said **ret_by)
{
    VS_AUTO_FREE struct http_ask *ask = calloc(1, sizeof(*ask));
    int r = ask != NULL ? -VS_EDOWN : -ENOMEM;

    for (unsigned i = 0; ask != NULL && i < 2 * count; i++) { /* leaders first */
        const struct meta_said *m = &metas[i % count];
        struct vs_json *nodes;

        if (!m->reachable || (strcmp(m->role, "leader") == 0) != (i < count))
            continue;
        nodes = vs_json_array();
        r = nodes_of(client, m, ask, nodes);
        if (r == 0) {
            *ret_nodes = nodes;
            *ret_by = m;
            return 0;
        }
        vs_json_free(nodes);
    }
    return r;
}
