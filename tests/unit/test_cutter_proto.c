/* cutter_proto: what a child says is taken only when it is whole and within its limits: it has
 * parsed somebody's file. */
#include "common/err.h"
#include "common/rand.h"
#include "ingest/cutter_proto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_header_reads_back(void **state)
{
    uint8_t bytes[CUTTER_HEADER_BYTES];
    struct cutter_header h;

    (void)state;
    for (uint8_t type = CUTTER_KEYFRAME; type <= CUTTER_DATA; type++) {
        cutter_header_encode(bytes, type, CUTTER_PAYLOAD_BYTES_MAX);
        assert_int_equal(cutter_header_decode(bytes, &h), 0);
        assert_int_equal(h.type, type);
        assert_int_equal(h.bytes, CUTTER_PAYLOAD_BYTES_MAX);
    }
    cutter_header_encode(bytes, CUTTER_READ, 0x01020304 & 0xffffff);
    assert_memory_equal(bytes, "\x02\x04\x03\x02\x00", 5);
}

static void other_types_and_lengths_are_refused(void **state)
{
    uint8_t bytes[CUTTER_HEADER_BYTES];
    struct cutter_header h;

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        cutter_header_encode(bytes, (uint8_t)type, 0);
        assert_int_equal(cutter_header_decode(bytes, &h) < 0,
                         type < CUTTER_KEYFRAME || type > CUTTER_DATA);
    }
    cutter_header_encode(bytes, CUTTER_RESULT, CUTTER_PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(cutter_header_decode(bytes, &h), -VS_ECORRUPT);
    cutter_header_encode(bytes, CUTTER_RESULT, UINT32_MAX);
    assert_int_equal(cutter_header_decode(bytes, &h), -VS_ECORRUPT);
}

static void a_keyframe_message_has_one_length(void **state)
{
    static const uint8_t bytes[21] = { 1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 5, 6 };
    struct cutter_keyframe_message m;

    (void)state;
    assert_int_equal(cutter_keyframe_decode(bytes, 20, &m), 0);
    assert_int_equal(m.offset, 0x201);
    assert_int_equal(m.time_ms, 0x403);
    assert_int_equal(m.parsed, 0x605);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        assert_int_equal(cutter_keyframe_decode(bytes, len, &m) == 0, len == 20);
}

/* ---- results ---- */

static struct cutter_keyframe frames[3] = { { .offset = 100, .time_ms = 0 },
                                            { .offset = 5000, .time_ms = 2000 },
                                            { .offset = 90000, .time_ms = 4000 } };

static void encode(struct vs_buf *ret)
{
    struct cutter_probe_result r = {
        .media = { .container = "matroska,webm", .duration_ms = 6000, .bitrate_bps = 8000000 },
        .keyframes = frames,
        .keyframe_count = 3
    };

    assert_int_equal(cutter_result_encode(&r, ret), 0);
}

static void a_result_reads_back(void **state)
{
    struct cutter_probe_result r;
    struct vs_buf b = { 0 };

    (void)state;
    encode(&b);
    assert_int_equal(cutter_result_decode(b.data, b.len, &r), 0);
    assert_string_equal(r.media.container, "matroska,webm");
    assert_int_equal(r.media.duration_ms, 6000);
    assert_int_equal(r.media.bitrate_bps, 8000000);
    assert_int_equal(r.keyframe_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(r.keyframes[i].offset, frames[i].offset);
        assert_int_equal(r.keyframes[i].time_ms, frames[i].time_ms);
    }
    cutter_probe_result_close(&r);
    cutter_probe_result_close(&r); /* forgives */
    vs_buf_close(&b);
}

/* Cuts are looked for in order; what goes backwards, or twice to one place, is of no use. */
static void keyframes_out_of_order_are_dropped(void **state)
{
    static struct cutter_keyframe mixed[] = { { .offset = 50 },        { .offset = 40 },
                                              { .offset = 50 },        { .offset = 51 },
                                              { .offset = 0 },         { .offset = 60 },
                                              { .offset = UINT64_MAX } };
    static const uint64_t want[] = { 50, 51, 60, UINT64_MAX };
    struct cutter_probe_result in = { .keyframes = mixed, .keyframe_count = 7 }, out;
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(cutter_result_encode(&in, &b), 0);
    assert_int_equal(cutter_result_decode(b.data, b.len, &out), 0);
    assert_int_equal(out.keyframe_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(out.keyframes[i].offset == want[i]);
    cutter_probe_result_close(&out);
    vs_buf_close(&b);
}

/* Cut short anywhere, or with more behind it; a count that the payload does not hold. */
static void a_result_that_is_not_whole_is_refused(void **state)
{
    struct cutter_probe_result r;
    struct vs_buf b = { 0 };
    size_t count_at;

    (void)state;
    encode(&b);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *part = malloc(len + 1); /* so that a read behind it is noticed */

        assert_non_null(part);
        memcpy(part, b.data, len);
        assert_true(cutter_result_decode(part, len, &r) < 0);
        assert_null(r.keyframes);
        free(part);
    }
    count_at = b.len - 3 * 12 - 4;
    assert_int_equal(b.data[count_at], 3);
    for (unsigned count = 0; count < 256; count++) {
        b.data[count_at] = (uint8_t)count;
        if (count == 3)
            continue;
        assert_true(cutter_result_decode(b.data, b.len, &r) < 0);
    }
    memset(b.data + count_at, 0xff, 4);
    assert_true(cutter_result_decode(b.data, b.len, &r) < 0);
    vs_buf_close(&b);
}

/* Whatever it says: an error, or something that obeys the rules of a result. */
static void flipped_bytes_are_refused_or_make_a_result(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_rand rand;

    (void)state;
    encode(&b);
    vs_rand_init(&rand, 5);
    for (unsigned round = 0; round < 20000; round++) {
        struct cutter_probe_result r;
        uint8_t *bytes = malloc(b.len);

        assert_non_null(bytes);
        memcpy(bytes, b.data, b.len);
        for (unsigned n = 0; n < 1 + round % 3; n++)
            bytes[vs_rand_below(&rand, b.len)] = (uint8_t)vs_rand_below(&rand, 256);
        if (cutter_result_decode(bytes, b.len, &r) == 0) {
            assert_true(r.keyframe_count <= 3);
            assert_true(memchr(r.media.container, 0, sizeof(r.media.container)) != NULL);
            for (size_t i = 1; i < r.keyframe_count; i++)
                assert_true(r.keyframes[i].offset > r.keyframes[i - 1].offset);
            cutter_probe_result_close(&r);
        }
        free(bytes);
    }
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_reads_back),
        cmocka_unit_test(other_types_and_lengths_are_refused),
        cmocka_unit_test(a_keyframe_message_has_one_length),
        cmocka_unit_test(a_result_reads_back),
        cmocka_unit_test(keyframes_out_of_order_are_dropped),
        cmocka_unit_test(a_result_that_is_not_whole_is_refused),
        cmocka_unit_test(flipped_bytes_are_refused_or_make_a_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
