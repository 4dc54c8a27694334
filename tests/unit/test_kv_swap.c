/* A store that is replaced while it is used. */
#include "common/err.h"
#include "meta/kv_swap.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 50

struct swap_fixture {
    struct kv *kv;
    struct vs_buf value;
    atomic_bool is_stopping;
    atomic_uint scans, mixed;
};

static struct kv *store_of(unsigned value)
{
    struct kv *kv;
    struct kv_batch *b;

    assert_int_equal(kv_mem_new(&kv), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t key[2] = { 'k', (uint8_t)i };

        kv_batch_put(b, key, 2, &value, sizeof(value));
    }
    assert_int_equal(kv_write(kv, b, false), 0);
    kv_batch_free(b);
    return kv;
}

static int setup(void **state)
{
    struct swap_fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(kv_swap_new(&f->kv, store_of(1)), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct swap_fixture *f = *state;

    kv_close(f->kv);
    vs_buf_close(&f->value);
    free(f);
    return 0;
}

static int change_to(void *arg, struct kv **inner)
{
    kv_close(*inner);
    *inner = *(unsigned *)arg != 0 ? store_of(*(unsigned *)arg) : NULL;
    return *(unsigned *)arg != 0 ? 0 : -ENOSPC;
}

static int value_of(struct swap_fixture *f)
{
    unsigned value;
    int r = kv_get(f->kv, "k\0", 2, &f->value);

    if (r < 0)
        return r;
    memcpy(&value, f->value.data, sizeof(value));
    return (int)value;
}

static void what_was_put_in_its_place_is_read(void **state)
{
    struct swap_fixture *f = *state;
    unsigned next = 2;

    assert_int_equal(value_of(f), 1);
    assert_int_equal(kv_swap_change(f->kv, change_to, &next), 0);
    assert_int_equal(value_of(f), 2);
}

static void without_a_store_everything_is_an_error_until_there_is_one(void **state)
{
    struct swap_fixture *f = *state;
    unsigned none = 0, next = 3;
    struct kv_view *view;
    struct kv_batch *b;

    assert_int_equal(kv_batch_new(&b), 0);
    assert_int_equal(kv_swap_change(f->kv, change_to, &none), -ENOSPC);
    assert_int_equal(value_of(f), -EIO);
    assert_int_equal(kv_write(f->kv, b, true), -EIO);
    assert_int_equal(kv_flush(f->kv), -EIO);
    assert_int_equal(kv_view_open(f->kv, &view), -EIO);
    assert_int_equal(kv_swap_change(f->kv, change_to, &next), 0);
    assert_int_equal(value_of(f), 3);
    kv_batch_free(b);
}

static void a_view_of_the_old_store_ends_with_it(void **state)
{
    struct swap_fixture *f = *state;
    const uint8_t *key, *value;
    size_t key_len, value_len;
    struct kv_view *old, *new;
    unsigned next = 2;

    assert_int_equal(kv_view_open(f->kv, &old), 0);
    assert_int_equal(kv_view_next(old, &key, &key_len, &value, &value_len), 1);
    assert_int_equal(kv_swap_change(f->kv, change_to, &next), 0);
    assert_int_equal(value[0], 1); /* what was lent is still there */
    assert_int_equal(kv_view_next(old, &key, &key_len, &value, &value_len), -ESTALE);
    assert_int_equal(kv_view_seek(old, "", 0), -ESTALE);
    assert_int_equal(kv_view_open(f->kv, &new), 0);
    assert_int_equal(kv_view_next(new, &key, &key_len, &value, &value_len), 1);
    assert_int_equal(value[0], 2);
    kv_view_close(old);
    kv_view_close(new);
}

/* All values of a scan, and what is read inside it, are of one store. */
struct seen {
    struct swap_fixture *f;
    unsigned first;
    bool is_mixed;
    struct vs_buf value;
};

static int see(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
               size_t value_len)
{
    struct seen *s = arg;
    unsigned v;

    (void)value_len;
    memcpy(&v, value, sizeof(v));
    if (s->first == 0)
        s->first = v;
    s->is_mixed |= v != s->first;
    if (kv_get(s->f->kv, key, key_len, &s->value) == 0) {
        memcpy(&v, s->value.data, sizeof(v));
        s->is_mixed |= v != s->first;
    } else {
        s->is_mixed = true;
    }
    return 0;
}

static void *scan_on(void *arg)
{
    struct swap_fixture *f = arg;
    struct seen s = { .f = f };

    while (!f->is_stopping) {
        s.first = 0;
        s.is_mixed = false;
        (void)kv_scan(f->kv, "k", 1, "l", 1, see, &s);
        f->mixed += s.is_mixed;
        f->scans++;
    }
    vs_buf_close(&s.value);
    return NULL;
}

static void readers_see_one_store_or_the_other_and_never_hold_a_change_up(void **state)
{
    struct swap_fixture *f = *state;
    pthread_t reader[3];

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&reader[i], NULL, scan_on, f), 0);
    for (unsigned next = 2; next < 200 || f->scans < 100; next++)
        assert_int_equal(kv_swap_change(f->kv, change_to, &next), 0);
    f->is_stopping = true;
    for (unsigned i = 0; i < 3; i++)
        pthread_join(reader[i], NULL);
    assert_int_equal(f->mixed, 0);
}

#define SWAP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWAP_TEST(what_was_put_in_its_place_is_read),
        SWAP_TEST(without_a_store_everything_is_an_error_until_there_is_one),
        SWAP_TEST(a_view_of_the_old_store_ends_with_it),
        SWAP_TEST(readers_see_one_store_or_the_other_and_never_hold_a_change_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
