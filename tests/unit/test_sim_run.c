/* Some thousand schedules of every simulated system, as part of every test run; many more:
 * make sim N=1000000. */
#include "tests/sim/sim_system.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 4000

static struct sim_sum run(uint64_t seed, uint64_t count, const struct sim_system *only)
{
    struct sim_run what = { .seed = seed, .count = count, .only = only, .tell = 3 };
    struct sim_sum sum;

    assert_int_equal(sim_run(&what, false, stderr, &sum), 0);
    assert_int_equal(sum.schedules, count);
    return sum;
}

static void no_schedule_breaks_an_invariant(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sim_systems_count; i++) {
        struct sim_sum sum = run(1, SEEDS, sim_systems[i]);

        assert_int_equal(sum.violations, 0);
        assert_true(sum.events > 100 * sum.schedules);
    }
}

static void the_same_seeds_have_the_same_trace(void **state)
{
    struct sim_sum a = run(7, 300, NULL), b = run(7, 300, NULL), other = run(8, 300, NULL);

    (void)state;
    assert_true(a.hash == b.hash);
    assert_true(a.hash != other.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_schedule_breaks_an_invariant),
        cmocka_unit_test(the_same_seeds_have_the_same_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
