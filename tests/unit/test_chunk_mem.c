/* Memory for chunks is recycled, by size, up to a limit, and never while somebody holds it. */
#include "fs/chunk_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct chunk_mem_pool *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    chunk_mem_init(p);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    chunk_mem_close(*state);
    free(*state);
    return 0;
}

/* A buffer of so many bytes: all of it may be written. */
static struct chunk_bytes *take(struct chunk_mem_pool *p, size_t bytes)
{
    struct chunk_bytes *b = chunk_bytes_new(p, bytes);

    assert_non_null(b);
    assert_true(b->cap >= bytes && b->cap > 0);
    memset(b->data, 0x5a, b->cap);
    return b;
}

static void a_buffer_is_as_long_as_it_says(void **state)
{
    static const size_t lens[] = {
        0, 1, CHUNK_MEM_ROUND - 1, CHUNK_MEM_ROUND, CHUNK_MEM_ROUND + 1, 8u << 20
    };

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        chunk_bytes_put(take(*state, lens[i]));
}

static void freed_memory_serves_the_next_of_its_size(void **state)
{
    struct chunk_mem_pool *p = *state;
    struct chunk_bytes *b = take(p, 4u << 20);
    const uint8_t *data = b->data;

    chunk_bytes_put(b);
    assert_int_equal(p->spare_count, 1);
    b = take(p, (4u << 20) - 5);
    assert_ptr_equal(b->data, data);
    assert_int_equal(p->spare_count, 0);
    chunk_bytes_put(b);
}

static void a_spare_of_quite_another_size_is_left(void **state)
{
    struct chunk_mem_pool *p = *state;
    struct chunk_bytes *small = take(p, CHUNK_MEM_ROUND), *large = take(p, 8u << 20), *b;
    const uint8_t *data[2] = { small->data, large->data };

    chunk_bytes_put(small);
    chunk_bytes_put(large);
    b = take(p, 2u << 20); /* more than the one, less than half of the other */
    assert_ptr_not_equal(b->data, data[0]);
    assert_ptr_not_equal(b->data, data[1]);
    assert_int_equal(p->spare_count, 2);
    chunk_bytes_put(b);
}

static void memory_that_somebody_holds_is_not_recycled(void **state)
{
    struct chunk_mem_pool *p = *state;
    struct chunk_bytes *b = take(p, 1000), *other;

    assert_ptr_equal(chunk_bytes_ref(b), b);
    chunk_bytes_put(b);
    assert_int_equal(p->spare_count, 0);
    other = take(p, 1000);
    assert_ptr_not_equal(other->data, b->data);
    chunk_bytes_put(other);
    chunk_bytes_put(b);
    chunk_bytes_put(NULL);
    assert_int_equal(p->spare_count, 2);
}

static void spares_are_limited(void **state)
{
    struct chunk_mem_pool *p = *state;
    struct chunk_bytes *b[3 * CHUNK_MEM_SPARE_MAX];

    for (unsigned i = 0; i < 3 * CHUNK_MEM_SPARE_MAX; i++)
        b[i] = take(p, 1);
    for (unsigned i = 0; i < 3 * CHUNK_MEM_SPARE_MAX; i++)
        chunk_bytes_put(b[i]);
    assert_int_equal(p->spare_count, CHUNK_MEM_SPARE_MAX);
}

/* After many small reads the chunks of the next film are recycled all the same. */
static void sizes_that_nobody_wants_any_more_give_way(void **state)
{
    struct chunk_mem_pool *p = *state;
    struct chunk_bytes *small[CHUNK_MEM_SPARE_MAX], *b;
    const uint8_t *data;

    for (unsigned i = 0; i < CHUNK_MEM_SPARE_MAX; i++)
        small[i] = take(p, 1);
    for (unsigned i = 0; i < CHUNK_MEM_SPARE_MAX; i++)
        chunk_bytes_put(small[i]);
    b = take(p, 4u << 20);
    data = b->data;
    chunk_bytes_put(b);
    assert_int_equal(p->spare_count, CHUNK_MEM_SPARE_MAX);
    b = take(p, 4u << 20);
    assert_ptr_equal(b->data, data);
    chunk_bytes_put(b);
}

static void *churn(void *arg)
{
    struct chunk_mem_pool *p = arg;

    for (unsigned i = 0; i < 2000; i++) {
        struct chunk_bytes *b = chunk_bytes_new(p, (i % 7) * CHUNK_MEM_ROUND);

        if (b == NULL)
            return NULL;
        b->data[i % b->cap] = (uint8_t)i; /* nobody else may write here now */
        chunk_bytes_ref(b);
        chunk_bytes_put(b);
        chunk_bytes_put(b);
    }
    return p;
}

static void many_threads_may_take_and_give_back(void **state)
{
    pthread_t threads[4];
    void *ended;

    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, *state), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &ended), 0);
        assert_ptr_equal(ended, *state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_buffer_is_as_long_as_it_says),
        TEST(freed_memory_serves_the_next_of_its_size),
        TEST(a_spare_of_quite_another_size_is_left),
        TEST(memory_that_somebody_holds_is_not_recycled),
        TEST(spares_are_limited),
        TEST(sizes_that_nobody_wants_any_more_give_way),
        TEST(many_threads_may_take_and_give_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
