/* view_report: what was watched on a mount is told to the metadata, once. */
#include "common/err.h"
#include "fs/view_report.h"
#include "meta/views.h"
#include "tests/support/meta_twist.h"
#include "tests/support/wfile_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

/* A handle that has read; then its figures are as if it had been open for so long, and read so much
 * in order. */
static void begin(struct view_report *v, struct view_track *t, uint64_t ino, uint64_t held_s,
                  uint64_t read_mib)
{
    *t = (struct view_track){ 0 };
    view_report_read(v, t, ino, 0, MIB);
    atomic_store(&t->opened_ns, vs_now_ns(&vs_clock_system) - (int64_t)held_s * VS_NS_PER_S);
    atomic_store(&t->bytes, read_mib * MIB);
}

static void play(struct view_report *v, uint64_t ino, uint64_t held_s, uint64_t read_mib)
{
    struct view_track t;

    begin(v, &t, ino, held_s, read_mib);
    view_report_closed(v, &t);
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

static uint64_t stored(struct rig *r, const char *name)
{
    rig_store(r, NS_INO_ROOT, name, r->bytes, 1000);
    return rig_stored_attr(r, NS_INO_ROOT, name).ino;
}

static void what_was_watched_is_reported_and_copies_are_not(void **state)
{
    struct rig *r = *state;
    uint64_t a = stored(r, "a"), b = stored(r, "b");
    struct view_report *v;

    assert_int_equal(view_report_start(&v, &r->fs), 0);
    assert_int_equal(view_report_now(v), 0);
    play(v, a, 40, 40);
    play(v, b, 2, 1000);
    play(v, a, 40, 40);
    play(v, a + 1000, 40, 40); /* removed meanwhile */
    assert_int_equal(view_report_now(v), 1);
    assert_int_equal(view_report_now(v), 0);
    assert_int_equal(views_of(r, a), 2);
    assert_int_equal(views_of(r, b), 0);
    play(v, a, 40, 40);
    view_report_stop(v); /* the last ones go out at the end */
    assert_int_equal(views_of(r, a), 3);
}

static void who_still_plays_is_counted_once_when_it_has_watched(void **state)
{
    struct rig *r = *state;
    uint64_t a = stored(r, "a");
    struct view_track one, two, none = { 0 };
    struct view_report *v;

    assert_int_equal(view_report_start(&v, &r->fs), 0);
    begin(v, &one, a, 40, 40);
    begin(v, &two, a, 5, 5);
    assert_int_equal(view_report_now(v), 1); /* the first; the other has watched for 5 s */
    assert_int_equal(views_of(r, a), 1);
    assert_int_equal(view_report_now(v), 0);
    atomic_store(&two.opened_ns, vs_now_ns(&vs_clock_system) - 65 * VS_NS_PER_S);
    atomic_store(&two.bytes, 65 * MIB);
    assert_int_equal(view_report_now(v), 1);
    assert_int_equal(views_of(r, a), 2);
    view_report_closed(v, &one);
    view_report_closed(v, &two);
    view_report_closed(v, &none); /* it never read */
    assert_int_equal(view_report_now(v), 0);
    begin(v, &one, a, 40, 40);
    view_report_stop(v); /* and who plays while the mount ends */
    assert_int_equal(views_of(r, a), 3);
}

/* Closes a handle, once, while it is judged. */
struct closing {
    struct view_report *v;
    struct view_track *t;
};

static void close_now(void *arg, struct meta_req *q)
{
    struct closing *c = arg;

    if (q->op != META_MEDIA || c->t == NULL)
        return;
    view_report_closed(c->v, c->t);
    memset(c->t, 0xa5, sizeof(*c->t)); /* it is gone */
    c->t = NULL;
}

static void who_closes_while_it_is_judged_is_counted_once(void **state)
{
    struct rig *r = *state;
    uint64_t a = stored(r, "a");
    struct view_track watched, too_short;
    struct closing c;

    r->fs.meta = meta_twist_new(r->fs.meta);
    assert_int_equal(view_report_start(&c.v, &r->fs), 0);
    meta_twist_set(r->fs.meta, close_now, &c);
    begin(c.v, &watched, a, 40, 40);
    c.t = &watched;
    assert_int_equal(view_report_now(c.v), 1);
    assert_null(c.t);
    assert_int_equal(view_report_now(c.v), 0);

    /* Not yet watched when it was judged, and closed then: judged as it was closed. */
    begin(c.v, &too_short, a, 5, 5);
    c.t = &too_short;
    atomic_store(&too_short.bytes, 0);
    assert_int_equal(view_report_now(c.v), 0);
    assert_null(c.t);
    assert_int_equal(view_report_now(c.v), 0);
    meta_twist_set(r->fs.meta, NULL, NULL);
    view_report_stop(c.v);
    assert_int_equal(views_of(r, a), 1);
}

/* Nobody answers who is asked for a film. */
static void is_down(void *arg, struct meta_req *q)
{
    unsigned *asked = arg;

    if (q->op != META_MEDIA)
        return;
    ++*asked;
    vs_buf_close(&q->bytes);
    q->status = -VS_EDOWN;
}

static void while_the_metadata_are_down_nothing_is_judged_nor_lost(void **state)
{
    struct rig *r = *state;
    uint64_t a = stored(r, "a");
    struct view_track open, closing;
    struct view_report *v;
    unsigned asked = 0;

    r->fs.meta = meta_twist_new(r->fs.meta);
    assert_int_equal(view_report_start(&v, &r->fs), 0);
    for (unsigned i = 0; i < 20; i++)
        play(v, a, 40, 40);
    begin(v, &open, a, 40, 40);
    begin(v, &closing, a, 40, 40);
    meta_twist_set(r->fs.meta, is_down, &asked);
    assert_int_equal(view_report_now(v), -VS_EDOWN);
    assert_int_equal(asked, 1); /* each would take as long as an answer may */
    view_report_closed(v, &closing);
    assert_int_equal(view_report_now(v), -VS_EDOWN);
    assert_int_equal(asked, 2);
    meta_twist_set(r->fs.meta, NULL, NULL);
    assert_int_equal(view_report_now(v), 1);
    assert_int_equal(views_of(r, a), 22);
    view_report_closed(v, &open);
    view_report_stop(v);
    assert_int_equal(views_of(r, a), 22);
}

/* More handles than are judged at once: all have their turn. */
static void of_many_open_handles_each_has_its_turn(void **state)
{
    static const unsigned count = 2 * VIEW_REPORT_HANDLES_MAX + 10;
    struct view_track *t = calloc(count, sizeof(*t));
    struct rig *r = *state;
    uint64_t a = stored(r, "a");
    struct view_report *v;

    assert_non_null(t);
    assert_int_equal(view_report_start(&v, &r->fs), 0);
    for (unsigned i = 0; i < count; i++)
        begin(v, &t[i], a, 40, i == count - 1 ? 40 : 0); /* only the last has read enough */
    for (unsigned turn = 1; turn <= 2; turn++)
        assert_int_equal(view_report_now(v), 0);
    assert_int_equal(view_report_now(v), 1);
    for (unsigned i = 0; i < count; i++)
        view_report_closed(v, &t[i]);
    view_report_stop(v);
    assert_int_equal(views_of(r, a), 1);
    free(t);
}

static void reads_in_order_are_counted_and_others_are_not(void **state)
{
    struct view_track t = { 0 };
    struct rig *r = *state;
    struct view_report *v;

    assert_int_equal(view_report_start(&v, &r->fs), 0);
    for (uint64_t i = 0; i < 10; i++)
        view_report_read(v, &t, NS_INO_ROOT, i * MIB, MIB);
    assert_int_equal(atomic_load(&t.bytes), 10 * MIB);
    view_report_read(v, &t, NS_INO_ROOT, 500 * MIB, MIB); /* a seek */
    assert_int_equal(atomic_load(&t.bytes), 10 * MIB);
    view_report_read(v, &t, NS_INO_ROOT, 501 * MIB, MIB);
    assert_int_equal(atomic_load(&t.bytes), 11 * MIB);
    assert_true(atomic_load(&t.opened_ns) > 0);
    view_report_closed(v, &t);
    view_report_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(what_was_watched_is_reported_and_copies_are_not),
        RIG_TEST(who_still_plays_is_counted_once_when_it_has_watched),
        RIG_TEST(who_closes_while_it_is_judged_is_counted_once),
        RIG_TEST(while_the_metadata_are_down_nothing_is_judged_nor_lost),
        RIG_TEST(of_many_open_handles_each_has_its_turn),
        RIG_TEST(reads_in_order_are_counted_and_others_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
