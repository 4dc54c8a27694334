/* cluster_view: see the header. */
#include "fs/cluster_view.h"
#include "common/cleanup.h"
#include "common/cluster_file.h"
#include "common/err.h"
#include "common/exec.h"
#include "fs/metas_ask.h"
#include "fs/nodes_report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who they are: as the mount says, else as the file does. */
static unsigned view_metas(const struct cluster_json *file, const struct vs_json *said,
                           struct meta_said metas[CLUSTER_METAS_MAX])
{
    const struct vs_json *n = vs_json_first(said);
    unsigned count = 0;

    for (; n != NULL && count < CLUSTER_METAS_MAX; n = vs_json_next(n)) {
        const char *id = vs_json_get_text(n, "id"), *url = vs_json_get_text(n, "url");
        struct meta_said *m = &metas[count++];

        snprintf(m->id, sizeof(m->id), "%s", id != NULL ? id : "");
        snprintf(m->url, sizeof(m->url), "%s", url != NULL ? url : "");
    }
    for (unsigned i = 0; said == NULL && i < file->metas_count; i++) {
        struct meta_said *m = &metas[count++];

        snprintf(m->id, sizeof(m->id), "%s", file->metas[i].id);
        snprintf(m->url, sizeof(m->url), "%s", file->metas[i].url);
    }
    return count;
}

static struct vs_json *view_json(const char *cluster_file, const struct meta_said *metas,
                                 unsigned count, struct vs_json *nodes, const struct meta_said *by)
{
    struct vs_json *j = vs_json_object(), *replicas;
    char text[NODES_REPORT_ADVICE_BYTES] = "all replicas and nodes are up";
    unsigned up;
    const char *state = "degraded";

    replicas = metas_ask_json(metas, count, &up);
    if (up <= count / 2) {
        metas_ask_no_majority(up, count, text, sizeof(text));
        state = "down";
    } else if (!nodes_report_advice(nodes, true, text)) {
        if (up < count)
            metas_ask_missing(count - up, text, sizeof(text));
        else
            state = "ok";
    }
    vs_json_set_text(j, "state", state);
    vs_json_set_text(j, "advice", text);
    vs_json_set_text(j, "cluster", cluster_file);
    vs_json_set_text(j, "metadata", "replicas");
    vs_json_set(j, "metas", replicas);
    vs_json_set_text(j, "nodes_said_by", by->id);
    vs_json_set(j, "nodes", nodes);
    return j;
}

static int view_ask(const struct cluster_json *file, const char *cluster_file,
                    const struct vs_json *said, struct vs_json **ret)
{
    struct meta_said metas[CLUSTER_METAS_MAX] = { 0 };
    unsigned count = view_metas(file, said, metas);
    const struct meta_said *by = NULL;
    struct http_client *client = NULL;
    struct vs_json *nodes = NULL;
    struct vs_exec *exec = NULL;
    int r = vs_exec_start(&exec, "ask", 1);

    if (r == 0)
        r = http_client_start(&client, exec);
    if (r == 0) {
        metas_ask(client, &file->cluster, metas, count);
        r = metas_ask_nodes(client, metas, count, &nodes, &by);
    }
    if (r == 0)
        *ret = view_json(cluster_file, metas, count, nodes, by);
    http_client_stop(client);
    vs_exec_stop(exec);
    return r;
}

int cluster_view(const char *cluster_file, const struct vs_json *metas, struct vs_json **ret,
                 char why[CLUSTER_VIEW_WHY_BYTES])
{
    VS_AUTO_FREE struct cluster_json *file = calloc(1, sizeof(*file));
    char said[CLUSTER_WHY_BYTES] = "";
    int r = file != NULL ? cluster_file_load(cluster_file, file, said) : -ENOMEM;

    if (r < 0) {
        snprintf(why, CLUSTER_VIEW_WHY_BYTES, "%.900s", said[0] != '\0' ? said : vs_err_text(r));
        return r;
    }
    if (file->metas_count == 0) {
        snprintf(
            why, CLUSTER_VIEW_WHY_BYTES,
            "%.600s: the metadata of this cluster is with its only mount; while that runs, ask "
            "it: --mount MNT",
            cluster_file);
        return -EINVAL;
    }
    r = view_ask(file, cluster_file, metas, ret);
    if (r == -VS_EDOWN)
        snprintf(why, CLUSTER_VIEW_WHY_BYTES,
                 "no metadata replica of %.600s answers; start them (vstackfs up --dir DIR, or "
                 "vstack-meta on its machine)",
                 cluster_file);
    else if (r == -EBADMSG || r == -EMSGSIZE)
        snprintf(why, CLUSTER_VIEW_WHY_BYTES,
                 "%.600s: what its metadata replicas say of the nodes makes no sense; are they of "
                 "this version of V-Stack?",
                 cluster_file);
    else if (r < 0)
        snprintf(why, CLUSTER_VIEW_WHY_BYTES,
                 "%.600s: the metadata replicas do not list the nodes: %s; ask again in a second",
                 cluster_file, vs_err_text(r));
    return r;
}
