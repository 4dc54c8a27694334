/* What a node says about itself. */
#include "common/err.h"
#include "common/json.h"
#include "node/sb_store.h"
#include "tests/support/node_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vs_json *health(struct node_rig *rig)
{
    struct raw_answer a;
    struct vs_json *j;

    assert_int_equal(raw_ask(rig->port, &a, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_string_equal(raw_header(&a, "Content-Type"), "application/json");
    assert_int_equal(vs_json_parse(a.body, a.body_bytes - 1, &j), 0);
    raw_answer_close(&a);
    return j;
}

static uint64_t number(const struct vs_json *j, const char *key)
{
    uint64_t v = 0;

    assert_int_equal(vs_json_get_u64(j, key, &v), 0);
    return v;
}

static void health_counts_what_is_stored(void **state)
{
    struct node_rig *rig = *state;
    struct vs_json *j;

    assert_int_equal(node_rig_put(rig, 1, 1000), 201);
    assert_int_equal(node_rig_put(rig, 2, 500), 201);
    j = health(rig);
    assert_string_equal(vs_json_get_text(j, "id"), "n1");
    assert_string_equal(vs_json_get_text(j, "state"), "up");
    assert_string_equal(vs_json_get_text(j, "why"), "");
    assert_int_equal(number(j, "fragments"), 2);
    assert_int_equal(number(j, "payload_bytes"), 1500);
    assert_true(number(j, "total_bytes") >= number(j, "free_bytes"));
    assert_int_equal(number(j, "reserve_percent"), 5);
    assert_true(number(j, "device") > 0);
    assert_int_equal(number(j, "corrupt_records"), 0);
    assert_non_null(vs_json_get(j, "scrub"));
    vs_json_free(j);
}

/* Two disks of two machines often have the same number there. */
static void a_device_is_another_one_on_another_machine(void **state)
{
    struct node_rig *rig = *state;
    struct store_health h;
    struct vs_json *j = health(rig);

    assert_int_equal(node_device("one", 2049), node_device("one", 2049));
    assert_int_not_equal(node_device("one", 2049), node_device("other", 2049));
    assert_int_not_equal(node_device("one", 2049), node_device("one", 2050));
    chunk_store_health(rig->node.store, &h);
    assert_true(number(j, "device") != h.device);
    vs_json_free(j);
}

static void a_store_that_is_down_is_reported_by_a_node_that_is_up(void **state)
{
    struct node_rig *rig = *state;
    struct vs_json *j;

    rig->answer = -VS_EDOWN;
    j = health(rig);
    assert_string_equal(vs_json_get_text(j, "state"), "down");
    assert_string_equal(vs_json_get_text(j, "why"), "The disk is gone.");
    vs_json_free(j);
    rig->answer = -EROFS;
    j = health(rig);
    assert_string_equal(vs_json_get_text(j, "state"), "readonly");
    vs_json_free(j);
    assert_int_equal(raw_ask(rig->port, NULL, "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_int_equal(raw_ask(rig->port, NULL, "HEAD /ping HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

/* The format of prometheus.io, as far as a line tells: comments, or a name, labels and a number. */
static void check_lines(char *text)
{
    for (char *line = text, *end; *line != '\0'; line = end + 1) {
        size_t name;

        end = strchr(line, '\n');
        assert_non_null(end); /* the last one ends, too */
        *end = '\0';
        if (strncmp(line, "# HELP vstack_", 14) == 0 || strncmp(line, "# TYPE vstack_", 14) == 0)
            continue;
        assert_int_equal(strncmp(line, "vstack_", 7), 0);
        name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        assert_true(line[name] == '{' || line[name] == ' ');
        if (line[name] == '{')
            assert_non_null(strstr(line + name, "\"} "));
        assert_int_equal(strspn(strrchr(line, ' ') + 1, "0123456789."),
                         strlen(strrchr(line, ' ') + 1));
    }
}

static void metrics_are_prometheus_text(void **state)
{
    static const char *const lines[] = {
        "\nvstack_node_op_seconds_count{op=\"put\"} 1\n",
        "\n# TYPE vstack_node_op_seconds histogram\n",
        "\nvstack_node_put_bytes_total 1000\n",
        "\nvstack_node_fragments 1\n",
        "\nvstack_node_up 1\n",
        "\nvstack_node_scrub_found_total 0\n",
        "\nvstack_http_connections ",
        "\nvstack_http_body_memory_bytes 0\n",
    };
    struct node_rig *rig = *state;
    struct raw_answer a;

    assert_int_equal(node_rig_put(rig, 1, 1000), 201);
    assert_int_equal(raw_ask(rig->port, &a, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_string_equal(raw_header(&a, "Content-Type"), "text/plain; version=0.0.4");
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (strstr(a.body, lines[i]) == NULL)
            fail_msg("no %s in %s", lines[i], a.body);
    check_lines(a.body);
    raw_answer_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(health_counts_what_is_stored, node_rig_setup_disk,
                                        node_rig_teardown),
        cmocka_unit_test_setup_teardown(a_device_is_another_one_on_another_machine,
                                        node_rig_setup_disk, node_rig_teardown),
        cmocka_unit_test_setup_teardown(a_store_that_is_down_is_reported_by_a_node_that_is_up,
                                        node_rig_setup_refusing, node_rig_teardown),
        cmocka_unit_test_setup_teardown(metrics_are_prometheus_text, node_rig_setup_disk,
                                        node_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
