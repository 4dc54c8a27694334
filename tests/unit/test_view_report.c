/* view_report: what was watched on a mount is told to the metadata, once. */
#include "common/err.h"
#include "fs/view_report.h"
#include "meta/views.h"
#include "tests/support/wfile_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

/* Open for so long, and read so much in order. */
static struct view_track track(uint64_t held_s, uint64_t read_mib)
{
    struct view_track t = { 0 };

    atomic_store(&t.opened_ns, vs_now_ns(&vs_clock_system) - (int64_t)held_s * VS_NS_PER_S);
    atomic_store(&t.bytes, read_mib * MIB);
    return t;
}

static uint64_t views_of(struct rig *r, uint64_t ino)
{
    struct meta_req q = { .op = META_VIEWS, .ino = ino };
    struct views v = { 0 };

    assert_int_equal(meta_call(r->fs.meta, &q), 0);
    if (q.bytes.len > 0)
        assert_int_equal(views_decode(q.bytes.data, q.bytes.len, &v), 0);
    vs_buf_close(&q.bytes);
    return v.views;
}

static void what_was_watched_is_reported_and_copies_are_not(void **state)
{
    struct rig *r = *state;
    struct view_track played = track(40, 40), copied = track(2, 1000);
    struct view_report *v;
    uint64_t a, b;

    rig_store(r, NS_INO_ROOT, "a", r->bytes, 1000);
    rig_store(r, NS_INO_ROOT, "b", r->bytes, 1000);
    a = rig_stored_attr(r, NS_INO_ROOT, "a").ino;
    b = rig_stored_attr(r, NS_INO_ROOT, "b").ino;
    assert_int_equal(view_report_start(&v, &r->fs), 0);
    assert_int_equal(view_report_now(v), 0);
    view_report_closed(v, a, &played);
    view_report_closed(v, b, &copied);
    view_report_closed(v, a, &played);
    view_report_closed(v, a + 1000, &played); /* removed meanwhile */
    assert_int_equal(view_report_now(v), 1);
    assert_int_equal(view_report_now(v), 0);
    assert_int_equal(views_of(r, a), 2);
    assert_int_equal(views_of(r, b), 0);
    view_report_closed(v, a, &played);
    view_report_stop(v); /* the last ones go out at the end */
    assert_int_equal(views_of(r, a), 3);
}

static void reads_in_order_are_counted_and_others_are_not(void **state)
{
    struct view_track t = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        view_track_read(&t, i * MIB, MIB);
    assert_int_equal(atomic_load(&t.bytes), 10 * MIB);
    view_track_read(&t, 500 * MIB, MIB); /* a seek */
    assert_int_equal(atomic_load(&t.bytes), 10 * MIB);
    view_track_read(&t, 501 * MIB, MIB);
    assert_int_equal(atomic_load(&t.bytes), 11 * MIB);
    assert_true(atomic_load(&t.opened_ns) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(what_was_watched_is_reported_and_copies_are_not),
        cmocka_unit_test(reads_in_order_are_counted_and_others_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
