/* Memory of request bodies. */
#include "common/err.h"
#include "common/http_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define UNIT HTTP_MEMORY_UNIT_BYTES

static void what_comes_back_is_lent_again(void **state)
{
    struct http_memory m;
    struct http_block a, b;
    uint8_t *data;

    (void)state;
    http_memory_init(&m, 100 * UNIT);
    assert_int_equal(http_memory_get(&m, 3 * UNIT - 5, &a), 0);
    assert_int_equal(a.cap, 3 * UNIT);
    data = a.data;
    memset(a.data, 1, a.cap);
    http_memory_put(&m, &a);
    assert_null(a.data);
    assert_int_equal(m.lent, 0);
    assert_int_equal(m.spare, 3 * UNIT);
    assert_int_equal(http_memory_get(&m, 2 * UNIT, &b), 0);
    assert_ptr_equal(b.data, data);
    assert_int_equal(m.spare, 0);
    http_memory_put(&m, &b);
    http_memory_put(&m, &b); /* empty now: nothing happens */
    http_memory_close(&m);
    http_memory_close(&m);
}

/* A small request must not keep a large block from a large one. */
static void a_block_far_too_large_is_not_lent(void **state)
{
    struct http_memory m;
    struct http_block a, b;

    (void)state;
    http_memory_init(&m, 100 * UNIT);
    assert_int_equal(http_memory_get(&m, 10 * UNIT, &a), 0);
    http_memory_put(&m, &a);
    assert_int_equal(http_memory_get(&m, UNIT, &b), 0);
    assert_int_equal(b.cap, UNIT);
    http_memory_put(&m, &b);
    http_memory_close(&m);
}

static void the_limit_holds_and_spare_blocks_give_way(void **state)
{
    struct http_memory m;
    struct http_block a, b, c;

    (void)state;
    http_memory_init(&m, 10 * UNIT);
    assert_int_equal(http_memory_get(&m, 6 * UNIT, &a), 0);
    assert_int_equal(http_memory_get(&m, 5 * UNIT, &b), -ENOBUFS);
    assert_int_equal(m.refused, 1);
    assert_int_equal(http_memory_get(&m, 4 * UNIT, &b), 0);
    assert_int_equal(http_memory_get(&m, 1, &c), -ENOBUFS);
    http_memory_put(&m, &a);
    assert_int_equal(m.spare, 6 * UNIT);
    assert_int_equal(http_memory_get(&m, UNIT, &c), 0); /* in place of the spare one */
    assert_true(m.lent + m.spare <= m.max);
    http_memory_put(&m, &b);
    http_memory_put(&m, &c);
    http_memory_close(&m);
}

static void spare_blocks_are_bounded(void **state)
{
    struct http_block blocks[HTTP_MEMORY_SPARE_MAX + 10];
    struct http_memory m;

    (void)state;
    http_memory_init(&m, 1000 * UNIT);
    for (unsigned i = 0; i < HTTP_MEMORY_SPARE_MAX + 10; i++)
        assert_int_equal(http_memory_get(&m, 0, &blocks[i]), 0);
    for (unsigned i = 0; i < HTTP_MEMORY_SPARE_MAX + 10; i++)
        http_memory_put(&m, &blocks[i]);
    assert_int_equal(m.spare_count, HTTP_MEMORY_SPARE_MAX);
    assert_int_equal(m.spare, HTTP_MEMORY_SPARE_MAX * UNIT);
    assert_int_equal(m.lent, 0);
    http_memory_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_lent_again),
        cmocka_unit_test(a_block_far_too_large_is_not_lent),
        cmocka_unit_test(the_limit_holds_and_spare_blocks_give_way),
        cmocka_unit_test(spare_blocks_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
