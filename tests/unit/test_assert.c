/* Assertions end the process, in every build. */
#include "common/assert.h"
#include "tests/support/aborts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_int(void *arg)
{
    const int *v = arg;

    VS_ASSERT(*v == 1);
}

static void an_assertion_that_does_not_hold_aborts(void **state)
{
    int v = 2;

    (void)state;
    assert_true(test_aborts(check_int, &v));
    v = 1;
    assert_false(test_aborts(check_int, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assertion_that_does_not_hold_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
