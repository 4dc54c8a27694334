/* Growth of vs_buf stays within its limit and never loses what is inside. */
#include "common/buf.h"
#include "common/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A huge allocation is to fail, not to end the process, also under the sanitizers. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void appended_bytes_are_kept_in_order(void **state)
{
    struct vs_buf b = { 0 };

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t byte = (uint8_t)(i * 7);

        assert_int_equal(vs_buf_append(&b, &byte, 1, 5000), 0);
    }
    assert_int_equal(b.len, 5000);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], (uint8_t)(i * 7));
    vs_buf_close(&b);
}

static void the_limit_is_exact_and_a_refusal_changes_nothing(void **state)
{
    struct vs_buf b = { 0 }, before;

    (void)state;
    assert_int_equal(vs_buf_append(&b, "0123456789", 10, 10), 0);
    before = b;
    assert_int_equal(vs_buf_append(&b, "x", 1, 10), -EMSGSIZE);
    assert_int_equal(vs_buf_reserve(&b, SIZE_MAX, SIZE_MAX), -EMSGSIZE); /* the sum overflows */
    assert_int_equal(vs_buf_reserve(&b, 0, 9), -EMSGSIZE);               /* a smaller limit later */
    assert_memory_equal(&b, &before, sizeof(b));
    assert_memory_equal(b.data, "0123456789", 10);
    assert_true(b.cap <= 10);
    vs_buf_close(&b);
}

static void capacity_never_exceeds_the_limit(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 300; limit++) {
        struct vs_buf b = { 0 };

        while (vs_buf_append(&b, "z", 1, limit) == 0)
            assert_true(b.cap <= limit);
        assert_int_equal(b.len, limit);
        vs_buf_close(&b);
    }
}

static void appends_reallocate_seldom(void **state)
{
    struct vs_buf b = { 0 };
    unsigned moves = 0;

    (void)state;
    for (size_t i = 0, cap = 0; i < 1u << 20; i++) {
        assert_int_equal(vs_buf_append(&b, "z", 1, SIZE_MAX), 0);
        moves += b.cap != cap;
        cap = b.cap;
    }
    assert_in_range(moves, 1, 20);
    vs_buf_close(&b);
}

static void without_memory_the_buffer_is_unchanged(void **state)
{
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(vs_buf_append(&b, "abc", 3, 100), 0);
    assert_int_equal(vs_buf_reserve(&b, SIZE_MAX / 4, SIZE_MAX), -ENOMEM);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "abc", 3);
    vs_buf_close(&b);
}

static void nothing_can_be_appended_and_close_forgives(void **state)
{
    struct vs_buf b = { 0 };

    (void)state;
    vs_buf_close(&b);
    assert_int_equal(vs_buf_append(&b, NULL, 0, 0), 0);
    assert_int_equal(vs_buf_append(&b, "abc", 3, 3), 0);
    vs_buf_close(&b);
    vs_buf_close(&b);
    assert_null(b.data);
    assert_int_equal(vs_buf_append(&b, "abc", 3, 3), 0); /* usable again */
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_are_kept_in_order),
        cmocka_unit_test(the_limit_is_exact_and_a_refusal_changes_nothing),
        cmocka_unit_test(capacity_never_exceeds_the_limit),
        cmocka_unit_test(appends_reallocate_seldom),
        cmocka_unit_test(without_memory_the_buffer_is_unchanged),
        cmocka_unit_test(nothing_can_be_appended_and_close_forgives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
