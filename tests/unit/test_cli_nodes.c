/* vstackfs nodes, and status --cluster: the words of a mount, or of a metadata replica that may say
 * anything. */
#include "common/cluster_file.h"
#include "common/http_server.h"
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER "01000000000000000000000000000000"
#define HEALTH  "{\"cluster\":\"" CLUSTER "\",\"id\":1,\"role\":\"alone\",\"applied_slot\":12}"
#define NODE(id, state, silent)                                                                    \
    "{\"id\":\"" id "\",\"state\":\"" state                                                        \
    "\",\"url\":\"http://127.0.0.1:7001\",\"domain\":\"rack"                                       \
    "\",\"heard\":true,\"silent_ms\":" silent                                                      \
    ",\"free_bytes\":1536,\"total_bytes\":2147483648,\"fragments\":3}"

/* A replica: /health, and the pages of its nodes by their offset. */
struct replica {
    struct http_server *server;
    const char *health, *page[2];
    size_t page_bytes; /* of the first; 0: its length */
    char cluster[CLI_PATH_BYTES];
};

static void health_run(struct http_req *q)
{
    const struct replica *x = http_req_arg(q);

    http_reply(q, 200, "application/json", x->health, strlen(x->health));
}

static void nodes_run(struct http_req *q)
{
    const struct replica *x = http_req_arg(q);
    const char *offset = http_req_query(q, "offset");
    const char *page = x->page[offset != NULL && strcmp(offset, "0") != 0];

    http_reply(q, 200, "application/json", page,
               page == x->page[0] && x->page_bytes > 0 ? x->page_bytes : strlen(page));
}

static void replica_start(struct replica *x, struct cli_rig *r)
{
    static const struct http_route routes[] = {
        { .path = "/health", .methods = HTTP_GET, .run = health_run },
        { .path = "/nodes/all", .methods = HTTP_GET, .run = nodes_run },
    };
    const struct http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .route_count = 2, .arg = x
    };
    struct cluster_json *file = calloc(1, sizeof(*file));
    char why[CLUSTER_WHY_BYTES > HTTP_WHY_BYTES ? CLUSTER_WHY_BYTES : HTTP_WHY_BYTES];

    assert_non_null(file);
    *x = (struct replica){ .health = HEALTH,
                           .page = { "{\"nodes\":[],\"next_offset\":null}", "{}" } };
    if (http_server_start(&x->server, &config, why) < 0)
        fail_msg("%s", why);
    file->cluster.b[0] = 1;
    file->nodes_count = file->metas_count = 1;
    snprintf(file->nodes[0].id, sizeof(file->nodes[0].id), "n1");
    snprintf(file->metas[0].id, sizeof(file->metas[0].id), "1");
    snprintf(file->metas[0].url, sizeof(file->metas[0].url), "http://127.0.0.1:%u",
             http_server_port(x->server));
    snprintf(x->cluster, sizeof(x->cluster), "%s", cli_rig_path(r, "cluster.json"));
    if (cluster_file_save(x->cluster, file, why) < 0)
        fail_msg("%s", why);
    free(file);
}

static void what_cannot_be_asked_for_is_refused(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "nodes", "n1"), 1);
    assert_non_null(strstr(r->err, "vstackfs nodes [--json] [--mount MNT | --cluster"));
    assert_int_equal(RUN(r, "nodes", "--mount", r->mount, "--cluster", "c"), 1);
    assert_int_equal(RUN(r, "status", "--mount", r->mount, "--cluster", "c"), 1);
    assert_int_equal(RUN(r, "nodes", "--cluster"), 1);
    assert_non_null(strstr(r->err, "its value is missing"));
    assert_int_equal(RUN(r, "nodes", "--frob"), 1);
    assert_int_equal(RUN(r, "nodes", "--cluster", cli_rig_path(r, "none")), 1);
    assert_non_null(strstr(r->err, "none"));
    assert_int_equal(RUN(r, "nodes", "--mount", r->mount), 1); /* no mount */
    assert_string_equal(r->out, "");
}

static void a_mount_lists_its_stores(void **state)
{
    static const char status[] =
        "{\"mountpoint\":\"/m\",\"nodes\":["
        "{\"id\":\"n1\",\"state\":\"up\",\"path\":\"/disk/1\",\"fragments\":3,\"free_bytes\":1536,"
        "\"total_bytes\":2147483648},"
        "{\"id\":\"n2\",\"state\":\"down\",\"path\":\"/disk\\u001b/2\",\"free_bytes\":-1}]}";
    struct cli_rig *r = *state;
    struct vs_json *j = NULL;
    const struct vs_json *n;
    uint64_t v;

    cli_rig_write(r, ".vstack/status", status);
    assert_int_equal(RUN(r, "nodes", "--mount", r->mount), 0);
    assert_non_null(strstr(r->out, "1.5 KiB      2.0 GiB          3"));
    assert_non_null(strstr(r->out, "/disk\\x1b/2\n")); /* moves no cursor */
    assert_non_null(strstr(r->out, "n2 is down: bring the disk back or `vstackfs node replace"));
    assert_int_equal(RUN(r, "nodes", "--json", "--mount", r->mount), 0);
    assert_int_equal(vs_json_parse(r->out, strlen(r->out) - 1, &j), 0);
    assert_non_null(vs_json_get_text(j, "advice"));
    n = vs_json_at(vs_json_get(j, "nodes"), 0);
    assert_string_equal(vs_json_get_text(n, "address"), "/disk/1");
    assert_int_equal(vs_json_get_u64(n, "total_bytes", &v), 0);
    assert_int_equal(v, 2147483648);
    vs_json_free(j);
    cli_rig_write(r, ".vstack/status", "{");
    assert_int_equal(RUN(r, "nodes", "--mount", r->mount), 1);
    cli_rig_write(r, ".vstack/status", "{\"nodes\":7}");
    assert_int_equal(RUN(r, "nodes", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "no answer that makes sense"));
}

static void a_replica_lists_the_nodes_in_pages(void **state)
{
    struct cli_rig *r = *state;
    struct vs_json *j = NULL;
    struct replica x;

    replica_start(&x, r);
    x.page[0] = "{\"nodes\":[" NODE("n1", "up", "400") "],\"next_offset\":1}";
    x.page[1] = "{\"nodes\":[" NODE("n2", "down", "600000") "],\"next_offset\":null}";
    assert_int_equal(RUN(r, "nodes", "--cluster", x.cluster), 0);
    assert_non_null(strstr(r->out, "n1       up        rack"));
    assert_non_null(strstr(r->out, "0.4 s ago  http://127.0.0.1:7001\n"));
    assert_non_null(strstr(r->out, "10 min ago  http://127.0.0.1:7001\n"));
    assert_non_null(strstr(r->out, "n2 is down: start vstack-node there again"));
    assert_int_equal(RUN(r, "nodes", "--json", "--cluster", x.cluster), 0);
    assert_int_equal(vs_json_parse(r->out, strlen(r->out) - 1, &j), 0);
    assert_int_equal(vs_json_count(vs_json_get(j, "nodes")), 2);
    assert_string_equal(vs_json_get_text(j, "nodes_said_by"), "1");
    vs_json_free(j);
    assert_int_equal(RUN(r, "status", "--cluster", x.cluster), 0);
    assert_non_null(strstr(r->out, "cluster.json: degraded: n2 is down"));
    assert_non_null(strstr(r->out, "meta 1   up     alone"));
    assert_non_null(strstr(r->out, "applied 12"));
    x.page[0] = "{\"nodes\":[" NODE("n1", "up", "400") "],\"next_offset\":null}";
    assert_int_equal(RUN(r, "status", "--json", "--cluster", x.cluster), 0);
    assert_int_equal(vs_json_parse(r->out, strlen(r->out) - 1, &j), 0);
    assert_string_equal(vs_json_get_text(j, "state"), "ok");
    vs_json_free(j);
    http_server_stop(x.server, 0);
}

static void nothing_is_listed(struct cli_rig *r, const struct replica *x, const char *why)
{
    assert_int_equal(RUN(r, "nodes", "--json", "--cluster", x->cluster), 1);
    assert_string_equal(r->out, "");
    if (strstr(r->err, why) == NULL)
        fail_msg("'%s' does not say '%s'", r->err, why);
}

static void a_hostile_answer_is_an_error(void **state)
{
    static const char nul[] = "{\"nodes\":[],\"next_offset\":null}\0{}";
    static const char end[] = "],\"next_offset\":null}";
    struct cli_rig *r = *state;
    char *big = malloc(20000);
    struct replica x;

    assert_non_null(big);
    memset(big, ' ', 20000);
    memcpy(big, "{\"nodes\":[", 10);
    memcpy(big + 20000 - sizeof(end), end, sizeof(end));
    replica_start(&x, r);
    x.page[0] = big;
    nothing_is_listed(r, &x, "makes no sense");
    x.page[0] = nul;
    x.page_bytes = sizeof(nul) - 1;
    nothing_is_listed(r, &x, "makes no sense");
    x.page_bytes = 0;
    x.page[0] = "{\"nodes\":[" NODE("n1", "up", "-1") "],\"next_offset\":null}";
    nothing_is_listed(r, &x, "makes no sense");
    x.page[0] = "{\"nodes\":[" NODE("n\\u0000", "up", "1") "],\"next_offset\":null}";
    nothing_is_listed(r, &x, "makes no sense");
    x.page[0] = x.page[1] = "{\"nodes\":[" NODE("n1", "up", "1") "],\"next_offset\":1}";
    nothing_is_listed(r, &x, "makes no sense"); /* it never ends */
    x.health = "{\"cluster\":\"" CLUSTER "\",\"id\":-1}";
    nothing_is_listed(r, &x, "no metadata replica of");
    x.health = "{\"cluster\":\"02000000000000000000000000000000\",\"id\":1}";
    nothing_is_listed(r, &x, "start them (vstackfs up --dir DIR");
    http_server_stop(x.server, 0);
    nothing_is_listed(r, &x, "no metadata replica of");
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(what_cannot_be_asked_for_is_refused),
        CLI_TEST(a_mount_lists_its_stores),
        CLI_TEST(a_replica_lists_the_nodes_in_pages),
        CLI_TEST(a_hostile_answer_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
