/* The serial twin runs when told, and its clock is the caller's. */
#include "common/exec.h"
#include "tests/support/aborts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned order[16], ran;

struct numbered {
    struct vs_job job;
    struct vs_exec *exec;
    unsigned number;
    int64_t again_ns;
};

static void numbered_fn(struct vs_job *job)
{
    struct numbered *n = vs_container_of(job, struct numbered, job);

    order[ran++] = n->number;
    if (n->again_ns >= 0) {
        int64_t delay_ns = n->again_ns;

        n->again_ns = -1;
        vs_exec_after(n->exec, job, delay_ns);
    }
}

static int set_up(void **state)
{
    ran = 0;
    return vs_exec_serial_new((struct vs_exec **)state);
}

static int tear_down(void **state)
{
    vs_exec_stop(*state);
    return 0;
}

static struct numbered numbered(struct vs_exec *e, unsigned number)
{
    return (struct numbered){ .job.fn = numbered_fn, .exec = e, .number = number, .again_ns = -1 };
}

static void nothing_runs_until_told(void **state)
{
    struct numbered a = numbered(*state, 1), b = numbered(*state, 2);

    vs_exec_submit(*state, &a.job);
    vs_exec_after(*state, &b.job, 0);
    vs_exec_advance(*state, 100);
    assert_int_equal(ran, 0);
    assert_int_equal(vs_exec_run_all(*state), 2);
    assert_int_equal(ran, 2);
    assert_int_equal(vs_exec_run_all(*state), 0);
}

static void timers_run_in_the_order_of_their_times_then_of_their_coming(void **state)
{
    struct numbered jobs[6];
    const int64_t delays[6] = { 30, 10, 20, 10, 30, 0 };
    const unsigned want[6] = { 5, 1, 3, 2, 0, 4 };

    for (unsigned i = 0; i < 6; i++) {
        jobs[i] = numbered(*state, i);
        vs_exec_after(*state, &jobs[i].job, delays[i]);
    }
    vs_exec_advance(*state, 30);
    vs_exec_run_all(*state);
    assert_memory_equal(order, want, sizeof(want));
}

static void a_timer_runs_at_its_time_and_not_before(void **state)
{
    struct numbered a = numbered(*state, 1);

    vs_exec_after(*state, &a.job, 10);
    vs_exec_advance(*state, 9);
    assert_int_equal(vs_exec_run_all(*state), 0);
    vs_exec_advance(*state, 1);
    assert_int_equal(vs_exec_run_all(*state), 1);
}

static void a_job_given_for_later_by_a_job_waits_for_its_own_time(void **state)
{
    struct numbered a = numbered(*state, 1);

    a.again_ns = 5;
    vs_exec_submit(*state, &a.job);
    vs_exec_advance(*state, 100);
    assert_int_equal(vs_exec_run_all(*state), 1);
    vs_exec_advance(*state, 4);
    assert_int_equal(vs_exec_run_all(*state), 0);
    vs_exec_advance(*state, 1);
    assert_int_equal(vs_exec_run_all(*state), 1);
}

static void a_job_for_the_end_of_time_never_runs(void **state)
{
    struct numbered a = numbered(*state, 1);

    vs_exec_advance(*state, 100);
    vs_exec_after(*state, &a.job, INT64_MAX);
    vs_exec_advance(*state, INT64_MAX);
    assert_int_equal(vs_exec_run_all(*state), 0);
    assert_int_equal(vs_exec_cancel_after(*state, &a.job), 1);
}

static void run_all_of(void *e)
{
    vs_exec_run_all(e);
}

static void an_executor_with_threads_is_not_run_by_hand(void **state)
{
    struct vs_exec *threads;

    (void)state;
    assert_int_equal(vs_exec_start(&threads, "threads", 1), 0);
    assert_true(test_aborts(run_all_of, threads));
    vs_exec_stop(threads);
}

static void negative_delay(void *e)
{
    struct numbered a = numbered(e, 1);

    vs_exec_after(e, &a.job, -1);
}

static void no_function(void *e)
{
    struct vs_job job = { 0 };

    vs_exec_submit(e, &job);
}

static void a_broken_job_is_a_bug_of_the_caller(void **state)
{
    assert_true(test_aborts(negative_delay, *state));
    assert_true(test_aborts(no_function, *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(nothing_runs_until_told),
        RULE(timers_run_in_the_order_of_their_times_then_of_their_coming),
        RULE(a_timer_runs_at_its_time_and_not_before),
        RULE(a_job_given_for_later_by_a_job_waits_for_its_own_time),
        RULE(a_job_for_the_end_of_time_never_runs),
        RULE(an_executor_with_threads_is_not_run_by_hand),
        RULE(a_broken_job_is_a_bug_of_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
