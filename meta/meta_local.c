/* meta_local: one replica, alone, behind a client that stops it; see the header. */
#include "meta/meta_local.h"
#include "common/err.h"
#include "meta/meta_replica.h"
#include <stdlib.h>

#define LOCAL_PID 1 /* when nothing was said */

struct meta_local {
    struct meta_client client;
    struct meta_replica *replica;
    struct meta_client *below; /* the replica's */
};

static void local_submit(struct meta_client *c, struct meta_req *r)
{
    meta_submit(vs_container_of(c, struct meta_local, client)->below, r);
}

static bool local_answer(struct meta_client *c, struct meta_req *r)
{
    struct meta_client *below = vs_container_of(c, struct meta_local, client)->below;

    return below->ops->answer(below, r);
}

static void local_stop(struct meta_client *c)
{
    struct meta_local *m = vs_container_of(c, struct meta_local, client);

    meta_replica_stop(m->replica);
    free(m);
}

static const struct meta_client_ops meta_local_ops = { .submit = local_submit,
                                                       .stop = local_stop,
                                                       .answer = local_answer };

int meta_local_open(struct meta_client **ret, const struct meta_local_config *config)
{
    uint16_t pid = !config->create ? 0 : config->pid == 0 ? LOCAL_PID : config->pid;
    struct meta_replica_config replica = { .dir = config->dir,
                                           .create = config->create,
                                           .born_ns = vs_real_ns(config->clock),
                                           .root_uid = config->root_uid,
                                           .root_gid = config->root_gid,
                                           .pid = pid,
                                           .member_count = 1,
                                           .members = { pid },
                                           .read_threads = config->read_threads,
                                           .in_memory = config->in_memory,
                                           /* Threads wait by this one, whatever tests
                                            * make of the time of day. */
                                           .clock = &vs_clock_system };
    struct meta_local *m = calloc(1, sizeof(*m));
    int r;

    if (m == NULL)
        return -ENOMEM;
    if (config->create)
        replica.cluster = config->cluster;
    r = meta_replica_open(&m->replica, &replica);
    if (r < 0) {
        free(m);
        return r;
    }
    m->below = meta_replica_client(m->replica);
    m->client = *m->below;
    m->client.ops = &meta_local_ops;
    *ret = &m->client;
    return 0;
}
