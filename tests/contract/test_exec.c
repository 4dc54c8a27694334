/* What every executor promises (common/exec.h), run against threads and against the serial twin. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/exec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define JOBS 1000

struct fixture {
    struct vs_exec *exec;
    bool serial;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    unsigned ran;
    unsigned order[JOBS]; /* numbers of the jobs as they ran */
    bool hold;            /* jobs wait while it is set */
};

struct numbered {
    struct vs_job job;
    struct fixture *f;
    unsigned number, again;
    unsigned ran; /* under f->lock */
};

static struct fixture *fixture_new(bool serial)
{
    struct fixture *f = calloc(1, sizeof(*f));

    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->serial = serial;
    return f;
}

static int set_up_serial(void **state)
{
    struct fixture *f = *state = fixture_new(true);

    return vs_exec_serial_new(&f->exec);
}

static int set_up_one(void **state)
{
    struct fixture *f = *state = fixture_new(false);

    return vs_exec_start(&f->exec, "one", 1);
}

static int set_up_many(void **state)
{
    struct fixture *f = *state = fixture_new(false);

    return vs_exec_start(&f->exec, "many", 8);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    vs_exec_stop(f->exec);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void numbered_fn(struct vs_job *job)
{
    struct numbered *n = vs_container_of(job, struct numbered, job);
    bool again;

    pthread_mutex_lock(&n->f->lock);
    while (n->f->hold)
        pthread_cond_wait(&n->f->changed, &n->f->lock);
    n->f->order[n->f->ran++ % JOBS] = n->number;
    n->ran++;
    again = n->again > 0;
    n->again -= again;
    pthread_cond_broadcast(&n->f->changed);
    pthread_mutex_unlock(&n->f->lock);
    if (again)
        vs_exec_submit(n->f->exec, job);
}

static struct numbered *numbered_new(struct fixture *f, unsigned count)
{
    struct numbered *jobs = calloc(count, sizeof(*jobs));

    for (unsigned i = 0; i < count; i++)
        jobs[i] = (struct numbered){ .job.fn = numbered_fn, .f = f, .number = i };
    return jobs;
}

static void set_hold(struct fixture *f, bool hold)
{
    VS_LOCK_SCOPE(&f->lock);

    f->hold = hold;
    pthread_cond_broadcast(&f->changed);
}

/* Let time pass until `ran` jobs have run. */
static void wait_until_ran(struct fixture *f, unsigned ran)
{
    if (f->serial) {
        vs_exec_run_all(f->exec);
        assert_int_equal(f->ran, ran);
        return;
    }
    VS_LOCK_SCOPE(&f->lock);
    while (f->ran < ran)
        pthread_cond_wait(&f->changed, &f->lock);
}

/* Stop, so that nothing can run any more. */
static void stop(struct fixture *f)
{
    vs_exec_stop(f->exec);
    f->exec = NULL;
}

static void every_job_runs_exactly_once(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, JOBS);

    for (unsigned i = 0; i < JOBS; i++)
        vs_exec_submit(f->exec, &jobs[i].job);
    wait_until_ran(f, JOBS);
    stop(f);
    assert_int_equal(f->ran, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].ran, 1);
    free(jobs);
}

static void one_thread_runs_jobs_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, JOBS);

    for (unsigned i = 0; i < JOBS; i++)
        vs_exec_submit(f->exec, &jobs[i].job);
    wait_until_ran(f, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(f->order[i], i);
    stop(f);
    free(jobs);
}

static void a_job_may_submit_itself_again(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 1);

    jobs->again = 99;
    vs_exec_submit(f->exec, &jobs->job);
    wait_until_ran(f, 100);
    stop(f);
    assert_int_equal(f->ran, 100);
    free(jobs);
}

static void stop_runs_what_is_queued_also_by_running_jobs(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 100);

    for (unsigned i = 0; i < 100; i++) {
        jobs[i].again = 2;
        vs_exec_submit(f->exec, &jobs[i].job);
    }
    stop(f);
    assert_int_equal(f->ran, 300);
    free(jobs);
}

static void stop_drops_what_is_not_due(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 2);

    vs_exec_after(f->exec, &jobs[0].job, 3600 * VS_NS_PER_S);
    vs_exec_after(f->exec, &jobs[1].job, INT64_MAX);
    stop(f);
    assert_int_equal(f->ran, 0);
    free(jobs);
}

static void a_cancelled_job_never_runs(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 3);

    for (unsigned i = 0; i < 3; i++)
        vs_exec_after(f->exec, &jobs[i].job, 3600 * VS_NS_PER_S);
    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs[1].job), 1);
    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs[1].job), 0); /* taken back already */
    vs_exec_after(f->exec, &jobs[1].job, 0);                          /* and given again */
    wait_until_ran(f, 1);
    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs[1].job), 0); /* it has run */
    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs[0].job), 1);
    stop(f);
    assert_int_equal(f->ran, 1);
    assert_int_equal(jobs[1].ran, 1);
    free(jobs);
}

static void a_job_never_given_is_not_taken_back(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 1);

    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs->job), 0);
    stop(f);
    free(jobs);
}

static void a_job_that_is_due_but_waits_for_a_thread_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct numbered *jobs = numbered_new(f, 10);

    set_hold(f, true);
    for (unsigned i = 0; i < 8; i++) /* every thread has something to do */
        vs_exec_submit(f->exec, &jobs[i].job);
    vs_exec_after(f->exec, &jobs[8].job, 0);
    if (f->serial)
        vs_exec_advance(f->exec, 1);
    assert_int_equal(vs_exec_cancel_after(f->exec, &jobs[8].job), 1);
    set_hold(f, false);
    stop(f);
    assert_int_equal(jobs[8].ran, 0);
    assert_int_equal(f->ran, 8);
    free(jobs);
}

int main(void)
{
#define RULES(kind)                                                                                \
    cmocka_unit_test_setup_teardown(every_job_runs_exactly_once, kind, tear_down),                 \
        cmocka_unit_test_setup_teardown(a_job_may_submit_itself_again, kind, tear_down),           \
        cmocka_unit_test_setup_teardown(stop_runs_what_is_queued_also_by_running_jobs, kind,       \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(stop_drops_what_is_not_due, kind, tear_down),              \
        cmocka_unit_test_setup_teardown(a_cancelled_job_never_runs, kind, tear_down),              \
        cmocka_unit_test_setup_teardown(a_job_never_given_is_not_taken_back, kind, tear_down)
    const struct CMUnitTest serial[] = {
        RULES(set_up_serial),
        cmocka_unit_test_setup_teardown(one_thread_runs_jobs_in_the_order_they_came, set_up_serial,
                                        tear_down),
    };
    const struct CMUnitTest one[] = {
        RULES(set_up_one),
        cmocka_unit_test_setup_teardown(one_thread_runs_jobs_in_the_order_they_came, set_up_one,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_is_due_but_waits_for_a_thread_can_be_taken_back,
                                        set_up_one, tear_down),
    };
    const struct CMUnitTest many[] = {
        RULES(set_up_many),
        cmocka_unit_test_setup_teardown(a_job_that_is_due_but_waits_for_a_thread_can_be_taken_back,
                                        set_up_many, tear_down),
    };
    int failed = 0;

    failed += cmocka_run_group_tests_name("serial", serial, NULL, NULL);
    failed += cmocka_run_group_tests_name("one thread", one, NULL, NULL);
    failed += cmocka_run_group_tests_name("eight threads", many, NULL, NULL);
    return failed;
}
