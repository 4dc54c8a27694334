/* Threads: how many, what they are called, and that time really passes for delayed jobs. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/exec.h"
#include "common/rand.h"
#include "tests/support/aborts.h"
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMERS 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* under lock */
static unsigned arrived;
static bool signals_blocked;
static char thread_name[16];

/* Wait until `count` jobs are inside at the same time. */
static void meet(struct vs_job *job)
{
    sigset_t mask;

    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    VS_LOCK_SCOPE(&lock);
    signals_blocked = sigismember(&mask, SIGTERM) == 1;
    pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
    arrived++;
    pthread_cond_broadcast(&changed);
    while (arrived < 8)
        pthread_cond_wait(&changed, &lock);
}

static void threads_run_at_the_same_time_with_their_name_and_without_signals(void **state)
{
    struct vs_job jobs[8];
    struct vs_exec *e;

    (void)state;
    arrived = 0;
    assert_int_equal(vs_exec_start(&e, "a name of twenty-one", 8), 0);
    for (unsigned i = 0; i < 8; i++) {
        jobs[i] = (struct vs_job){ .fn = meet };
        vs_exec_submit(e, &jobs[i]);
    }
    vs_exec_stop(e); /* would wait for ever for fewer threads */
    assert_int_equal(arrived, 8);
    assert_string_equal(thread_name, "a name of twent");
    assert_true(signals_blocked);
}

struct timer {
    struct vs_job job;
    int64_t due_ns;
    unsigned ran; /* under lock */
    bool early;
};

static unsigned timers_ran; /* under lock */

static void timer_fn(struct vs_job *job)
{
    struct timer *t = vs_container_of(job, struct timer, job);
    VS_LOCK_SCOPE(&lock);

    t->early = vs_now_ns(&vs_clock_system) < t->due_ns;
    t->ran++;
    timers_ran++;
    pthread_cond_broadcast(&changed);
}

static void timers_of(unsigned threads)
{
    static struct timer timers[TIMERS];
    struct vs_rand rand;
    struct vs_exec *e;

    vs_rand_init(&rand, threads);
    timers_ran = 0;
    memset(timers, 0, sizeof(timers));
    assert_int_equal(vs_exec_start(&e, "timers", threads), 0);
    for (unsigned i = 0; i < TIMERS; i++) {
        int64_t delay_ns = (int64_t)vs_rand_below(&rand, 50 * VS_NS_PER_MS);

        timers[i].job.fn = timer_fn;
        timers[i].due_ns = vs_now_ns(&vs_clock_system) + delay_ns;
        vs_exec_after(e, &timers[i].job, delay_ns);
    }
    pthread_mutex_lock(&lock);
    while (timers_ran < TIMERS)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    vs_exec_stop(e);
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_int_equal(timers[i].ran, 1);
        assert_false(timers[i].early);
    }
}

static void every_timer_runs_once_and_not_early(void **state)
{
    (void)state;
    timers_of(1);
    timers_of(2);
    timers_of(8);
}

/* Is every thread but this one asleep? (A thread that waits on a condition variable is "S".) */
static bool others_are_asleep(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    bool asleep = true;

    while ((entry = readdir(tasks)) != NULL) {
        char path[64], line[256] = "";
        const char *state;
        int fd;

        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == gettid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%.16s/stat", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue; /* it ended */
        asleep &= read(fd, line, sizeof(line) - 1) > 0;
        close(fd);
        state = strrchr(line, ')'); /* behind the name */
        asleep &= state != NULL && state[1] == ' ' && state[2] == 'S';
    }
    closedir(tasks);
    return asleep;
}

static void wait_until_others_are_asleep(void)
{
    for (unsigned in_a_row = 0; in_a_row < 3;)
        in_a_row = others_are_asleep() ? in_a_row + 1 : 0;
}

/* The timekeeper sleeps for an hour when a nearer deadline comes; somebody must notice. */
static void a_nearer_deadline_wakes_the_timekeeper(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct timer late = { .job.fn = timer_fn }, soon = { .job.fn = timer_fn };
        struct vs_exec *e;

        timers_ran = 0;
        assert_int_equal(vs_exec_start(&e, "timekeeper", threads), 0);
        wait_until_others_are_asleep();
        vs_exec_after(e, &late.job, 3600 * VS_NS_PER_S);
        wait_until_others_are_asleep();
        vs_exec_after(e, &soon.job, VS_NS_PER_MS);
        pthread_mutex_lock(&lock);
        while (timers_ran < 1)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        assert_int_equal(soon.ran, 1);
        assert_int_equal(vs_exec_cancel_after(e, &late.job), 1);
        vs_exec_stop(e);
        assert_int_equal(late.ran, 0);
    }
}

static void a_first_job_wakes_a_sleeper(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct timer job = { .job.fn = timer_fn };
        struct vs_exec *e;

        timers_ran = 0;
        assert_int_equal(vs_exec_start(&e, "sleeper", threads), 0);
        wait_until_others_are_asleep();
        vs_exec_submit(e, &job.job);
        pthread_mutex_lock(&lock);
        while (timers_ran < 1)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        vs_exec_stop(e);
    }
}

static int64_t cpu_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * VS_NS_PER_S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void waiting_for_a_deadline_costs_no_cpu(void **state)
{
    struct timer soon = { .job.fn = timer_fn };
    struct vs_exec *e;
    int64_t before;

    (void)state;
    timers_ran = 0;
    assert_int_equal(vs_exec_start(&e, "patient", 4), 0);
    wait_until_others_are_asleep();
    before = cpu_ns();
    vs_exec_after(e, &soon.job, 300 * VS_NS_PER_MS);
    pthread_mutex_lock(&lock);
    while (timers_ran < 1)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    assert_true(cpu_ns() - before < 100 * VS_NS_PER_MS);
    vs_exec_stop(e);
}

static bool gate_open; /* under lock */

static void wait_at_gate(struct vs_job *job)
{
    (void)job;
    VS_LOCK_SCOPE(&lock);
    while (!gate_open)
        pthread_cond_wait(&changed, &lock);
}

static void run_one(struct vs_exec *e)
{
    struct timer job = { .job.fn = timer_fn };

    vs_exec_submit(e, &job.job);
    pthread_mutex_lock(&lock);
    while (job.ran == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    wait_until_others_are_asleep();
}

/* The thread that watched the clock goes to work; another sleeper must watch in its place. Which
 * one that is depends on the order in which they fell asleep: `turns` jobs turn it. */
static void replace_timekeeper(unsigned turns)
{
    struct timer soon = { .job.fn = timer_fn };
    struct vs_job busy[3];
    struct vs_exec *e;

    gate_open = false;
    assert_int_equal(vs_exec_start(&e, "replaced", 4), 0);
    wait_until_others_are_asleep();
    soon.due_ns = vs_now_ns(&vs_clock_system) + 100 * VS_NS_PER_MS;
    vs_exec_after(e, &soon.job, 100 * VS_NS_PER_MS);
    wait_until_others_are_asleep();
    for (unsigned i = 0; i < turns; i++)
        run_one(e);
    for (unsigned i = 0; i < 3; i++) { /* three of four threads */
        busy[i] = (struct vs_job){ .fn = wait_at_gate };
        vs_exec_submit(e, &busy[i]);
    }
    pthread_mutex_lock(&lock);
    while (soon.ran == 0)
        pthread_cond_wait(&changed, &lock);
    gate_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    vs_exec_stop(e);
    assert_int_equal(soon.ran, 1);
    assert_false(soon.early);
}

static void a_busy_timekeeper_is_replaced(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 4; turns++)
        replace_timekeeper(turns);
}

/* Cancel while the timers fire: each one either runs once or was taken back, never both or none. */
static void a_timer_that_races_its_cancel_runs_or_is_taken_back(void **state)
{
    static struct timer timers[TIMERS];
    unsigned taken_back = 0;
    struct vs_exec *e;

    (void)state;
    timers_ran = 0;
    memset(timers, 0, sizeof(timers));
    assert_int_equal(vs_exec_start(&e, "race", 3), 0);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < TIMERS; i++) {
            timers[i] = (struct timer){ .job.fn = timer_fn };
            vs_exec_after(e, &timers[i].job, (int64_t)i * 1000);
        }
        for (unsigned i = 0; i < TIMERS; i++)
            taken_back += (unsigned)vs_exec_cancel_after(e, &timers[i].job);
        pthread_mutex_lock(&lock);
        while (timers_ran + taken_back < (round + 1) * TIMERS)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
    vs_exec_stop(e);
    assert_int_equal(timers_ran + taken_back, 20 * TIMERS);
    assert_true(taken_back > 0);
}

static void the_number_of_threads_has_limits(void **state)
{
    struct vs_exec *e;

    (void)state;
    assert_int_equal(vs_exec_start(&e, "none", 0), -EINVAL);
    assert_int_equal(vs_exec_start(&e, "many", VS_EXEC_THREADS_MAX + 1), -EINVAL);
    assert_int_equal(vs_exec_start(&e, "max", VS_EXEC_THREADS_MAX), 0);
    vs_exec_stop(e);
    vs_exec_stop(NULL);
}

struct suicide {
    struct vs_job job;
    struct vs_exec *e;
};

static void stop_from_within(struct vs_job *job)
{
    vs_exec_stop(vs_container_of(job, struct suicide, job)->e);
}

static void start_and_stop_from_within(void *arg)
{
    struct suicide s = { .job.fn = stop_from_within };

    (void)arg;
    if (vs_exec_start(&s.e, "suicide", 2) == 0) {
        vs_exec_submit(s.e, &s.job);
        for (;;)
            pause();
    }
}

struct last_job {
    struct vs_job job;
    struct vs_exec *e;
    sem_t ran;
};

static void last_job_runs(struct vs_job *job)
{
    sem_post(&vs_container_of(job, struct last_job, job)->ran);
}

static void *submit_last_job(void *arg)
{
    struct last_job *l = arg;

    vs_exec_submit(l->e, &l->job);
    return NULL;
}

/* The job may be over before the submit that brought it has returned in its thread. */
static void a_stop_right_behind_the_last_job_waits_for_its_submit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct last_job l = { .job.fn = last_job_runs };
        pthread_t submitter;

        sem_init(&l.ran, 0, 0);
        assert_int_equal(vs_exec_start(&l.e, "last", 1 + i % 3), 0);
        assert_int_equal(pthread_create(&submitter, NULL, submit_last_job, &l), 0);
        while (sem_wait(&l.ran) < 0)
            ;
        vs_exec_stop(l.e);
        pthread_join(submitter, NULL);
        sem_destroy(&l.ran);
    }
}

static void a_job_cannot_stop_its_own_executor(void **state)
{
    (void)state;
    assert_true(test_aborts(start_and_stop_from_within, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_cannot_stop_its_own_executor), /* first: it forks */
        cmocka_unit_test(threads_run_at_the_same_time_with_their_name_and_without_signals),
        cmocka_unit_test(every_timer_runs_once_and_not_early),
        cmocka_unit_test(a_nearer_deadline_wakes_the_timekeeper),
        cmocka_unit_test(a_first_job_wakes_a_sleeper),
        cmocka_unit_test(waiting_for_a_deadline_costs_no_cpu),
        cmocka_unit_test(a_busy_timekeeper_is_replaced),
        cmocka_unit_test(a_timer_that_races_its_cancel_runs_or_is_taken_back),
        cmocka_unit_test(a_stop_right_behind_the_last_job_waits_for_its_submit),
        cmocka_unit_test(the_number_of_threads_has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
