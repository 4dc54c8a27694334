/* Rules of directories inside the inbox: their counterparts, when they are hidden, when they go. */
#include "fs/inbox.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static bool hidden(struct names_rig *r, uint64_t dir)
{
    return inbox_dir_hidden(r->fs->inbox, dir);
}

static void a_directory_has_its_counterpart_at_once(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, a, "b"), published;

    published = names_rig_ino(r, names_rig_ino(r, ROOT, "a"), "b");
    assert_true(published != 0);
    assert_int_equal(inbox_dir_mirror(r->fs->inbox, b), published);
    assert_int_equal(inbox_dir_mirror(r->fs->inbox, INBOX), ROOT);
    assert_true(inbox_has_dir(r->fs->inbox, b));
    assert_false(inbox_has_dir(r->fs->inbox, published));
    assert_false(inbox_has_dir(r->fs->inbox, ROOT));
}

static void a_new_empty_directory_is_listed_and_an_emptied_one_is_not(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a");

    assert_false(hidden(r, a));
    names_rig_put(r, a, "film", "bytes");
    assert_true(hidden(r, a));
    assert_int_equal(names_rig_ino(r, INBOX, "a"), a); /* and still found */
}

static void a_directory_is_emptied_when_all_below_it_are(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, a, "b"), c;

    c = names_rig_mkdir(r, a, "c");
    names_rig_put(r, b, "film", "bytes");
    assert_true(hidden(r, b));
    assert_false(hidden(r, a));
    names_rig_put(r, c, "film", "bytes");
    assert_true(hidden(r, a));
}

static void what_is_made_in_it_shows_it_again_and_those_above(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, a, "b");
    struct file *f;

    names_rig_put(r, b, "1", "bytes");
    assert_true(hidden(r, a));
    f = names_rig_create(r, b, "2");
    assert_false(hidden(r, b));
    assert_false(hidden(r, a));
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_true(hidden(r, a));
    names_rig_mkdir(r, b, "c");
    assert_false(hidden(r, a));
}

static void a_file_that_stays_keeps_its_directory_listed(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a");

    names_rig_put(r, a, "x.part", "bytes");
    names_rig_put(r, a, "film", "bytes");
    assert_false(hidden(r, a));
    assert_int_equal(names_rig_unlink(r, a, "x.part"), 0);
    assert_true(hidden(r, a));
}

static void rmdir_takes_emptied_directories_along(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, a, "b");
    struct file *f;

    names_rig_put(r, b, "film", "bytes");
    f = names_rig_create(r, b, "open");
    assert_int_equal(names_rmdir(r->fs, INBOX, "a", 1), -ENOTEMPTY); /* not with this in it */
    names_rig_write(r, f, 0, "more");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rmdir(r->fs, INBOX, "a", 1), 0);
    assert_false(inbox_has_dir(r->fs->inbox, a));
    assert_false(inbox_has_dir(r->fs->inbox, b));
    names_rig_check(r, names_rig_ino(r, names_rig_ino(r, ROOT, "a"), "b"), "film", "bytes");
}

static void emptied_directories_go_when_the_inbox_was_idle_long_enough(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, INBOX, "b");

    names_rig_put(r, a, "film", "bytes");
    names_rig_put(r, b, "x.part", "bytes");
    names_rig_put(r, b, "film", "bytes");
    names_rig_advance(r, INBOX_DIR_WAIT_S - 5);
    assert_true(inbox_has_dir(r->fs->inbox, a)); /* which counts as an operation */
    names_rig_advance(r, INBOX_DIR_WAIT_S - 5);
    assert_int_equal(names_rig_ino(r, INBOX, "a"), a);
    names_rig_advance(r, 6);
    assert_int_equal(names_rig_kind(r, INBOX, "a"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "b"), NAMES_STORED);
    names_rig_check(r, names_rig_ino(r, ROOT, "a"), "film", "bytes");
}

static void a_directory_with_an_open_upload_is_not_swept(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a");
    struct file *f;

    names_rig_put(r, a, "1", "bytes");
    f = names_rig_create(r, a, "2"); /* for hours */
    names_rig_advance(r, INBOX_DIR_WAIT_S + 1);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, names_rig_ino(r, ROOT, "a"), "2", "bytes");
}

static void a_renamed_directory_is_known_by_its_new_name(void **state)
{
    struct names_rig *r = *state;
    uint64_t a = names_rig_mkdir(r, INBOX, "a"), b = names_rig_mkdir(r, INBOX, "b");

    assert_int_equal(names_rig_rename(r, INBOX, "a", b, "c", 0), 0);
    names_rig_put(r, a, "film", "bytes");
    assert_true(hidden(r, a));
    assert_true(hidden(r, b)); /* which is above it now */
    names_rig_check(r, names_rig_ino(r, names_rig_ino(r, ROOT, "b"), "c"), "film", "bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_directory_has_its_counterpart_at_once),
        NAMES_TEST(a_new_empty_directory_is_listed_and_an_emptied_one_is_not),
        NAMES_TEST(a_directory_is_emptied_when_all_below_it_are),
        NAMES_TEST(what_is_made_in_it_shows_it_again_and_those_above),
        NAMES_TEST(a_file_that_stays_keeps_its_directory_listed),
        NAMES_TEST(rmdir_takes_emptied_directories_along),
        NAMES_TEST(emptied_directories_go_when_the_inbox_was_idle_long_enough),
        NAMES_TEST(a_directory_with_an_open_upload_is_not_swept),
        NAMES_TEST(a_renamed_directory_is_known_by_its_new_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
