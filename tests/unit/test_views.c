/* views: what was watched counts once, and fades by half in 30 days. */
#include "meta/views.h"

#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vs_id report(uint64_t n)
{
    return vs_id_make(1, 2, n, VS_ID_CHUNK);
}

static void heat_halves_in_30_days_and_views_stay(void **state)
{
    struct views v = { 0 };
    struct vs_id id = report(1);
    uint64_t before = UINT64_MAX;

    (void)state;
    assert_true(views_add(&v, &id, 1000, 5000));
    assert_int_equal(views_heat(&v, 5000), 1000 * VIEWS_HEAT_ONE);
    assert_int_equal(views_heat(&v, 4000), 1000 * VIEWS_HEAT_ONE); /* a clock that ran back */
    assert_int_equal(views_heat(&v, 5000 + VIEWS_HALF_LIFE_S), 500 * VIEWS_HEAT_ONE);
    assert_int_equal(views_heat(&v, 5000 + 3 * VIEWS_HALF_LIFE_S), 125 * VIEWS_HEAT_ONE);
    assert_in_range(views_heat(&v, 5000 + VIEWS_HALF_LIFE_S / 2), 707106 * VIEWS_HEAT_ONE / 1000,
                    707107 * VIEWS_HEAT_ONE / 1000);
    assert_int_equal(views_heat(&v, INT64_MAX), 0);
    for (int64_t t = 0; t < 2 * VIEWS_HALF_LIFE_S; t += 3600) { /* it only fades */
        uint64_t heat = views_heat(&v, 5000 + t);

        assert_true(heat <= before);
        before = heat;
    }
    id = report(2);
    assert_true(views_add(&v, &id, 1, 5000 + VIEWS_HALF_LIFE_S));
    assert_int_equal(v.views, 1001);
    assert_int_equal(views_heat(&v, 5000 + VIEWS_HALF_LIFE_S), 501 * VIEWS_HEAT_ONE);
}

static void a_report_counts_once_while_it_is_remembered(void **state)
{
    struct views v = { 0 };
    struct vs_id id;

    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        for (unsigned again = 0; again < 3; again++) {
            id = report(n);
            assert_int_equal(views_add(&v, &id, 1, 0), again == 0);
        }
        id = report(n >= VIEWS_RECENT_MAX ? n - VIEWS_RECENT_MAX + 1 : 0);
        assert_false(views_add(&v, &id, 1, 0));
    }
    assert_int_equal(v.views, 100);
    assert_int_equal(v.recent_count, VIEWS_RECENT_MAX);
}

static void counts_do_not_run_over(void **state)
{
    struct views v = { .views = UINT64_MAX - 1, .heat = UINT64_MAX - 1 };
    struct vs_id id = report(1);

    (void)state;
    assert_true(views_add(&v, &id, 5, 0));
    assert_int_equal(v.views, UINT64_MAX);
    assert_int_equal(v.heat, UINT64_MAX);
}

static void a_record_comes_back_as_it_went_in_and_nothing_else_is_one(void **state)
{
    struct views v = { 0 }, back;
    struct vs_buf buf = { 0 };
    struct vs_id id;

    (void)state;
    for (uint64_t n = 0; n < 3; n++) {
        id = report(n);
        views_add(&v, &id, 7, 9);
    }
    assert_int_equal(views_encode(&v, &buf), 0);
    assert_int_equal(views_decode(buf.data, buf.len, &back), 0);
    assert_memory_equal(&back, &v, sizeof(v));
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(views_decode(buf.data, len, &back), -VS_ECORRUPT);
    buf.data[0] = 2;
    assert_int_equal(views_decode(buf.data, buf.len, &back), -VS_ENEWER);
    buf.data[0] = 1;
    buf.data[25] = VIEWS_RECENT_MAX + 1;
    assert_int_equal(views_decode(buf.data, buf.len, &back), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void a_report_names_files_in_order_and_each_once(void **state)
{
    struct views_item items[3] = { { 16, 1, report(1) },
                                   { 17, 5, report(2) },
                                   { 90, 9, report(3) } };
    struct vs_buf buf = { 0 };
    struct vs_rand r;

    (void)state;
    assert_int_equal(views_report_encode(items, 3, &buf), 0);
    assert_int_equal(views_report_count(buf.data, buf.len), 3);
    assert_int_equal(views_report_item(buf.data, 1).ino, 17);
    assert_int_equal(views_report_item(buf.data, 1).count, 5);
    assert_int_equal(views_report_item(buf.data, 2).report.b[12], items[2].report.b[12]);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(views_report_count(buf.data, len), -VS_ECORRUPT);
    vs_rand_init(&r, 3);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[4 + 3 * 28];
        int n;

        memcpy(bytes, buf.data, sizeof(bytes));
        bytes[vs_rand_below(&r, sizeof(bytes))] = (uint8_t)vs_rand_u64(&r);
        n = views_report_count(bytes, sizeof(bytes));
        assert_true(n == 3 || n == -VS_ECORRUPT);
        for (int i = 1; i < n; i++)
            assert_true(views_report_item(bytes, (unsigned)i).ino >
                        views_report_item(bytes, (unsigned)i - 1).ino);
    }
    buf.len = 0;
    items[2].ino = 17;
    assert_int_equal(views_report_encode(items, 3, &buf), -EINVAL);
    items[2].ino = 18;
    items[2].count = 0;
    assert_int_equal(views_report_encode(items, 3, &buf), -EINVAL);
    assert_int_equal(views_report_encode(items, 0, &buf), -EINVAL);
    vs_buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_halves_in_30_days_and_views_stay),
        cmocka_unit_test(a_report_counts_once_while_it_is_remembered),
        cmocka_unit_test(counts_do_not_run_over),
        cmocka_unit_test(a_record_comes_back_as_it_went_in_and_nothing_else_is_one),
        cmocka_unit_test(a_report_names_files_in_order_and_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
