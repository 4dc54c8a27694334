/* cache_guard: what may be kept, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/cache_guard.h"

static int64_t now = VS_NS_PER_S;

static int64_t clock_now(const struct vs_clock *c)
{
    (void)c;
    return now;
}

static const struct vs_clock clock = { clock_now, clock_now };
static struct cache_guard *g;

static int setup(void **state)
{
    (void)state;
    return cache_guard_new(&g, &clock);
}

static int teardown(void **state)
{
    (void)state;
    cache_guard_free(g);
    cache_guard_free(NULL);
    return 0;
}

static void a_mount_that_is_alone_keeps_everything(void **state)
{
    (void)state;
    assert_int_equal(cache_guard_moment(NULL), 0);
    assert_true(cache_guard_is_live(NULL));
    assert_true(cache_guard_inode(NULL, 7, 0));
    assert_true(cache_guard_name(NULL, 1, "a", 1, 0));
}

static void nothing_is_kept_before_anything_was_heard_and_after_a_silence(void **state)
{
    (void)state;
    assert_false(cache_guard_inode(g, 7, cache_guard_moment(g)));
    cache_guard_heard(g, now);
    assert_true(cache_guard_inode(g, 7, cache_guard_moment(g)));
    assert_int_equal(cache_guard_until_ns(g), now + CACHE_GUARD_LIVE_NS);
    now += CACHE_GUARD_LIVE_NS - 1;
    assert_true(cache_guard_name(g, 1, "a", 1, cache_guard_moment(g)));
    now += 1;
    assert_false(cache_guard_name(g, 1, "a", 1, cache_guard_moment(g)));
    assert_false(cache_guard_is_live(g));
    cache_guard_heard(g, now);
    assert_true(cache_guard_is_live(g));
    cache_guard_heard(g, 0);
    assert_false(cache_guard_is_live(g));
}

static void what_was_changed_since_an_answer_began_is_not_kept(void **state)
{
    uint64_t before, after;

    (void)state;
    cache_guard_heard(g, now);
    before = cache_guard_moment(g);
    cache_guard_note_inode(g, 7);
    after = cache_guard_moment(g);
    assert_false(cache_guard_inode(g, 7, before));
    assert_true(cache_guard_inode(g, 7, after));
    assert_true(cache_guard_inode(g, 8, before)); /* another one: no matter */
    assert_true(cache_guard_name(g, 7, "a", 1, before));

    before = cache_guard_moment(g);
    cache_guard_note_name(g, 1, "film", 4);
    assert_false(cache_guard_name(g, 1, "film", 4, before));
    assert_true(cache_guard_name(g, 1, "fil", 3, before));
    assert_true(cache_guard_name(g, 2, "film", 4, before));
    assert_true(cache_guard_name(g, 1, "film", 4, cache_guard_moment(g)));

    before = cache_guard_moment(g);
    cache_guard_note_all(g);
    assert_false(cache_guard_inode(g, 8, before));
    assert_true(cache_guard_inode(g, 8, cache_guard_moment(g)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mount_that_is_alone_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(
            nothing_is_kept_before_anything_was_heard_and_after_a_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_since_an_answer_began_is_not_kept, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
