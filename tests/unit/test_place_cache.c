/* The placements read last are remembered, up to a limit; the oldest goes first. */
#include "fs/place_cache.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct vs_id id_of(unsigned n)
{
    return vs_id_make(1, 1, n, VS_ID_CHUNK);
}

static void put(struct place_cache *c, unsigned n, uint32_t generation)
{
    struct vs_id id = id_of(n);
    struct place_value v = { .state = PLACE_LIVE, .generation = generation, .chunk_bytes = n };

    place_cache_put(c, &id, &v);
}

/* Generation of what is remembered, with the right chunk's value; 0: nothing. */
static uint32_t get(struct place_cache *c, unsigned n)
{
    struct vs_id id = id_of(n);
    struct place_value v = { .generation = 99 };

    if (!place_cache_get(c, &id, &v)) {
        assert_int_equal(v.generation, 99); /* left alone */
        return 0;
    }
    assert_int_equal(v.chunk_bytes, n);
    return v.generation;
}

static void forget(struct place_cache *c, unsigned n)
{
    struct vs_id id = id_of(n);

    place_cache_forget(c, &id);
}

static int set_up(void **state)
{
    struct place_cache *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    place_cache_init(c);
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    place_cache_close(*state);
    free(*state);
    return 0;
}

static void what_was_put_is_found_until_it_is_forgotten(void **state)
{
    assert_int_equal(get(*state, 1), 0);
    put(*state, 1, 5);
    put(*state, 2, 7);
    assert_int_equal(get(*state, 1), 5);
    assert_int_equal(get(*state, 2), 7);
    forget(*state, 1);
    forget(*state, 1);
    forget(*state, 3);
    assert_int_equal(get(*state, 1), 0);
    assert_int_equal(get(*state, 2), 7);
}

static void a_newer_placement_takes_the_place_of_the_old(void **state)
{
    struct place_cache *c = *state;

    put(c, 1, 5);
    put(c, 1, 6);
    assert_int_equal(get(c, 1), 6);
    assert_int_equal(c->count, 1);
}

static void the_oldest_goes_first_when_it_is_full(void **state)
{
    struct place_cache *c = *state;

    for (unsigned n = 0; n < PLACE_CACHE_MAX; n++)
        put(c, n, 1);
    assert_int_equal(c->count, PLACE_CACHE_MAX);
    assert_int_equal(get(c, 0), 1);
    put(c, PLACE_CACHE_MAX, 1);
    put(c, PLACE_CACHE_MAX + 1, 1);
    assert_int_equal(c->count, PLACE_CACHE_MAX);
    assert_int_equal(get(c, 0), 0);
    assert_int_equal(get(c, 1), 0);
    for (unsigned n = 2; n < PLACE_CACHE_MAX + 2; n++)
        assert_int_equal(get(c, n), 1);
}

static void *churn(void *arg)
{
    for (unsigned n = 0; n < 3000; n++) {
        put(arg, n % 50, n + 1);
        get(arg, (n + 7) % 50);
        if (n % 3 == 0)
            forget(arg, (n + 11) % 50);
    }
    return arg;
}

static void many_threads_may_use_it(void **state)
{
    pthread_t threads[3];

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, *state), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(((struct place_cache *)*state)->count <= 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_found_until_it_is_forgotten),
        TEST(a_newer_placement_takes_the_place_of_the_old),
        TEST(the_oldest_goes_first_when_it_is_full),
        TEST(many_threads_may_use_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
