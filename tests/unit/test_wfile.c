/* Rules of the write state: what is committed when, what an error leaves, what the inbox is told.
 */
#include "common/rand.h"
#include "tests/support/wfile_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB  (1u << 20)
#define NAME "film.mkv"

struct fixture {
    struct rig rig;
    uint8_t *bytes, *other; /* 16 MiB each, all different */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    rig_open(&f->rig);
    f->bytes = malloc(16 * MIB);
    f->other = malloc(16 * MIB);
    rig_fill(f->bytes, 16 * MIB, 1);
    rig_fill(f->other, 16 * MIB, 2);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->rig.fs.staging_used, 0);
    rig_close(&f->rig);
    free(f->bytes);
    free(f->other);
    free(f);
    return 0;
}

/* ---- helpers ---- */

static void write_all(struct fixture *f, struct inode *i, uint64_t offset, const uint8_t *bytes,
                      size_t len)
{
    for (size_t done = 0; done < len; done += MIB) {
        size_t n = len - done < MIB ? len - done : MIB;

        assert_int_equal(rig_write(&f->rig, i, offset + done, bytes + done, n), 0);
    }
}

static void store(struct fixture *f, uint64_t parent, const char *name, const uint8_t *bytes,
                  size_t len)
{
    struct inode *i = rig_create(&f->rig, parent, name);

    write_all(f, i, 0, bytes, len);
    assert_int_equal(rig_release(&f->rig, i), 0);
}

static void check_stored(struct fixture *f, const uint8_t *bytes, size_t len)
{
    struct inode *i = rig_find(&f->rig, NS_INO_ROOT, NAME);

    assert_non_null(i);
    assert_null(i->wfile);
    rig_check(&f->rig, i, bytes, len);
    rig_put(&f->rig, i);
}

static struct ns_attr stored_attr(struct fixture *f, uint64_t parent, const char *name)
{
    struct meta_req req = { .op = META_LOOKUP, .ino = parent, .name = name };

    req.name_len = strlen(name);
    assert_int_equal(meta_call(f->rig.fs.meta, &req), 0);
    return req.attr;
}

static size_t chunk_count(struct fixture *f, uint64_t ino)
{
    struct mf_chunk *chunks;
    struct content *c;
    size_t n;

    assert_int_equal(content_load_wait(f->rig.fs.meta, ino, &c, NULL), 0);
    assert_int_equal(c->kind, NS_CONTENT_CHUNKS);
    assert_int_equal(content_chunks_wait(c, &chunks, &n), 0);
    free(chunks);
    content_put(c);
    return n;
}

/* ---- creating ---- */

static void a_file_that_is_closed_is_stored(void **state)
{
    struct fixture *f = *state;
    struct ns_attr attr;

    store(f, NS_INO_ROOT, NAME, f->bytes, 9 * MIB + 17);
    check_stored(f, f->bytes, 9 * MIB + 17);
    attr = stored_attr(f, NS_INO_ROOT, NAME);
    assert_int_equal(attr.content, NS_CONTENT_CHUNKS);
    assert_int_equal(attr.data_bytes, 9 * MIB + 17);
    assert_in_range(attr.stored_bytes, 9 * MIB * 5 / 3, 9 * MIB * 5 / 3 + 4096);
    rig_check_no_leak(&f->rig);
}

static void a_small_file_lives_in_the_metadata(void **state)
{
    struct fixture *f = *state;
    struct ns_attr attr;

    store(f, NS_INO_ROOT, NAME, f->bytes, NS_INLINE_BYTES_MAX);
    check_stored(f, f->bytes, NS_INLINE_BYTES_MAX);
    attr = stored_attr(f, NS_INO_ROOT, NAME);
    assert_int_equal(attr.content, NS_CONTENT_INLINE);
    assert_int_equal(attr.stored_bytes, NS_INLINE_BYTES_MAX);
    rig_check_no_leak(&f->rig);
}

static void an_empty_file_is_created_by_its_release_and_not_by_a_flush_before_the_first_write(
    void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    assert_true(i->provisional);
    assert_null(rig_find(&f->rig, NS_INO_ROOT, NAME));
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_RELEASE), 0);
    assert_false(i->provisional);
    assert_null(i->wfile);
    rig_put(&f->rig, i);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).content, NS_CONTENT_NONE);
    check_stored(f, f->bytes, 0);
}

static void fsync_of_an_unwritten_file_creates_it(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FSYNC), 0);
    assert_false(i->provisional);
    write_all(f, i, 0, f->bytes, 100);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, 100);
}

static void fsync_commits_and_writing_goes_on(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    write_all(f, i, 0, f->bytes, 5 * MIB);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FSYNC), 0);
    write_all(f, i, 5 * MIB, f->bytes + 5 * MIB, 3 * MIB);
    wfile_drop(&f->rig.fs, i); /* a crash */
    rig_put(&f->rig, i);
    check_stored(f, f->bytes, 5 * MIB);
}

static void times_and_mode_set_before_the_first_commit_are_committed_with_it(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);
    struct ns_attr set = { .mode = 0600, .mtime = { -300000000, 5 }, .atime = { 77, 0 } };
    struct ns_attr attr;

    write_all(f, i, 0, f->bytes, MIB);
    assert_int_equal(wfile_setattr(&f->rig.fs, i, NS_SET_MODE | NS_SET_MTIME | NS_SET_ATIME, &set),
                     0);
    assert_int_equal(rig_attr(&f->rig, i).mtime.s, -300000000);
    assert_int_equal(rig_release(&f->rig, i), 0);
    attr = stored_attr(f, NS_INO_ROOT, NAME);
    assert_int_equal(attr.mode, S_IFREG | 0600);
    assert_int_equal(attr.mtime.s, -300000000);
    assert_int_equal(attr.mtime.ns, 5);
    assert_int_equal(attr.atime.s, 77);
}

static void a_file_without_a_name_is_readable_and_never_committed(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    write_all(f, i, 0, f->bytes, 6 * MIB);
    i->unlinked = true;
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    write_all(f, i, 6 * MIB, f->bytes + 6 * MIB, MIB);
    rig_check(&f->rig, i, f->bytes, 7 * MIB);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_RELEASE), 0);
    rig_check(&f->rig, i, f->bytes, 7 * MIB);
    wfile_drop(&f->rig.fs, i);
    wfile_drop(&f->rig.fs, i);
    assert_null(i->wfile);
    rig_put(&f->rig, i);
    assert_null(rig_find(&f->rig, NS_INO_ROOT, NAME));
}

/* ---- changing what is stored ---- */

static void truncating_open_keeps_the_old_version_until_the_commit(void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 6 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, true);
    rig_check(&f->rig, i, f->bytes, 0);
    write_all(f, i, 0, f->other, 2 * MIB);
    wfile_drop(&f->rig.fs, i); /* a crash */
    rig_put(&f->rig, i);
    check_stored(f, f->bytes, 6 * MIB);

    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, true);
    write_all(f, i, 0, f->other, 2 * MIB);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->other, 2 * MIB);
    rig_check_no_leak(&f->rig);
}

static void a_patch_stores_only_the_chunk_that_it_touches_anew(void **state)
{
    struct fixture *f = *state;
    struct mf_chunk *before, *after;
    size_t n_before, n_after, same = 0;
    struct content *c;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 16 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    assert_int_equal(content_chunks_wait(i->content, &before, &n_before), 0);
    memcpy(f->bytes + 40, f->other, 8); /* as ffmpeg does at the end of an mp4 */
    write_all(f, i, 40, f->other, 8);
    rig_check(&f->rig, i, f->bytes, 16 * MIB);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, 16 * MIB);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(content_load_wait(f->rig.fs.meta, i->ino, &c, NULL), 0);
    assert_int_equal(content_chunks_wait(c, &after, &n_after), 0);
    assert_int_equal(n_before, n_after);
    for (size_t k = 0; k < n_after; k++)
        same += vs_id_cmp(&before[k].id, &after[k].id) == 0;
    assert_int_equal(same, n_after - 1);
    assert_false(c->head.has_sha);
    content_put(c);
    free(before);
    free(after);
    rig_put(&f->rig, i);
    rig_check_no_leak(&f->rig);
}

static void a_file_written_in_one_pass_or_mostly_rewritten_knows_its_hash(void **state)
{
    struct fixture *f = *state;
    uint8_t want[VS_SHA256_BYTES];
    struct content *c;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 9 * MIB);
    for (int n = 0; n < 2; n++) {
        i = rig_find(&f->rig, NS_INO_ROOT, NAME);
        assert_int_equal(content_load_wait(f->rig.fs.meta, i->ino, &c, NULL), 0);
        assert_true(c->head.has_sha);
        vs_sha256(f->bytes, 9 * MIB, want);
        assert_memory_equal(c->head.sha256, want, sizeof(want));
        content_put(c);
        rig_put(&f->rig, i);
        if (n == 1)
            break;
        i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
        for (size_t at = 0; at < 9 * MIB; at += MIB) {
            memcpy(f->bytes + at, f->other, 100);
            write_all(f, i, at, f->other, 100);
        }
        assert_int_equal(rig_release(&f->rig, i), 0);
    }
    check_stored(f, f->bytes, 9 * MIB);
    rig_check_no_leak(&f->rig);
}

static void small_appends_with_a_close_each_do_not_fragment_the_file(void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 200000);
    for (size_t n = 1; n < 20; n++) {
        i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
        write_all(f, i, n * 200000, f->bytes + n * 200000, 200000);
        assert_int_equal(rig_release(&f->rig, i), 0);
    }
    check_stored(f, f->bytes, 4000000);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_in_range(chunk_count(f, i->ino), 1, 4);
    rig_put(&f->rig, i);
    rig_check_no_leak(&f->rig);
}

static void nothing_changed_is_not_committed(void **state)
{
    struct fixture *f = *state;
    uint64_t version;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 3 * MIB);
    version = stored_attr(f, NS_INO_ROOT, NAME).version;
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, 3 * MIB), 0);
    assert_int_equal(rig_release(&f->rig, i), 0);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).version, version);
}

static void truncate_without_a_handle_is_committed_at_once(void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 10 * MIB);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, 5 * MIB + 123), 0);
    assert_null(i->wfile);
    rig_put(&f->rig, i);
    check_stored(f, f->bytes, 5 * MIB + 123);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, 1000), 0);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).content, NS_CONTENT_INLINE);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, 0), 0);
    rig_put(&f->rig, i);
    check_stored(f, f->bytes, 0);
    rig_check_no_leak(&f->rig);
}

static void truncate_beside_an_open_writer_waits_for_its_commit(void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 2 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, MIB), 0);
    assert_non_null(i->wfile);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).size, 2 * MIB);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, MIB);
}

static void utimens_while_dirty_survives_the_swap(void **state)
{
    struct fixture *f = *state;
    struct ns_entry e = { .kind = NS_E_SETATTR, .set = NS_SET_MTIME };
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 2 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    write_all(f, i, 2 * MIB, f->other, 10);
    e.attr.mtime = (struct ns_time){ 1000, 1 };
    e.ino = i->ino;
    assert_int_equal(wfile_setattr(&f->rig.fs, i, NS_SET_MTIME, &e.attr), 1);
    assert_int_equal(vsfs_change(&f->rig.fs, &e, NULL), 0);
    assert_int_equal(rig_release(&f->rig, i), 0);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).mtime.s, 1000);
}

static void stat_says_the_same_time_before_and_after_the_commit(void **state)
{
    struct fixture *f = *state;
    struct ns_time before, after;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 2 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    write_all(f, i, 100, f->other, 10);
    before = rig_attr(&f->rig, i).mtime;
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    after = rig_attr(&f->rig, i).mtime;
    assert_int_equal(before.s, after.s);
    assert_int_equal(before.ns, after.ns);
    assert_int_equal(rig_release(&f->rig, i), 0);
}

/* ---- holes ---- */

static void a_sparse_terabyte_stores_nothing(void **state)
{
    struct fixture *f = *state;
    const uint64_t size = UINT64_C(1) << 40;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);
    uint8_t got[8], zeros[8] = { 0 };
    struct ns_attr attr;

    assert_int_equal(wfile_truncate(&f->rig.fs, i, size), 0);
    assert_int_equal(rig_release(&f->rig, i), 0);
    attr = stored_attr(f, NS_INO_ROOT, NAME);
    assert_int_equal(attr.size, size);
    assert_int_equal(attr.data_bytes, 0);
    assert_int_equal(attr.stored_bytes, 0);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    assert_int_equal(rig_read(&f->rig, i, size - 8, got, 8), 8);
    assert_memory_equal(got, zeros, 8);
    assert_int_equal(wfile_seek(&f->rig.fs, i, 0, true), -ENXIO);
    assert_int_equal(rig_write(&f->rig, i, size / 2, f->bytes, 8), 0);
    assert_int_equal(rig_release(&f->rig, i), 0);
    attr = stored_attr(f, NS_INO_ROOT, NAME);
    assert_int_equal(attr.data_bytes, 8);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_seek(&f->rig.fs, i, 0, true), size / 2);
    assert_int_equal(wfile_seek(&f->rig.fs, i, size / 2, false), size / 2 + 8);
    rig_put(&f->rig, i);
    rig_check_no_leak(&f->rig);
}

static void holes_of_a_copied_file_stay_holes(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    write_all(f, i, 0, f->bytes, 3 * MIB);
    write_all(f, i, 12 * MIB, f->bytes, MIB); /* as cp does behind a lseek */
    assert_int_equal(rig_release(&f->rig, i), 0);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).data_bytes, 4 * MIB);
    memmove(f->bytes + 12 * MIB, f->bytes, MIB);
    memset(f->bytes + 3 * MIB, 0, 9 * MIB);
    check_stored(f, f->bytes, 13 * MIB);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(wfile_seek(&f->rig.fs, i, 0, false), 3 * MIB);
    assert_int_equal(wfile_seek(&f->rig.fs, i, 3 * MIB, true), 12 * MIB);
    rig_put(&f->rig, i);
}

static void a_punched_range_becomes_a_hole(void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 14 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_fallocate(&f->rig.fs, i, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     2 * MIB, 5 * MIB),
                     0);
    memset(f->bytes + 2 * MIB, 0, 5 * MIB);
    rig_check(&f->rig, i, f->bytes, 14 * MIB);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, 14 * MIB);
    assert_int_equal(stored_attr(f, NS_INO_ROOT, NAME).data_bytes, 9 * MIB);
    rig_check_no_leak(&f->rig);
}

static void writes_a_little_out_of_order_are_streamed(void **state)
{
    struct fixture *f = *state;
    static const unsigned order[] = { 1, 0, 3, 4, 2, 6, 5, 7, 9, 8 };
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    for (size_t n = 0; n < sizeof(order) / sizeof(order[0]); n++)
        write_all(f, i, order[n] * MIB, f->bytes + order[n] * MIB, MIB);
    assert_int_equal(f->rig.fs.staging_used, 0); /* taken in again */
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, 10 * MIB);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_in_range(chunk_count(f, i->ino), 3, 3);
    rig_put(&f->rig, i);
}

/* ---- errors ---- */

static void stores_down_at_the_commit_is_an_error_that_stays_and_the_old_version_is_readable(
    void **state)
{
    struct fixture *f = *state;
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 6 * MIB);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    write_all(f, i, 1000, f->other, 5000);
    rig_stores_down(&f->rig, RIG_STORES, true);
    assert_true(wfile_flush(&f->rig.fs, i, WFILE_FSYNC) < 0);
    rig_stores_down(&f->rig, RIG_STORES, false);
    assert_true(wfile_flush(&f->rig.fs, i, WFILE_FLUSH) < 0);
    assert_true(rig_write(&f->rig, i, 0, f->other, 1) < 0);
    assert_true(rig_release(&f->rig, i) < 0);
    check_stored(f, f->bytes, 6 * MIB);
}

static void a_new_file_that_cannot_be_stored_is_no_file(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    rig_stores_down(&f->rig, RIG_STORES, true);
    for (int n = 0; n < 6; n++)
        (void)rig_write(&f->rig, i, (uint64_t)n * MIB, f->bytes, MIB);
    assert_true(wfile_flush(&f->rig.fs, i, WFILE_FLUSH) < 0);
    assert_true(wfile_flush(&f->rig.fs, i, WFILE_RELEASE) < 0);
    assert_true(i->unlinked);
    wfile_drop(&f->rig.fs, i);
    rig_put(&f->rig, i);
    rig_stores_down(&f->rig, RIG_STORES, false);
    assert_null(rig_find(&f->rig, NS_INO_ROOT, NAME));
}

static void two_stores_down_do_not_hurt_a_write(void **state)
{
    struct fixture *f = *state;

    rig_stores_down(&f->rig, 2, true);
    store(f, NS_INO_ROOT, NAME, f->bytes, 5 * MIB);
    check_stored(f, f->bytes, 5 * MIB);
    rig_check_no_leak(&f->rig);
}

static void a_full_staging_refuses_the_write_and_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    f->rig.fs.opt.staging_bytes_max = MIB;
    write_all(f, i, 0, f->bytes, 6 * MIB);
    write_all(f, i, 0, f->other, MIB);
    memcpy(f->bytes, f->other, MIB);
    assert_int_equal(rig_write(&f->rig, i, 2 * MIB, f->other, 1), -ENOSPC);
    write_all(f, i, 10, f->other + 10, 100); /* already staged: no more space is needed */
    write_all(f, i, 6 * MIB, f->bytes + 6 * MIB, MIB);
    assert_int_equal(rig_release(&f->rig, i), 0);
    check_stored(f, f->bytes, 7 * MIB);
}

static void another_version_in_between_is_stale_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ns_entry e = { .kind = NS_E_SWAP };
    struct inode *i;

    store(f, NS_INO_ROOT, NAME, f->bytes, 100);
    i = rig_open_file(&f->rig, NS_INO_ROOT, NAME, false);
    write_all(f, i, 0, f->other, 50);
    e.ino = i->ino;
    e.base_version = stored_attr(f, NS_INO_ROOT, NAME).version;
    e.content = (struct ns_new_content){
        .kind = NS_CONTENT_INLINE, .bytes = "new", .bytes_len = 3, .size = 3, .data_bytes = 3
    };
    assert_int_equal(vsfs_change(&f->rig.fs, &e, NULL), 0);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), -ESTALE);
    assert_int_equal(rig_release(&f->rig, i), -ESTALE);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    i->content = (content_put(i->content), NULL);
    rig_check(&f->rig, i, (const uint8_t *)"new", 3);
    rig_put(&f->rig, i);
}

/* ---- the inbox ---- */

static bool flushed(struct fixture *f)
{
    return stored_attr(f, NS_INO_INBOX, NAME).flags & NS_F_FLUSHED;
}

static void an_inbox_file_is_complete_only_while_a_flush_followed_its_last_write(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_INBOX, NAME);

    write_all(f, i, 0, f->bytes, MIB);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FSYNC), 0);
    assert_false(flushed(f));
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    assert_true(flushed(f));
    write_all(f, i, MIB, f->bytes + MIB, 10);
    assert_false(flushed(f)); /* before the write is answered */
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    assert_true(flushed(f));
    assert_int_equal(wfile_truncate(&f->rig.fs, i, MIB), 0);
    assert_false(flushed(f));
    assert_int_equal(rig_release(&f->rig, i), 0);
    assert_true(flushed(f));
}

static void the_last_of_two_writers_settles_the_file(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_open(&f->rig.fs, i, false), 0);
    write_all(f, i, 0, f->bytes, MIB);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_RELEASE), 0);
    assert_true(i->provisional);
    write_all(f, i, MIB, f->bytes + MIB, MIB);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_RELEASE), 0);
    assert_null(i->wfile);
    rig_put(&f->rig, i);
    check_stored(f, f->bytes, 2 * MIB);
}

static void bad_arguments_are_refused(void **state)
{
    struct fixture *f = *state;
    struct inode *i = rig_create(&f->rig, NS_INO_ROOT, NAME);

    assert_int_equal(rig_write(&f->rig, i, INT64_MAX, "ab", 2), -EFBIG);
    assert_int_equal(rig_write(&f->rig, i, 5, "", 0), 0);
    assert_int_equal(wfile_truncate(&f->rig.fs, i, UINT64_MAX), -EFBIG);
    assert_int_equal(wfile_fallocate(&f->rig.fs, i, FALLOC_FL_COLLAPSE_RANGE, 0, 4096),
                     -EOPNOTSUPP);
    assert_int_equal(wfile_fallocate(&f->rig.fs, i, 0, 0, 0), -EINVAL);
    assert_int_equal(wfile_size(i), 0);
    assert_int_equal(rig_release(&f->rig, i), 0);
    i = rig_find(&f->rig, NS_INO_ROOT, NAME);
    assert_int_equal(rig_write(&f->rig, i, 0, "a", 1), -EBADF);
    assert_int_equal(wfile_flush(&f->rig.fs, i, WFILE_FLUSH), 0);
    rig_put(&f->rig, i);
}

/* ---- several at once ---- */

#define SHARED_BYTES (12u * MIB)

struct shared {
    struct fixture *f;
    struct inode *i;
    _Atomic bool over;
    _Atomic uint64_t written; /* everything below it has its bytes */
};

static void *shared_reader(void *arg)
{
    struct shared *s = arg;
    uint8_t *got = malloc(300000);
    struct vs_rand r;

    vs_rand_init(&r, (uintptr_t)got);
    while (!atomic_load(&s->over)) {
        uint64_t end = atomic_load(&s->written), at = vs_rand_below(&r, end);
        size_t len = 1 + vs_rand_below(&r, end - at < 300000 ? end - at : 300000);

        if (rig_read(&s->f->rig, s->i, at, got, len) != (int64_t)len ||
            memcmp(got, s->f->bytes + at, len) != 0)
            return got; /* kept: the test fails */
    }
    free(got);
    return NULL;
}

static void *shared_committer(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->over))
        if (wfile_flush(&s->f->rig.fs, s->i, WFILE_FSYNC) < 0)
            return s;
    return NULL;
}

/* Every byte has one value for ever, so a reader may look at any time. */
static void readers_see_what_was_written_while_commits_go_on(void **state)
{
    struct fixture *f = *state;
    struct shared s = { .f = f, .i = rig_create(&f->rig, NS_INO_ROOT, NAME) };
    pthread_t reader[2], committer;
    struct vs_rand r;
    void *failed;

    vs_rand_init(&r, 5);
    write_all(f, s.i, 0, f->bytes, 1000);
    atomic_store(&s.written, 1000);
    for (int n = 0; n < 2; n++)
        assert_int_equal(pthread_create(&reader[n], NULL, shared_reader, &s), 0);
    assert_int_equal(pthread_create(&committer, NULL, shared_committer, &s), 0);
    for (uint64_t end = 1000; end < SHARED_BYTES;) {
        size_t len = 1 + vs_rand_below(&r, 400000), back = 1 + vs_rand_below(&r, 5000);
        uint64_t at = vs_rand_below(&r, end);

        len = len < SHARED_BYTES - end ? len : SHARED_BYTES - end;
        write_all(f, s.i, end, f->bytes + end, len);
        end += len;
        write_all(f, s.i, at, f->bytes + at, back < end - at ? back : end - at);
        atomic_store(&s.written, end);
    }
    atomic_store(&s.over, true);
    for (int n = 0; n < 2; n++) {
        assert_int_equal(pthread_join(reader[n], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(pthread_join(committer, &failed), 0);
    assert_null(failed);
    assert_int_equal(rig_release(&f->rig, s.i), 0);
    check_stored(f, f->bytes, SHARED_BYTES);
    rig_check_no_leak(&f->rig);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_file_that_is_closed_is_stored),
        T(a_small_file_lives_in_the_metadata),
        T(an_empty_file_is_created_by_its_release_and_not_by_a_flush_before_the_first_write),
        T(fsync_of_an_unwritten_file_creates_it),
        T(fsync_commits_and_writing_goes_on),
        T(times_and_mode_set_before_the_first_commit_are_committed_with_it),
        T(a_file_without_a_name_is_readable_and_never_committed),
        T(truncating_open_keeps_the_old_version_until_the_commit),
        T(a_patch_stores_only_the_chunk_that_it_touches_anew),
        T(a_file_written_in_one_pass_or_mostly_rewritten_knows_its_hash),
        T(small_appends_with_a_close_each_do_not_fragment_the_file),
        T(nothing_changed_is_not_committed),
        T(truncate_without_a_handle_is_committed_at_once),
        T(truncate_beside_an_open_writer_waits_for_its_commit),
        T(utimens_while_dirty_survives_the_swap),
        T(stat_says_the_same_time_before_and_after_the_commit),
        T(a_sparse_terabyte_stores_nothing),
        T(holes_of_a_copied_file_stay_holes),
        T(a_punched_range_becomes_a_hole),
        T(writes_a_little_out_of_order_are_streamed),
        T(stores_down_at_the_commit_is_an_error_that_stays_and_the_old_version_is_readable),
        T(a_new_file_that_cannot_be_stored_is_no_file),
        T(two_stores_down_do_not_hurt_a_write),
        T(a_full_staging_refuses_the_write_and_keeps_the_rest),
        T(another_version_in_between_is_stale_and_changes_nothing),
        T(an_inbox_file_is_complete_only_while_a_flush_followed_its_last_write),
        T(the_last_of_two_writers_settles_the_file),
        T(bad_arguments_are_refused),
        T(readers_see_what_was_written_while_commits_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
