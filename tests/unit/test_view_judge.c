/* view_judge: playing is a view; copies, probes and glances are not. */
#include "fs/view_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB  (UINT64_C(1) << 20)
#define HOUR (UINT64_C(3600) * 1000)

/* An hour of 1 MiB/s. */
static struct view_facts film(uint64_t held_s, uint64_t read_mib)
{
    return (struct view_facts){ held_s * 1000, read_mib * MIB, 3600 * MIB, HOUR };
}

static bool judged(struct view_facts f)
{
    return view_judge(&f);
}

static void playing_for_half_a_minute_is_a_view(void **state)
{
    (void)state;
    assert_true(judged(film(30, 30)));
    assert_true(judged(film(3600, 3600)));
    assert_true(judged(film(60, 155))); /* a player that fills its buffer first */
    assert_false(judged(film(29, 29)));
}

static void a_tenth_of_a_short_film_is_a_view(void **state)
{
    struct view_facts clip = { 2000, 2 * MIB, 20 * MIB, 20000 };

    (void)state;
    assert_true(view_judge(&clip));
    clip.held_ms = 1999;
    assert_false(view_judge(&clip));
}

static void copies_and_probes_are_no_views(void **state)
{
    (void)state;
    assert_false(judged(film(7, 3600)));   /* at the speed of a disk */
    assert_false(judged(film(300, 3600))); /* over a slow line, and still faster than watching */
    assert_false(judged(film(1, 3)));      /* a probe */
    assert_false(judged(film(3000, 1)));   /* opened and forgotten */
}

static void without_a_known_length_a_usual_rate_is_taken(void **state)
{
    struct view_facts f = { 30000, 30 * MIB, 3600 * MIB, 0 };

    (void)state;
    assert_true(view_judge(&f));
    f.read_bytes = 3600 * MIB;
    assert_false(view_judge(&f));
}

static void reading_on_is_near_where_it_ended(void **state)
{
    (void)state;
    assert_true(view_goes_on(100 * MIB, 100 * MIB));
    assert_true(view_goes_on(100 * MIB, 99 * MIB));
    assert_false(view_goes_on(100 * MIB, 0));
    assert_false(view_goes_on(0, 100 * MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(playing_for_half_a_minute_is_a_view),
        cmocka_unit_test(a_tenth_of_a_short_film_is_a_view),
        cmocka_unit_test(copies_and_probes_are_no_views),
        cmocka_unit_test(without_a_known_length_a_usual_rate_is_taken),
        cmocka_unit_test(reading_on_is_near_where_it_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
