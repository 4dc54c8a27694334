/* Results of a store and statuses of HTTP. */
#include "node/node_wire.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_result_comes_back_as_itself(void **state)
{
    static const int results[] = { 0,       -ENOENT, -ENOSPC,      -VS_EEXISTS_OTHER,
                                   -EINVAL, -EAGAIN, -VS_ECORRUPT, -VS_EDOWN,
                                   -EROFS };

    (void)state;
    for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        assert_int_equal(
            node_error_from_http(node_http_status(results[i]), node_error_word(results[i])),
            results[i]);
    assert_int_equal(node_http_status(1), 200);
}

static void what_the_table_does_not_know_is_down(void **state)
{
    (void)state;
    assert_int_equal(node_error_from_http(node_http_status(-EXDEV), node_error_word(-EXDEV)),
                     -VS_EDOWN);
    assert_int_equal(node_error_from_http(302, NULL), -VS_EDOWN);
    assert_int_equal(node_error_from_http(100, ""), -VS_EDOWN);
    assert_int_equal(node_error_from_http(502, "missing"), -VS_EDOWN);
    assert_int_equal(node_error_from_http(421, "other-node"), -VS_EDOWN);
    assert_int_equal(node_error_from_http(0, NULL), -VS_EDOWN);
    assert_int_equal(node_error_from_http(1000, NULL), -VS_EDOWN);
}

static void only_a_node_is_believed_that_a_fragment_is_missing_or_damaged(void **state)
{
    (void)state;
    assert_int_equal(node_error_from_http(404, NULL), -VS_EDOWN);
    assert_int_equal(node_error_from_http(404, "corrupt"), -VS_EDOWN);
    assert_int_equal(node_error_from_http(404, "missing"), -ENOENT);
    assert_int_equal(node_error_from_http(500, NULL), -VS_EDOWN);
    assert_int_equal(node_error_from_http(500, "corrupt"), -VS_ECORRUPT);
    assert_int_equal(node_error_from_http(403, ""), -VS_EDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_comes_back_as_itself),
        cmocka_unit_test(what_the_table_does_not_know_is_down),
        cmocka_unit_test(only_a_node_is_believed_that_a_fragment_is_missing_or_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
