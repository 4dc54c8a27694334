/* manifest_media: a media description comes back as it went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/manifest.h"

#include <stdlib.h>
#include <string.h>

static struct mf_stream streams[2];
static struct mf_range ranges[3], pack[2];
static uint32_t starts[5];

static struct mf_media make_media(void)
{
    streams[0] = (struct mf_stream){
        .type = 'v', .codec = "h264", .width = 1920, .height = 1080, .language = "und"
    };
    streams[1] = (struct mf_stream){
        .type = 'a', .codec = "aac", .sample_rate = 48000, .channels = 6, .language = "german1"
    };
    for (uint64_t i = 0; i < 3; i++)
        ranges[i] = (struct mf_range){ i << 30, 4096 + i };
    pack[0] = (struct mf_range){ 0, 65536 };
    pack[1] = (struct mf_range){ UINT64_C(1) << 40, 1 };
    for (uint32_t i = 0; i < 5; i++)
        starts[i] = i == 3 ? UINT32_MAX : i * 10000;
    return (struct mf_media){ .container = "matroska,webm",
                              .duration_ms = 5400000,
                              .bitrate_bps = 8000000,
                              .streams = streams,
                              .stream_count = 2,
                              .index_ranges = ranges,
                              .index_range_count = 3,
                              .probe_pack = pack,
                              .probe_pack_count = 2,
                              .chunk_start_ms = starts,
                              .chunk_start_count = 5 };
}

static void a_description_comes_back_as_it_went_in(void **state)
{
    struct mf_media m = make_media(), back;
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(mf_media_encode(&m, &buf), 0);
    assert_int_equal(mf_media_decode(buf.data, buf.len, &back), 0);
    assert_string_equal(back.container, m.container);
    assert_int_equal(back.duration_ms, m.duration_ms);
    assert_int_equal(back.bitrate_bps, m.bitrate_bps);
    assert_int_equal(back.stream_count, 2);
    assert_memory_equal(back.streams, streams, sizeof(streams));
    assert_int_equal(back.index_range_count, 3);
    assert_memory_equal(back.index_ranges, ranges, sizeof(ranges));
    assert_int_equal(back.probe_pack_count, 2);
    assert_memory_equal(back.probe_pack, pack, sizeof(pack));
    assert_int_equal(back.chunk_start_count, 5);
    assert_memory_equal(back.chunk_start_ms, starts, sizeof(starts));
    mf_media_close(&back);
    mf_media_close(&back);
    vs_buf_close(&buf);
}

static void no_video_is_an_empty_description(void **state)
{
    struct mf_media m = { 0 }, back;
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(mf_media_encode(&m, &buf), 0);
    assert_int_equal(mf_media_decode(buf.data, buf.len, &back), 0);
    assert_string_equal(back.container, "");
    assert_int_equal(back.stream_count, 0);
    mf_media_close(&back);
    vs_buf_close(&buf);
}

static void every_truncated_or_longer_description_is_refused(void **state)
{
    struct mf_media m = make_media(), back;
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(mf_media_encode(&m, &buf), 0);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(mf_media_decode(buf.data, len, &back), -VS_ECORRUPT);
    assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
    assert_int_equal(mf_media_decode(buf.data, buf.len, &back), -VS_ECORRUPT);
    buf.data[0] = 2;
    assert_int_equal(mf_media_decode(buf.data, buf.len, &back), -VS_ENEWER);
    vs_buf_close(&buf);
}

static void an_impossible_description_is_not_encoded(void **state)
{
    struct vs_buf buf = { 0 };

    (void)state;
    for (int lie = 0; lie < 6; lie++) {
        struct mf_media m = make_media();

        switch (lie) {
        case 0:
            memset(m.container, 'x', sizeof(m.container));
            break;
        case 1:
            streams[1].type = 'x';
            break;
        case 2:
            memset(streams[0].language, 'x', sizeof(streams[0].language));
            break;
        case 3:
            m.stream_count = MF_STREAMS_MAX + 1;
            break;
        case 4:
            ranges[2] = (struct mf_range){ INT64_MAX, 1 };
            break;
        default:
            m.probe_pack_count = MF_RANGES_MAX + 1;
            break;
        }
        assert_int_equal(mf_media_encode(&m, &buf), -EINVAL);
        assert_int_equal(buf.len, 0);
    }
    vs_buf_close(&buf);
}

static void a_time_map_too_long_for_an_entry_is_refused_and_leaves_nothing(void **state)
{
    struct mf_media m = make_media();
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(vs_buf_append(&buf, "abc", 3, SIZE_MAX), 0);
    m.chunk_start_count = MF_MEDIA_BYTES_MAX / 4;
    m.chunk_start_ms = calloc(m.chunk_start_count, sizeof(uint32_t));
    assert_non_null(m.chunk_start_ms);
    assert_int_equal(mf_media_encode(&m, &buf), -EMSGSIZE);
    assert_int_equal(buf.len, 3);
    free(m.chunk_start_ms);
    m.chunk_start_count = 0;
    assert_int_equal(mf_media_encode(&m, &buf), 0);
    vs_buf_close(&buf);
}

static void random_bytes_decode_to_something_valid_or_nothing(void **state)
{
    struct mf_media m = make_media(), back;
    struct vs_buf buf = { 0 }, again = { 0 };
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 2);
    assert_int_equal(mf_media_encode(&m, &buf), 0);
    for (int round = 0; round < 20000; round++) {
        size_t at = vs_rand_below(&rand, buf.len);
        uint8_t old = buf.data[at];

        buf.data[at] = (uint8_t)vs_rand_u64(&rand);
        if (mf_media_decode(buf.data, buf.len, &back) == 0) {
            again.len = 0;
            assert_int_equal(mf_media_encode(&back, &again), 0);
            assert_int_equal(again.len, buf.len);
            assert_memory_equal(again.data, buf.data, buf.len);
            mf_media_close(&back);
        }
        buf.data[at] = old;
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_comes_back_as_it_went_in),
        cmocka_unit_test(no_video_is_an_empty_description),
        cmocka_unit_test(every_truncated_or_longer_description_is_refused),
        cmocka_unit_test(an_impossible_description_is_not_encoded),
        cmocka_unit_test(a_time_map_too_long_for_an_entry_is_refused_and_leaves_nothing),
        cmocka_unit_test(random_bytes_decode_to_something_valid_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
