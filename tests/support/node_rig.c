/* A storage node of tests. */
#include "tests/support/node_rig.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "node/sb_store.h"
#include "node/store_mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a store that refuses ---------------------------------------------------------------------
 */

struct refusing {
    struct chunk_store base;
    struct node_rig *rig;
};

static struct node_rig *rig_of(struct chunk_store *s)
{
    return vs_container_of(s, struct refusing, base)->rig;
}

#define REFUSE(kind, type)                                                                         \
    static void refuse_##kind##_job(struct vs_job *job)                                            \
    {                                                                                              \
        struct type *o = vs_container_of(job, struct type, job);                                   \
                                                                                                   \
        o->done(o);                                                                                \
    }                                                                                              \
    static void refuse_##kind(struct chunk_store *s, struct type *o)                               \
    {                                                                                              \
        o->status = rig_of(s)->answer;                                                             \
        o->job.fn = refuse_##kind##_job;                                                           \
        vs_exec_submit(rig_of(s)->exec, &o->job);                                                  \
    }
REFUSE(put, store_put)
REFUSE(get, store_get)
REFUSE(del, store_del)
REFUSE(stat, store_stat)
REFUSE(list, store_list)

static void refuse_health(struct chunk_store *s, struct store_health *ret)
{
    switch (rig_of(s)->answer) {
    case -EROFS:
        ret->state = STORE_READONLY;
        snprintf(ret->why, sizeof(ret->why), "The disk failed twice.");
        break;
    case -VS_EDOWN:
        ret->state = STORE_DOWN;
        snprintf(ret->why, sizeof(ret->why), "The disk is gone.");
        break;
    default:
        break;
    }
}

static void refuse_stop(struct chunk_store *s)
{
    free(vs_container_of(s, struct refusing, base));
}

static const struct chunk_store_ops refusing_ops = {
    .put = refuse_put,
    .get = refuse_get,
    .del = refuse_del,
    .stat = refuse_stat,
    .list = refuse_list,
    .health = refuse_health,
    .stop = refuse_stop,
};

/* ---- fixtures ---------------------------------------------------------------------------------
 */

static struct node_rig *rig_new(void **state)
{
    struct node_rig *rig = *state = calloc(1, sizeof(*rig));

    VS_ASSERT(rig != NULL);
    signal(SIGPIPE, SIG_IGN);
    VS_ASSERT(vs_exec_start(&rig->exec, "node-rig", 2) == 0);
    snprintf(rig->node.name, sizeof(rig->node.name), "n1");
    rig->node.reserve_percent = 5;
    rig->node.started_ns = vs_now_ns(&vs_clock_system);
    return rig;
}

static int rig_serve(struct node_rig *rig)
{
    struct http_server_config config = {
        .listen = "127.0.0.1:0",
        .routes = node_routes,
        .route_count = node_routes_count,
        .arg = &rig->node,
        .head_ms = 2000,
        .grace_ms = 2000,
    };
    char why[HTTP_WHY_BYTES];

    VS_ASSERT(http_server_start(&rig->node.http, &config, why) == 0);
    rig->port = http_server_port(rig->node.http);
    return 0;
}

int node_rig_setup_mem(void **state)
{
    struct node_rig *rig = rig_new(state);

    VS_ASSERT(store_mem_new(&rig->node.store, rig->exec) == 0);
    return rig_serve(rig);
}

int node_rig_setup_refusing(void **state)
{
    struct node_rig *rig = rig_new(state);
    struct refusing *r = calloc(1, sizeof(*r));

    VS_ASSERT(r != NULL);
    *r = (struct refusing){ .base.ops = &refusing_ops, .rig = rig };
    rig->node.store = &r->base;
    return rig_serve(rig);
}

int node_rig_setup_disk(void **state)
{
    struct node_rig *rig = rig_new(state);
    struct sb_store_config config = { .file_bytes = SB_FILE_BYTES_MIN, .clock = &vs_clock_system };

    temp_dir_make(rig->dir);
    VS_ASSERT(vs_io_posix_new(&config.io, rig->dir) == 0);
    config.cluster.b[0] = config.node.b[0] = 1;
    VS_ASSERT(sb_store_format(config.io, &config.cluster, &config.node) == 0);
    VS_ASSERT(sb_store_open(&rig->node.store, &config, NULL) == 0);
    rig->node.superblocks = true;
    return rig_serve(rig);
}

int node_rig_teardown(void **state)
{
    struct node_rig *rig = *state;

    http_server_stop(rig->node.http, 2000);
    chunk_store_stop(rig->node.store);
    vs_exec_stop(rig->exec);
    if (rig->dir[0] != '\0')
        temp_dir_remove(rig->dir);
    free(rig);
    return 0;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

void node_rig_key(uint64_t n, char text[FRAG_KEY_TEXT_BYTES])
{
    struct frag_key key = sync_key(n);

    frag_key_to_text(&key, text);
}

int node_rig_put(struct node_rig *rig, uint64_t n, size_t bytes)
{
    char key[FRAG_KEY_TEXT_BYTES], hex[FRAG_SHA_TEXT_BYTES];
    uint8_t *data = sync_bytes(n, bytes), sha[VS_SHA256_BYTES];
    int fd = raw_connect(rig->port, 0), status;
    struct raw_answer a;

    node_rig_key(n, key);
    vs_sha256(data, bytes, sha);
    vs_hex(sha, sizeof(sha), hex);
    raw_say(fd, "PUT /chunk/%s HTTP/1.1\r\nHost: h\r\nX-Vstack-SHA256: %s\r\n", key, hex);
    raw_say(fd, "Content-Length: %zu\r\n\r\n", bytes);
    (void)raw_send(fd, data, bytes);
    raw_read(fd, false, &a);
    status = a.status;
    raw_answer_close(&a);
    close(fd);
    free(data);
    return status;
}

int node_rig_get(struct node_rig *rig, uint64_t n, const char *headers, struct raw_answer *a)
{
    char key[FRAG_KEY_TEXT_BYTES];

    node_rig_key(n, key);
    return raw_ask(rig->port, a, "GET /chunk/%s HTTP/1.1\r\nHost: h\r\n%s\r\n", key, headers);
}
