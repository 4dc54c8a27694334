/* Messages of a snapshot's transfer: what is written is read, and nothing else is. */
#include "common/err.h"
#include "meta/px_msg_snap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct px_head head = { .cluster = { { 9, 8 } }, .epoch = 3, .pid = 2, .inc = 5 };

static void equal(const struct px_snap *a, const struct px_snap *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->last, b->last);
    assert_true(a->id == b->id && a->offset == b->offset && a->slot == b->slot);
    assert_int_equal(a->len, b->len);
    if (a->len > 0)
        assert_memory_equal(a->bytes, b->bytes, a->len);
}

static void what_is_written_is_read(void **state)
{
    static const struct px_snap all[] = {
        { .kind = PX_SNAP_ASK },
        { .kind = PX_SNAP_ASK, .id = 7, .offset = UINT64_C(1) << 40 },
        { .kind = PX_SNAP_PIECE, .id = 7, .slot = 9, .bytes = (const uint8_t *)"abc", .len = 3 },
        { .kind = PX_SNAP_PIECE,
          .id = 7,
          .offset = 3,
          .slot = 9,
          .last = true,
          .bytes = (const uint8_t *)"d",
          .len = 1 },
        { .kind = PX_SNAP_NO, .reason = PX_SNAP_GONE },
    };
    struct vs_buf b = { 0 };
    struct px_head h;
    struct px_snap m;

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        b.len = 0;
        assert_int_equal(px_snap_encode(&head, &all[i], &b), 0);
        assert_int_equal(px_snap_decode(b.data, b.len, &h, &m), 0);
        assert_memory_equal(&h, &head, sizeof(h));
        equal(&m, &all[i]);
    }
    vs_buf_close(&b);
}

static void what_does_not_go_together_is_refused(void **state)
{
    static const struct px_snap bad[] = {
        { .kind = 0 },
        { .kind = 4 },
        { .kind = PX_SNAP_ASK, .reason = 1 },
        { .kind = PX_SNAP_ASK, .last = true },
        { .kind = PX_SNAP_ASK, .slot = 1 },
        { .kind = PX_SNAP_PIECE, .id = 1, .slot = 1 },
        { .kind = PX_SNAP_PIECE, .id = 1, .bytes = (const uint8_t *)"x", .len = 1 },
        { .kind = PX_SNAP_PIECE, .slot = 1, .bytes = (const uint8_t *)"x", .len = 1 },
        { .kind = PX_SNAP_NO },
        { .kind = PX_SNAP_NO, .reason = 4 },
        { .kind = PX_SNAP_NO, .reason = 1, .id = 1 },
    };
    struct vs_buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(px_snap_encode(&head, &bad[i], &b), -EINVAL);
    assert_int_equal(b.len, 0);
    vs_buf_close(&b);
}

static void a_piece_has_a_limit_and_that_fits(void **state)
{
    uint8_t *bytes = calloc(1, PX_SNAP_PIECE_BYTES_MAX + 1);
    struct px_snap m = {
        .kind = PX_SNAP_PIECE, .id = 1, .slot = 1, .bytes = bytes, .len = PX_SNAP_PIECE_BYTES_MAX
    };
    struct vs_buf b = { 0 };
    struct px_snap got;
    struct px_head h;

    (void)state;
    assert_int_equal(px_snap_encode(&head, &m, &b), 0);
    assert_int_equal(px_snap_decode(b.data, b.len, &h, &got), 0);
    equal(&got, &m);
    m.len++;
    assert_int_equal(px_snap_encode(&head, &m, &b), -EINVAL);
    vs_buf_close(&b);
    free(bytes);
}

static void every_flipped_bit_is_found(void **state)
{
    struct px_snap m = {
        .kind = PX_SNAP_PIECE, .id = 1, .slot = 1, .bytes = (const uint8_t *)"abc", .len = 3
    };
    struct vs_buf b = { 0 };
    struct px_snap got;
    struct px_head h;

    (void)state;
    assert_int_equal(px_snap_encode(&head, &m, &b), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(px_snap_decode(b.data, b.len, &h, &got) < 0);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(px_snap_decode(b.data, len, &h, &got), -VS_ECORRUPT);
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_does_not_go_together_is_refused),
        cmocka_unit_test(a_piece_has_a_limit_and_that_fits),
        cmocka_unit_test(every_flipped_bit_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
