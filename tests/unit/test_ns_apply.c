/* ns_apply: slots, refusals and retries. What each kind of entry does: test_ns_rule_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_apply.h"
#include "tests/support/ns_fixture.h"

#include <string.h>
#include <sys/stat.h>

static int setup(void **state)
{
    static struct nsf f;

    nsf_open(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    nsf_close(*state);
    return 0;
}

static void a_new_cluster_has_root_and_inbox(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(nsf_ino(f, NS_INO_ROOT, "inbox"), NS_INO_INBOX);
    assert_int_equal(nsf_attr(f, NS_INO_ROOT).nlink, 3);
    assert_int_equal(nsf_attr(f, NS_INO_INBOX).uid, 7);
    nsf_check(f);
}

static void smoke(void **state)
{
    struct nsf *f = *state;
    int64_t d = nsf_mkdir(f, NS_INO_ROOT, "d");
    int64_t x = nsf_file(f, (uint64_t)d, "x", "hello");

    assert_true(d > 0 && x > 0);
    nsf_check(f);
    assert_int_equal(nsf_rename(f, (uint64_t)d, "x", 1, "y", 0), 0);
    nsf_check(f);
    assert_true(nsf_mkdir(f, NS_INO_INBOX, "Series") > 0);
    assert_true(nsf_ino(f, 1, "Series") > 0);
    nsf_check(f);
    assert_true(nsf_big_file(f, nsf_ino(f, 2, "Series"), "a.mkv", 3, 1) > 0);
    nsf_check(f);
    assert_int_equal(nsf_publish(f, nsf_ino(f, 2, "Series"), "a.mkv", 0), 0);
    nsf_check(f);
    assert_true(nsf_ino(f, nsf_ino(f, 1, "Series"), "a.mkv") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_cluster_has_root_and_inbox, setup, teardown),
        cmocka_unit_test_setup_teardown(smoke, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
