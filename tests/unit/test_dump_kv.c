/* A store as a dump, and back. */
#include "common/err.h"
#include "common/rand.h"
#include "meta/dump_kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct dump_kv_fixture {
    struct kv *from, *to;
    struct vs_buf bytes;
    struct dump_kv_in in;
};

static int setup(void **state)
{
    struct dump_kv_fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(kv_mem_new(&f->from), 0);
    assert_int_equal(kv_mem_new(&f->to), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct dump_kv_fixture *f = *state;

    dump_kv_in_close(&f->in);
    kv_close(f->from);
    kv_close(f->to);
    vs_buf_close(&f->bytes);
    free(f);
    return 0;
}

static void put_some(struct kv *kv, unsigned count, size_t value_max)
{
    uint8_t *value = malloc(value_max);
    struct kv_batch *b;
    struct vs_rand rand;

    vs_rand_init(&rand, 7);
    assert_int_equal(kv_batch_new(&b), 0);
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = vs_rand_u64(&rand);
        size_t len = vs_rand_below(&rand, value_max);

        memset(value, (int)i, len);
        kv_batch_put(b, &key, 1 + i % 8, value, len);
        assert_int_equal(kv_write(kv, b, false), 0);
        kv_batch_clear(b);
    }
    kv_batch_free(b);
    free(value);
}

static int into(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                const uint8_t *value, size_t value_len)
{
    struct dump_kv_fixture *f = arg;

    assert_int_equal(section, DUMP_NAMESPACE);
    return dump_kv_in_pair(&f->in, key, key_len, value, value_len);
}

static void stores_are_equal(struct kv *a, struct kv *b)
{
    struct kv_view *va, *vb;
    const uint8_t *key[2], *value[2];
    size_t key_len[2], value_len[2];
    int r;

    assert_int_equal(kv_view_open(a, &va), 0);
    assert_int_equal(kv_view_open(b, &vb), 0);
    do {
        r = kv_view_next(va, &key[0], &key_len[0], &value[0], &value_len[0]);
        assert_int_equal(kv_view_next(vb, &key[1], &key_len[1], &value[1], &value_len[1]), r);
        if (r == 1) {
            assert_int_equal(key_len[0], key_len[1]);
            assert_memory_equal(key[0], key[1], key_len[0]);
            assert_int_equal(value_len[0], value_len[1]);
            if (value_len[0] > 0)
                assert_memory_equal(value[0], value[1], value_len[0]);
        }
    } while (r == 1);
    assert_int_equal(r, 0);
    kv_view_close(va);
    kv_view_close(vb);
}

/* More than a block, a batch and a piece; values of all lengths; others write meanwhile. */
static void a_store_comes_back_as_it_was_at_that_moment(void **state)
{
    struct dump_kv_fixture *f = *state;
    struct dump_head head = { .kind = DUMP_SNAPSHOT, .slot = 3 };
    struct dump_out out;
    struct dump_in in;
    struct kv_view *view;
    struct kv *before;
    unsigned pieces = 0;
    int more = 1;

    put_some(f->from, 3000, 3000);
    assert_int_equal(kv_mem_new(&before), 0);
    put_some(before, 3000, 3000);
    assert_int_equal(kv_view_open(f->from, &view), 0);
    assert_int_equal(dump_in_init(&in), 0);
    assert_int_equal(dump_kv_in_begin(&f->in, f->to), 0);
    assert_int_equal(dump_out_begin(&out, &head, &f->bytes), 0);
    while (more == 1) {
        more = dump_kv_out(&out, DUMP_NAMESPACE, view, &f->bytes, 1u << 20);
        assert_true(more >= 0);
        if (more == 0)
            assert_int_equal(dump_out_end(&out, &f->bytes), 0);
        assert_true(f->bytes.len <= (1u << 20) + 2 * DUMP_BLOCK_BYTES);
        assert_int_equal(dump_in_feed(&in, f->bytes.data, f->bytes.len, into, f), 0);
        f->bytes.len = 0;
        pieces++;
        put_some(f->from, 10, 20);
    }
    assert_true(pieces > 2);
    assert_int_equal(dump_in_done(&in), 0);
    assert_int_equal(dump_kv_in_end(&f->in), 0);
    stores_are_equal(before, f->to);
    dump_in_close(&in);
    dump_out_close(&out);
    kv_view_close(view);
    kv_close(before);
}

static void a_store_that_is_not_empty_is_not_filled(void **state)
{
    struct dump_kv_fixture *f = *state;

    put_some(f->to, 1, 5);
    assert_int_equal(dump_kv_in_begin(&f->in, f->to), -EEXIST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_comes_back_as_it_was_at_that_moment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_that_is_not_empty_is_not_filled, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
