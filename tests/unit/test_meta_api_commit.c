/* meta_api_commit: a placement is proposed over HTTP, by compare-and-set, in an open session alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/http_client.h"
#include "common/log.h"
#include "meta/meta_local.h"
#include "meta/meta_nodes.h"
#include "meta/meta_server.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA  "0000000000000000000000000000000000000000000000000000000000000000"
#define FRAG "\"generation\":%u,\"table_crc32c\":7,\"sha256\":\"" SHA "\"}"

struct fixture {
    struct meta_server m;
    struct http_client *client;
    struct http_host *host;
    uint64_t session;
    struct vs_id chunk;
    char answer[2048];
    sem_t told;
};

static void change(struct fixture *f, struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };

    assert_int_equal(meta_call(f->m.meta, &r), 0);
    *ret = r.answer;
}

static void put_node(struct fixture *f, uint32_t node)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = { .node = node } };
    struct ns_answer a;

    memset(e.node.uuid.b, (int)node, VS_ID_BYTES);
    snprintf(e.node.name, sizeof(e.node.name), "n%u", node);
    snprintf(e.node.path, sizeof(e.node.path), "http://127.0.0.1:%u", node);
    change(f, &e, &a);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct meta_local_config local = {
        .create = true, .in_memory = true, .pid = 1, .clock = &vs_clock_system
    };
    struct http_server_config config = { .listen = "127.0.0.1:0",
                                         .routes = meta_routes,
                                         .route_count = meta_routes_count,
                                         .arg = &f->m };
    struct http_host_config host = { .connections_max = 1,
                                     .queue_max = 2,
                                     .connect_timeout_ms = 5000 };
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 8, .pid = 1 };
    char why[HTTP_WHY_BYTES], origin[64];
    struct ns_answer a;

    vs_log_set_level(VS_LOG_ERROR);
    sem_init(&f->told, 0, 0);
    memset(local.cluster.b, 9, VS_ID_BYTES);
    f->m.id = 1;
    assert_int_equal(meta_local_open(&f->m.meta, &local), 0);
    assert_int_equal(vs_exec_start(&f->m.api, "api", 2), 0);
    assert_int_equal(meta_nodes_start(&f->m.nodes, f->m.meta, NULL), 0);
    assert_int_equal(http_server_start(&f->m.http, &config, why), 0);
    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", http_server_port(f->m.http));
    host.origin = origin;
    assert_int_equal(http_client_start(&f->client, NULL), 0);
    assert_int_equal(http_host_open(&f->host, f->client, &host), 0);
    open.inc = f->m.meta->inc;
    change(f, &open, &a);
    f->session = a.session;
    f->chunk = vs_id_make(1, f->m.meta->inc, a.first, VS_ID_CHUNK);
    put_node(f, 1);
    put_node(f, 2);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_stop(f->client);
    http_server_stop(f->m.http, 1000);
    vs_exec_stop(f->m.api);
    meta_nodes_stop(f->m.nodes);
    meta_client_stop(f->m.meta);
    sem_destroy(&f->told);
    free(f);
    return 0;
}

struct asked {
    struct http_request req;
    struct fixture *f;
};

static void asked_done(struct http_request *r)
{
    sem_post(&vs_container_of(r, struct asked, req)->f->told);
}

/* The status; the body, or its beginning, is in f->answer. */
static unsigned ask(struct fixture *f, enum http_method method, const char *body)
{
    char path[96], id[VS_ID_TEXT_BYTES];
    struct asked a = { .f = f };

    vs_id_to_text(&f->chunk, id);
    snprintf(path, sizeof(path), "/chunk/%s/commit", id);
    a.req = (struct http_request){ .method = method,
                                   .path = path,
                                   .send = body,
                                   .send_bytes = body != NULL ? strlen(body) : 0,
                                   .body = f->answer,
                                   .body_cap = sizeof(f->answer) - 1,
                                   .timeout_ms = 60000,
                                   .done = asked_done };
    http_client_submit(f->host, &a.req);
    sem_wait(&f->told);
    assert_int_equal(a.req.status, 0);
    f->answer[a.req.body_bytes] = '\0';
    if (a.req.http_status != 200)
        snprintf(f->answer, sizeof(f->answer), "%s", a.req.error);
    return a.req.http_status;
}

static unsigned propose(struct fixture *f, uint64_t session, unsigned generation, unsigned expect)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "{\"session\":%llu,\"bytes\":5,\"redundancy\":\"replicate:2\",\"generation\":%u,"
             "\"expect\":%u,\"fragments\":[{\"node\":1," FRAG ",{\"node\":2," FRAG "]}",
             (unsigned long long)session, generation, expect, generation, generation);
    return ask(f, HTTP_POST, body);
}

static void a_placement_is_decided_once_per_generation(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, HTTP_GET, NULL), 200);
    assert_non_null(strstr(f->answer, "\"decided\":false"));
    assert_int_equal(propose(f, f->session, 1, 0), 200);
    assert_non_null(strstr(f->answer, "\"decided\":true"));
    assert_int_equal(propose(f, f->session, 1, 0), 200); /* the same again */
    assert_int_equal(propose(f, f->session, 2, 0), 409);
    assert_non_null(strstr(f->answer, "is at generation 1"));
    assert_int_equal(propose(f, f->session, 2, 1), 200);
    assert_int_equal(propose(f, f->session, 3, 1), 409);
    assert_int_equal(ask(f, HTTP_GET, NULL), 200);
    assert_non_null(strstr(f->answer, "\"generation\":2"));
}

static void without_an_open_session_nothing_is_decided(void **state)
{
    struct fixture *f = *state;
    struct ns_entry abort = { .kind = NS_E_SESSION_ABORT, .session = f->session };
    struct ns_answer a;

    assert_int_equal(propose(f, f->session + 1, 1, 0), 409);
    f->chunk = vs_id_make(1, f->m.meta->inc, vs_id_seq(&f->chunk) + 8, VS_ID_CHUNK);
    assert_int_equal(propose(f, f->session, 1, 0), 409);
    assert_non_null(strstr(f->answer, "was not reserved"));
    f->chunk = vs_id_make(1, f->m.meta->inc, vs_id_seq(&f->chunk) - 8, VS_ID_CHUNK);
    change(f, &abort, &a);
    assert_int_equal(propose(f, f->session, 1, 0), 409);
    assert_int_equal(ask(f, HTTP_GET, NULL), 200);
    assert_non_null(strstr(f->answer, "\"decided\":false"));
}

static void what_cannot_be_a_placement_is_refused(void **state)
{
    static const char *const bodies[] = {
        "nonsense",
        "[]",
        "{\"session\":1,\"bytes\":5,\"redundancy\":\"rs:9+9\",\"generation\":1,\"expect\":0}",
        "{\"session\":1,\"bytes\":5,\"redundancy\":\"replicate:2\",\"generation\":1,\"expect\":0,"
        "\"fragments\":[]}",
        "{\"session\":1,\"bytes\":5,\"redundancy\":\"replicate:1\",\"generation\":1,\"expect\":1,"
        "\"fragments\":[{\"node\":1,\"generation\":1,\"table_crc32c\":7,\"sha256\":\"" SHA "\"}]}",
        "{\"session\":1,\"bytes\":5,\"redundancy\":\"replicate:1\",\"generation\":1,\"expect\":0,"
        "\"fragments\":[{\"node\":9,\"generation\":1,\"table_crc32c\":7,\"sha256\":\"" SHA "\"}]}",
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(ask(f, HTTP_POST, bodies[i]), 400);
        assert_non_null(strstr(f->answer, "\"error\":"));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_placement_is_decided_once_per_generation),
        T(without_an_open_session_nothing_is_decided),
        T(what_cannot_be_a_placement_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
