/* Rules of a commit: what is stored anew and what stays, times, and what an error leaves. */
#include "common/log.h"
#include "tests/support/wfile_rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB  (1u << 20)
#define NAME "film.mkv"

/* ---- changing what is stored ---- */

static void a_patch_stores_only_the_chunk_that_it_touches_anew(void **state)
{
    struct rig *r = *state;
    struct mf_chunk *before, *after;
    size_t n_before, n_after, same = 0;
    struct content *c;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 16 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(content_chunks_wait(i->content, &before, &n_before), 0);
    memcpy(r->bytes + 40, r->other, 8); /* as ffmpeg does at the end of an mp4 */
    rig_write_all(r, i, 40, r->other, 8);
    rig_check(r, i, r->bytes, 16 * MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 16 * MIB);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(content_load_wait(r->fs.meta, i->ino, &c, NULL), 0);
    assert_int_equal(content_chunks_wait(c, &after, &n_after), 0);
    assert_int_equal(n_before, n_after);
    for (size_t k = 0; k < n_after; k++)
        same += vs_id_cmp(&before[k].id, &after[k].id) == 0;
    assert_int_equal(same, n_after - 1);
    assert_false(c->head.has_sha);
    content_put(c);
    free(before);
    free(after);
    rig_put(r, i);
    rig_check_no_leak(r);
}

static void check_hash(struct rig *r, size_t len)
{
    struct inode *i = rig_find(r, NS_INO_ROOT, NAME);
    uint8_t want[VS_SHA256_BYTES];
    struct content *c;

    assert_int_equal(content_load_wait(r->fs.meta, i->ino, &c, NULL), 0);
    assert_true(c->head.has_sha);
    vs_sha256(r->bytes, len, want);
    assert_memory_equal(c->head.sha256, want, sizeof(want));
    content_put(c);
    rig_put(r, i);
}

static void a_file_written_in_one_pass_or_mostly_rewritten_knows_its_hash(void **state)
{
    static const size_t patched[] = { 0, 5 * MIB,
                                      13 * MIB }; /* three of four chunks, not in a row */
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 16 * MIB);
    check_hash(r, 16 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    for (size_t n = 0; n < sizeof(patched) / sizeof(patched[0]); n++) {
        memcpy(r->bytes + patched[n], r->other, 100);
        rig_write_all(r, i, patched[n], r->other, 100);
    }
    assert_int_equal(rig_release(r, i), 0);
    check_hash(r, 16 * MIB);
    rig_check_stored(r, NAME, r->bytes, 16 * MIB);
    rig_check_no_leak(r);
}

static void small_appends_with_a_close_each_do_not_fragment_the_file(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 200000);
    for (size_t n = 1; n < 20; n++) {
        i = rig_open_file(r, NS_INO_ROOT, NAME, false);
        rig_write_all(r, i, n * 200000, r->bytes + n * 200000, 200000);
        assert_int_equal(rig_release(r, i), 0);
    }
    rig_check_stored(r, NAME, r->bytes, 4000000);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_in_range(rig_chunk_count(r, i->ino), 1, 4);
    rig_put(r, i);
    rig_check_no_leak(r);
}

static void nothing_changed_is_not_committed(void **state)
{
    struct rig *r = *state;
    uint64_t version;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 3 * MIB);
    version = rig_stored_attr(r, NS_INO_ROOT, NAME).version;
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_truncate(&r->fs, i, 3 * MIB), 0);
    assert_int_equal(rig_release(r, i), 0);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).version, version);
}

static void utimens_while_dirty_survives_the_swap(void **state)
{
    struct rig *r = *state;
    struct ns_entry e = { .kind = NS_E_SETATTR, .set = NS_SET_MTIME };
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 2 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, 2 * MIB, r->other, 10);
    e.attr.mtime = (struct ns_time){ 1000, 1 };
    e.ino = i->ino;
    assert_int_equal(wfile_setattr(&r->fs, i, NS_SET_MTIME, &e.attr), 1);
    assert_int_equal(vsfs_change(&r->fs, &e, NULL), 0);
    assert_int_equal(rig_release(r, i), 0);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).mtime.s, 1000);
}

static void stat_says_the_same_time_before_and_after_the_commit(void **state)
{
    struct rig *r = *state;
    struct ns_time before, after;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 2 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, 100, r->other, 10);
    before = rig_attr(r, i).mtime;
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    after = rig_attr(r, i).mtime;
    assert_int_equal(before.s, after.s);
    assert_int_equal(before.ns, after.ns);
    assert_int_equal(rig_release(r, i), 0);
}

/* ---- errors ---- */

static void stores_down_at_the_commit_is_an_error_that_stays_and_the_old_version_is_readable(
    void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 6 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, 1000, r->other, 5000);
    rig_stores_down(r, RIG_STORES, true);
    assert_true(wfile_flush(&r->fs, i, WFILE_FSYNC) < 0);
    rig_stores_down(r, RIG_STORES, false);
    assert_true(wfile_flush(&r->fs, i, WFILE_FLUSH) < 0);
    assert_true(rig_write(r, i, 0, r->other, 1) < 0);
    assert_true(rig_release(r, i) < 0);
    rig_check_stored(r, NAME, r->bytes, 6 * MIB);
}

static void a_new_file_that_cannot_be_stored_is_no_file(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_stores_down(r, RIG_STORES, true);
    for (int n = 0; n < 6; n++)
        (void)rig_write(r, i, (uint64_t)n * MIB, r->bytes, MIB);
    assert_true(wfile_flush(&r->fs, i, WFILE_FLUSH) < 0);
    assert_true(wfile_flush(&r->fs, i, WFILE_RELEASE) < 0);
    assert_true(i->unlinked);
    wfile_drop(&r->fs, i);
    rig_put(r, i);
    rig_stores_down(r, RIG_STORES, false);
    assert_null(rig_find(r, NS_INO_ROOT, NAME));
}

static void two_stores_down_do_not_hurt_a_write(void **state)
{
    struct rig *r = *state;

    rig_stores_down(r, 2, true);
    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 5 * MIB);
    rig_check_stored(r, NAME, r->bytes, 5 * MIB);
    rig_check_no_leak(r);
}

static void a_full_staging_refuses_the_write_and_keeps_the_rest(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    r->fs.opt.staging_bytes_max = MIB;
    rig_write_all(r, i, 0, r->bytes, 6 * MIB);
    rig_write_all(r, i, 0, r->other, MIB);
    memcpy(r->bytes, r->other, MIB);
    assert_int_equal(rig_write(r, i, 2 * MIB, r->other, 1), -ENOSPC);
    rig_write_all(r, i, 10, r->other + 10, 100); /* already staged: no more space is needed */
    rig_write_all(r, i, 6 * MIB, r->bytes + 6 * MIB, MIB);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 7 * MIB);
}

/* How often the log says this; it is read from its start. */
static unsigned times_said(FILE *log, const char *words)
{
    char line[1024];
    unsigned n = 0;

    rewind(log);
    while (fgets(line, sizeof(line), log) != NULL)
        n += strstr(line, words) != NULL;
    return n;
}

/* Whether a commit meets it, or a write whose bytes are on their way. */
static void what_cannot_be_stored_is_said_once_with_its_name(void **state)
{
    struct rig *r = *state;
    FILE *log = tmpfile();
    struct inode *i;
    int e = 0;

    assert_non_null(log);
    vs_log_to_fd(fileno(log));
    rig_store(r, NS_INO_ROOT, "stored", r->bytes, MIB);
    rig_stores_down(r, RIG_STORES, true);
    i = rig_create(r, NS_INO_ROOT, "film of the wedding");
    for (uint64_t at = 0; e == 0 && at < UINT64_C(1) << 30; at += MIB)
        e = rig_write(r, i, at, r->bytes, MIB);
    assert_int_equal(e, -EIO);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), -EIO);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_RELEASE), -EIO);
    wfile_drop(&r->fs, i);
    rig_put(r, i);
    assert_int_equal(times_said(log, "film of the wedding: cannot be stored"), 1);
    assert_int_equal(times_said(log, "it is not kept; bring the stores back"), 1);
    i = rig_open_file(r, NS_INO_ROOT, "stored", false);
    rig_write_all(r, i, 0, r->other, 10);
    assert_true(rig_release(r, i) < 0);
    assert_int_equal(times_said(log, "stored: cannot be stored"), 1);
    assert_int_equal(times_said(log, "the last stored version stays"), 1);
    vs_log_to_fd(2);
    fclose(log);
}

static void a_full_staging_says_which_one_and_that_it_can_be_larger(void **state)
{
    struct rig *r = *state;
    FILE *log = tmpfile();
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    assert_non_null(log);
    vs_log_to_fd(fileno(log));
    r->fs.opt.data_dir = "/data";
    r->fs.opt.staging_bytes_max = MIB;
    rig_write_all(r, i, 0, r->bytes, 6 * MIB);
    rig_write_all(r, i, 0, r->bytes, MIB);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(rig_write(r, i, 2 * MIB, r->other, 1), -ENOSPC);
    assert_int_equal(times_said(log, "/data/staging is full"), 1);
    assert_int_equal(times_said(log, "-o staging=SIZE"), 1);
    assert_int_equal(rig_release(r, i), 0);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false); /* it was emptied; and fills again */
    rig_write_all(r, i, 0, r->bytes, MIB);
    assert_int_equal(rig_write(r, i, 2 * MIB, r->other, 1), -ENOSPC);
    assert_int_equal(times_said(log, "/data/staging is full"), 2);
    assert_int_equal(rig_release(r, i), 0);
    vs_log_to_fd(2);
    fclose(log);
}

static void another_version_in_between_is_stale_and_changes_nothing(void **state)
{
    struct rig *r = *state;
    struct ns_entry e = { .kind = NS_E_SWAP };
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 100);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, 0, r->other, 50);
    e.ino = i->ino;
    e.base_version = rig_stored_attr(r, NS_INO_ROOT, NAME).version;
    e.content = (struct ns_new_content){
        .kind = NS_CONTENT_INLINE, .bytes = "new", .bytes_len = 3, .size = 3, .data_bytes = 3
    };
    assert_int_equal(vsfs_change(&r->fs, &e, NULL), 0);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), -ESTALE);
    assert_int_equal(rig_release(r, i), -ESTALE);
    i = rig_find(r, NS_INO_ROOT, NAME);
    i->content = (content_put(i->content), NULL);
    rig_check(r, i, (const uint8_t *)"new", 3);
    rig_put(r, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_patch_stores_only_the_chunk_that_it_touches_anew),
        RIG_TEST(a_file_written_in_one_pass_or_mostly_rewritten_knows_its_hash),
        RIG_TEST(small_appends_with_a_close_each_do_not_fragment_the_file),
        RIG_TEST(nothing_changed_is_not_committed),
        RIG_TEST(utimens_while_dirty_survives_the_swap),
        RIG_TEST(stat_says_the_same_time_before_and_after_the_commit),
        RIG_TEST(stores_down_at_the_commit_is_an_error_that_stays_and_the_old_version_is_readable),
        RIG_TEST(a_new_file_that_cannot_be_stored_is_no_file),
        RIG_TEST(two_stores_down_do_not_hurt_a_write),
        RIG_TEST(a_full_staging_refuses_the_write_and_keeps_the_rest),
        RIG_TEST(what_cannot_be_stored_is_said_once_with_its_name),
        RIG_TEST(a_full_staging_says_which_one_and_that_it_can_be_larger),
        RIG_TEST(another_version_in_between_is_stale_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
