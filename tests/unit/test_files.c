/* Rules of files.h: handles: what an open says of cached pages, what close makes durable, and what
 * a failed upload leaves. */
#include "fs/files.h"
#include "fs/notify.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

static const struct names_caller caller = { .uid = 1000, .gid = 1000 };

/* Open for reading; does the kernel keep its pages? */
static bool open_keeps(struct names_rig *r, uint64_t ino)
{
    struct file *f;
    bool keep;

    assert_int_equal(files_open(r->fs, &caller, ino, O_RDONLY, &f, &keep), 0);
    files_release(r->fs, f);
    return keep;
}

static void rewrite(struct names_rig *r, const char *text)
{
    struct file *f = names_rig_open_file(r, ROOT, "film", O_WRONLY);

    names_rig_write(r, f, 0, text);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

/* ---- pages ---- */

static void pages_are_kept_for_an_unchanged_version_only(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;

    names_rig_put(r, ROOT, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film")); /* the kernel remembers it */
    assert_false(open_keeps(r, i->ino)); /* nothing is known of what it has */
    assert_true(open_keeps(r, i->ino));
    assert_true(open_keeps(r, i->ino));
    rewrite(r, "BYTES");
    assert_true(open_keeps(r, i->ino)); /* they are what was written */
    inode_put(r->fs->inodes, i);
}

static int forget_attr(void *forgotten, uint64_t ino, int64_t offset)
{
    assert_true(offset < 0);
    *(uint64_t *)forgotten = ino;
    return 0;
}

/* What another mount wrote is opened before it was heard of: with the size that the kernel was told
 * it would end too early. */
static void an_open_of_what_is_newer_than_the_kernel_was_told_says_so(void **state)
{
    static const struct notify_ops ops = { .inode = forget_attr };
    struct names_rig *r = *state;
    uint64_t forgotten = 0;
    struct ns_attr now;
    struct inode *i;

    names_rig_put(r, ROOT, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film"));
    assert_int_equal(names_attr(r->fs, i, &now), 0);
    assert_true(now.version > 0);
    assert_int_equal(notify_start(&r->fs->notify, &ops, &forgotten), 0);
    r->fs->shared = true;
    (void)open_keeps(r, i->ino);
    assert_int_equal(forgotten, 0); /* it was told nothing yet */
    i->told = now;
    (void)open_keeps(r, i->ino);
    assert_int_equal(forgotten, 0);
    i->told.version--;
    (void)open_keeps(r, i->ino);
    assert_int_equal(forgotten, i->ino);
    r->fs->shared = false;
    notify_stop(r->fs->notify);
    r->fs->notify = NULL;
    inode_put(r->fs->inodes, i);
}

static void pages_of_a_film_written_by_its_alias_are_not_kept(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;
    struct file *f;

    names_rig_put(r, NS_INO_INBOX, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film"));
    open_keeps(r, i->ino);
    assert_true(open_keeps(r, i->ino));
    f = names_rig_open_file(r, NS_INO_INBOX, "film", O_WRONLY);
    names_rig_write(r, f, 0, "BYTES");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_false(open_keeps(r, i->ino)); /* the kernel wrote to the pages of another inode */
    inode_put(r->fs->inodes, i);
}

/* Written, synced, written again, and the second cannot be stored. */
static void pages_behind_a_failed_commit_are_not_kept(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");
    struct inode *i = inode_ref(f->inode, r->fs->inodes);

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_fsync(r->fs, f), 0);
    rig_stores_down(&r->rig, RIG_STORES, true);
    names_rig_write(r, f, 100000, "not inline");
    assert_true(names_rig_close_file(r, f) < 0);
    rig_stores_down(&r->rig, RIG_STORES, false);
    assert_false(open_keeps(r, i->ino));
    names_rig_check(r, ROOT, "film", "bytes");
    inode_put(r->fs->inodes, i);
}

static void pages_are_not_kept_while_somebody_writes(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film"));
    open_keeps(r, i->ino);
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    assert_false(open_keeps(r, i->ino));
    assert_false(open_keeps(r, i->ino));
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_false(open_keeps(r, i->ino)); /* they may be the writer's */
    assert_true(open_keeps(r, i->ino));
    inode_put(r->fs->inodes, i);
}

/* What a writer wrote and could not store is in the kernel's pages: they must not outlive it. */
static void pages_of_a_failed_rewrite_are_not_kept(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film"));
    open_keeps(r, i->ino);
    assert_true(open_keeps(r, i->ino));
    rig_stores_down(&r->rig, RIG_STORES, true);
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    names_rig_write(r, f, 100000, "far behind, so that it cannot be kept in the metadata");
    assert_true(names_rig_close_file(r, f) < 0);
    rig_stores_down(&r->rig, RIG_STORES, false);
    assert_false(open_keeps(r, i->ino));
    names_rig_check(r, ROOT, "film", "bytes");
    inode_put(r->fs->inodes, i);
}

/* ---- close ---- */

/* Its release comes after close() has returned, and after a crash never. */
static void a_flush_before_the_first_write_creates_the_file_empty(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");

    assert_int_equal(files_flush(r->fs, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_STORED);
    names_rig_write(r, f, 0, "bytes"); /* dd flushes first, too */
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "bytes");
}

static void a_flush_of_who_wrote_nothing_leaves_what_others_write(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film"), *other;

    names_rig_write(r, f, 0, "by");
    other = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    assert_int_equal(names_rig_close_file(r, other), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_PROVISIONAL);
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "by");
}

static void a_flush_of_an_empty_file_does_not_replace_what_it_hides(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "new");

    names_rig_put(r, ROOT, "film", "bytes");
    assert_int_equal(names_rig_rename(r, ROOT, "new", ROOT, "film", 0), 0);
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_PROVISIONAL);
    names_rig_write(r, f, 0, "other");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "other");
}

static void a_flush_makes_durable_what_was_written_and_the_handle_goes_on(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");

    names_rig_write(r, f, 0, "by");
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_STORED);
    names_rig_write(r, f, 2, "tes");
    assert_int_equal(files_fsync(r->fs, f), 0);
    names_rig_check(r, ROOT, "film", "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
}

static void a_new_file_that_cannot_be_stored_is_refused_and_leaves_no_name(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");
    char *big = malloc(NS_INLINE_BYTES_MAX + 2);

    memset(big, 'x', NS_INLINE_BYTES_MAX + 1); /* too long for the metadata */
    big[NS_INLINE_BYTES_MAX + 1] = '\0';
    rig_stores_down(&r->rig, RIG_STORES, true);
    names_rig_write(r, f, 0, big);
    assert_true(names_rig_close_file(r, f) < 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
    rig_stores_down(&r->rig, RIG_STORES, false);
    names_rig_put(r, ROOT, "film", "again"); /* and the name is free */
    names_rig_check(r, ROOT, "film", "again");
    free(big);
}

static void a_file_created_read_only_is_stored_too(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;
    struct file *f;

    assert_int_equal(names_create(r->fs, &caller, ROOT, "film", 4, 0444, &i), 0);
    assert_int_equal(files_open_created(r->fs, i, O_RDONLY, &f), 0);
    inode_put(r->fs->inodes, i);
    files_release(r->fs, f);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_STORED);
}

static void opening_with_truncation_empties_the_file_at_its_commit(void **state)
{
    struct names_rig *r = *state;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY | O_TRUNC);
    names_rig_check(r, ROOT, "film", "");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "");
}

static void directories_and_what_is_not_there_cannot_be_opened(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    bool keep;

    assert_int_equal(files_open(r->fs, &caller, ROOT, O_RDONLY, &f, &keep), -EISDIR);
    assert_int_equal(files_open(r->fs, &caller, 4711, O_RDONLY, &f, &keep), -ENOENT);
    assert_int_equal(files_open(r->fs, &caller, 4711, O_WRONLY, &f, &keep), -ENOENT);
}

static void the_ignore_file_is_empty_and_cannot_be_written(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    bool keep;

    assert_int_equal(files_open(r->fs, &caller, CONTROL_INO_IGNORE, O_RDONLY, &f, &keep), 0);
    assert_int_equal(f->control->text.len, 0);
    assert_true(control_write(r->fs, f->control, "x", 1) < 0);
    files_release(r->fs, f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(pages_are_kept_for_an_unchanged_version_only),
        NAMES_TEST(an_open_of_what_is_newer_than_the_kernel_was_told_says_so),
        NAMES_TEST(pages_of_a_film_written_by_its_alias_are_not_kept),
        NAMES_TEST(pages_behind_a_failed_commit_are_not_kept),
        NAMES_TEST(pages_are_not_kept_while_somebody_writes),
        NAMES_TEST(pages_of_a_failed_rewrite_are_not_kept),
        NAMES_TEST(a_flush_before_the_first_write_creates_the_file_empty),
        NAMES_TEST(a_flush_of_who_wrote_nothing_leaves_what_others_write),
        NAMES_TEST(a_flush_of_an_empty_file_does_not_replace_what_it_hides),
        NAMES_TEST(a_flush_makes_durable_what_was_written_and_the_handle_goes_on),
        NAMES_TEST(a_new_file_that_cannot_be_stored_is_refused_and_leaves_no_name),
        NAMES_TEST(a_file_created_read_only_is_stored_too),
        NAMES_TEST(opening_with_truncation_empties_the_file_at_its_commit),
        NAMES_TEST(directories_and_what_is_not_there_cannot_be_opened),
        NAMES_TEST(the_ignore_file_is_empty_and_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
