/* What cluster.json may say. */
#include "common/cluster_json.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "0123456789abcdef0123456789abcdef"
#define NODE "{\"id\":\"n1\",\"url\":\"http://127.0.0.1:8101\",\"data\":\"/d/n1\"}"
#define TEXT(nodes, mounts)                                                                        \
    "{\"version\":1,\"cluster\":\"" UUID "\",\"metas\":[],\"nodes\":[" nodes                       \
    "],\"mounts\":[" mounts "]}"

static struct cluster_json *fresh(void)
{
    struct cluster_json *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    vs_id_from_text(UUID, &c->cluster);
    c->nodes_count = 2;
    c->nodes[0] = (struct cluster_member){
        .id = "n1", .url = "http://127.0.0.1:8101", .data = "/d/n1", .domain = "rack/1", .pid = 77
    };
    c->nodes[1] = (struct cluster_member){ .id = "n2", .data = "/d/\xc3\xa4 \"2\"" };
    c->metas_count = 1;
    c->metas[0] = (struct cluster_member){ .id = "m1", .url = "http://[::1]:1", .replaces = "m0" };
    c->mounts_count = 1;
    c->mounts[0] = (struct cluster_mount){ .path = "/mnt/videos", .pid = 4194304 };
    return c;
}

static void what_was_printed_is_read_back_the_same(void **state)
{
    struct cluster_json *c = fresh(), *back = calloc(1, sizeof(*back));
    char why[CLUSTER_WHY_BYTES], *text;

    (void)state;
    assert_int_equal(cluster_json_print(c, &text, why), 0);
    assert_int_equal(cluster_json_parse(back, text, strlen(text), why), 0);
    assert_memory_equal(&back->cluster, &c->cluster, sizeof(c->cluster));
    assert_int_equal(back->nodes_count, 2);
    assert_int_equal(back->metas_count, 1);
    assert_int_equal(back->mounts_count, 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(back->nodes[i].id, c->nodes[i].id);
        assert_string_equal(back->nodes[i].url, c->nodes[i].url);
        assert_string_equal(back->nodes[i].data, c->nodes[i].data);
        assert_string_equal(back->nodes[i].domain, c->nodes[i].domain);
        assert_int_equal(back->nodes[i].pid, c->nodes[i].pid);
    }
    assert_string_equal(back->metas[0].url, "http://[::1]:1");
    assert_string_equal(back->metas[0].replaces, "m0");
    assert_string_equal(back->mounts[0].path, "/mnt/videos");
    assert_int_equal(back->mounts[0].pid, 4194304);
    free(text);
    free(back);
    free(c);
}

static void what_cannot_be_is_refused_by_its_place(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *why;
    } rows[] = {
        { "{", -VS_ECORRUPT, "not JSON" },
        { "[]", -EINVAL, "version is missing" },
        { "{\"cluster\":\"" UUID "\"}", -EINVAL, "version is missing" },
        { "{\"version\":2}", -VS_ENEWER, "version 2 is not known" },
        { "{\"version\":1,\"cluster\":\"12\"}", -EINVAL, "cluster is no uuid" },
        { "{\"version\":1,\"cluster\":\"" UUID "\",\"nodes\":[" NODE "],\"mounts\":[]}", -EINVAL,
          "metas is missing" },
        { TEXT("", ""), -EINVAL, "1 to 64 nodes" },
        { TEXT("7", ""), -EINVAL, "nodes[0].id is missing" },
        { TEXT("{\"id\":\"n1\"}", ""), -EINVAL, "nodes[0].url is missing" },
        { TEXT("{\"id\":\"n 1\",\"url\":\"\"}", ""), -EINVAL, "nodes[0].id is 'n 1'" },
        { TEXT("{\"id\":\"n1\",\"url\":\"ftp://h:1\"}", ""), -EINVAL, "nodes[0].url" },
        { TEXT("{\"id\":\"n1\",\"url\":\"\",\"data\":\"x\"}", ""), -EINVAL, "nodes[0].data" },
        { TEXT("{\"id\":\"n1\",\"url\":\"\",\"pid\":-1}", ""), -EINVAL, "nodes[0].pid" },
        { TEXT("{\"id\":\"n1\",\"url\":\"\",\"pid\":4194305}", ""), -EINVAL, "nodes[0].pid" },
        { TEXT("{\"id\":\"n1\",\"url\":\"\",\"uuid\":1}", ""), -EINVAL, "'uuid'" },
        { TEXT("{\"id\":\"n1\",\"url\":\"\",\"replaces\":\"n2\"}", ""), -EINVAL, "'replaces'" },
        { TEXT(NODE "," NODE, ""), -EINVAL, "nodes[0] and nodes[1] have the same" },
        { TEXT(NODE, "{\"path\":\"here\"}"), -EINVAL, "mounts[0].path is 'here'" },
        { TEXT(NODE, "{\"pid\":1}"), -EINVAL, "mounts[0].path is missing" },
    };
    struct cluster_json *c = calloc(1, sizeof(*c));
    char why[CLUSTER_WHY_BYTES];

    (void)state;
    assert_int_equal(cluster_json_parse(c, TEXT(NODE, ""), strlen(TEXT(NODE, "")), why), 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int r = cluster_json_parse(c, rows[i].text, strlen(rows[i].text), why);

        if (r != rows[i].err || strstr(why, rows[i].why) == NULL)
            fail_msg("%s: %d, %s", rows[i].text, r, why);
    }
    assert_string_equal(c->nodes[0].id, "n1"); /* as it was */
    free(c);
}

static void too_many_or_too_long_is_refused_not_cut(void **state)
{
    struct cluster_json *c = calloc(1, sizeof(*c));
    char why[CLUSTER_WHY_BYTES], *text = malloc(CLUSTER_JSON_BYTES_MAX + 64);
    size_t n = (size_t)snprintf(text, 4096,
                                "{\"version\":1,\"cluster\":\"" UUID
                                "\",\"metas\":[],\"mounts\":[],\"nodes\":[");

    (void)state;
    for (unsigned i = 0; i <= CLUSTER_NODES_MAX; i++)
        n += (size_t)snprintf(text + n, 4096, "%s{\"id\":\"n%u\",\"url\":\"\"}", i > 0 ? "," : "",
                              i);
    snprintf(text + n, 16, "%s", "]}");
    assert_int_equal(cluster_json_parse(c, text, strlen(text), why), -EINVAL);
    assert_non_null(strstr(why, "nodes has 65 members"));
    n = (size_t)snprintf(text, 4096,
                         "{\"version\":1,\"cluster\":\"" UUID
                         "\",\"metas\":[],\"mounts\":[],\"nodes\":[{\"id\":\"n1\",\"url\":"
                         "\"\",\"data\":\"/");
    memset(text + n, 'x', CLUSTER_DATA_BYTES);
    snprintf(text + n + CLUSTER_DATA_BYTES - 1, 16, "%s", "\"}]}");
    assert_int_equal(cluster_json_parse(c, text, strlen(text), why), -EINVAL);
    assert_non_null(strstr(why, "nodes[0].data is longer than 255 bytes"));
    snprintf(text + n + CLUSTER_DATA_BYTES - 2, 16, "%s", "\"}]}");
    assert_int_equal(cluster_json_parse(c, text, strlen(text), why), 0);
    assert_int_equal(strlen(c->nodes[0].data), 255);
    free(text);
    free(c);
}

static void what_would_not_be_read_back_is_not_printed(void **state)
{
    struct cluster_json *c = fresh();
    char why[CLUSTER_WHY_BYTES], *text;

    (void)state;
    snprintf(c->nodes[1].data, sizeof(c->nodes[1].data), "%s", "/d/\xff");
    assert_int_equal(cluster_json_print(c, &text, why), -EINVAL);
    assert_non_null(strstr(why, "nodes[1].data"));
    snprintf(c->nodes[1].data, sizeof(c->nodes[1].data), "/d/n1");
    assert_int_equal(cluster_json_print(c, &text, why), -EINVAL);
    snprintf(c->nodes[1].data, sizeof(c->nodes[1].data), "%s", "/d/a\nb");
    assert_int_equal(cluster_json_print(c, &text, why), -EINVAL);
    free(c);
}

static void a_url_has_a_host_and_a_port(void **state)
{
    (void)state;
    assert_int_equal(cluster_url_port("http://127.0.0.1:8101"), 8101);
    assert_int_equal(cluster_url_port("http://[::1]:65535"), 65535);
    assert_int_equal(cluster_url_port("http://h:65536"), 0);
    assert_int_equal(cluster_url_port("http://h:0"), 0);
    assert_int_equal(cluster_url_port("http://h"), 0);
    assert_int_equal(cluster_url_port("http://:1"), 0);
    assert_int_equal(cluster_url_port("http://h:1/x"), 0);
    assert_int_equal(cluster_url_port("http://h:1 "), 0);
    assert_int_equal(cluster_url_port("https://h:1"), 0);
    assert_int_equal(cluster_url_port(""), 0);
}

static void a_node_is_found_by_its_id(void **state)
{
    struct cluster_json *c = fresh();

    (void)state;
    assert_ptr_equal(cluster_json_node(c, "n2"), &c->nodes[1]);
    assert_null(cluster_json_node(c, "m1"));
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_printed_is_read_back_the_same),
        cmocka_unit_test(what_cannot_be_is_refused_by_its_place),
        cmocka_unit_test(too_many_or_too_long_is_refused_not_cut),
        cmocka_unit_test(what_would_not_be_read_back_is_not_printed),
        cmocka_unit_test(a_url_has_a_host_and_a_port),
        cmocka_unit_test(a_node_is_found_by_its_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
