/* Rules of fs/extent_set: the same answers as a bitmap. */
#include "common/rand.h"
#include "fs/extent_set.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BITS 4096

struct fixture {
    struct extent_set set;
    uint8_t bit[BITS]; /* one byte each */
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    extent_set_close(&f->set);
    extent_set_close(&f->set);
    free(f);
    return 0;
}

/* The whole set, read by its own iteration, is the bitmap; ranges are apart, never touching. */
static void check_equal(const struct fixture *f)
{
    struct extent e;
    uint64_t at = 0, covered = 0, ranges = 0;

    while (extent_set_next(&f->set, at, &e)) {
        assert_true(e.start < e.end && e.end <= BITS);
        assert_true(e.start >= at && (ranges == 0 || e.start > at)); /* not touching */
        for (; at < e.start; at++)
            assert_int_equal(f->bit[at], 0);
        for (; at < e.end; at++)
            assert_int_equal(f->bit[at], 1);
        covered += e.end - e.start;
        ranges++;
    }
    for (; at < BITS; at++)
        assert_int_equal(f->bit[at], 0);
    assert_int_equal(covered, f->set.bytes);
    assert_int_equal(ranges, f->set.count);
}

static void random_changes_give_what_a_bitmap_gives(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct vs_rand r;
        unsigned len_max = seed % 2 ? 4 : 64; /* short ranges: many extents, several blocks */

        extent_set_close(&f->set);
        memset(f->bit, 0, BITS);
        vs_rand_init(&r, seed);
        for (unsigned step = 0; step < 6000; step++) {
            uint64_t start = vs_rand_below(&r, BITS), end = start + vs_rand_below(&r, len_max);
            bool add = vs_rand_below(&r, 100) < 55;

            if (vs_rand_below(&r, 500) == 0)
                end = start + vs_rand_below(&r, BITS);
            if (end > BITS)
                end = BITS;
            assert_int_equal((add ? extent_set_add : extent_set_remove)(&f->set, start, end), 0);
            memset(f->bit + start, add, end - start);
            if (step % 100 == 0)
                check_equal(f);
        }
        check_equal(f);
    }
}

static void bytes_in_counts_the_covered_part_of_a_range(void **state)
{
    struct fixture *f = *state;
    struct vs_rand r;

    vs_rand_init(&r, 7);
    for (unsigned n = 0; n < 200; n++) {
        uint64_t start = vs_rand_below(&r, BITS - 8), end = start + 1 + vs_rand_below(&r, 8);

        assert_int_equal(extent_set_add(&f->set, start, end), 0);
        memset(f->bit + start, 1, end - start);
    }
    for (unsigned n = 0; n < 1000; n++) {
        uint64_t start = vs_rand_below(&r, BITS), end = start + vs_rand_below(&r, BITS - start);
        uint64_t want = 0;

        for (uint64_t at = start; at < end; at++)
            want += f->bit[at];
        assert_int_equal(extent_set_bytes_in(&f->set, start, end), want);
    }
}

static void an_empty_range_changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(extent_set_add(&f->set, 5, 5), 0);
    assert_int_equal(f->set.count, 0);
    assert_int_equal(extent_set_add(&f->set, 0, 10), 0);
    assert_int_equal(extent_set_remove(&f->set, 5, 5), 0);
    assert_int_equal(f->set.count, 1);
}

static void ranges_reach_to_the_end_of_the_number_space(void **state)
{
    struct fixture *f = *state;
    struct extent e;

    assert_int_equal(extent_set_add(&f->set, UINT64_MAX - 5, UINT64_MAX), 0);
    assert_true(extent_set_next(&f->set, 0, &e));
    assert_int_equal(e.start, UINT64_MAX - 5);
    assert_int_equal(extent_set_remove(&f->set, 0, UINT64_MAX), 0);
    assert_int_equal(f->set.count, 0);
    assert_int_equal(f->set.bytes, 0);
}

/* Full is an answer; what grows, shrinks or joins ranges still works. */
static void a_full_set_refuses_one_more_range_and_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct extent e;

    for (uint64_t n = 0; n < EXTENT_SET_MAX; n++)
        assert_int_equal(extent_set_add(&f->set, n * 4, n * 4 + 3), 0);
    assert_int_equal(extent_set_add(&f->set, EXTENT_SET_MAX * 4ull, EXTENT_SET_MAX * 4ull + 1),
                     -ENOBUFS);
    assert_int_equal(extent_set_remove(&f->set, 401, 402), -ENOBUFS); /* would split */
    assert_int_equal(f->set.count, EXTENT_SET_MAX);
    assert_int_equal(f->set.bytes, EXTENT_SET_MAX * 3ull);
    assert_true(extent_set_next(&f->set, 400, &e));
    assert_int_equal(e.end, 403);
    assert_int_equal(extent_set_remove(&f->set, 402, 403), 0);
    assert_int_equal(extent_set_add(&f->set, 402, 404), 0); /* joins two */
    assert_int_equal(f->set.count, EXTENT_SET_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_changes_give_what_a_bitmap_gives, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_in_counts_the_covered_part_of_a_range, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_empty_range_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_reach_to_the_end_of_the_number_space, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_set_refuses_one_more_range_and_stays_as_it_is, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
