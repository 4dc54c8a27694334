/* Rules of the write state: when a file is created, what the inbox is told, who may look while. */
#include "common/cleanup.h"
#include "common/rand.h"
#include "tests/support/store_stall.h"
#include "tests/support/wfile_rig.h"
#include <errno.h>
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

/* ---- creating ---- */

static void a_file_that_is_closed_is_stored(void **state)
{
    struct rig *r = *state;
    struct ns_attr attr;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 9 * MIB + 17);
    rig_check_stored(r, NAME, r->bytes, 9 * MIB + 17);
    attr = rig_stored_attr(r, NS_INO_ROOT, NAME);
    assert_int_equal(attr.content, NS_CONTENT_CHUNKS);
    assert_int_equal(attr.data_bytes, 9 * MIB + 17);
    assert_in_range(attr.stored_bytes, 9 * MIB * 5 / 3, 9 * MIB * 5 / 3 + 4096);
    rig_check_no_leak(r);
}

static void a_small_file_lives_in_the_metadata(void **state)
{
    struct rig *r = *state;
    struct ns_attr attr;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, NS_INLINE_BYTES_MAX);
    rig_check_stored(r, NAME, r->bytes, NS_INLINE_BYTES_MAX);
    attr = rig_stored_attr(r, NS_INO_ROOT, NAME);
    assert_int_equal(attr.content, NS_CONTENT_INLINE);
    assert_int_equal(attr.stored_bytes, NS_INLINE_BYTES_MAX);
    rig_check_no_leak(r);
}

static void an_empty_file_is_created_by_its_release_and_not_by_a_flush_before_the_first_write(
    void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    assert_true(i->provisional);
    assert_null(rig_find(r, NS_INO_ROOT, NAME));
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_RELEASE), 0);
    assert_false(i->provisional);
    assert_null(i->wfile);
    rig_put(r, i);
    assert_int_equal(rig_stored_attr(r, NS_INO_ROOT, NAME).content, NS_CONTENT_NONE);
    rig_check_stored(r, NAME, r->bytes, 0);
}

static void fsync_of_an_unwritten_file_creates_it(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FSYNC), 0);
    assert_false(i->provisional);
    rig_write_all(r, i, 0, r->bytes, 100);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, NAME, r->bytes, 100);
}

static void fsync_commits_and_writing_goes_on(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, 5 * MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FSYNC), 0);
    rig_write_all(r, i, 5 * MIB, r->bytes + 5 * MIB, 3 * MIB);
    wfile_drop(&r->fs, i); /* a crash */
    rig_put(r, i);
    rig_check_stored(r, NAME, r->bytes, 5 * MIB);
}

static void times_and_mode_set_before_the_first_commit_are_committed_with_it(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);
    struct ns_attr set = { .mode = 0600, .mtime = { -300000000, 5 }, .atime = { 77, 0 } };
    struct ns_attr attr;

    rig_write_all(r, i, 0, r->bytes, MIB);
    assert_int_equal(wfile_setattr(&r->fs, i, NS_SET_MODE | NS_SET_MTIME | NS_SET_ATIME, &set), 0);
    assert_int_equal(rig_attr(r, i).mtime.s, -300000000);
    assert_int_equal(rig_release(r, i), 0);
    attr = rig_stored_attr(r, NS_INO_ROOT, NAME);
    assert_int_equal(attr.mode, S_IFREG | 0600);
    assert_int_equal(attr.mtime.s, -300000000);
    assert_int_equal(attr.mtime.ns, 5);
    assert_int_equal(attr.atime.s, 77);
}

static void a_file_without_a_name_is_readable_and_never_committed(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    rig_write_all(r, i, 0, r->bytes, 6 * MIB);
    i->unlinked = true;
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    rig_write_all(r, i, 6 * MIB, r->bytes + 6 * MIB, MIB);
    rig_check(r, i, r->bytes, 7 * MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_RELEASE), 0);
    rig_check(r, i, r->bytes, 7 * MIB);
    wfile_drop(&r->fs, i);
    wfile_drop(&r->fs, i);
    assert_null(i->wfile);
    rig_put(r, i);
    assert_null(rig_find(r, NS_INO_ROOT, NAME));
}

/* ---- the inbox ---- */

static bool flushed(struct rig *r)
{
    return rig_stored_attr(r, NS_INO_INBOX, NAME).flags & NS_F_FLUSHED;
}

static void an_inbox_file_is_complete_only_while_a_flush_followed_its_last_write(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_INBOX, NAME);

    rig_write_all(r, i, 0, r->bytes, MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FSYNC), 0);
    assert_false(flushed(r));
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    assert_true(flushed(r));
    rig_write_all(r, i, MIB, r->bytes + MIB, 10);
    assert_false(flushed(r)); /* before the write is answered */
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    assert_true(flushed(r));
    assert_int_equal(wfile_truncate(&r->fs, i, MIB), 0);
    assert_false(flushed(r));
    assert_int_equal(rig_release(r, i), 0);
    assert_true(flushed(r));
}

static void the_last_of_two_writers_settles_the_file(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    assert_int_equal(wfile_open(&r->fs, i, false), 0);
    rig_write_all(r, i, 0, r->bytes, MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_RELEASE), 0);
    assert_true(i->provisional);
    rig_write_all(r, i, MIB, r->bytes + MIB, MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_RELEASE), 0);
    assert_null(i->wfile);
    rig_put(r, i);
    rig_check_stored(r, NAME, r->bytes, 2 * MIB);
}

/* The teardown stops the mount, and finds every upload freed and nothing counted as staged. */
static void a_stop_under_open_writers_frees_their_state(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, MIB, r->bytes, 5 * MIB);
    rig_write_all(r, i, 10, r->other, 1000);
    i = rig_create(r, NS_INO_ROOT, "other.mkv");
    rig_write_all(r, i, 0, r->bytes, 6 * MIB);
    assert_true(wfile_dirty(i));
}

static void a_failed_writer_leaves_no_pages_that_the_kernel_may_keep(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 3 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    rig_write_all(r, i, 0, r->other, MIB);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FSYNC), 0);
    assert_int_equal(i->cached_version, rig_stored_attr(r, NS_INO_ROOT, NAME).version);
    rig_write_all(r, i, 0, r->other + MIB, MIB);
    rig_stores_down(r, RIG_STORES, true);
    assert_true(wfile_flush(&r->fs, i, WFILE_FLUSH) < 0);
    assert_true(wfile_flush(&r->fs, i, WFILE_RELEASE) < 0);
    assert_int_equal(i->cached_version, 0);
    rig_put(r, i);
}

static void bad_arguments_are_refused(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, NAME);

    assert_int_equal(rig_write(r, i, INT64_MAX, "ab", 2), -EFBIG);
    assert_int_equal(rig_write(r, i, 5, "", 0), 0);
    assert_int_equal(wfile_truncate(&r->fs, i, UINT64_MAX), -EFBIG);
    assert_int_equal(wfile_fallocate(&r->fs, i, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
    assert_int_equal(wfile_fallocate(&r->fs, i, 0, 0, 0), -EINVAL);
    assert_int_equal(rig_attr(r, i).size, 0);
    assert_int_equal(rig_release(r, i), 0);
    i = rig_find(r, NS_INO_ROOT, NAME);
    assert_int_equal(rig_write(r, i, 0, "a", 1), -EBADF);
    assert_int_equal(wfile_flush(&r->fs, i, WFILE_FLUSH), 0);
    rig_put(r, i);
}

/* ---- several at once ---- */

#define SHARED_BYTES (12u * MIB)

struct shared {
    struct rig *rig;
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

        if (rig_read(s->rig, s->i, at, got, len) != (int64_t)len ||
            memcmp(got, s->rig->bytes + at, len) != 0)
            return got; /* kept: the test fails */
    }
    free(got);
    return NULL;
}

static void *shared_committer(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->over))
        if (wfile_flush(&s->rig->fs, s->i, WFILE_FSYNC) < 0)
            return s;
    return NULL;
}

/* Every byte has one value for ever, so a reader may look at any time. */
static void readers_see_what_was_written_while_commits_go_on(void **state)
{
    struct rig *r = *state;
    struct shared s = { .rig = r, .i = rig_create(r, NS_INO_ROOT, NAME) };
    pthread_t reader[2], committer;
    struct vs_rand rand;
    void *failed;

    vs_rand_init(&rand, 5);
    rig_write_all(r, s.i, 0, r->bytes, 1000);
    atomic_store(&s.written, 1000);
    for (int n = 0; n < 2; n++)
        assert_int_equal(pthread_create(&reader[n], NULL, shared_reader, &s), 0);
    assert_int_equal(pthread_create(&committer, NULL, shared_committer, &s), 0);
    for (uint64_t end = 1000; end < SHARED_BYTES;) {
        size_t len = 1 + vs_rand_below(&rand, 400000), back = 1 + vs_rand_below(&rand, 5000);
        uint64_t at = vs_rand_below(&rand, end);

        len = len < SHARED_BYTES - end ? len : SHARED_BYTES - end;
        rig_write_all(r, s.i, end, r->bytes + end, len);
        end += len;
        rig_write_all(r, s.i, at, r->bytes + at, back < end - at ? back : end - at);
        atomic_store(&s.written, end);
    }
    atomic_store(&s.over, true);
    for (int n = 0; n < 2; n++) {
        assert_int_equal(pthread_join(reader[n], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(pthread_join(committer, &failed), 0);
    assert_null(failed);
    assert_int_equal(rig_release(r, s.i), 0);
    rig_check_stored(r, NAME, r->bytes, SHARED_BYTES);
    rig_check_no_leak(r);
}

/* ---- a store that answers late ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct {
        struct chunk_store *inner;
        struct store_get *get;
    } held[8];
    unsigned count;
} late = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { { NULL, NULL } }, 0 };

struct late_store {
    struct chunk_store store;
    struct chunk_store *inner;
};

static void late_get(struct chunk_store *s, struct store_get *g)
{
    VS_LOCK_SCOPE(&late.lock);
    assert_true(late.count < 8);
    late.held[late.count].inner = vs_container_of(s, struct late_store, store)->inner;
    late.held[late.count++].get = g;
    pthread_cond_signal(&late.came);
}

static void late_put(struct chunk_store *s, struct store_put *p)
{
    chunk_store_put(vs_container_of(s, struct late_store, store)->inner, p);
}

static void late_del(struct chunk_store *s, struct store_del *d)
{
    chunk_store_del(vs_container_of(s, struct late_store, store)->inner, d);
}

static void late_health(struct chunk_store *s, struct store_health *ret)
{
    chunk_store_health(vs_container_of(s, struct late_store, store)->inner, ret);
}

static const struct chunk_store_ops late_ops = {
    .put = late_put, .get = late_get, .del = late_del, .health = late_health
};

static void *late_reader(void *arg)
{
    static uint8_t got[1000];
    struct shared *s = arg;

    memset(got, 1, sizeof(got));
    if (rig_read(s->rig, s->i, MIB, got, sizeof(got)) != sizeof(got))
        return NULL;
    return got;
}

/* The chunk is released, collected and gone before the store looks for it. */
static void a_read_that_loses_its_chunk_to_a_commit_is_answered_from_the_new_version(void **state)
{
    struct rig *r = *state;
    static struct late_store stores[RIG_STORES];
    static const uint8_t zeros[1000];
    struct shared s = { .rig = r };
    pthread_t reader;
    void *got;

    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 5 * MIB);
    s.i = rig_open_file(r, NS_INO_ROOT, NAME, false);
    assert_int_equal(wfile_truncate(&r->fs, s.i, 6 * MIB), 0);
    for (unsigned n = 0; n < RIG_STORES; n++) {
        stores[n] = (struct late_store){ { &late_ops }, r->mem[n] };
        atomic_store(&r->fs.stores.entries[n].store, &stores[n].store);
    }
    assert_int_equal(pthread_create(&reader, NULL, late_reader, &s), 0);
    {
        VS_LOCK_SCOPE(&late.lock);
        while (late.count == 0)
            pthread_cond_wait(&late.came, &late.lock);
    }
    for (unsigned n = 0; n < RIG_STORES; n++)
        atomic_store(&r->fs.stores.entries[n].store, r->mem[n]);
    assert_int_equal(
        wfile_fallocate(&r->fs, s.i, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * MIB), 0);
    assert_int_equal(wfile_flush(&r->fs, s.i, WFILE_FSYNC), 0);
    assert_int_equal(collect_drain(r->fs.collect, 10 * VS_NS_PER_S), 0);
    for (unsigned k = 0; k < late.count; k++)
        chunk_store_get(late.held[k].inner, late.held[k].get);
    assert_int_equal(pthread_join(reader, &got), 0);
    assert_non_null(got);
    assert_memory_equal(got, zeros, sizeof(zeros));
    assert_int_equal(rig_release(r, s.i), 0);
}

static void *flusher(void *arg)
{
    struct shared *s = arg;

    return wfile_flush(&s->rig->fs, s->i, WFILE_FLUSH) == 0 ? s : NULL;
}

/* Everything is durable by then, and nobody can name it: the bytes stay for who has it open. */
static void a_file_that_loses_its_name_while_it_is_committed_goes_on_without_one(void **state)
{
    struct rig *r = *state;
    struct shared s = { .rig = r, .i = rig_create(r, NS_INO_ROOT, NAME) };
    struct chunk_store *stall[RIG_STORES];
    pthread_t thread;
    void *ok;

    for (unsigned n = 0; n < RIG_STORES; n++) {
        stall[n] = store_stall_new(r->mem[n], r->store_exec);
        atomic_store(&r->fs.stores.entries[n].store, stall[n]);
        store_stall_hold(stall[n], true);
    }
    rig_write_all(r, s.i, 0, r->bytes, 3 * MIB);
    assert_int_equal(pthread_create(&thread, NULL, flusher, &s), 0);
    store_stall_await_held(stall[0], 1);
    {
        VS_LOCK_SCOPE(&s.i->lock);
        s.i->unlinked = true;
    }
    for (unsigned n = 0; n < RIG_STORES; n++)
        store_stall_hold(stall[n], false);
    assert_int_equal(pthread_join(thread, &ok), 0);
    assert_non_null(ok);
    rig_write_all(r, s.i, 3 * MIB, r->bytes + 3 * MIB, MIB);
    rig_write_all(r, s.i, MIB, r->other, 1000);
    memcpy(r->bytes + MIB, r->other, 1000);
    assert_int_equal(wfile_flush(&r->fs, s.i, WFILE_FLUSH), 0);
    assert_int_equal(wfile_flush(&r->fs, s.i, WFILE_RELEASE), 0);
    rig_check(r, s.i, r->bytes, 4 * MIB);
    wfile_drop(&r->fs, s.i);
    rig_put(r, s.i);
    assert_null(rig_find(r, NS_INO_ROOT, NAME));
}

/* What lies below the written bytes cannot be read: an error, of a file that is named. */
static void a_read_under_a_writer_that_fails_says_of_which_file(void **state)
{
    struct rig *r = *state;
    struct inode *i;
    uint8_t got[8];

    rig_store(r, NS_INO_ROOT, "film", r->bytes, 3 * MIB);
    i = rig_open_file(r, NS_INO_ROOT, "film", false);
    rig_write_all(r, i, 0, r->other, 8);
    rig_stores_down(r, RIG_STORES, true);
    assert_true(rig_read(r, i, MIB, got, sizeof(got)) < 0);
    assert_int_equal(rig_read(r, i, 0, got, sizeof(got)), sizeof(got));
    rig_stores_down(r, RIG_STORES, false);
    assert_int_equal(rig_release(r, i), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_read_under_a_writer_that_fails_says_of_which_file),
        RIG_TEST(a_file_that_is_closed_is_stored),
        RIG_TEST(a_small_file_lives_in_the_metadata),
        RIG_TEST(an_empty_file_is_created_by_its_release_and_not_by_a_flush_before_the_first_write),
        RIG_TEST(fsync_of_an_unwritten_file_creates_it),
        RIG_TEST(fsync_commits_and_writing_goes_on),
        RIG_TEST(times_and_mode_set_before_the_first_commit_are_committed_with_it),
        RIG_TEST(a_file_without_a_name_is_readable_and_never_committed),
        RIG_TEST(an_inbox_file_is_complete_only_while_a_flush_followed_its_last_write),
        RIG_TEST(the_last_of_two_writers_settles_the_file),
        RIG_TEST(a_stop_under_open_writers_frees_their_state),
        RIG_TEST(a_failed_writer_leaves_no_pages_that_the_kernel_may_keep),
        RIG_TEST(bad_arguments_are_refused),
        RIG_TEST(readers_see_what_was_written_while_commits_go_on),
        RIG_TEST(a_read_that_loses_its_chunk_to_a_commit_is_answered_from_the_new_version),
        RIG_TEST(a_file_that_loses_its_name_while_it_is_committed_goes_on_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
