/* The system's clocks: one never goes back, the other says what year it is. */
#include "common/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

static void monotonic_time_never_goes_back_and_moves(void **state)
{
    int64_t first = vs_now_ns(&vs_clock_system), last = first;

    (void)state;
    do {
        int64_t now = vs_now_ns(&vs_clock_system);

        assert_true(now >= last);
        last = now;
    } while (last < first + VS_NS_PER_MS);
}

static void real_time_agrees_with_the_kernel_about_a_file(void **state)
{
    struct stat st;
    int64_t modified_ns;

    (void)state;
    assert_int_equal(stat("/proc/self", &st), 0); /* as old as this process */
    modified_ns = st.st_mtim.tv_sec * VS_NS_PER_S + st.st_mtim.tv_nsec;
    assert_true(vs_real_ns(&vs_clock_system) > modified_ns - VS_NS_PER_S);
    assert_true(vs_real_ns(&vs_clock_system) < modified_ns + 600 * VS_NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_never_goes_back_and_moves),
        cmocka_unit_test(real_time_agrees_with_the_kernel_about_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
