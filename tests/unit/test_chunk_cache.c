/* The cache keeps to its budget, lets the least recently used go first, and loses nothing. */
#include "common/rand.h"
#include "sched/chunk_cache.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ENTRIES 64

static struct chunk_cache_entry make(unsigned n, size_t bytes)
{
    return (struct chunk_cache_entry){ .id = vs_id_make(1, 1, n, VS_ID_CHUNK), .bytes = bytes };
}

static unsigned count(struct vs_list *l)
{
    struct vs_list *pos, *tmp;
    unsigned n = 0;

    vs_list_for_each (pos, tmp, l)
        n++;
    return n;
}

static void the_least_recently_used_goes_first(void **state)
{
    struct chunk_cache_entry a = make(1, 40), b = make(2, 40), c = make(3, 40);
    struct vs_list out = VS_LIST_INIT(out);
    struct chunk_cache cache;

    (void)state;
    chunk_cache_init(&cache, 100);
    chunk_cache_add(&cache, &a, &out);
    chunk_cache_add(&cache, &b, &out);
    assert_ptr_equal(chunk_cache_find(&cache, &a.id), &a); /* now b is the oldest */
    chunk_cache_add(&cache, &c, &out);
    assert_int_equal(count(&out), 1);
    assert_ptr_equal(vs_list_first(&out, struct chunk_cache_entry, lru), &b);
    assert_null(chunk_cache_find(&cache, &b.id));
    assert_int_equal(cache.used_bytes, 80);
    chunk_cache_clear(&cache, &out);
    assert_int_equal(count(&out), 3);
}

static void an_entry_larger_than_the_cache_is_handed_back(void **state)
{
    struct chunk_cache_entry a = make(1, 50), big = make(2, 101);
    struct vs_list out = VS_LIST_INIT(out);
    struct chunk_cache cache;

    (void)state;
    chunk_cache_init(&cache, 100);
    chunk_cache_add(&cache, &a, &out);
    chunk_cache_add(&cache, &big, &out);
    assert_ptr_equal(vs_list_first(&out, struct chunk_cache_entry, lru), &big);
    assert_ptr_equal(chunk_cache_find(&cache, &a.id), &a); /* nobody had to go for it */
    chunk_cache_clear(&cache, &out);
}

static void the_budget_holds_whatever_comes(void **state)
{
    struct chunk_cache_entry e[ENTRIES];
    bool in[ENTRIES] = { false };
    struct chunk_cache cache;
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 11);
    chunk_cache_init(&cache, 1000);
    for (unsigned n = 0; n < ENTRIES; n++)
        e[n] = make(n, 1 + vs_rand_below(&r, 300));
    for (unsigned step = 0; step < 20000; step++) {
        unsigned n = (unsigned)vs_rand_below(&r, ENTRIES);
        struct chunk_cache_entry *found = chunk_cache_find(&cache, &e[n].id);
        struct vs_list out = VS_LIST_INIT(out);
        size_t sum = 0;

        assert_ptr_equal(found, in[n] ? &e[n] : NULL);
        if (found == NULL) {
            chunk_cache_add(&cache, &e[n], &out);
            in[n] = true;
        }
        while (!vs_list_empty(&out)) {
            struct chunk_cache_entry *gone = vs_list_first(&out, struct chunk_cache_entry, lru);

            vs_list_del(&gone->lru);
            assert_true(in[gone - e]);
            in[gone - e] = false;
        }
        for (unsigned i = 0; i < ENTRIES; i++)
            sum += in[i] ? e[i].bytes : 0;
        assert_int_equal(sum, cache.used_bytes);
        assert_true(cache.used_bytes <= cache.cap_bytes);
    }
    struct vs_list out = VS_LIST_INIT(out);

    chunk_cache_clear(&cache, &out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(an_entry_larger_than_the_cache_is_handed_back),
        cmocka_unit_test(the_budget_holds_whatever_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
