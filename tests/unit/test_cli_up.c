/* vstackfs up: what is refused before anything is started. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_directory_is_needed_and_no_more_than_one_mount_point(void **state)
{
    struct cli_rig *r = *state;
    const char *dir = cli_rig_path(r, "c");

    assert_int_equal(RUN(r, "up", "/mnt/none"), 1);
    assert_non_null(strstr(r->err, "--dir"));
    assert_int_equal(RUN(r, "up", "--dir", dir, "/a", "/b"), 1);
    assert_non_null(strstr(r->err, "too many arguments"));
    assert_int_equal(RUN(r, "up", "--dir", dir, "--nodes", "65"), 1);
    assert_non_null(strstr(r->err, "--nodes"));
    assert_int_equal(RUN(r, "up", "--dir", dir, "--nodes", "0"), 1);
    assert_int_equal(RUN(r, "up", "--dir", dir, "--metas", "6"), 1);
    assert_int_equal(RUN(r, "up", "--dir", dir, "--metas", "2"), 1);
    assert_non_null(strstr(r->err, "--metas is 1, 3 or 5"));
    assert_int_not_equal(access(dir, F_OK), 0);
}

static void the_number_of_nodes_and_replicas_does_not_change(void **state)
{
    struct cli_rig *r = *state;
    const char *dir = cli_rig_path(r, "c");

    assert_int_equal(RUN(r, "up", "--dir", dir, "--nodes", "2"),
                     1); /* no program beside the test */
    assert_non_null(strstr(r->err, "is missing; install it beside vstackfs"));
    assert_int_equal(RUN(r, "up", "--nodes=3", "--dir", dir), 1);
    assert_non_null(strstr(r->err, "has 2 nodes already"));
    assert_int_equal(RUN(r, "up", "--metas", "5", "--dir", dir), 1);
    assert_non_null(strstr(r->err, "leave --metas out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(a_directory_is_needed_and_no_more_than_one_mount_point),
        CLI_TEST(the_number_of_nodes_and_replicas_does_not_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
