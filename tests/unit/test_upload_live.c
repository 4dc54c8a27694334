/* Cutting at keyframes while a stream arrives, with a demuxer of the tests' own that lags, hangs
 * and dies on command: cuts are where they should be, and nothing ever waits for it for long. */
#include "common/err.h"
#include "common/rand.h"
#include "ingest/upload_impl.h"
#include "tests/support/cutter_fake.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

struct film {
    uint64_t keyframes[CUTTER_FAKE_KEYFRAMES_MAX];
    unsigned count;
    uint64_t bytes;
};

static void film_make(struct film *f, uint64_t bytes, uint64_t gap_max)
{
    struct vs_rand r;

    vs_rand_init(&r, bytes);
    *f = (struct film){ .bytes = bytes };
    for (uint64_t at = 100; at < bytes; at += gap_max / 4 + vs_rand_below(&r, gap_max))
        f->keyframes[f->count++] = at;
}

/* Index of the keyframe at an offset, or -1. */
static int keyframe_at(const struct film *f, uint64_t offset)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->keyframes[i] == offset)
            return (int)i;
    }
    return -1;
}

static unsigned count_cuts(const struct upload_flush *f, enum mf_cut cut)
{
    unsigned n = 0;

    for (size_t i = 0; i < f->chunk_count; i++)
        n += f->chunks[i].cut == cut;
    return n;
}

/* Each chunk's end and start time are what the film says. */
static void cuts_check(const struct film *film, const struct upload *u,
                       const struct upload_flush *f)
{
    for (size_t i = 0; i < f->chunk_count; i++) {
        const struct mf_chunk *c = &f->chunks[i];
        int k = keyframe_at(film, c->offset + c->bytes);

        if (c->cut == MF_CUT_END) {
            assert_int_equal(i + 1, f->chunk_count);
            continue;
        }
        assert_in_range(c->bytes, CUT_MIN_BYTES, CUT_MAX_BYTES);
        if (c->cut == MF_CUT_KEYFRAME) {
            assert_true(k >= 0);
            assert_int_equal(upload_chunk_start_ms(u, i + 1), 1000 * k);
        } else {
            assert_int_equal(c->bytes, CUT_TARGET_BYTES);
            assert_int_equal(upload_chunk_start_ms(u, i + 1), UINT32_MAX);
        }
    }
}

struct fixture {
    struct upload_rig rig;
    struct film film;
    struct cutter *cutter;
    struct upload *u;
    struct upload_flush f;
};

static void begin(struct fixture *x, uint64_t bytes, uint64_t gap_max)
{
    film_make(&x->film, bytes, gap_max);
    x->cutter = cutter_fake_new(x->film.keyframes, x->film.count);
    upload_rig_open(&x->rig, 5, 0, x->cutter);
    x->u = upload_rig_upload(&x->rig, "film.mkv", true, true);
}

static void append(struct fixture *x, uint64_t bytes)
{
    assert_int_equal(upload_rig_append(x->u, 1, bytes, 131072), 0);
}

static void flush_and_check(struct fixture *x)
{
    assert_int_equal(upload_rig_flush(x->u, &x->f), 0);
    cuts_check(&x->film, x->u, &x->f);
    assert_true(x->f.sha_known);
    for (size_t i = 0; i < x->f.chunk_count; i += i + 4 < x->f.chunk_count ? 3 : 1)
        upload_rig_check(&x->rig, &x->f.chunks[i], 1, 1, x->f.chunks[i].offset);
}

static void end(struct fixture *x)
{
    upload_free(x->u);
    upload_rig_close(&x->rig);
    cutter_fake_free(x->cutter);
}

static void interior_cuts_are_at_keyframes(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 50 * MIB + 11, 2 * MIB);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_KEYFRAME), x.f.chunk_count - 1);
    assert_int_equal(upload_chunk_start_ms(x.u, 0), 0);
    assert_int_equal(cutter_fake_fed(x.cutter), x.film.bytes);
    end(&x);
}

static void windows_without_a_keyframe_are_cut_by_size(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 60 * MIB, 20 * MIB);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_true(count_cuts(&x.f, MF_CUT_SIZE) > 0);
    assert_true(count_cuts(&x.f, MF_CUT_KEYFRAME) > 0);
    end(&x);
}

static void a_demuxer_that_lags_is_waited_for_with_bytes_not_with_time(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 60 * MIB, 2 * MIB);
    cutter_fake_lag(x.cutter, 25 * MIB);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_KEYFRAME), x.f.chunk_count - 1);
    end(&x);
}

static void a_demuxer_that_takes_nothing_for_a_moment_costs_no_keyframe(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 30 * MIB, 2 * MIB);
    append(&x, 10 * MIB);
    cutter_fake_refuse(x.cutter, 5);
    append(&x, x.film.bytes - upload_end(x.u));
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_KEYFRAME), x.f.chunk_count - 1);
    end(&x);
}

static void a_demuxer_that_hangs_is_left_after_a_moment(void **state)
{
    struct fixture x;
    int64_t begun;

    (void)state;
    begin(&x, 60 * MIB, 2 * MIB);
    append(&x, 20 * MIB);
    cutter_fake_feed_status(x.cutter, -EAGAIN);
    begun = vs_now_ns(&vs_clock_system);
    append(&x, 131072); /* waits for the demuxer, then no more */
    assert_true(vs_now_ns(&vs_clock_system) - begun >= UPLOAD_LAG_MS_MAX * VS_NS_PER_MS / 2);
    append(&x, x.film.bytes - upload_end(x.u));
    flush_and_check(&x);
    assert_true(cutter_fake_fed(x.cutter) < 21 * MIB);
    assert_true(count_cuts(&x.f, MF_CUT_KEYFRAME) > 0);
    assert_true(count_cuts(&x.f, MF_CUT_SIZE) > 5);
    end(&x);
}

static void a_demuxer_that_is_slow_to_start_costs_no_keyframe(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 40 * MIB, 2 * MIB);
    cutter_fake_hold_open(x.cutter, true);
    append(&x, 10 * MIB); /* less than it may be behind */
    cutter_fake_hold_open(x.cutter, false);
    append(&x, 30 * MIB);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_KEYFRAME), x.f.chunk_count - 1);
    end(&x);
}

static void a_demuxer_that_never_starts_is_left(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 60 * MIB, 2 * MIB);
    cutter_fake_hold_open(x.cutter, true);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_SIZE), x.f.chunk_count - 1);
    cutter_fake_hold_open(x.cutter, false); /* and comes to life when nobody needs it */
    end(&x);
}

static void a_demuxer_that_dies_costs_only_its_keyframes(void **state)
{
    (void)state;
    for (int by_feed = 0; by_feed < 2; by_feed++) {
        struct fixture x;

        begin(&x, 60 * MIB, 2 * MIB);
        append(&x, 20 * MIB);
        if (by_feed)
            cutter_fake_feed_status(x.cutter, -EPIPE);
        else
            cutter_fake_die_at(x.cutter, 25 * MIB);
        append(&x, 40 * MIB);
        flush_and_check(&x);
        assert_true(count_cuts(&x.f, MF_CUT_KEYFRAME) > 0);
        assert_true(count_cuts(&x.f, MF_CUT_SIZE) > 3);
        assert_int_equal(count_cuts(&x.f, MF_CUT_EXEMPT), 0);
        end(&x);
    }
}

/* It takes everything and says nothing: what is held is bounded, and so is the flush. */
static void a_demuxer_that_says_nothing_is_left_when_enough_is_held(void **state)
{
    struct fixture x;
    uint64_t held;

    (void)state;
    begin(&x, 70 * MIB, 2 * MIB);
    append(&x, MIB);
    cutter_fake_mute(x.cutter, true);
    append(&x, x.film.bytes - MIB);
    pthread_mutex_lock(&x.rig.env->lock);
    held = x.u->end - x.u->window_from;
    pthread_mutex_unlock(&x.rig.env->lock);
    assert_in_range(held, 8 * MIB, UPLOAD_HOLD_BYTES_MAX);
    flush_and_check(&x); /* waits for the last reports, but not long */
    assert_int_equal(count_cuts(&x.f, MF_CUT_SIZE), x.f.chunk_count - 1);
    end(&x);
}

static void no_video_is_exempt_and_is_not_looked_at(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 20 * MIB, 2 * MIB);
    cutter_fake_expect(false);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_EXEMPT), x.f.chunk_count - 1);
    assert_int_equal(cutter_fake_opened(x.cutter), 0);
    upload_free(x.u);

    cutter_fake_expect(true); /* not to be cut live after all */
    cutter_fake_open_status(x.cutter, -ENOTSUP);
    x.u = upload_rig_upload(&x.rig, "film.mp4", true, false);
    append(&x, x.film.bytes);
    flush_and_check(&x);
    assert_int_equal(count_cuts(&x.f, MF_CUT_KEYFRAME), 0);
    assert_int_equal(count_cuts(&x.f, MF_CUT_SIZE), 0);
    end(&x);
}

static void small_files_are_not_looked_at(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 65536, 10000);
    append(&x, 65536);
    assert_int_equal(upload_rig_flush(x.u, &x.f), 0);
    assert_int_equal(x.f.inline_len, 65536);
    assert_int_equal(cutter_fake_opened(x.cutter), 0);
    end(&x);
}

static void a_hole_ends_the_search(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 50 * MIB, 2 * MIB);
    append(&x, 21 * MIB);
    assert_int_equal(upload_hole(x.u, 5 * MIB), 0);
    append(&x, 24 * MIB);
    assert_int_equal(upload_rig_flush(x.u, &x.f), 0);
    upload_rig_check(&x.rig, x.f.chunks, x.f.chunk_count, 1, 0);
    for (size_t i = 0; i < x.f.chunk_count; i++) {
        if (x.f.chunks[i].offset > 26 * MIB && i + 1 < x.f.chunk_count)
            assert_int_equal(x.f.chunks[i].cut, MF_CUT_SIZE);
    }
    end(&x);
}

static void what_is_held_for_the_demuxer_can_be_read(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, 40 * MIB, 2 * MIB);
    cutter_fake_lag(x.cutter, 20 * MIB);
    for (unsigned i = 0; i < 40; i++) {
        append(&x, MIB);
        for (uint64_t offset = i; offset < upload_end(x.u); offset += 999983) {
            uint8_t got[5000], want[5000];
            struct mf_chunk chunk;
            int64_t n = upload_peek(x.u, offset, got, sizeof(got), &chunk);

            assert_true(n >= 0);
            upload_rig_fill(want, 1, offset, (size_t)n);
            assert_memory_equal(got, want, (size_t)n);
            assert_true(n > 0 || (offset >= chunk.offset && offset < chunk.offset + chunk.bytes));
        }
    }
    flush_and_check(&x);
    end(&x);
}

static void an_upload_can_be_freed_while_reports_come_in(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct fixture x;

        begin(&x, 20 * MIB, MIB);
        if (i % 4 == 1)
            cutter_fake_lag(x.cutter, 3 * MIB);
        append(&x, (1 + i) * 700000);
        if (i % 4 == 2)
            cutter_fake_feed_status(x.cutter, -EAGAIN);
        end(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interior_cuts_are_at_keyframes),
        cmocka_unit_test(windows_without_a_keyframe_are_cut_by_size),
        cmocka_unit_test(a_demuxer_that_lags_is_waited_for_with_bytes_not_with_time),
        cmocka_unit_test(a_demuxer_that_takes_nothing_for_a_moment_costs_no_keyframe),
        cmocka_unit_test(a_demuxer_that_hangs_is_left_after_a_moment),
        cmocka_unit_test(a_demuxer_that_is_slow_to_start_costs_no_keyframe),
        cmocka_unit_test(a_demuxer_that_never_starts_is_left),
        cmocka_unit_test(a_demuxer_that_dies_costs_only_its_keyframes),
        cmocka_unit_test(a_demuxer_that_says_nothing_is_left_when_enough_is_held),
        cmocka_unit_test(no_video_is_exempt_and_is_not_looked_at),
        cmocka_unit_test(small_files_are_not_looked_at),
        cmocka_unit_test(a_hole_ends_the_search),
        cmocka_unit_test(what_is_held_for_the_demuxer_can_be_read),
        cmocka_unit_test(an_upload_can_be_freed_while_reports_come_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
