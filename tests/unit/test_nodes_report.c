/* The list of storage nodes: what the metadata says is taken as a whole or not at all. */
#include "fs/nodes_report.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROW_BYTES 1024
#define HEARD     "\"heard\":true,\"silent_ms\":7," SPACE
#define SPACE     "\"free_bytes\":5,\"total_bytes\":9,\"fragments\":3"
#define ROW(more)                                                                                  \
    "{\"id\":\"n1\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"http://h:1\"," more "}"

static int page(const char *rows, const char *next, uint64_t offset, struct vs_json *nodes,
                uint64_t *ret_next)
{
    char text[64 * ROW_BYTES];
    struct vs_json *j = NULL;
    int r;

    snprintf(text, sizeof(text), "{\"nodes\":[%s],\"next_offset\":%s}", rows, next);
    assert_int_equal(vs_json_parse(text, strlen(text), &j), 0);
    r = nodes_report_page(j, offset, nodes, ret_next);
    vs_json_free(j);
    return r;
}

static void expect(const char *rows, const char *next, int want)
{
    struct vs_json *nodes = vs_json_array();
    uint64_t at = 99;
    int r = page(rows, next, 0, nodes, &at);

    if (r != want)
        fail_msg("%s, next %s: %d, not %d", rows, next, r, want);
    vs_json_free(nodes);
}

static void what_is_known_of_a_node_is_passed_on(void **state)
{
    struct vs_json *nodes = vs_json_array();
    uint64_t next = 99, v;

    (void)state;
    assert_int_equal(page(ROW(HEARD), "1", 0, nodes, &next), 0);
    assert_int_equal(next, 1);
    assert_int_equal(page(ROW("\"heard\":false"), "null", 1, nodes, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(vs_json_count(nodes), 2);
    assert_string_equal(vs_json_get_text(vs_json_at(nodes, 0), "address"), "http://h:1");
    assert_string_equal(vs_json_get_text(vs_json_at(nodes, 0), "domain"), "d");
    assert_int_equal(vs_json_get_u64(vs_json_at(nodes, 0), "silent_ms", &v), 0);
    assert_int_equal(v, 7);
    assert_int_equal(vs_json_get_u64(vs_json_at(nodes, 1), "silent_ms", &v), -ENOENT);
    vs_json_free(nodes);
}

static void a_member_that_cannot_be_spoils_the_page(void **state)
{
    static const char *const rows[] = {
        "7",
        "{}",
        ROW("\"heard\":true"),
        ROW("\"heard\":1"),
        ROW("\"heard\":true,\"silent_ms\":-7,\"free_bytes\":5,\"total_bytes\":9,\"fragments\":3"),
        ROW("\"heard\":true,\"silent_ms\":7,\"free_bytes\":-5,\"total_bytes\":9,\"fragments\":3"),
        ROW("\"heard\":true,\"silent_ms\":7,\"free_bytes\":5,\"total_bytes\":1e30,\"fragments\":3"),
        ROW("\"heard\":true,\"silent_ms\":7,\"free_bytes\":5,\"total_bytes\":9,\"fragments\":1.5"),
        "{\"id\":\"\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"u\"," HEARD "}",
        "{\"id\":\"\\u001b[2J\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"u\"," HEARD "}",
        "{\"id\":\"n1\",\"state\":\"fine\",\"domain\":\"d\",\"url\":\"u\"," HEARD "}",
        "{\"id\":\"n1\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"u\\n\"," HEARD "}",
        "{\"id\":\"n1\",\"state\":\"up\",\"domain\":[],\"url\":\"u\"," HEARD "}",
    };
    char row[ROW_BYTES], many[32 * ROW_BYTES] = "";

    (void)state;
    expect(ROW(HEARD), "null", 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(rows[i], "null", -EBADMSG);
    snprintf(row, sizeof(row),
             "{\"id\":\"%064d\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"u\",%s}", 0, HEARD);
    expect(row, "null", -EBADMSG);
    snprintf(row, sizeof(row),
             "{\"id\":\"n\",\"state\":\"up\",\"domain\":\"d\",\"url\":\"%0256d\",%s}", 0, HEARD);
    expect(row, "null", -EBADMSG);
    for (int i = 0; i <= NODES_REPORT_PAGE; i++)
        snprintf(many + strlen(many), ROW_BYTES, "%s%s", i > 0 ? "," : "", ROW(HEARD));
    expect(many, "null", -EBADMSG);
}

static void a_list_ends(void **state)
{
    struct vs_json *nodes = vs_json_array();
    uint64_t next = 99;

    (void)state;
    expect("", "null", 0);
    expect("", "0", -EBADMSG);
    expect("", "5", -EBADMSG);
    expect(ROW(HEARD), "0", -EBADMSG);
    expect(ROW(HEARD), "7", -EBADMSG);
    assert_int_equal(page(ROW(HEARD), "null", NODES_REPORT_MAX, nodes, &next), -EBADMSG);
    vs_json_free(nodes);
}

static void advise(const char *list, bool processes, const char *want)
{
    char text[NODES_REPORT_ADVICE_BYTES] = "";
    struct vs_json *nodes = NULL;

    assert_int_equal(vs_json_parse(list, strlen(list), &nodes), 0);
    assert_int_equal(nodes_report_advice(nodes, processes, text), want != NULL);
    if (want != NULL && strstr(text, want) == NULL)
        fail_msg("%s: '%s' does not say '%s'", list, text, want);
    vs_json_free(nodes);
}

static void the_worst_is_what_is_advised_on(void **state)
{
    (void)state;
    advise("[]", true, NULL);
    advise("[{\"id\":\"n1\",\"state\":\"up\"},{\"id\":\"n2\",\"state\":\"gone\"}]", true, NULL);
    advise("[{\"id\":\"n1\",\"state\":\"suspect\"}]", true, "n1 is suspect: it was silent");
    advise("[{\"id\":\"n1\",\"state\":\"draining\"},{\"id\":\"n2\",\"state\":\"down\"}]", true,
           "n2 is down: start vstack-node there again (vstackfs up --dir DIR)");
    advise("[{\"id\":\"n1\",\"state\":\"down\"},{\"id\":\"n2\",\"state\":\"down\"}]", false,
           "2 stores are down: bring the disk back or `vstackfs node replace ID DIR`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_of_a_node_is_passed_on),
        cmocka_unit_test(a_member_that_cannot_be_spoils_the_page),
        cmocka_unit_test(a_list_ends),
        cmocka_unit_test(the_worst_is_what_is_advised_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
