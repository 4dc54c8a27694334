/* Rules of rename.c: every pair of what a name may be. */
#include "fs/inbox_state.h"
#include "fs/names.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static int ren(struct names_rig *r, const char *from, const char *to, unsigned flags)
{
    return names_rig_rename(r, ROOT, from, ROOT, to, flags);
}

/* ---- provisional ---- */

static void a_provisional_file_only_changes_its_name(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "a");
    uint64_t dir = names_rig_mkdir(r, ROOT, "dir");

    names_rig_write(r, f, 0, "by");
    assert_int_equal(names_rig_rename(r, ROOT, "a", dir, "b", 0), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "a"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, dir, "b"), NAMES_PROVISIONAL);
    names_rig_write(r, f, 2, "tes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, dir, "b", "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "a"), NAMES_NONE);
}

static void over_a_stored_file_it_hides_it_and_replaces_it_at_its_commit(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t old;

    names_rig_put(r, ROOT, "film", "old");
    old = names_rig_ino(r, ROOT, "film");
    f = names_rig_create(r, ROOT, "film.part");
    names_rig_write(r, f, 0, "new");
    assert_int_equal(ren(r, "film.part", "film", 0), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_PROVISIONAL);
    assert_int_equal(names_rig_nlink(r, old), 1); /* a crash now leaves the old one */
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "new");
    assert_int_equal(names_rig_nlink(r, old), -1);
}

static void moved_on_it_takes_what_it_hid_with_it(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t old;

    names_rig_put(r, ROOT, "film", "old");
    old = names_rig_ino(r, ROOT, "film");
    f = names_rig_create(r, ROOT, "a");
    assert_int_equal(ren(r, "a", "film", 0), 0);
    assert_int_equal(ren(r, "film", "b", 0), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE); /* rename(2) had replaced it */
    assert_int_equal(names_rig_nlink(r, old), -1);
    names_rig_write(r, f, 0, "new");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "b", "new");
}

static void unlinked_it_takes_what_it_hid_with_it(void **state)
{
    struct names_rig *r = *state;
    struct file *f;

    names_rig_put(r, ROOT, "film", "old");
    f = names_rig_create(r, ROOT, "a");
    assert_int_equal(ren(r, "a", "film", 0), 0);
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
}

static void over_another_provisional_file_that_one_becomes_nameless(void **state)
{
    struct names_rig *r = *state;
    struct file *a = names_rig_create(r, ROOT, "a"), *b = names_rig_create(r, ROOT, "b");

    names_rig_write(r, a, 0, "aa");
    names_rig_write(r, b, 0, "bb");
    assert_int_equal(ren(r, "a", "b", 0), 0);
    names_rig_check_file(r, b, "bb"); /* its handle goes on */
    assert_int_equal(names_rig_close_file(r, b), 0);
    assert_int_equal(names_rig_close_file(r, a), 0);
    names_rig_check(r, ROOT, "b", "aa");
    assert_int_equal(names_rig_kind(r, ROOT, "a"), NAMES_NONE);
}

static void over_a_provisional_file_that_hides_a_stored_one(void **state)
{
    struct names_rig *r = *state;
    struct file *a, *b;
    uint64_t old;

    names_rig_put(r, ROOT, "film", "old");
    old = names_rig_ino(r, ROOT, "film");
    a = names_rig_create(r, ROOT, "a");
    assert_int_equal(ren(r, "a", "film", 0), 0);
    b = names_rig_create(r, ROOT, "b");
    names_rig_write(r, b, 0, "bb");
    assert_int_equal(ren(r, "b", "film", 0), 0);
    assert_int_equal(names_rig_close_file(r, a), 0);
    assert_int_equal(names_rig_nlink(r, old), 1);
    assert_int_equal(names_rig_close_file(r, b), 0);
    names_rig_check(r, ROOT, "film", "bb");
    assert_int_equal(names_rig_nlink(r, old), -1);
}

/* ---- stored ---- */

static void a_stored_file_over_a_provisional_one(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");

    names_rig_write(r, f, 0, "lost");
    names_rig_put(r, ROOT, "a", "kept");
    assert_int_equal(ren(r, "a", "film", 0), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_STORED);
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "kept");
}

static void a_stored_file_over_a_provisional_one_that_hides_another(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t old;

    names_rig_put(r, ROOT, "film", "old");
    old = names_rig_ino(r, ROOT, "film");
    f = names_rig_create(r, ROOT, "p");
    assert_int_equal(ren(r, "p", "film", 0), 0);
    names_rig_put(r, ROOT, "a", "kept");
    assert_int_equal(ren(r, "a", "film", 0), 0);
    names_rig_write(r, f, 0, "nameless");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "kept");
    assert_int_equal(names_rig_nlink(r, old), -1);
}

static void a_replaced_file_stays_readable_while_it_is_open(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t old;

    names_rig_put(r, ROOT, "a", "new");
    names_rig_put(r, ROOT, "film", "old");
    old = names_rig_ino(r, ROOT, "film");
    f = names_rig_open_file(r, ROOT, "film", O_RDONLY);
    assert_int_equal(ren(r, "a", "film", 0), 0);
    names_rig_check_file(r, f, "old");
    names_rig_check(r, ROOT, "film", "new");
    assert_true(names_rig_is_orphan(r, old));
    files_release(r->fs, f);
    assert_int_equal(names_rig_nlink(r, old), -1);
}

static void two_names_of_one_file_stay_both(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr attr;

    names_rig_put(r, ROOT, "a", "1");
    assert_int_equal(names_link(r->fs, names_rig_ino(r, ROOT, "a"), ROOT, "b", 1, &attr), 0);
    assert_int_equal(ren(r, "a", "b", 0), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "a"), NAMES_STORED);
    assert_int_equal(names_rig_kind(r, ROOT, "b"), NAMES_STORED);
}

static void errnos_are_those_of_the_man_page(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "fresh"), *inside;
    uint64_t full = names_rig_mkdir(r, ROOT, "full");

    inside = names_rig_create(r, full, "x");
    names_rig_mkdir(r, ROOT, "dir");
    names_rig_put(r, ROOT, "film", "1");
    assert_int_equal(ren(r, "nothing", "x", 0), -ENOENT);
    assert_int_equal(ren(r, "fresh", "dir", 0), -EISDIR);
    assert_int_equal(ren(r, "film", "dir", 0), -EISDIR);
    assert_int_equal(ren(r, "dir", "film", 0), -ENOTDIR);
    assert_int_equal(ren(r, "dir", "fresh", 0), -ENOTDIR);
    assert_int_equal(ren(r, "dir", "full", 0), -ENOTEMPTY); /* by a provisional file */
    assert_int_equal(ren(r, "film", "fresh", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(ren(r, "fresh", "film", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(ren(r, "film", "nothing", RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(ren(r, "film", "fresh", RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(ren(r, "film", "x", RENAME_WHITEOUT), -EINVAL);
    assert_int_equal(ren(r, "inbox", "x", 0), -EBUSY);
    assert_int_equal(ren(r, "film", ".vstack", 0), -EPERM);
    assert_int_equal(ren(r, "film", "film", 0), 0);
    assert_int_equal(names_rig_close_file(r, inside), 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

static void two_stored_files_change_places(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "a", "1");
    names_rig_put(r, ROOT, "b", "2");
    assert_int_equal(ren(r, "a", "b", RENAME_EXCHANGE), 0);
    names_rig_check(r, ROOT, "a", "2");
    names_rig_check(r, ROOT, "b", "1");
}

/* ---- the inbox ---- */

static void directories_do_not_cross_its_border(void **state)
{
    struct names_rig *r = *state;

    names_rig_mkdir(r, ROOT, "series");
    names_rig_mkdir(r, INBOX, "more");
    assert_int_equal(names_rig_rename(r, ROOT, "series", INBOX, "series", 0), -EXDEV);
    assert_int_equal(names_rig_rename(r, INBOX, "more", ROOT, "other", 0), -EXDEV);
}

static void a_directory_renamed_inside_takes_its_counterpart_along(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, INBOX, "Film.part"), published;

    published = names_rig_ino(r, ROOT, "Film.part");
    assert_true(published != 0);
    assert_int_equal(names_rig_rename(r, INBOX, "Film.part", INBOX, "Film", 0), 0);
    assert_int_equal(names_rig_ino(r, ROOT, "Film"), published);
    assert_int_equal(names_rig_kind(r, ROOT, "Film.part"), NAMES_NONE);
    names_rig_put(r, dir, "a.mkv", "1");
    names_rig_settle(r);
    names_rig_check(r, published, "a.mkv", "1");
}

static void an_uncommitted_upload_renamed_into_the_tree_is_no_upload_any_more(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "a.mkv");

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_rename(r, INBOX, "a.mkv", ROOT, "b.mkv", 0), 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "b.mkv", "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "a.mkv"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "a.mkv"), NAMES_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_provisional_file_only_changes_its_name),
        NAMES_TEST(over_a_stored_file_it_hides_it_and_replaces_it_at_its_commit),
        NAMES_TEST(moved_on_it_takes_what_it_hid_with_it),
        NAMES_TEST(unlinked_it_takes_what_it_hid_with_it),
        NAMES_TEST(over_another_provisional_file_that_one_becomes_nameless),
        NAMES_TEST(over_a_provisional_file_that_hides_a_stored_one),
        NAMES_TEST(a_stored_file_over_a_provisional_one),
        NAMES_TEST(a_stored_file_over_a_provisional_one_that_hides_another),
        NAMES_TEST(a_replaced_file_stays_readable_while_it_is_open),
        NAMES_TEST(two_names_of_one_file_stay_both),
        NAMES_TEST(errnos_are_those_of_the_man_page),
        NAMES_TEST(two_stored_files_change_places),
        NAMES_TEST(directories_do_not_cross_its_border),
        NAMES_TEST(a_directory_renamed_inside_takes_its_counterpart_along),
        NAMES_TEST(an_uncommitted_upload_renamed_into_the_tree_is_no_upload_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
