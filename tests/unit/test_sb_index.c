/* The index against a plain sorted array. */
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 3000

/* Key number `n`: neighbours differ in generation, fragment or chunk. */
static struct frag_key key_of(uint64_t n)
{
    return (struct frag_key){ vs_id_make(1, 1, n / 6, VS_ID_CHUNK), (uint8_t)(n % 6 / 2),
                              1 + (uint32_t)(n % 2) };
}

/* Everything the index says must be what `there` says. */
static void check_all(const struct sb_index *x, const bool *there)
{
    struct sb_entry *page = malloc(KEYS * sizeof(*page));
    uint32_t count = 0, n;

    n = sb_index_page(x, NULL, page, KEYS);
    for (uint64_t i = 0; i < KEYS; i++) {
        struct frag_key key = key_of(i), got;
        struct sb_entry *e = sb_index_find(x, &key);

        assert_int_equal(e != NULL, there[i]);
        if (e == NULL)
            continue;
        assert_int_equal(e->offset_block, i);
        got = sb_entry_key(&page[count++]);
        assert_int_equal(frag_key_cmp(&got, &key), 0);
    }
    assert_int_equal(n, count);
    assert_int_equal(x->count, count);
    free(page);
}

static void it_holds_what_was_put_in_and_not_taken_out(void **state)
{
    bool *there = calloc(KEYS, sizeof(*there));
    struct sb_index x = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 1);
    for (unsigned phase = 0; phase < 6; phase++) {
        for (unsigned i = 0; i < 4000; i++) {
            uint64_t n = vs_rand_below(&r, KEYS);
            struct frag_key key = key_of(n);
            struct sb_entry *e;

            if (vs_rand_below(&r, 10) < (phase % 2 == 0 ? 7u : 2u)) {
                int rc = sb_index_insert(&x, &key, &e);

                assert_int_equal(rc, there[n] ? -EEXIST : 0);
                if (rc == 0)
                    e->offset_block = (uint32_t)n;
                there[n] = true;
            } else {
                assert_int_equal(sb_index_remove(&x, &key), there[n]);
                there[n] = false;
            }
        }
        check_all(&x, there);
    }
    for (uint64_t n = 0; n < KEYS; n++) {
        struct frag_key key = key_of(n);

        sb_index_remove(&x, &key);
        there[n] = false;
    }
    check_all(&x, there);
    assert_int_equal(x.slots_count, 0);
    sb_index_close(&x);
    sb_index_close(&x);
    free(there);
}

/* Keys go in runs, so that full leaves lie beside nearly empty ones and join them. */
static void leaves_that_join_keep_every_key(void **state)
{
    bool *there = calloc(KEYS, sizeof(*there));
    struct sb_index x = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 2);
    for (unsigned round = 0; round < 400; round++) {
        uint64_t first = vs_rand_below(&r, KEYS), count = vs_rand_below(&r, 300);
        bool put = round < 20 || vs_rand_below(&r, 2) == 0;

        for (uint64_t n = first; n < KEYS && n < first + count; n++) {
            struct frag_key key = key_of(n);
            struct sb_entry *e;

            if (!put)
                assert_int_equal(sb_index_remove(&x, &key), there[n]);
            else if (sb_index_insert(&x, &key, &e) == 0)
                e->offset_block = (uint32_t)n;
            there[n] = put;
        }
        check_all(&x, there);
    }
    sb_index_close(&x);
    free(there);
}

static void pages_in_a_row_give_every_key_once(void **state)
{
    struct sb_index x = { 0 };
    struct sb_entry page[7];
    struct frag_key after;
    uint32_t n, seen = 0;

    (void)state;
    assert_int_equal(sb_index_page(&x, NULL, page, 7), 0);
    assert_null(sb_index_after(&x, NULL));
    for (uint64_t i = 0; i < KEYS; i++) {
        struct frag_key key = key_of((i * 1009) % KEYS);
        struct sb_entry *e;

        assert_int_equal(sb_index_insert(&x, &key, &e), 0);
    }
    for (n = sb_index_page(&x, NULL, page, 7); n > 0; n = sb_index_page(&x, &after, page, 7)) {
        for (uint32_t i = 0; i < n; i++) {
            struct frag_key want = key_of(seen), got = sb_entry_key(&page[i]);
            const struct sb_entry *next = sb_index_after(&x, seen > 0 ? &after : NULL);

            assert_int_equal(frag_key_cmp(&got, &want), 0);
            assert_non_null(next);
            got = sb_entry_key(next);
            assert_int_equal(frag_key_cmp(&got, &want), 0);
            after = want;
            seen++;
        }
    }
    assert_int_equal(seen, KEYS);
    assert_null(sb_index_after(&x, &after));
    sb_index_close(&x);
}

static void a_page_may_begin_behind_a_key_that_is_not_there(void **state)
{
    struct sb_index x = { 0 };
    struct sb_entry *e, page[2];
    struct frag_key key = key_of(10), absent = key_of(9), got;

    (void)state;
    assert_int_equal(sb_index_insert(&x, &key, &e), 0);
    assert_int_equal(sb_index_page(&x, &absent, page, 2), 1);
    got = sb_entry_key(&page[0]);
    assert_int_equal(frag_key_cmp(&got, &key), 0);
    absent = key_of(11);
    assert_int_equal(sb_index_page(&x, &absent, page, 2), 0);
    sb_index_close(&x);
}

/* Bytes per entry. */
static double cost(const struct sb_index *x)
{
    return (double)sb_index_bytes(x) / x->count;
}

/* Measured, because 20 TB in fragments of 1.33 MiB are 15 million entries. */
static void a_fragment_costs_at_most_64_bytes(void **state)
{
    enum { COUNT = 200000, STREAMS = 8 };
    struct sb_index ascending = { 0 }, streams = { 0 }, shuffled = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 7);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct frag_key key = key_of(i), other = { .generation = 1 };
        struct sb_entry *e;

        assert_int_equal(sb_index_insert(&ascending, &key, &e), 0);
        key.chunk = vs_id_make(1 + i % STREAMS, 1, i / STREAMS, VS_ID_CHUNK);
        assert_int_equal(sb_index_insert(&streams, &key, &e), 0);
        vs_rand_bytes(&r, other.chunk.b, VS_ID_BYTES);
        assert_int_equal(sb_index_insert(&shuffled, &other, &e), 0);
    }
    print_message("bytes per fragment: %.1f ascending, %.1f in %d streams, %.1f random\n",
                  cost(&ascending), cost(&streams), STREAMS, cost(&shuffled));
    assert_true(cost(&ascending) <= 42 && cost(&streams) <= 52 && cost(&shuffled) <= 56);
    for (unsigned churn = 0; churn < 2; churn++) { /* half of them go, as many others come */
        struct sb_entry *page = malloc(COUNT * sizeof(*page)), *e;
        uint32_t n = sb_index_page(&shuffled, NULL, page, COUNT);

        for (uint32_t i = 0; i < n; i++) {
            struct frag_key key = sb_entry_key(&page[i]);

            if (vs_rand_below(&r, 2) == 0)
                assert_true(sb_index_remove(&shuffled, &key));
        }
        print_message("bytes per fragment: %.1f when half were deleted\n", cost(&shuffled));
        assert_true(cost(&shuffled) <= 64);
        while (shuffled.count < COUNT) {
            struct frag_key other = { .generation = 1 };

            vs_rand_bytes(&r, other.chunk.b, VS_ID_BYTES);
            assert_int_equal(sb_index_insert(&shuffled, &other, &e), 0);
        }
        assert_true(cost(&shuffled) <= 56);
        free(page);
    }
    sb_index_close(&ascending);
    sb_index_close(&streams);
    sb_index_close(&shuffled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_put_in_and_not_taken_out),
        cmocka_unit_test(leaves_that_join_keep_every_key),
        cmocka_unit_test(pages_in_a_row_give_every_key_once),
        cmocka_unit_test(a_page_may_begin_behind_a_key_that_is_not_there),
        cmocka_unit_test(a_fragment_costs_at_most_64_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
