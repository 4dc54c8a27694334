/* Rules of batches: what meta/kv.c does beside calling the vtable. */
#include "common/err.h"
#include "meta/kv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    return kv_batch_new((struct kv_batch **)state);
}

static int teardown(void **state)
{
    kv_batch_free(*state);
    kv_batch_free(NULL);
    return 0;
}

static void find_gives_the_newest_operation(void **state)
{
    struct kv_batch *b = *state;
    const uint8_t *value = NULL;
    size_t len = 0;

    assert_int_equal(kv_batch_find(b, "k", 1, &value, &len), 0);
    kv_batch_put(b, "k", 1, "one", 3);
    kv_batch_put(b, "kk", 2, "other", 5);
    assert_int_equal(kv_batch_find(b, "k", 1, &value, &len), 1);
    assert_memory_equal(value, "one", len);
    kv_batch_del(b, "k", 1);
    assert_int_equal(kv_batch_find(b, "k", 1, &value, &len), -ENOENT);
    kv_batch_put(b, "k", 1, "", 0);
    assert_int_equal(kv_batch_find(b, "k", 1, &value, &len), 1);
    assert_int_equal(len, 0);
    assert_int_equal(kv_batch_find(b, "kkk", 3, &value, &len), 0);
    assert_int_equal(kv_batch_count(b), 4);
}

/* Through several growths of the table, and with the memory of the batch moved. */
static void find_works_with_many_operations(void **state)
{
    struct kv_batch *b = *state;
    const uint8_t *value;
    size_t len;

    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t key = i % 5000;

        kv_batch_put(b, &key, sizeof(key), &i, sizeof(i));
    }
    for (uint32_t key = 0; key < 5000; key++) {
        uint32_t want = key + 5000;

        assert_int_equal(kv_batch_find(b, &key, sizeof(key), &value, &len), 1);
        assert_int_equal(len, sizeof(want));
        assert_memory_equal(value, &want, sizeof(want));
    }
    assert_int_equal(kv_batch_count(b), 10000);
}

static int join(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                size_t value_len)
{
    char *text = arg;
    size_t at = strlen(text);

    if (value == NULL)
        snprintf(text + at, 64 - at, "-%.*s ", (int)key_len, key);
    else
        snprintf(text + at, 64 - at, "%.*s=%.*s ", (int)key_len, key, (int)value_len, value);
    return key[0] == 'z' ? -EIO : 0;
}

static void each_gives_the_operations_in_order_until_told_to_stop(void **state)
{
    struct kv_batch *b = *state;
    char text[64] = "";

    kv_batch_put(b, "b", 1, "1", 1);
    kv_batch_del(b, "a", 1);
    kv_batch_put(b, "b", 1, "", 0);
    assert_int_equal(kv_batch_each(b, join, text), 0);
    assert_string_equal(text, "b=1 -a b= ");
    kv_batch_del(b, "z", 1);
    kv_batch_del(b, "y", 1);
    text[0] = '\0';
    assert_int_equal(kv_batch_each(b, join, text), -EIO);
    assert_string_equal(text, "b=1 -a b= -z ");
}

static void clear_forgets_operations_and_failure(void **state)
{
    struct kv_batch *b = *state;
    uint8_t *huge = calloc(1, KV_VALUE_BYTES_MAX + 1);
    const uint8_t *value;
    size_t len;
    struct kv *kv;

    assert_non_null(huge);
    assert_int_equal(kv_mem_new(&kv), 0);
    for (unsigned round = 0; round < 3; round++) {
        kv_batch_put(b, "a", 1, huge, round == 1 ? KV_VALUE_BYTES_MAX : 10);
        kv_batch_put(b, "b", 1, huge, KV_VALUE_BYTES_MAX + 1);
        kv_batch_put(b, "c", 1, huge, 1);
        assert_int_equal(kv_batch_count(b), 1);
        assert_int_equal(kv_write(kv, b, false), -EMSGSIZE);
        kv_batch_clear(b);
        assert_int_equal(kv_batch_count(b), 0);
        assert_int_equal(kv_batch_find(b, "a", 1, &value, &len), 0);
        assert_int_equal(kv_write(kv, b, false), 0);
    }
    kv_close(kv);
    kv_close(NULL);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(find_gives_the_newest_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(find_works_with_many_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(each_gives_the_operations_in_order_until_told_to_stop,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(clear_forgets_operations_and_failure, setup, teardown),
    };

    return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
