/* A periodic call comes when it is due, never twice at the same time, and not after its stop. */
#include "common/periodic.h"

#include "common/clock.h"
#include "common/thread.h"

#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define STOPPERS 2
#define ROUNDS   100
#define FIRST_NS (2 * VS_NS_PER_S)
#define PAUSE_NS (10 * VS_NS_PER_S)
#define LATE_NS  (3600 * VS_NS_PER_S)

struct counted {
    struct vs_periodic turn;
    unsigned calls; /* no lock: whoever stopped it sees them all */
};

static void count(struct vs_periodic *p)
{
    vs_container_of(p, struct counted, turn)->calls++;
}

static void a_call_comes_first_when_told_and_then_a_pause_after_each(void **state)
{
    struct counted c = { 0 };
    struct vs_exec *exec;

    (void)state;
    assert_int_equal(vs_exec_serial_new(&exec), 0);
    vs_periodic_start(&c.turn, exec, FIRST_NS, PAUSE_NS, count);
    vs_exec_advance(exec, FIRST_NS - 1);
    vs_exec_run_all(exec);
    assert_int_equal(c.calls, 0);
    for (unsigned n = 1; n <= 5; n++) {
        vs_exec_advance(exec, 1);
        vs_exec_run_all(exec);
        assert_int_equal(c.calls, n);
        vs_exec_advance(exec, PAUSE_NS - 1);
        vs_exec_run_all(exec);
        assert_int_equal(c.calls, n);
    }
    vs_periodic_stop(&c.turn);
    vs_exec_advance(exec, 2 * PAUSE_NS);
    assert_int_equal(vs_exec_run_all(exec), 0);
    assert_int_equal(c.calls, 5);
    vs_exec_stop(exec);
}

static void a_stop_before_the_first_call_or_without_a_start_calls_nothing(void **state)
{
    struct counted never = { 0 }, early = { 0 };
    struct vs_exec *exec;

    (void)state;
    vs_periodic_stop(&never.turn);
    assert_int_equal(vs_exec_serial_new(&exec), 0);
    vs_periodic_start(&early.turn, exec, 0, PAUSE_NS, count);
    vs_periodic_stop(&early.turn);
    vs_periodic_stop(&early.turn); /* twice */
    vs_exec_advance(exec, LATE_NS);
    assert_int_equal(vs_exec_run_all(exec), 0);
    assert_int_equal(early.calls, 0);
    vs_exec_stop(exec);

    assert_int_equal(vs_exec_start(&exec, "turns", 1), 0);
    early = (struct counted){ 0 };
    vs_periodic_start(&early.turn, exec, LATE_NS, PAUSE_NS, count);
    vs_periodic_stop(&early.turn);
    assert_int_equal(early.calls, 0);
    vs_exec_stop(exec);
}

/* A call that waits in its middle until it is let go. */
struct held {
    struct vs_periodic turn;
    sem_t entered, leave;
    atomic_uint begun, over;
};

static void hold(struct vs_periodic *p)
{
    struct held *h = vs_container_of(p, struct held, turn);

    assert_int_equal(atomic_fetch_add(&h->begun, 1), atomic_load(&h->over));
    sem_post(&h->entered);
    sem_wait(&h->leave);
    atomic_fetch_add(&h->over, 1);
}

/* Stops it, and tells how many calls were over then. */
struct stopper {
    struct held *held;
    pthread_t thread;
    unsigned over;
};

static void *stop_it(void *arg)
{
    struct stopper *s = arg;

    vs_periodic_stop(&s->held->turn);
    s->over = atomic_load(&s->held->over);
    return NULL;
}

static void held_open(struct held *h, struct vs_exec *exec, int64_t pause_ns)
{
    *h = (struct held){ 0 };
    sem_init(&h->entered, 0, 0);
    sem_init(&h->leave, 0, 0);
    vs_periodic_start(&h->turn, exec, 0, pause_ns, hold);
}

static void held_close(struct held *h)
{
    sem_destroy(&h->entered);
    sem_destroy(&h->leave);
}

static void stops_from_several_threads_return_when_the_call_that_runs_has(void **state)
{
    struct vs_exec *exec;

    (void)state;
    assert_int_equal(vs_exec_start(&exec, "turns", 2), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct stopper stopper[STOPPERS];
        struct held h;

        held_open(&h, exec, round % 2 == 0 ? 0 : LATE_NS); /* another would begin at once, or not */
        sem_wait(&h.entered);
        for (unsigned i = 0; i < STOPPERS; i++) {
            stopper[i] = (struct stopper){ .held = &h };
            assert_int_equal(vs_thread_start(&stopper[i].thread, stop_it, &stopper[i]), 0);
        }
        for (bool is_stopping = false; !is_stopping;) {
            pthread_mutex_lock(&h.turn.lock);
            is_stopping = h.turn.is_stopping;
            pthread_mutex_unlock(&h.turn.lock);
            sched_yield();
        }
        sem_post(&h.leave);
        for (unsigned i = 0; i < STOPPERS; i++) {
            assert_int_equal(pthread_join(stopper[i].thread, NULL), 0);
            assert_int_equal(stopper[i].over, 1);
        }
        assert_int_equal(atomic_load(&h.begun), 1);
        held_close(&h);
    }
    vs_exec_stop(exec);
}

static void a_stop_meets_calls_that_come_without_a_pause_wherever_they_are(void **state)
{
    struct vs_exec *exec;

    (void)state;
    assert_int_equal(vs_exec_start(&exec, "turns", 2), 0);
    for (unsigned round = 0; round < 5 * ROUNDS; round++) {
        struct counted c = { 0 };
        unsigned calls;

        vs_periodic_start(&c.turn, exec, 0, 0, count);
        for (unsigned i = 0; i < round % 8; i++)
            sched_yield();
        vs_periodic_stop(&c.turn);
        calls = c.calls;
        sched_yield();
        assert_int_equal(c.calls, calls);
    } /* whose stack it was is gone: a later call would show under a sanitizer */
    vs_exec_stop(exec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_comes_first_when_told_and_then_a_pause_after_each),
        cmocka_unit_test(a_stop_before_the_first_call_or_without_a_start_calls_nothing),
        cmocka_unit_test(stops_from_several_threads_return_when_the_call_that_runs_has),
        cmocka_unit_test(a_stop_meets_calls_that_come_without_a_pause_wherever_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
