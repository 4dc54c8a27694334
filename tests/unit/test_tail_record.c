/* tail_record: a record comes back as it went in, with every slot it says; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/crc.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include "meta/tail_record.h"

#include <stdlib.h>
#include <string.h>

/* A few entries, as the journal has them. */
static void entries_make(uint64_t first, unsigned count, struct vs_buf *ret)
{
    for (unsigned i = 0; i < count; i++) {
        struct ns_entry e = {
            .kind = NS_E_UNLINK, .parent = 1, .name = "film", .name_len = 4, .now = { 77 + i, 5 }
        };
        struct vs_buf one = { 0 };

        if (i % 3 != 2) /* a no-op has no bytes */
            assert_int_equal(ns_entry_encode(&e, &one), 0);
        assert_int_equal(tail_entry_encode(first + i, one.data, one.len, ret), 0);
        vs_buf_close(&one);
    }
}

static struct tail_record record_of(uint64_t after, unsigned count, struct vs_buf *entries)
{
    entries_make(after + 1, count, entries);
    return (struct tail_record){ .cluster = { { 1, 2, 3 } },
                                 .continues = 9,
                                 .after = after,
                                 .upto = after + count,
                                 .entries = entries->data,
                                 .entries_len = entries->len };
}

static void a_record_comes_back_as_it_went_in(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 9; count++) {
        struct vs_buf entries = { 0 }, b = { 0 };
        struct tail_record t = record_of(40, count, &entries), got;
        struct tail_entry e;
        struct vs_rd rd;

        assert_int_equal(tail_record_encode(&t, &b), 0);
        assert_int_equal(b.len, TAIL_HEAD_BYTES + entries.len);
        assert_int_equal(tail_record_decode(b.data, b.len, &got), 0);
        assert_memory_equal(&got.cluster, &t.cluster, sizeof(t.cluster));
        assert_int_equal(got.continues, 9);
        assert_int_equal(got.after, 40);
        assert_int_equal(got.upto, 40 + count);
        rd = vs_rd_init(got.entries, got.entries_len);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(tail_entry_next(&rd, &e), 1);
            assert_int_equal(e.slot, 41 + i);
            assert_int_equal(e.len == 0, i % 3 == 2);
            assert_int_equal(tail_entry_ns(&e),
                             e.len == 0 ? 0 : (INT64_C(77) + i) * 1000000000 + 5);
        }
        assert_int_equal(tail_entry_next(&rd, &e), 0);
        vs_buf_close(&entries);
        vs_buf_close(&b);
    }
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    struct vs_buf entries = { 0 }, b = { 0 };
    struct tail_record t = record_of(7, 3, &entries), got;

    (void)state;
    assert_int_equal(tail_record_encode(&t, &b), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(tail_record_decode(b.data, b.len, &got) < 0);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(tail_record_decode(b.data, len, &got), -VS_ECORRUPT);
    vs_buf_close(&entries);
    vs_buf_close(&b);
}

/* The record with these bytes at `at`, and a checksum that fits. */
static int decode_with(const struct vs_buf *b, size_t at, const void *bytes, size_t len)
{
    uint8_t *twin = malloc(b->len);
    struct tail_record got;
    uint32_t crc;
    int r;

    assert_non_null(twin);
    memcpy(twin, b->data, b->len);
    memcpy(twin + at, bytes, len);
    crc = vs_crc32c(0, twin, b->len - 4);
    for (unsigned i = 0; i < 4; i++)
        twin[b->len - 4 + i] = (uint8_t)(crc >> 8 * i);
    r = tail_record_decode(twin, b->len, &got);
    free(twin);
    return r;
}

static void a_record_whose_slots_are_not_what_it_says_is_refused(void **state)
{
    const size_t format_at = 4, after_at = 29, upto_at = 37, entries_at = 45, slot_at = 49;
    const uint8_t many[8] = { 255, 255, 255, 255, 255, 255, 255, 255 }, zero[8] = { 0 };
    struct vs_buf entries = { 0 }, b = { 0 };
    struct tail_record t = record_of(7, 3, &entries);

    (void)state;
    assert_int_equal(tail_record_encode(&t, &b), 0);
    assert_int_equal(decode_with(&b, 0, "VSTL", 4), 0);
    assert_int_equal(decode_with(&b, 0, "VSTM", 4), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, format_at, "\x02", 1), -VS_ENEWER);
    assert_int_equal(decode_with(&b, format_at, zero, 1), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, after_at, "\x06", 1), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, after_at, many, 8), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, upto_at, "\x0b", 1), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, upto_at, many, 8), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, upto_at, zero, 8), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, entries_at, many, 4), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, entries_at, zero, 4), -VS_ECORRUPT);
    assert_int_equal(decode_with(&b, slot_at, "\x09", 1), -VS_ECORRUPT); /* one is missing */
    assert_int_equal(decode_with(&b, slot_at + 8, many, 4), -VS_ECORRUPT);
    t.upto++;
    assert_int_equal(tail_record_encode(&t, &b), -EINVAL);
    t.after = t.upto + 1;
    assert_int_equal(tail_record_encode(&t, &b), -EINVAL);
    vs_buf_close(&entries);
    vs_buf_close(&b);
}

static void an_entry_and_a_record_have_their_limits(void **state)
{
    uint8_t *big = calloc(1, NS_ENTRY_BYTES_MAX + 1);
    struct vs_buf b = { 0 };

    (void)state;
    assert_non_null(big);
    assert_int_equal(tail_entry_encode(1, big, NS_ENTRY_BYTES_MAX, &b), 0);
    assert_int_equal(b.len, TAIL_ENTRY_BYTES_MAX);
    assert_int_equal(tail_entry_encode(2, big, NS_ENTRY_BYTES_MAX, &b), 0); /* appended */
    b.len = 0;
    assert_int_equal(tail_entry_encode(1, big, NS_ENTRY_BYTES_MAX + 1, &b), -EMSGSIZE);
    assert_int_equal(b.len, 0);
    free(big);
    vs_buf_close(&b);
}

static bool is_quiet(const struct ns_entry *e)
{
    struct tail_entry t = { .slot = 1 };
    struct vs_buf b = { 0 };
    bool quiet;

    assert_int_equal(ns_entry_encode(e, &b), 0);
    t.bytes = b.data;
    t.len = b.len;
    quiet = tail_is_quiet(&t);
    vs_buf_close(&b);
    return quiet;
}

/* Nothing that a person has done may wait; what the program does for itself must, or the tail would
 * feed itself. */
static void what_somebody_would_miss_is_not_quiet(void **state)
{
    struct ns_entry e = { .parent = 1, .name = "film", .name_len = 4, .ino = 17 };
    const enum ns_entry_kind loud[] = { NS_E_CREATE,   NS_E_LINK,    NS_E_UNLINK, NS_E_RMDIR,
                                        NS_E_RENAME,   NS_E_SETATTR, NS_E_SWAP,   NS_E_REMOVEXATTR,
                                        NS_E_SETXATTR, NS_E_PUBLISH };
    const enum ns_entry_kind quiet[] = { NS_E_NOP,           NS_E_RESERVE,        NS_E_SESSION_OPEN,
                                         NS_E_SESSION_ABORT, NS_E_SESSION_EXTEND, NS_E_COLLECTED,
                                         NS_E_SESSION_TOUCH, NS_E_MOUNT };
    struct tail_entry nothing = { .slot = 1 };

    (void)state;
    e.new_name = "new";
    e.new_name_len = 3;
    e.new_parent = 1;
    for (size_t i = 0; i < sizeof(loud) / sizeof(*loud); i++) {
        e.kind = loud[i];
        assert_false(is_quiet(&e));
    }
    for (size_t i = 0; i < sizeof(quiet) / sizeof(*quiet); i++) {
        e.kind = quiet[i];
        assert_true(is_quiet(&e));
    }
    e.ino = NS_INO_COPY; /* the copy itself */
    e.kind = NS_E_SWAP;
    assert_true(is_quiet(&e));
    e.kind = NS_E_SETXATTR;
    assert_true(is_quiet(&e));
    e.kind = NS_E_SETATTR;
    assert_false(is_quiet(&e));
    assert_true(tail_is_quiet(&nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_went_in),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
        cmocka_unit_test(a_record_whose_slots_are_not_what_it_says_is_refused),
        cmocka_unit_test(an_entry_and_a_record_have_their_limits),
        cmocka_unit_test(what_somebody_would_miss_is_not_quiet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
