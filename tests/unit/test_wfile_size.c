/* Rules of sizes and holes: truncate, fallocate, gaps, SEEK_DATA and SEEK_HOLE. */
#include "tests/support/wfile_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB  (1u << 20)
#define NAME "film.mkv"

/* ---- truncate ---- */

static void truncate_without_a_handle_is_committed_at_once(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 10 * MIB);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_truncate(&r->fs, i, 5 * MIB + 123), 0);
    assert_null(i->wfile);
    rig_put(r, i);
    rig_check_stored(r, NAME, r->bytes, 5 * MIB + 123);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_truncate(&r->fs, i, 1000), 0);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).content, NS_CONTENT_INLINE);
    assert_int_equal(wfile_truncate(&r->fs, i, 0), 0);
    rig_put(r, i);
    rig_check_stored(r, NAME, r->bytes, 0);
    rig_check_no_leak(r);
}

static void truncate_beside_an_open_writer_waits_for_its_commit(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 2 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_truncate(&r->fs, i, MIB), 0);
    assert_non_null(i->wfile);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).size, 2 * MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, MIB);
}

static void truncating_open_keeps_the_old_version_until_the_commit(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 6 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, true);
    rig_check(r, i, r->bytes, 0);
    rig_write_all(r, i, 0, r->other, 2 * MIB);
    wfile_drop(&r->fs, i); /* a crash */
    rig_put(r, i);
    rig_check_stored(r, NAME, r->bytes, 6 * MIB);

    i = rig_open_file(r, NS_INO_ROOT, NAME, true);
    rig_write_all(r, i, 0, r->other, 2 * MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->other, 2 * MIB);
    rig_check_no_leak(r);
}

/* So much of the streaming upload is left that it is not begun anew: its end is masked. */
static void what_was_cut_off_reads_as_zeros_when_the_file_grows_again(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, 16 * MIB);
    assert_int_equal(wfile_truncate(&r->fs, i, 10 * MIB), 0);
    assert_int_equal(wfile_truncate(&r->fs, i, 11 * MIB), 0);
    rig_write_all(r, i, 12 * MIB, r->other, 100);
    memset(r->bytes + 10 * MIB, 0, 6 * MIB);
    memcpy(r->bytes + 12 * MIB, r->other, 100);
    rig_check(r, i, r->bytes, 12 * MIB + 100);
    assert_int_equal(wfile_seek(&r->fs, i, 0, false), 10 * MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 12 * MIB + 100);
    rig_check_no_leak(r);
}

static void a_file_cut_at_the_end_of_a_chunk_does_not_keep_the_hash_of_the_longer_one(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);
    uint8_t want[VS_SHA256_BYTES];

    rig_write_all(r, i, 0, r->bytes, 16 * MIB);
    assert_int_equal(wfile_truncate(&r->fs, i, 12 * MIB), 0);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    vs_sha256(r->bytes, 12 * MIB, want);
    if (i->content->head.has_sha)
        assert_memory_equal(i->content->head.sha256, want, sizeof(want));
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 12 * MIB);
}

static void cutting_gives_staging_space_back(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, 3 * MIB);
    rig_write_all(r, i, MIB, r->other, MIB);
    assert_int_equal(r->fs.staging_used, MIB);
    assert_int_equal(wfile_truncate(&r->fs, i, MIB + 1000), 0);
    assert_int_equal(r->fs.staging_used, 1000);
    assert_int_equal(rig_release(r, i), 0);
}

/* ---- holes ---- */

static void a_short_gap_is_stored_as_zeros_since_a_hole_would_cost_more(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    memset(r->bytes + MIB, 0, 10000);
    i = rig_create(r, NS_INO_ROOT, NAME);
    rig_write_all(r, i, 0, r->bytes, MIB);
    rig_write_all(r, i, MIB + 10000, r->bytes + MIB + 10000, MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 2 * MIB + 10000);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(rig_chunk_count(r, i->ino), 1);
    rig_put(r, i);
}

static void data_written_where_a_hole_was_cut_off_is_data(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, MIB);
    rig_write_all(r, i, 15 * MIB, r->bytes, 100); /* far ahead: the gap is a hole at once */
    assert_int_equal(wfile_seek(&r->fs, i, 0, false), MIB);
    assert_int_equal(wfile_seek(&r->fs, i, MIB, true), 15 * MIB);
    assert_int_equal(wfile_truncate(&r->fs, i, MIB / 2), 0);
    rig_write_all(r, i, MIB / 2, r->bytes + MIB / 2, 4 * MIB);
    assert_int_equal(wfile_seek(&r->fs, i, MIB, true), MIB);
    assert_int_equal(wfile_seek(&r->fs, i, 0, false), 4 * MIB + MIB / 2);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 4 * MIB + MIB / 2);
}

static void a_sparse_terabyte_stores_nothing(void **state)
{
    struct rig *r = *state;
    const uint64_t size = UINT64_C(1) << 40;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);
    uint8_t got[8], zeros[8] = { 0 };
    struct ns_attr attr;

    assert_int_equal(wfile_truncate(&r->fs, i, size), 0);
    assert_int_equal(rig_release(r, i), 0);
    attr = rig_stored_attr(r, NS_INO_ROOT, NAME);
    assert_int_equal(attr.size, size);
    assert_int_equal(attr.data_bytes, 0);
    assert_int_equal(attr.stored_bytes, 0);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(rig_read(r, i, size - 8, got, 8), 8);
    assert_memory_equal(got, zeros, 8);
    assert_int_equal(wfile_seek(&r->fs, i, 0, true), -ENXIO);
    assert_int_equal(rig_write(r, i, size / 2, r->bytes, 8), 0);
    assert_int_equal(rig_release(r, i), 0);
    attr = rig_stored_attr(r, NS_INO_ROOT, NAME);
    assert_int_equal(attr.data_bytes, 8);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_seek(&r->fs, i, 0, true), size / 2);
    assert_int_equal(wfile_seek(&r->fs, i, size / 2, false), size / 2 + 8);
    rig_put(r, i);
    rig_check_no_leak(r);
}

static void holes_of_a_copied_file_stay_holes(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, 3 * MIB);
    rig_write_all(r, i, 12 * MIB, r->bytes, MIB); /* as cp does behind a lseek */
    assert_int_equal(rig_release(r, i), 0);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).data_bytes, 4 * MIB);
    memmove(r->bytes + 12 * MIB, r->bytes, MIB);
    memset(r->bytes + 3 * MIB, 0, 9 * MIB);
    rig_check_stored(r, NAME, r->bytes, 13 * MIB);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_seek(&r->fs, i, 0, false), 3 * MIB);
    assert_int_equal(wfile_seek(&r->fs, i, 3 * MIB, true), 12 * MIB);
    rig_put(r, i);
}

static void a_punched_range_becomes_a_hole(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 14 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(
        wfile_fallocate(&r->fs, i, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * MIB, 5 * MIB),
        0);
    memset(r->bytes + 2 * MIB, 0, 5 * MIB);
    rig_check(r, i, r->bytes, 14 * MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 14 * MIB);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).data_bytes, 9 * MIB);
    rig_check_no_leak(r);
}

static void writes_a_little_out_of_order_are_streamed(void **state)
{
    struct rig *r = *state;
    static const unsigned order[] = { 1, 0, 3, 4, 2, 6, 5, 7, 9, 8 };
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    for (size_t n = 0; n < sizeof(order) / sizeof(order[0]); n++)
        rig_write_all(r, i, order[n] * MIB, r->bytes + order[n] * MIB, MIB);
    assert_int_equal(r->fs.staging_used, 0); /* taken in again */
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 10 * MIB);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_in_range(rig_chunk_count(r, i->ino), 3, 3);
    rig_put(r, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(truncate_without_a_handle_is_committed_at_once),
        RIG_TEST(truncate_beside_an_open_writer_waits_for_its_commit),
        RIG_TEST(truncating_open_keeps_the_old_version_until_the_commit),
        RIG_TEST(what_was_cut_off_reads_as_zeros_when_the_file_grows_again),
        RIG_TEST(a_file_cut_at_the_end_of_a_chunk_does_not_keep_the_hash_of_the_longer_one),
        RIG_TEST(cutting_gives_staging_space_back),
        RIG_TEST(a_short_gap_is_stored_as_zeros_since_a_hole_would_cost_more),
        RIG_TEST(data_written_where_a_hole_was_cut_off_is_data),
        RIG_TEST(a_sparse_terabyte_stores_nothing),
        RIG_TEST(holes_of_a_copied_file_stay_holes),
        RIG_TEST(a_punched_range_becomes_a_hole),
        RIG_TEST(writes_a_little_out_of_order_are_streamed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
