/* Which stores a read had better not wait for. */
#include "fs/fetch_doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_store_that_answered_nobody_since_is_doubted_for_a_while(void **state)
{
    struct fetch_doubt d = { 0 };

    (void)state;
    assert_false(fetch_doubt_is(&d, 3, 1000));
    fetch_doubt_answered(&d, 3, 100);
    fetch_doubt_late(&d, 3, 200, 1000);
    assert_true(fetch_doubt_is(&d, 3, 1000));
    assert_false(fetch_doubt_is(&d, 2, 1000));
    assert_true(fetch_doubt_is(&d, 3, 999 + FETCH_DOUBT_NS));
    assert_false(fetch_doubt_is(&d, 3, 1000 + FETCH_DOUBT_NS));
}

static void a_slow_store_that_answers_others_is_not_doubted(void **state)
{
    struct fetch_doubt d = { 0 };

    (void)state;
    fetch_doubt_answered(&d, 3, 300);
    fetch_doubt_late(&d, 3, 200, 1000);
    assert_false(fetch_doubt_is(&d, 3, 1000));
}

static void an_answer_ends_the_doubt(void **state)
{
    struct fetch_doubt d = { 0 };

    (void)state;
    fetch_doubt_late(&d, 63, 200, 1000);
    assert_true(fetch_doubt_is(&d, 63, 1001));
    fetch_doubt_answered(&d, 63, 1002);
    assert_false(fetch_doubt_is(&d, 63, 1003));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_answered_nobody_since_is_doubted_for_a_while),
        cmocka_unit_test(a_slow_store_that_answers_others_is_not_doubted),
        cmocka_unit_test(an_answer_ends_the_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
