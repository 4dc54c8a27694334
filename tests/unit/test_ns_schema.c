/* ns_schema: keys sort as the lists they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meta/ns_schema.h"

#include <string.h>

static int key_cmp(const struct ns_key *a, const struct ns_key *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->b, b->b, len);

    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static void assert_before(struct ns_key a, struct ns_key b)
{
    assert_true(key_cmp(&a, &b) < 0);
}

static void numbers_sort_as_numbers(void **state)
{
    const uint64_t n[] = {
        0, 1, 255, 256, 65536, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX
    };

    (void)state;
    for (size_t i = 1; i < sizeof(n) / sizeof(n[0]); i++) {
        assert_before(ns_key_u64(NS_T_INODE, n[i - 1]), ns_key_u64(NS_T_INODE, n[i]));
        assert_before(ns_key_u64x2(NS_T_COOKIE, 5, n[i - 1]), ns_key_u64x2(NS_T_COOKIE, 5, n[i]));
        assert_int_equal(ns_key_get_u64(ns_key_u64x2(NS_T_COOKIE, n[i], 3).b, 0), n[i]);
        assert_int_equal(ns_key_get_u64(ns_key_u64x2(NS_T_COOKIE, 3, n[i]).b, 8), n[i]);
    }
}

static void a_prefix_scan_ends_behind_its_last_key(void **state)
{
    struct ns_key names = ns_key_u64(NS_T_NAME, 0xff), ids, table = ns_key(NS_T_RELEASED), end;
    char name[255];
    struct vs_id id;

    (void)state;
    memset(name, 0xff, sizeof(name));
    memset(&id, 0xff, sizeof(id));
    end = ns_key_end(&names);
    assert_before(ns_key_named(NS_T_NAME, 0xff, name, sizeof(name)), end);
    assert_true(key_cmp(&end, &(struct ns_key){ 0 }) > 0);
    assert_int_equal(ns_key_get_u64(end.b, 0) >> 8, 1); /* 0xff carried */
    ids = ns_key_id(NS_T_RELEASED, &id);
    end = ns_key_end(&table);
    assert_before(ids, end);
    ids = ns_key_u64(NS_T_INODE, UINT64_MAX);
    end = ns_key_end(&ids);
    assert_int_equal(end.len, 1);
    assert_int_equal(end.b[0], NS_T_INODE + 1);
}

static void a_page_goes_on_behind_the_key_itself(void **state)
{
    struct vs_id id = vs_id_make(1, 2, 3, VS_ID_CHUNK), next = id;
    struct ns_key key = ns_key_id(NS_T_RELEASED, &id), behind = ns_key_behind(&key);
    char name[255] = "name";

    (void)state;
    next.b[VS_ID_BYTES - 1]++;
    assert_before(key, behind);
    assert_true(key_cmp(&behind, &(struct ns_key){ 0 }) > 0);
    key = ns_key_id(NS_T_RELEASED, &next);
    assert_true(key_cmp(&behind, &key) <= 0);
    key = ns_key_named(NS_T_NAME, 1, name, sizeof(name));
    behind = ns_key_behind(&key);
    assert_before(key, behind);
}

static void aborted_ids_sort_as_ids_do(void **state)
{
    struct ns_key a = ns_key_aborted(VS_ID_CHUNK, 1, 2), b = ns_key_aborted(VS_ID_CHUNK, 1, 3);
    struct ns_key segment = ns_key_aborted(VS_ID_SEGMENT, 0, 0);

    (void)state;
    assert_before(ns_key_add_u64(a, 9), ns_key_add_u64(a, 10));
    assert_before(ns_key_add_u64(a, UINT64_MAX), ns_key_add_u64(b, 0));
    assert_before(ns_key_add_u64(b, UINT64_MAX), segment);
    assert_int_equal(ns_key_get_u64(ns_key_add_u64(a, 77).b, 1 + 2 + 4), 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_sort_as_numbers),
        cmocka_unit_test(a_prefix_scan_ends_behind_its_last_key),
        cmocka_unit_test(a_page_goes_on_behind_the_key_itself),
        cmocka_unit_test(aborted_ids_sort_as_ids_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
