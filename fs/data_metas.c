/* data_metas: see the header. */
#include "fs/data_metas.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/member_file.h"
#include "fs/data_cluster.h"
#include "fs/data_store.h"
#include "meta/meta_http.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4 /* callbacks: they decode, and go on with reads and uploads */

struct data_metas {
    struct vs_exec *exec;
    struct http_client *client;
    const char *dir; /* lent: the mount's own */
    pthread_mutex_t lock;
    struct member_set
        now; /* under lock; count 0: they did not say, and are those of cluster.json */
};

/* ---- open, close ---- */

static void say_why(const struct vsfs *fs, int r, char *why)
{
    const char *file = fs->opt.cluster_file;

    if (r == -VS_EDOWN)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "no metadata replica of %.300s answers, or no majority of them; start them "
                 "(vstackfs up --dir DIR, or vstack-meta on its machine) and mount again",
                 file);
    else if (r == -ESTALE)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "the metadata replicas in %.300s belong to another cluster; give the right file",
                 file);
    else if (r == -VS_ENEWER || r == -EOPNOTSUPP)
        snprintf(why, DATA_DIR_WHY_BYTES,
                 "the metadata replicas of %.300s are of another version of V-Stack; use the same",
                 file);
    else
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot use the metadata replicas of %.300s: %s", file,
                 vs_err_text(r));
}

/* These are the replicas from now on: kept for the next mount, in case cluster.json is older. */
static void moved(void *arg, const struct member_set *set)
{
    struct data_metas *dm = arg;
    int r;

    pthread_mutex_lock(&dm->lock);
    dm->now = *set;
    r = member_file_save(dm->dir, set);
    pthread_mutex_unlock(&dm->lock);
    vs_info("metadata: the replicas of epoch %llu are used", (unsigned long long)set->epoch);
    if (r < 0)
        vs_warn("metadata: cannot write %s/" MEMBER_FILE_NAME
                ": %s -> the next mount knows the replicas of cluster.json alone",
                dm->dir, vs_err_text(r));
}

static void add_origin(struct meta_http_config *c, const char *origins[META_HTTP_ORIGINS_MAX],
                       const char *url)
{
    for (unsigned i = 0; i < c->origin_count; i++)
        if (strcmp(origins[i], url) == 0)
            return;
    if (url[0] != '\0' && c->origin_count < META_HTTP_ORIGINS_MAX)
        origins[c->origin_count++] = url;
}

static int open_client(struct vsfs *fs, const struct cluster_json *file)
{
    const char *origins[META_HTTP_ORIGINS_MAX];
    struct data_metas *dm = fs->metas;
    struct meta_http_config config = {
        .origins = origins, .cluster = file->cluster, .moved = moved, .arg = dm
    };
    struct member_set kept = { .count = 0 };
    int r = vs_exec_start(&dm->exec, "meta", THREADS);

    if (r == 0)
        r = http_client_start(&dm->client, dm->exec);
    for (unsigned i = 0; i < file->metas_count; i++)
        add_origin(&config, origins, file->metas[i].url);
    (void)member_file_load(dm->dir, &kept); /* none, or none that can be read */
    for (unsigned i = 0; i < kept.count; i++)
        add_origin(&config, origins, kept.member[i].url);
    if (r == 0 && config.origin_count == 0)
        r = -VS_EDOWN; /* none was ever started */
    config.client = dm->client;
    config.exec = dm->exec;
    return r == 0 ? meta_http_open(&fs->meta, &config) : r;
}

/* Record the nodes of the file that are not known (those that have started say so themselves, too);
 * without any that is, all must answer. */
static int record_nodes(struct vsfs *fs, bool *ret_created, char *why)
{
    VS_AUTO_FREE struct ns_node *nodes = calloc(NS_NODE_NUMBER_MAX, sizeof(*nodes));
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = NS_NODE_NUMBER_MAX };
    struct ns_node node;
    int r = nodes != NULL ? meta_call(fs->meta, &req) : -ENOMEM;

    *ret_created = r == 0 && req.nodes_count == 0;
    if (r < 0)
        say_why(fs, r, why);
    for (unsigned n = 1; r == 0 && n <= data_cluster_count(fs); n++) {
        const char *id = data_cluster_file(fs)->nodes[n - 1].id;
        unsigned known = 0;

        while (known < req.nodes_count && strcmp(nodes[known].name, id) != 0)
            known++;
        if (known < req.nodes_count)
            continue;
        r = data_cluster_node(fs, n, &node, why);
        if (r < 0 && req.nodes_count > 0) {
            vs_warn("node %s: not recorded yet, and %s -> used from the mount on that finds it", id,
                    why);
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        node.node = 0; /* the metadata gives it its number, once */
        r = data_store_record(fs, &node);
        if (r < 0)
            say_why(fs, r, why);
    }
    return r;
}

int data_metas_open(struct vsfs *fs, bool *ret_created, char why[DATA_DIR_WHY_BYTES])
{
    int r;

    fs->metas = calloc(1, sizeof(*fs->metas));
    if (fs->metas == NULL) {
        snprintf(why, DATA_DIR_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    fs->metas->dir = fs->opt.data_dir;
    pthread_mutex_init(&fs->metas->lock, NULL);
    r = open_client(fs, data_cluster_file(fs));
    if (r < 0) {
        say_why(fs, r, why);
        return r;
    }
    fs->cluster = fs->meta->cluster;
    fs->shared = true;
    return record_nodes(fs, ret_created, why);
}

void data_metas_close(struct vsfs *fs)
{
    struct data_metas *dm = fs->metas;

    if (dm == NULL)
        return;
    meta_client_stop(fs->meta);
    fs->meta = NULL;
    fs->metas = NULL;
    http_client_stop(dm->client);
    vs_exec_stop(dm->exec);
    pthread_mutex_destroy(&dm->lock);
    free(dm);
}

/* ---- what they say ---- */

/* Who they are: as they said last, else as cluster.json does. */
static unsigned metas_now(struct vsfs *fs, struct meta_said metas[CLUSTER_METAS_MAX])
{
    const struct cluster_json *file = data_cluster_file(fs);
    struct member_set now;

    pthread_mutex_lock(&fs->metas->lock);
    now = fs->metas->now;
    pthread_mutex_unlock(&fs->metas->lock);
    for (unsigned i = 0; i < CLUSTER_METAS_MAX; i++)
        metas[i] = (struct meta_said){ .reachable = false };
    for (unsigned i = 0; i < now.count; i++) {
        snprintf(metas[i].id, sizeof(metas[i].id), "%u", now.member[i].pid);
        snprintf(metas[i].url, sizeof(metas[i].url), "%s", now.member[i].url);
    }
    for (unsigned i = 0; now.count == 0 && i < file->metas_count; i++) {
        snprintf(metas[i].id, sizeof(metas[i].id), "%s", file->metas[i].id);
        snprintf(metas[i].url, sizeof(metas[i].url), "%s", file->metas[i].url);
    }
    return now.count > 0 ? now.count : file->metas_count;
}

unsigned data_metas_ask(struct vsfs *fs, struct meta_said metas[CLUSTER_METAS_MAX])
{
    unsigned count = fs->metas != NULL ? metas_now(fs, metas) : 0;

    if (count > 0)
        metas_ask(fs->metas->client, &data_cluster_file(fs)->cluster, metas, count);
    return count;
}
