/* Rules of px_frame.h: one frame is whole and of one sender, or it is refused. */
#include "meta/px_frame.h"

#include "common/crc.h"
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_head some_head(void)
{
    struct px_head head = { .epoch = 7, .pid = 3, .inc = 41 };

    memset(head.cluster.b, 0xc1, sizeof(head.cluster.b));
    return head;
}

static void make_frame(struct vs_buf *buf, enum px_frame_kind kind, const char *body)
{
    struct px_head head = some_head();
    struct px_frame_out out;
    struct vs_wr w;

    assert_int_equal(px_frame_begin(&out, buf, kind, &head), 0);
    w = vs_wr_init(buf, out.bytes_max);
    vs_wr_bytes(&w, body, strlen(body));
    out.count = 2;
    assert_int_equal(px_frame_end(&out), 0);
}

static void a_frame_says_who_sent_it_and_carries_its_body(void **state)
{
    struct px_head head = some_head();
    struct vs_buf buf = { 0 };
    struct px_frame f;

    (void)state;
    make_frame(&buf, PX_FRAME_ANSWERS, "body");
    assert_int_equal(buf.len, PX_FRAME_HEAD_BYTES + 4 + PX_FRAME_CRC_BYTES);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), 0);
    assert_int_equal(f.kind, PX_FRAME_ANSWERS);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.head.epoch, 7);
    assert_int_equal(f.head.pid, 3);
    assert_int_equal(f.head.inc, 41);
    assert_int_equal(vs_id_cmp(&f.head.cluster, &head.cluster), 0);
    assert_int_equal(vs_rd_left(&f.body), 4);
    assert_memory_equal(f.body.pos, "body", 4);
    vs_buf_close(&buf);
}

static void the_bytes_of_a_frame_are_these(void **state)
{
    static const uint8_t head[PX_FRAME_HEAD_BYTES] = {
        'V',  'S',  'P',  'X',  1,    3,    2,    0,    50,   0,    0,    0,    0xc1, 0xc1, 0xc1,
        0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 7,    0,
        0,    0,    0,    0,    0,    0,    3,    0,    0,    0,    41,   0,    0,    0
    };
    struct vs_buf buf = { 0 };
    uint32_t crc;

    (void)state;
    make_frame(&buf, PX_FRAME_JOURNAL, "xy");
    assert_int_equal(buf.len, 50);
    assert_memory_equal(buf.data, head, sizeof(head));
    crc = vs_crc32c(0, buf.data, 46);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(buf.data[46 + i], (uint8_t)(crc >> 8 * i));
    vs_buf_close(&buf);
}

static void frames_follow_each_other_in_a_stream(void **state)
{
    struct vs_buf buf = { 0 };
    size_t at = 0;
    unsigned frames = 0;

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "one");
    make_frame(&buf, PX_FRAME_JOURNAL, "");
    make_frame(&buf, PX_FRAME_ANSWERS, "number three");
    while (at < buf.len) {
        int len = px_frame_length(buf.data + at, buf.len - at);
        struct px_frame f;

        assert_true(len > 0);
        assert_int_equal(px_frame_open(buf.data + at, (size_t)len, &f), 0);
        at += (size_t)len;
        frames++;
    }
    assert_int_equal(frames, 3);
    assert_int_equal(px_frame_length(buf.data, PX_FRAME_LENGTH_BYTES - 1), 0);
    vs_buf_close(&buf);
}

static void every_truncation_and_every_changed_bit_is_refused(void **state)
{
    struct vs_buf buf = { 0 };
    struct px_frame f;

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "some body, of some length");
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *exact = malloc(len + 1);

        assert_non_null(exact);
        memcpy(exact, buf.data, len);
        assert_true(px_frame_open(exact, len, &f) < 0);
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * buf.len; bit++) {
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(px_frame_open(buf.data, buf.len, &f) < 0);
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), 0);
    vs_buf_close(&buf);
}

static void put_crc(struct vs_buf *buf)
{
    uint32_t crc = vs_crc32c(0, buf->data, buf->len - 4);

    for (unsigned i = 0; i < 4; i++)
        buf->data[buf->len - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static void a_newer_format_is_newer_and_not_corrupt(void **state)
{
    struct vs_buf buf = { 0 };
    struct px_frame f;

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "");
    buf.data[4] = PX_FRAME_FORMAT + 1;
    put_crc(&buf);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), -VS_ENEWER);
    assert_int_equal(px_frame_length(buf.data, buf.len), -VS_ENEWER);
    buf.data[4] = 0;
    put_crc(&buf);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void nonsense_with_a_right_checksum_is_refused(void **state)
{
    struct vs_buf buf = { 0 };
    struct px_frame f;

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "");
    buf.data[5] = 9; /* kind */
    put_crc(&buf);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), -VS_ECORRUPT);
    buf.data[5] = PX_FRAME_ASKS;
    memset(buf.data + 36, 0, 4); /* nobody's */
    put_crc(&buf);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), -VS_ECORRUPT);
    buf.len = 0;
    make_frame(&buf, PX_FRAME_ASKS, "body");
    buf.data[8]--; /* it says that it ends earlier */
    put_crc(&buf);
    assert_int_equal(px_frame_open(buf.data, buf.len, &f), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void a_length_beyond_any_frame_is_refused_before_anybody_waits_for_it(void **state)
{
    struct vs_buf buf = { 0 };

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "");
    buf.data[10] = 4; /* 256 KiB and 48 bytes */
    assert_int_equal(px_frame_length(buf.data, buf.len), -VS_ECORRUPT);
    buf.data[5] = PX_FRAME_JOURNAL;
    assert_int_equal(px_frame_length(buf.data, buf.len), (4 << 16) + 48);
    buf.data[11] = 1;
    assert_int_equal(px_frame_length(buf.data, buf.len), -VS_ECORRUPT);
    buf.data[10] = buf.data[11] = 0;
    buf.data[8] = 47; /* shorter than head and checksum */
    assert_int_equal(px_frame_length(buf.data, buf.len), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void a_dropped_frame_leaves_the_buffer_as_it_was(void **state)
{
    struct px_head head = some_head();
    struct px_frame_out out;
    struct vs_buf buf = { 0 };
    size_t before;

    (void)state;
    make_frame(&buf, PX_FRAME_ASKS, "first");
    before = buf.len;
    assert_int_equal(px_frame_begin(&out, &buf, PX_FRAME_JOURNAL, &head), 0);
    px_frame_drop(&out);
    px_frame_drop(&out);
    assert_int_equal(buf.len, before);
    vs_buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_says_who_sent_it_and_carries_its_body),
        cmocka_unit_test(the_bytes_of_a_frame_are_these),
        cmocka_unit_test(frames_follow_each_other_in_a_stream),
        cmocka_unit_test(every_truncation_and_every_changed_bit_is_refused),
        cmocka_unit_test(a_newer_format_is_newer_and_not_corrupt),
        cmocka_unit_test(nonsense_with_a_right_checksum_is_refused),
        cmocka_unit_test(a_length_beyond_any_frame_is_refused_before_anybody_waits_for_it),
        cmocka_unit_test(a_dropped_frame_leaves_the_buffer_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
