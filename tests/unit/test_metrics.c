/* Counters, histograms, and their text. */
#include "common/err.h"
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is(const struct vs_buf *b, const char *want)
{
    assert_int_equal(b->len, strlen(want));
    assert_memory_equal(b->data, want, b->len);
}

static void a_family_has_help_type_and_lines(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_metrics_text t = { .buf = &b };

    (void)state;
    vs_metrics_family(&t, "vs_x_bytes", "gauge", "What x is.");
    vs_metrics_u64(&t, "vs_x_bytes", "", 18446744073709551615ull);
    vs_metrics_u64(&t, "vs_x_bytes", "op=\"put\"", 2);
    vs_metrics_seconds(&t, "vs_y_seconds", "", 1500000001);
    assert_int_equal(t.err, 0);
    text_is(&b, "# HELP vs_x_bytes What x is.\n"
                "# TYPE vs_x_bytes gauge\n"
                "vs_x_bytes 18446744073709551615\n"
                "vs_x_bytes{op=\"put\"} 2\n"
                "vs_y_seconds 1.500000001\n");
    vs_buf_close(&b);
}

static void buckets_are_cumulative_and_end_with_all(void **state)
{
    static const char *const lines[] = {
        "h_seconds_bucket{op=\"get\",le=\"0.0001\"} 2\n", /* a bound belongs to its bucket */
        "h_seconds_bucket{op=\"get\",le=\"0.00025\"} 3\n",
        "h_seconds_bucket{op=\"get\",le=\"0.01\"} 3\n",
        "h_seconds_bucket{op=\"get\",le=\"0.025\"} 4\n",
        "h_seconds_bucket{op=\"get\",le=\"30\"} 4\n",
        "h_seconds_bucket{op=\"get\",le=\"+Inf\"} 5\n",
        "h_seconds_sum{op=\"get\"} 40.020200001\n",
        "h_seconds_count{op=\"get\"} 5\n",
    };
    struct vs_histogram h = { 0 };
    struct vs_buf b = { 0 };
    struct vs_metrics_text t = { .buf = &b };

    (void)state;
    vs_histogram_add(&h, -5); /* a clock that went back */
    vs_histogram_add(&h, 100000);
    vs_histogram_add(&h, 100001);
    vs_histogram_add(&h, 20000000);
    vs_histogram_add(&h, 40000000000);
    assert_int_equal(vs_histogram_count(&h), 5);
    vs_metrics_histogram(&t, "h_seconds", "op=\"get\"", &h);
    assert_int_equal(vs_buf_append(&b, "", 1, 1 << 20), 0);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (strstr((const char *)b.data, lines[i]) == NULL)
            fail_msg("no %s in %s", lines[i], (const char *)b.data);
    vs_buf_close(&b);
}

static void a_text_that_is_too_long_says_so_once_and_stops(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_metrics_text t = { .buf = &b };
    size_t len;

    (void)state;
    while (t.err == 0)
        vs_metrics_u64(&t, "some_name_total", "", 1);
    assert_int_equal(t.err, -EMSGSIZE);
    len = b.len;
    vs_metrics_u64(&t, "n", "", 1);
    assert_int_equal(b.len, len);
    assert_true(len <= VS_METRICS_BYTES_MAX);
    vs_buf_close(&b);
}

static void counters_add_up(void **state)
{
    struct vs_counter c = { 0 };

    (void)state;
    vs_counter_add(&c, 2);
    vs_counter_add(&c, 40);
    assert_int_equal(vs_counter_get(&c), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_has_help_type_and_lines),
        cmocka_unit_test(buckets_are_cumulative_and_end_with_all),
        cmocka_unit_test(a_text_that_is_too_long_says_so_once_and_stops),
        cmocka_unit_test(counters_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
