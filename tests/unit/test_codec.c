/* Fields come back as they went in; nothing outside the input is ever read. */
#include "common/codec.h"
#include "common/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void write_all(struct vs_wr *w)
{
    vs_wr_u8(w, 0x01);
    vs_wr_u16(w, 0x0203);
    vs_wr_u32(w, 0x04050607);
    vs_wr_u64(w, 0x08090a0b0c0d0e0f);
    vs_wr_be32(w, 0x10111213);
    vs_wr_be64(w, 0x1415161718191a1b);
    vs_wr_bytes(w, "abc", 3);
    vs_wr_blob(w, "hello", 5);
    vs_wr_blob(w, NULL, 0);
}

/* The bytes themselves: what is on disks must never change. */
static const uint8_t golden[] = {
    0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 'a',  'b',  'c',
    5,    0,    0,    0,    'h',  'e',  'l',  'l',  'o',  0,    0,    0,    0,
};

/* True when all fields were read and are right. */
static bool read_all(const uint8_t *bytes, size_t len)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    bool ok = true;
    const uint8_t *blob;
    char abc[3];
    size_t n;

    ok &= vs_rd_u8(&r) == 0x01;
    ok &= vs_rd_u16(&r) == 0x0203;
    ok &= vs_rd_u32(&r) == 0x04050607;
    ok &= vs_rd_u64(&r) == 0x08090a0b0c0d0e0f;
    ok &= vs_rd_be32(&r) == 0x10111213;
    ok &= vs_rd_be64(&r) == 0x1415161718191a1b;
    vs_rd_bytes(&r, abc, sizeof(abc));
    ok &= memcmp(abc, "abc", 3) == 0;
    blob = vs_rd_blob(&r, 5, &n);
    ok &= n == 5 && blob != NULL && memcmp(blob, "hello", 5) == 0;
    blob = vs_rd_blob(&r, 5, &n);
    ok &= n == 0 && blob != NULL;
    if (vs_rd_done(&r) < 0)
        return false;
    assert_true(ok);
    return true;
}

static void bytes_are_fixed_little_endian_but_for_be(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, sizeof(golden));

    (void)state;
    write_all(&w);
    assert_int_equal(w.err, 0);
    assert_int_equal(b.len, sizeof(golden));
    assert_memory_equal(b.data, golden, sizeof(golden));
    assert_true(read_all(b.data, b.len));
    vs_buf_close(&b);
}

static void input_cut_anywhere_or_too_long_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(golden); len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1); /* the sanitizer watches its end */

        memcpy(exact, golden, len);
        assert_false(read_all(exact, len));
        free(exact);
    }
    {
        uint8_t longer[sizeof(golden) + 1] = { 0 };

        memcpy(longer, golden, sizeof(golden));
        assert_false(read_all(longer, sizeof(longer)));
    }
}

static void after_a_failure_every_read_gives_zeros(void **state)
{
    const uint8_t bytes[] = { 0xff, 0xff, 0xff };
    struct vs_rd r = vs_rd_init(bytes, sizeof(bytes));
    uint8_t copy[2] = { 9, 9 };
    size_t n = 9;

    (void)state;
    assert_int_equal(vs_rd_u32(&r), 0); /* three bytes left, four wanted */
    assert_int_equal(r.err, -VS_ECORRUPT);
    assert_int_equal(vs_rd_u8(&r), 0); /* although one would have been there */
    assert_int_equal(vs_rd_u16(&r), 0);
    assert_int_equal(vs_rd_u64(&r), 0);
    vs_rd_bytes(&r, copy, sizeof(copy));
    assert_int_equal(copy[0] | copy[1], 0);
    assert_null(vs_rd_view(&r, 1));
    assert_null(vs_rd_view(&r, 0));
    assert_null(vs_rd_blob(&r, 10, &n));
    assert_int_equal(n, 0);
    assert_int_equal(vs_rd_done(&r), -VS_ECORRUPT);
    assert_int_equal(vs_rd_left(&r), 3);
}

static void a_blob_longer_than_its_limit_is_refused(void **state)
{
    const uint8_t bytes[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
    const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 'a' };
    struct vs_rd r = vs_rd_init(bytes, sizeof(bytes));
    size_t n = 9;

    (void)state;
    assert_null(vs_rd_blob(&r, 2, &n));
    assert_int_equal(n, 0);
    assert_int_equal(r.err, -VS_ECORRUPT);

    r = vs_rd_init(huge, sizeof(huge));
    assert_null(vs_rd_blob(&r, SIZE_MAX, &n));
    assert_int_equal(vs_rd_done(&r), -VS_ECORRUPT);
}

static void empty_input_is_done_at_once_and_a_view_of_nothing_is_no_failure(void **state)
{
    struct vs_rd r = vs_rd_init(NULL, 0);

    (void)state;
    assert_int_equal(vs_rd_done(&r), 0);
    assert_non_null(vs_rd_view(&r, 0));
    assert_int_equal(vs_rd_done(&r), 0);
    assert_int_equal(vs_rd_u8(&r), 0);
    assert_int_equal(vs_rd_done(&r), -VS_ECORRUPT);
}

static void a_writer_at_its_limit_appends_nothing_more(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, 5);

    (void)state;
    vs_wr_u32(&w, 1);
    vs_wr_u16(&w, 2); /* would be six */
    assert_int_equal(w.err, -EMSGSIZE);
    vs_wr_u8(&w, 3); /* would fit, but the message is broken already */
    vs_wr_blob(&w, "x", 1);
    assert_int_equal(b.len, 4);
    assert_int_equal(w.err, -EMSGSIZE);
    vs_buf_close(&b);
}

static void a_blob_of_more_than_its_length_field_can_say_is_refused(void **state)
{
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, SIZE_MAX);

    (void)state;
    vs_wr_blob(&w, "x", (size_t)UINT32_MAX + 1);
    assert_int_equal(w.err, -EMSGSIZE);
    assert_int_equal(b.len, 0);
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_fixed_little_endian_but_for_be),
        cmocka_unit_test(input_cut_anywhere_or_too_long_is_refused),
        cmocka_unit_test(after_a_failure_every_read_gives_zeros),
        cmocka_unit_test(a_blob_longer_than_its_limit_is_refused),
        cmocka_unit_test(empty_input_is_done_at_once_and_a_view_of_nothing_is_no_failure),
        cmocka_unit_test(a_writer_at_its_limit_appends_nothing_more),
        cmocka_unit_test(a_blob_of_more_than_its_length_field_can_say_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
