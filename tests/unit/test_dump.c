/* Dumps: what goes in comes out, and nothing that is not whole is taken for it. */
#include "common/crc.h"
#include "common/err.h"
#include "meta/dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct dump_fixture {
    struct vs_buf bytes;
    char text[512]; /* what was read */
    unsigned pairs;
    struct dump_head head;
};

static const struct dump_head head = { .kind = DUMP_BACKUP,
                                       .cluster = { { 1, 2, 3 } },
                                       .slot = UINT64_C(0x0102030405060708),
                                       .made_ns = -5 };

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct dump_fixture));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct dump_fixture *f = *state;

    vs_buf_close(&f->bytes);
    free(f);
    return 0;
}

static int see(void *arg, uint8_t section, const uint8_t *key, size_t key_len, const uint8_t *value,
               size_t value_len)
{
    struct dump_fixture *f = arg;
    size_t len = strlen(f->text);

    f->pairs++;
    if (value_len < 16)
        snprintf(f->text + len, sizeof(f->text) - len, "%u/%.*s=%.*s ", section, (int)key_len, key,
                 (int)value_len, value);
    return 0;
}

/* Sections, keys, values, one after the other; a NULL section ends it. */
static void write_small(struct dump_fixture *f)
{
    static const struct {
        uint8_t section;
        const char *key, *value;
    } pair[] = { { 1, "a", "1" }, { 1, "ab", "" }, { 1, "b", "22" }, { 3, "a", "3" } };
    struct dump_out out;

    f->bytes.len = 0;
    assert_int_equal(dump_out_begin(&out, &head, &f->bytes), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(dump_out_pair(&out, pair[i].section, pair[i].key, strlen(pair[i].key),
                                       pair[i].value, strlen(pair[i].value), &f->bytes),
                         0);
    assert_int_equal(dump_out_end(&out, &f->bytes), 0);
    dump_out_close(&out);
}

/* In pieces of `step` bytes. */
static int read_all(struct dump_fixture *f, const uint8_t *bytes, size_t len, size_t step)
{
    struct dump_in in;
    int r = 0;

    f->text[0] = '\0';
    f->pairs = 0;
    assert_int_equal(dump_in_init(&in), 0);
    for (size_t at = 0; at < len && r == 0; at += step)
        r = dump_in_feed(&in, bytes + at, len - at < step ? len - at : step, see, f);
    if (r == 0)
        r = dump_in_done(&in);
    f->head = in.head;
    dump_in_close(&in);
    return r;
}

static void what_was_written_is_read_whatever_the_pieces(void **state)
{
    struct dump_fixture *f = *state;

    write_small(f);
    for (size_t step = 1; step <= f->bytes.len; step++) {
        assert_int_equal(read_all(f, f->bytes.data, f->bytes.len, step), 0);
        assert_string_equal(f->text, "1/a=1 1/ab= 1/b=22 3/a=3 ");
        assert_int_equal(f->head.kind, head.kind);
        assert_memory_equal(&f->head.cluster, &head.cluster, sizeof(head.cluster));
        assert_true(f->head.slot == head.slot);
        assert_true(f->head.made_ns == head.made_ns);
    }
}

static void an_empty_one_is_a_dump_too(void **state)
{
    struct dump_fixture *f = *state;
    struct dump_out out;

    assert_int_equal(dump_out_begin(&out, &head, &f->bytes), 0);
    assert_int_equal(dump_out_end(&out, &f->bytes), 0);
    dump_out_close(&out);
    assert_int_equal(read_all(f, f->bytes.data, f->bytes.len, 7), 0);
    assert_int_equal(f->pairs, 0);
}

static void every_flipped_bit_is_found(void **state)
{
    struct dump_fixture *f = *state;

    write_small(f);
    for (size_t bit = 0; bit < f->bytes.len * 8; bit++) {
        f->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(read_all(f, f->bytes.data, f->bytes.len, 64) < 0);
        f->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(read_all(f, f->bytes.data, f->bytes.len, 64), 0);
}

static void one_that_was_cut_off_or_goes_on_is_not_whole(void **state)
{
    struct dump_fixture *f = *state;
    size_t len;

    write_small(f);
    len = f->bytes.len;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(read_all(f, f->bytes.data, cut, 16), -VS_ECORRUPT);
    assert_int_equal(vs_buf_append(&f->bytes, "x", 1, 1 << 20), 0);
    assert_int_equal(read_all(f, f->bytes.data, len + 1, 16), -VS_ECORRUPT);
}

/* The blocks of the small one: head, section 1, section 3, end. Each is fine by itself. */
static void a_block_that_is_missing_or_comes_twice_is_found(void **state)
{
    struct dump_fixture *f = *state;
    struct vs_buf made = { 0 };
    size_t start[5] = { 0 };

    write_small(f);
    for (unsigned i = 0; i < 4; i++)
        start[i + 1] = start[i] + 9 + f->bytes.data[start[i] + 1];
    assert_int_equal(start[4], f->bytes.len);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned times = 0; times <= 2; times += 2) {
            made.len = 0;
            for (unsigned n = 0; n < 4; n++)
                for (unsigned t = 0; t < (n == i ? times : 1); t++)
                    assert_int_equal(vs_buf_append(&made, f->bytes.data + start[n],
                                                   start[n + 1] - start[n], 1 << 20),
                                     0);
            assert_true(read_all(f, made.data, made.len, 16) < 0);
        }
    }
    vs_buf_close(&made);
}

static void keys_must_ascend_and_keep_their_limits(void **state)
{
    struct dump_fixture *f = *state;
    uint8_t *big = calloc(1, DUMP_VALUE_BYTES_MAX + 1);
    struct dump_out out;

    assert_int_equal(dump_out_begin(&out, &head, &f->bytes), 0);
    assert_int_equal(dump_out_pair(&out, 2, "b", 1, "", 0, &f->bytes), 0);
    assert_int_equal(dump_out_pair(&out, 2, "b", 1, "", 0, &f->bytes), -EINVAL);
    assert_int_equal(dump_out_pair(&out, 2, "a", 1, "", 0, &f->bytes), -EINVAL);
    assert_int_equal(dump_out_pair(&out, 1, "c", 1, "", 0, &f->bytes), -EINVAL);
    assert_int_equal(dump_out_pair(&out, 2, "", 0, "", 0, &f->bytes), -EINVAL);
    assert_int_equal(dump_out_pair(&out, 2, big, DUMP_KEY_BYTES_MAX + 1, "", 0, &f->bytes),
                     -EINVAL);
    assert_int_equal(dump_out_pair(&out, 2, "c", 1, big, DUMP_VALUE_BYTES_MAX + 1, &f->bytes),
                     -EINVAL);
    assert_int_equal(dump_out_pair(&out, 2, "c", 1, big, DUMP_VALUE_BYTES_MAX, &f->bytes), 0);
    assert_int_equal(dump_out_pair(&out, 2, "d", 1, "", 0, &f->bytes), 0);
    assert_int_equal(dump_out_end(&out, &f->bytes), 0);
    dump_out_close(&out);
    free(big);
    assert_int_equal(read_all(f, f->bytes.data, f->bytes.len, 1 << 20), 0);
    assert_int_equal(f->pairs, 3);
}

/* A length beyond all limits is refused when it is seen, not when it was waited for. */
static void a_length_beyond_its_limit_is_refused_at_once(void **state)
{
    struct dump_fixture *f = *state;
    uint8_t bytes[] = { 2, 0xff, 0xff, 0xff, 0x7f, 0 };

    (void)f;
    assert_int_equal(read_all(f, bytes, sizeof(bytes), 1), -VS_ECORRUPT);
}

static int stop_at_once(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                        const uint8_t *value, size_t value_len)
{
    (void)section;
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    ++*(unsigned *)arg;
    return -EIO;
}

static void who_reads_may_stop_it(void **state)
{
    struct dump_fixture *f = *state;
    struct dump_in in;
    unsigned calls = 0;

    write_small(f);
    assert_int_equal(dump_in_init(&in), 0);
    assert_int_equal(dump_in_feed(&in, f->bytes.data, f->bytes.len, stop_at_once, &calls), -EIO);
    assert_int_equal(dump_in_feed(&in, f->bytes.data, f->bytes.len, stop_at_once, &calls), -EIO);
    assert_int_equal(dump_in_done(&in), -EIO);
    assert_int_equal(calls, 1);
    dump_in_close(&in);
}

static void a_newer_format_is_said_to_be_newer(void **state)
{
    static const uint8_t newer[] = { 1,
                                     39,
                                     0,
                                     0,
                                     0,
                                     'V',
                                     'S',
                                     'D',
                                     'P',
                                     2,
                                     0,
                                     /* kind, cluster, slot, made */ 1 };
    uint8_t bytes[5 + 39 + 4] = { 0 };
    struct dump_fixture *f = *state;
    uint32_t crc;

    memcpy(bytes, newer, sizeof(newer));
    crc = vs_crc32c(0, bytes, 5 + 39);
    memcpy(bytes + 5 + 39, &crc, 4);
    assert_int_equal(read_all(f, bytes, sizeof(bytes), 64), -VS_ENEWER);
}

#define DUMP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUMP_TEST(what_was_written_is_read_whatever_the_pieces),
        DUMP_TEST(an_empty_one_is_a_dump_too),
        DUMP_TEST(every_flipped_bit_is_found),
        DUMP_TEST(one_that_was_cut_off_or_goes_on_is_not_whole),
        DUMP_TEST(a_block_that_is_missing_or_comes_twice_is_found),
        DUMP_TEST(keys_must_ascend_and_keep_their_limits),
        DUMP_TEST(a_length_beyond_its_limit_is_refused_at_once),
        DUMP_TEST(who_reads_may_stop_it),
        DUMP_TEST(a_newer_format_is_said_to_be_newer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
