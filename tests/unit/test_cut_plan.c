/* Rules of cut_plan.h: where chunks end. */
#include "ingest/cut_plan.h"

#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KIB 1024u
#define MIB (1u << 20)

static struct cut_plan plan_at(uint64_t offset, bool expects)
{
    struct cut_plan p;

    assert_int_equal(cut_plan_init(&p, offset, expects), 0);
    return p;
}

static struct cut cut_now(struct cut_plan *p, uint64_t end, bool must, bool final)
{
    struct cut cut = { 0 };

    assert_int_equal(cut_plan_next(p, end, must, final, &cut), 1);
    return cut;
}

static void no_cut_yet(struct cut_plan *p, uint64_t end, bool must, bool final)
{
    struct cut cut;

    assert_int_equal(cut_plan_next(p, end, must, final, &cut), 0);
}

/* A keyframe of unknown time, the demuxer standing at it. */
static void report(struct cut_plan *p, uint64_t offset)
{
    cut_plan_keyframe(p, offset, UINT32_MAX, offset);
}

static void without_keyframes_a_cut_is_exactly_4_mib(void **state)
{
    struct cut_plan p = plan_at(100, false);
    struct cut cut;

    (void)state;
    no_cut_yet(&p, 100 + 4 * MIB - 1, false, false);
    no_cut_yet(&p, 100 + 4 * MIB - 1, true, false);
    cut = cut_now(&p, 100 + 4 * MIB, false, false);
    assert_int_equal(cut.offset, 100 + 4 * MIB);
    assert_int_equal(cut.cut, MF_CUT_EXEMPT);
    assert_int_equal(cut.time_ms, UINT32_MAX);
    cut = cut_now(&p, 100 + 4 * MIB + 1, false, true);
    assert_int_equal(cut.offset, 100 + 4 * MIB + 1);
    assert_int_equal(cut.cut, MF_CUT_END);
    cut_plan_close(&p);

    p = plan_at(0, false);
    assert_int_equal(cut_now(&p, 4 * MIB, false, true).cut, MF_CUT_END);
    cut_plan_close(&p);
}

static void the_keyframe_nearest_to_4_mib_wins(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    report(&p, 2 * MIB);
    report(&p, 3 * MIB + 512 * KIB);
    no_cut_yet(&p, 7 * MIB, false, false);
    report(&p, 4 * MIB + 600 * KIB);
    cut = cut_now(&p, 7 * MIB, false, false);
    assert_int_equal(cut.offset, 3 * MIB + 512 * KIB);
    assert_int_equal(cut.cut, MF_CUT_KEYFRAME);
    cut_plan_close(&p);
}

static void a_keyframe_behind_4_mib_wins_when_it_is_nearer(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    report(&p, 2 * MIB);
    report(&p, 5 * MIB);
    assert_int_equal(cut_now(&p, 6 * MIB, false, false).offset, 5 * MIB);
    cut_plan_close(&p);
}

static void of_two_equally_near_the_earlier_wins(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    report(&p, 3 * MIB);
    report(&p, 5 * MIB);
    assert_int_equal(cut_now(&p, 6 * MIB, false, false).offset, 3 * MIB);
    cut_plan_close(&p);
}

static void a_keyframe_is_taken_as_soon_as_no_nearer_one_can_come(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    report(&p, 3 * MIB); /* 1 MiB short: a keyframe before 5 MiB would be nearer */
    cut_plan_keyframe(&p, CUT_NO_KEYFRAME, 0, 5 * MIB - 1);
    no_cut_yet(&p, 6 * MIB, false, false);
    cut_plan_keyframe(&p, CUT_NO_KEYFRAME, 0, 5 * MIB);
    assert_int_equal(cut_now(&p, 6 * MIB, false, false).offset, 3 * MIB);
    cut_plan_close(&p);
}

static void ten_seconds_come_before_4_mib_in_a_lean_stream(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    cut_plan_keyframe(&p, 100, 1400, 200); /* time does not begin at 0 */
    cut_plan_keyframe(&p, MIB + 1, 7000, MIB + 1);
    cut_plan_keyframe(&p, MIB + 300 * KIB, 11000, MIB + 300 * KIB);
    cut_plan_keyframe(&p, MIB + 600 * KIB, 13000, MIB + 600 * KIB);
    cut = cut_now(&p, 2 * MIB, false, false);
    assert_int_equal(cut.offset, MIB + 300 * KIB); /* 9.6 s: nearer to 10 than 11.6 */
    assert_int_equal(cut.time_ms, 11000);
    /* The next chunk counts from there: 23 s is 12 s behind, 20.5 is 9.5. */
    cut_plan_keyframe(&p, 3 * MIB, 20500, 3 * MIB);
    cut_plan_keyframe(&p, 3 * MIB + 9, 23000, 3 * MIB + 9);
    assert_int_equal(cut_now(&p, 4 * MIB, false, false).offset, 3 * MIB);
    cut_plan_close(&p);
}

static void the_window_is_1_to_8_mib_both_ends_included(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    report(&p, MIB - 1);
    report(&p, 8 * MIB + 1);
    cut = cut_now(&p, 9 * MIB, false, false);
    assert_int_equal(cut.offset, 4 * MIB);
    assert_int_equal(cut.cut, MF_CUT_SIZE);
    cut_plan_close(&p);

    p = plan_at(0, true);
    report(&p, MIB);
    cut_plan_keyframe(&p, UINT64_MAX, 0, 0);
    assert_int_equal(cut_now(&p, 2 * MIB, false, false).offset, MIB);
    cut_plan_close(&p);

    p = plan_at(0, true);
    report(&p, 8 * MIB);
    assert_int_equal(cut_now(&p, 8 * MIB, false, false).offset, 8 * MIB);
    cut_plan_close(&p);
}

static void it_never_waits_beyond_its_window(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    no_cut_yet(&p, 8 * MIB - 1, false, false); /* the demuxer has not said a word */
    assert_int_equal(cut_now(&p, 8 * MIB, false, false).offset, 4 * MIB);
    report(&p, 6 * MIB); /* known in time, though the demuxer is still there */
    assert_int_equal(cut_now(&p, 12 * MIB, false, false).offset, 6 * MIB);
    no_cut_yet(&p, 13 * MIB, false, false);
    cut_plan_keyframe(&p, CUT_NO_KEYFRAME, 0, 14 * MIB); /* parsed passed the window: none in it */
    assert_int_equal(cut_now(&p, 13 * MIB, false, false).offset, 10 * MIB);
    cut_plan_close(&p);
}

static void an_owner_that_cannot_hold_more_gets_what_is_known(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    report(&p, 2 * MIB);
    no_cut_yet(&p, 5 * MIB, false, false);
    assert_int_equal(cut_now(&p, 5 * MIB, true, false).offset, 2 * MIB);
    no_cut_yet(&p, 6 * MIB - 1, true, false); /* less than 4 MiB and no keyframe: nothing to cut */
    cut = cut_now(&p, 6 * MIB, true, false);
    assert_int_equal(cut.offset, 6 * MIB);
    assert_int_equal(cut.cut, MF_CUT_SIZE);
    cut_plan_close(&p);
}

static void when_no_more_reports_come_it_cuts_by_size_and_says_so(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    cut_plan_keyframe(&p, UINT64_MAX, 0, 0);
    cut = cut_now(&p, 4 * MIB, false, false);
    assert_int_equal(cut.offset, 4 * MIB);
    assert_int_equal(cut.cut, MF_CUT_SIZE);
    report(&p, 6 * MIB); /* somebody who does not keep his word is not heard */
    assert_int_equal(cut_now(&p, 9 * MIB, false, false).offset, 8 * MIB);
    cut_plan_close(&p);
}

static void the_end_of_the_data_is_the_last_cut(void **state)
{
    struct cut_plan p = plan_at(0, true);
    struct cut cut;

    (void)state;
    report(&p, 4 * MIB);
    report(&p, 5 * MIB + 1);
    cut = cut_now(&p, 5 * MIB + 1, false, true);
    assert_int_equal(cut.offset, 4 * MIB);
    cut = cut_now(&p, 5 * MIB + 1, false, true); /* a keyframe at the very end cuts nothing */
    assert_int_equal(cut.offset, 5 * MIB + 1);
    assert_int_equal(cut.cut, MF_CUT_END);
    no_cut_yet(&p, 5 * MIB + 1, false, true);
    cut_plan_close(&p);
}

static void the_end_is_preferred_where_it_is_nearer_than_a_keyframe(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    report(&p, MIB);
    assert_int_equal(cut_now(&p, 4 * MIB, false, true).cut, MF_CUT_END);
    cut_plan_close(&p);
}

static void a_reset_begins_a_chunk_and_forgets_what_lies_before(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    report(&p, 3 * MIB);
    report(&p, 7 * MIB);
    cut_plan_reset(&p, 4 * MIB);
    cut_plan_keyframe(&p, UINT64_MAX, 0, 0);
    assert_int_equal(cut_now(&p, 9 * MIB, false, false).offset, 7 * MIB);
    cut_plan_close(&p);
}

static void nonsense_from_the_demuxer_is_dropped(void **state)
{
    struct cut_plan p = plan_at(10 * MIB, true);

    (void)state;
    report(&p, 5); /* before the first cut */
    report(&p, 13 * MIB);
    report(&p, 12 * MIB); /* going back */
    report(&p, 13 * MIB); /* twice */
    assert_int_equal(p.count, 1);
    cut_plan_keyframe(&p, 14 * MIB, 5, 1); /* parsed never falls */
    assert_int_equal(p.parsed, 14 * MIB);
    report(&p, UINT64_MAX - 2); /* far beyond everything: reach must not overflow */
    cut_plan_keyframe(&p, UINT64_MAX, 0, 0);
    assert_int_equal(cut_now(&p, 20 * MIB, false, false).offset, 14 * MIB);
    cut_plan_close(&p);
}

static void more_keyframes_than_the_ring_holds_are_dropped(void **state)
{
    struct cut_plan p = plan_at(0, true);

    (void)state;
    for (uint64_t i = 0; i < CUT_KEYFRAMES_MAX + 10u; i++)
        report(&p, 2 * MIB + i);
    assert_int_equal(p.count, CUT_KEYFRAMES_MAX);
    assert_int_equal(cut_now(&p, 9 * MIB, false, false).offset, 2 * MIB + CUT_KEYFRAMES_MAX - 1);
    cut_plan_close(&p);
}

static void close_forgives(void **state)
{
    struct cut_plan zero = { 0 };
    struct cut_plan p = plan_at(0, true);

    (void)state;
    cut_plan_close(&zero);
    cut_plan_close(&p);
    cut_plan_close(&p);
    assert_null(p.keyframes);
}

/* ---- the property: random streams, random lag, random appends ---- */

#define STREAM_KEYFRAMES_MAX 4096

struct stream {
    uint64_t bytes;
    uint64_t keyframes[STREAM_KEYFRAMES_MAX];
    unsigned count, reported;
};

static void stream_make(struct stream *s, struct vs_rand *r)
{
    uint64_t gap_max = vs_rand_below(r, 2) ? 3 * MIB : 14 * MIB;
    uint64_t at = vs_rand_below(r, MIB);

    s->bytes = vs_rand_below(r, 200 * MIB);
    s->count = s->reported = 0;
    for (; at < s->bytes && s->count < STREAM_KEYFRAMES_MAX; at += 1 + vs_rand_below(r, gap_max))
        s->keyframes[s->count++] = at;
}

static bool window_has_keyframe(const struct stream *s, unsigned known, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < known; i++) {
        if (s->keyframes[i] >= from + MIB && s->keyframes[i] <= from + 8 * MIB &&
            s->keyframes[i] < to)
            return true;
    }
    return false;
}

static bool is_keyframe(const struct stream *s, uint64_t offset)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->keyframes[i] == offset)
            return true;
    }
    return false;
}

static void check_cut(const struct stream *s, uint64_t from, const struct cut *cut, uint64_t end)
{
    bool had = window_has_keyframe(s, s->reported, from, end);

    assert_true(cut->offset > from && cut->offset <= end);
    if (cut->cut == MF_CUT_END) {
        assert_true(cut->offset == s->bytes && cut->offset - from <= 8 * MIB);
        return;
    }
    assert_in_range(cut->offset - from, MIB, 8 * MIB);
    assert_int_equal(cut->cut, had ? MF_CUT_KEYFRAME : MF_CUT_SIZE);
    if (cut->cut == MF_CUT_KEYFRAME)
        assert_true(is_keyframe(s, cut->offset));
    else
        assert_int_equal(cut->offset - from, 4 * MIB);
}

static void stream_run(struct stream *s, struct vs_rand *r)
{
    struct cut_plan p = plan_at(0, true);
    uint64_t end = 0, parsed = 0, from = 0;
    uint64_t lag_max = 1 + vs_rand_below(r, 16 * MIB);
    struct cut cut;

    while (end < s->bytes) {
        uint64_t piece = 1 + vs_rand_below(r, MIB);
        bool must;

        end = s->bytes - end < piece ? s->bytes : end + piece;
        if (end > lag_max && parsed < end - lag_max)
            parsed = end - lag_max;
        for (; s->reported < s->count && s->keyframes[s->reported] < parsed; s->reported++)
            cut_plan_keyframe(&p, s->keyframes[s->reported], UINT32_MAX, s->keyframes[s->reported]);
        cut_plan_keyframe(&p, CUT_NO_KEYFRAME, 0, parsed);
        must = vs_rand_below(r, 20) == 0;
        while (cut_plan_next(&p, end, must, false, &cut) == 1) {
            check_cut(s, from, &cut, end + 1);
            from = cut.offset;
        }
        assert_true(end - from < 8 * MIB); /* never more than the window waits for a report */
    }
    while (cut_plan_next(&p, end, false, true, &cut) == 1) {
        if (cut.cut != MF_CUT_END)
            check_cut(s, from, &cut, end);
        from = cut.offset;
    }
    assert_int_equal(from, s->bytes);
    cut_plan_close(&p);
}

static void random_streams_keep_the_rule(void **state)
{
    static struct stream s;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct vs_rand r;

        vs_rand_init(&r, seed);
        stream_make(&s, &r);
        stream_run(&s, &r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_keyframes_a_cut_is_exactly_4_mib),
        cmocka_unit_test(the_keyframe_nearest_to_4_mib_wins),
        cmocka_unit_test(a_keyframe_behind_4_mib_wins_when_it_is_nearer),
        cmocka_unit_test(of_two_equally_near_the_earlier_wins),
        cmocka_unit_test(a_keyframe_is_taken_as_soon_as_no_nearer_one_can_come),
        cmocka_unit_test(ten_seconds_come_before_4_mib_in_a_lean_stream),
        cmocka_unit_test(the_window_is_1_to_8_mib_both_ends_included),
        cmocka_unit_test(it_never_waits_beyond_its_window),
        cmocka_unit_test(an_owner_that_cannot_hold_more_gets_what_is_known),
        cmocka_unit_test(when_no_more_reports_come_it_cuts_by_size_and_says_so),
        cmocka_unit_test(the_end_of_the_data_is_the_last_cut),
        cmocka_unit_test(the_end_is_preferred_where_it_is_nearer_than_a_keyframe),
        cmocka_unit_test(a_reset_begins_a_chunk_and_forgets_what_lies_before),
        cmocka_unit_test(nonsense_from_the_demuxer_is_dropped),
        cmocka_unit_test(more_keyframes_than_the_ring_holds_are_dropped),
        cmocka_unit_test(close_forgives),
        cmocka_unit_test(random_streams_keep_the_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
