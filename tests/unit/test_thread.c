/* Threads of ours take no signals; a wait until a time ends by the clock that it was given in. */
#include "common/thread.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM };

static void *take_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void a_thread_starts_with_every_signal_blocked_and_its_maker_keeps_its_own(void **state)
{
    sigset_t before, mask, after;
    pthread_t thread;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(vs_thread_start(&thread, take_mask, &mask), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        assert_int_equal(sigismember(&mask, signals[i]), 1);
        assert_int_equal(sigismember(&after, signals[i]), sigismember(&before, signals[i]));
    }
}

struct door {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_open;
};

static void *open_door(void *arg)
{
    struct door *d = arg;
    VS_LOCK_SCOPE(&d->lock);

    d->is_open = true;
    pthread_cond_signal(&d->opened);
    return NULL;
}

/* Is it open before `until_ns`? */
static bool wait_open(struct door *d, int64_t until_ns)
{
    VS_LOCK_SCOPE(&d->lock);

    while (!d->is_open)
        if (!vs_cond_wait_until(&d->opened, &d->lock, until_ns))
            return false;
    return true;
}

static void a_wait_ends_with_the_signal_or_when_its_time_has_come(void **state)
{
    static const int64_t ends_ns[] = { 3600 * VS_NS_PER_S, INT64_MAX };
    int64_t now_ns = vs_now_ns(&vs_clock_system), until_ns = now_ns + 20 * VS_NS_PER_MS;
    struct door d = { .lock = PTHREAD_MUTEX_INITIALIZER };

    (void)state;
    vs_cond_init(&d.opened);
    assert_false(wait_open(&d, until_ns));
    assert_true(vs_now_ns(&vs_clock_system) >= until_ns);
    assert_false(wait_open(&d, now_ns)); /* past: at once */
    assert_false(wait_open(&d, 0));
    assert_false(wait_open(&d, -1));
    for (int i = 0; i < 2; i++) {
        int64_t end_ns = ends_ns[i] < INT64_MAX ? now_ns + ends_ns[i] : INT64_MAX;
        pthread_t thread;

        d.is_open = false;
        assert_int_equal(vs_thread_start(&thread, open_door, &d), 0);
        assert_true(wait_open(&d, end_ns));
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    pthread_cond_destroy(&d.opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_starts_with_every_signal_blocked_and_its_maker_keeps_its_own),
        cmocka_unit_test(a_wait_ends_with_the_signal_or_when_its_time_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
