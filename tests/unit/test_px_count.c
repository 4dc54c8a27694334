/* Unit tests for the counters of messages between replicas. */
#include "meta/px_count.h"
#include "tests/support/px_twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_frame_in_a_row_is_counted_by_its_kind(void **state)
{
    struct px_count c = { 0 };
    struct vs_buf b = { 0 };

    (void)state;
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, 100);
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, 200);
    px_twin_frame(&b, PX_FRAME_MOVE, 2, 1, 50);
    px_count_frames(&c, PX_COUNT_OUT, b.data, b.len - 1); /* the last is cut off */
    assert_int_equal(vs_counter_get(&c.messages[PX_FRAME_ASKS][PX_COUNT_OUT]), 2);
    assert_int_equal(vs_counter_get(&c.bytes[PX_FRAME_ASKS][PX_COUNT_OUT]), 300);
    assert_int_equal(vs_counter_get(&c.messages[PX_FRAME_ASKS][PX_COUNT_IN]), 0);
    assert_int_equal(vs_counter_get(&c.messages[PX_FRAME_MOVE][PX_COUNT_OUT]), 0);
    px_count_one(&c, PX_COUNT_IN, 200, 1); /* no such kind */
    vs_buf_close(&b);
}

static void all_of_them_are_in_the_text(void **state)
{
    struct px_count c = { 0 };
    struct vs_buf b = { 0 };
    struct vs_metrics_text t = { .buf = &b };

    (void)state;
    px_count_one(&c, PX_COUNT_IN, PX_COUNT_REPLY, 9);
    px_count_text(&c, &t);
    assert_int_equal(t.err, 0);
    assert_int_equal(vs_buf_append(&b, "", 1, VS_METRICS_BYTES_MAX), 0);
    assert_non_null(
        strstr((char *)b.data, "\nvstack_px_messages_total{kind=\"reply\",way=\"in\"} 1\n"));
    assert_non_null(
        strstr((char *)b.data, "\nvstack_px_bytes_total{kind=\"reply\",way=\"in\"} 9\n"));
    assert_non_null(
        strstr((char *)b.data, "\nvstack_px_messages_total{kind=\"asks\",way=\"out\"} 0\n"));
    assert_non_null(
        strstr((char *)b.data, "\nvstack_px_messages_total{kind=\"asks\",way=\"own\"} 0\n"));
    assert_null(strstr((char *)b.data, "kind=\"journal\",way=\"own\""));
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_in_a_row_is_counted_by_its_kind),
        cmocka_unit_test(all_of_them_are_in_the_text),
    };

    return cmocka_run_group_tests_name("px_count", tests, NULL, NULL);
}
