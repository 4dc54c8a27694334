/* What a node may drop. */
#include "meta/frag_rule.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum frag_verdict present(bool tomb, uint32_t reg_generation, bool named)
{
    /* The session says nothing once there is a register: both answers are the same. */
    struct frag_facts f = { .generation = 5,
                            .session = FRAG_SESSION_OPEN,
                            .present = true,
                            .tomb = tomb,
                            .reg_generation = reg_generation,
                            .named = named };
    enum frag_verdict open = frag_rule(&f);

    f.session = FRAG_SESSION_CLOSED;
    assert_int_equal(frag_rule(&f), open);
    return open;
}

static void a_fragment_of_a_tombed_chunk_goes(void **state)
{
    (void)state;
    assert_int_equal(present(true, 1, false), FRAG_REMOVE);
    assert_int_equal(present(true, 9, false), FRAG_REMOVE);
}

static void a_fragment_that_is_named_stays(void **state)
{
    (void)state;
    assert_int_equal(present(false, 4, true), FRAG_KEEP);
    assert_int_equal(present(false, 5, true), FRAG_KEEP);
    assert_int_equal(present(false, 9, true), FRAG_KEEP);
}

static void one_that_a_generation_not_lower_does_not_name_goes(void **state)
{
    (void)state;
    assert_int_equal(present(false, 5, false), FRAG_REMOVE);
    assert_int_equal(present(false, 6, false), FRAG_REMOVE);
}

static void one_of_a_higher_generation_waits_until_the_register_is_raised(void **state)
{
    (void)state;
    assert_int_equal(present(false, 4, false), FRAG_RAISE_FIRST);
}

static void an_absent_register_is_tombed_first_and_only_when_the_session_is_closed(void **state)
{
    struct frag_facts f = { .generation = 1, .session = FRAG_SESSION_CLOSED };

    (void)state;
    assert_int_equal(frag_rule(&f), FRAG_TOMB_FIRST);
    f.session = FRAG_SESSION_OPEN;
    assert_int_equal(frag_rule(&f), FRAG_KEEP);
    f.session = FRAG_SESSION_UNKNOWN;
    assert_int_equal(frag_rule(&f), FRAG_KEEP);
}

static void a_session_is_reaped_only_once_its_end_is_committed(void **state)
{
    (void)state;
    assert_true(frag_may_reap(FRAG_SESSION_CLOSED));
    assert_false(frag_may_reap(FRAG_SESSION_OPEN));
    assert_false(frag_may_reap(FRAG_SESSION_UNKNOWN));
}

static void a_repair_removes_nothing_whatever_became_of_it(void **state)
{
    (void)state;
    assert_int_equal(frag_after_repair(0), FRAG_KEEP);
    assert_int_equal(frag_after_repair(-ESTALE), FRAG_KEEP);
    assert_int_equal(frag_after_repair(-ETIMEDOUT), FRAG_KEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fragment_of_a_tombed_chunk_goes),
        cmocka_unit_test(a_fragment_that_is_named_stays),
        cmocka_unit_test(one_that_a_generation_not_lower_does_not_name_goes),
        cmocka_unit_test(one_of_a_higher_generation_waits_until_the_register_is_raised),
        cmocka_unit_test(an_absent_register_is_tombed_first_and_only_when_the_session_is_closed),
        cmocka_unit_test(a_session_is_reaped_only_once_its_end_is_committed),
        cmocka_unit_test(a_repair_removes_nothing_whatever_became_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
