/* DELETE, and the list of all fragments. */
#include "common/err.h"
#include "tests/support/node_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int list(struct node_rig *rig, const char *query, struct raw_answer *a)
{
    return raw_ask(rig->port, a, "GET /list%s HTTP/1.1\r\nHost: h\r\n\r\n", query);
}

static void pages_follow_each_other_to_the_end(void **state)
{
    struct node_rig *rig = *state;
    char query[128] = "?max=3", all[8192] = "", key[FRAG_KEY_TEXT_BYTES], want[8192] = "";
    unsigned lines = 3;

    for (uint64_t n = 1; n <= 10; n++) {
        assert_int_equal(node_rig_put(rig, n, 10), 201);
        node_rig_key(n, key);
        snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s\n", key);
    }
    while (lines == 3) {
        const char *last = all;
        struct raw_answer a;

        assert_int_equal(list(rig, query, &a), 200);
        assert_string_equal(raw_header(&a, "Content-Type"), "text/plain");
        lines = 0;
        for (char *pos = a.body, *end; (end = strchr(pos, '\n')) != NULL; pos = end + 1) {
            last = all + strlen(all);
            snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.*s", (int)(end + 1 - pos),
                     pos);
            lines++;
        }
        raw_answer_close(&a);
        snprintf(query, sizeof(query), "?max=3&after=%.*s", (int)strcspn(last, "\n"), last);
    }
    assert_int_equal(lines, 1);
    assert_string_equal(all, want);
}

static void an_empty_page_is_the_end(void **state)
{
    struct node_rig *rig = *state;
    struct raw_answer a;
    char query[128], key[FRAG_KEY_TEXT_BYTES];

    assert_int_equal(list(rig, "", &a), 200);
    assert_int_equal(a.body_bytes, 0);
    raw_answer_close(&a);
    assert_int_equal(node_rig_put(rig, 1, 10), 201);
    node_rig_key(1, key);
    snprintf(query, sizeof(query), "?after=%s", key);
    assert_int_equal(list(rig, query, &a), 200);
    assert_int_equal(a.body_bytes, 0);
    raw_answer_close(&a);
}

static void wrong_arguments_are_400(void **state)
{
    static const char *const bad[] = { "?max=0",   "?max=1025",
                                       "?max=x",   "?max=",
                                       "?after=x", "?after=0123456789abcdef0123456789abcdef.0.0" };
    struct node_rig *rig = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct raw_answer a;

        assert_int_equal(list(rig, bad[i], &a), 400);
        assert_string_equal(raw_header(&a, "X-Vstack-Error"), "invalid");
        raw_answer_close(&a);
    }
    assert_int_equal(list(rig, "?after=&max=1024", NULL), 200);
}

static void a_delete_is_204_also_when_nothing_is_there(void **state)
{
    struct node_rig *rig = *state;
    char key[FRAG_KEY_TEXT_BYTES];
    struct raw_answer a;

    assert_int_equal(node_rig_put(rig, 1, 100000), 201);
    node_rig_key(1, key);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            raw_ask(rig->port, &a, "DELETE /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", key), 204);
        assert_int_equal(a.body_bytes, 0);
        raw_answer_close(&a);
        assert_int_equal(node_rig_get(rig, 1, "", NULL), 404);
    }
    assert_int_equal(list(rig, "", &a), 200);
    assert_string_equal(a.body, "");
    raw_answer_close(&a);
    assert_int_equal(node_rig_put(rig, 1, 100000), 201); /* new again, not 200 */
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, node_rig_setup_disk, node_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(pages_follow_each_other_to_the_end),
        T(an_empty_page_is_the_end),
        T(wrong_arguments_are_400),
        T(a_delete_is_204_also_when_nothing_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
