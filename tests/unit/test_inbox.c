/* Rules of inbox.h: what is published when, who waits for it, what a start makes good. */
#include "fs/inbox.h"
#include "fs/waiter.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static const struct names_caller caller = { .uid = 1000, .gid = 1000 };

/* ---- settled ---- */

static void a_closed_file_is_published(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "film.mkv", "bytes");
    names_rig_check(r, ROOT, "film.mkv", "bytes");
    assert_int_equal(names_rig_kind(r, INBOX, "film.mkv"), NAMES_ALIAS);
}

static void a_file_is_published_by_its_last_writer_only(void **state)
{
    struct names_rig *r = *state;
    struct file *a = names_rig_create(r, INBOX, "film.mkv"), *b;

    names_rig_write(r, a, 0, "by");
    b = names_rig_open_file(r, INBOX, "film.mkv", O_WRONLY);
    assert_int_equal(names_rig_close_file(r, a), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv"), NAMES_NONE);
    names_rig_write(r, b, 2, "tes");
    assert_int_equal(names_rig_close_file(r, b), 0);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
}

static void readers_do_not_hold_a_publish_back(void **state)
{
    struct names_rig *r = *state;
    struct file *w = names_rig_create(r, INBOX, "film.mkv"), *reader;

    names_rig_write(r, w, 0, "bytes");
    reader = names_rig_open_file(r, INBOX, "film.mkv", O_RDONLY);
    assert_int_equal(names_rig_close_file(r, w), 0);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
    names_rig_check_file(r, reader, "bytes");
    files_release(r->fs, reader);
}

static void a_temporary_name_stays_until_it_is_renamed(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "film.mkv.part", "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv.part"), NAMES_NONE);
    assert_int_equal(names_rig_rename(r, INBOX, "film.mkv.part", INBOX, "film.mkv", 0), 0);
    names_rig_settle(r);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
}

static void renamed_while_open_it_is_published_when_closed(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film.mkv.part");

    names_rig_write(r, f, 0, "by");
    assert_int_equal(files_fsync(r->fs, f), 0); /* stored, no longer provisional */
    assert_int_equal(names_rig_rename(r, INBOX, "film.mkv.part", INBOX, "film.mkv", 0), 0);
    names_rig_settle(r);
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv"), NAMES_NONE);
    names_rig_write(r, f, 2, "tes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_settle(r);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
}

static void a_link_to_a_final_name_publishes(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr attr;

    names_rig_put(r, INBOX, "a.tmp", "bytes");
    assert_int_equal(names_link(r->fs, names_rig_ino(r, INBOX, "a.tmp"), INBOX, "a.mkv", 5, &attr),
                     0);
    names_rig_settle(r);
    names_rig_check(r, ROOT, "a.mkv", "bytes");
    assert_int_equal(names_rig_unlink(r, INBOX, "a.tmp"), 0);
    names_rig_check(r, ROOT, "a.mkv", "bytes");
}

static void a_file_moved_in_from_the_tree_is_published(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, names_rig_mkdir(r, ROOT, "downloads"), "film.mkv", "bytes");
    assert_int_equal(
        names_rig_rename(r, names_rig_ino(r, ROOT, "downloads"), "film.mkv", INBOX, "film.mkv", 0),
        0);
    names_rig_settle(r);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
}

static void a_symbolic_link_is_published_when_made(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr attr;

    assert_int_equal(
        names_make(r->fs, &caller, INBOX, "link", 4, S_IFLNK | 0777, 0, "film.mkv", &attr), 0);
    names_rig_settle(r);
    assert_int_equal(names_rig_ino(r, ROOT, "link"), attr.ino);
}

static void a_file_that_could_not_be_stored_is_not_published(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film.mkv");

    rig_stores_down(&r->rig, RIG_STORES, true);
    names_rig_write(r, f, 100000, "not inline");
    assert_true(names_rig_close_file(r, f) < 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "film.mkv"), NAMES_NONE);
}

/* ---- empty ---- */

static void an_empty_file_waits_for_its_bytes(void **state)
{
    struct names_rig *r = *state;
    struct file *f;

    names_rig_put(r, INBOX, "film.mkv", "");
    names_rig_advance(r, INBOX_EMPTY_WAIT_S - 1);
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv"), NAMES_NONE);
    f = names_rig_open_file(r, INBOX, "film.mkv", O_WRONLY);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film.mkv", "bytes");
    names_rig_advance(r, 2); /* the wait of the empty one ends, and finds nothing to do */
    assert_int_equal(names_rig_kind(r, ROOT, "film (2).mkv"), NAMES_NONE);
}

static void an_empty_file_nobody_fills_is_published_empty(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "marker", "");
    names_rig_advance(r, INBOX_EMPTY_WAIT_S + 1);
    names_rig_check(r, ROOT, "marker", "");
}

static void an_empty_file_whose_name_is_taken_is_dropped(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "marker", "bytes");
    names_rig_put(r, INBOX, "marker", "");
    names_rig_advance(r, INBOX_EMPTY_WAIT_S + 1);
    names_rig_check(r, ROOT, "marker", "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "marker (2)"), NAMES_NONE);
    names_rig_advance(r, 11); /* past the alias */
    assert_int_equal(names_rig_kind(r, INBOX, "marker"), NAMES_NONE);
}

/* ---- taken ---- */

static void a_taken_name_is_numbered_and_the_same_content_is_dropped(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "a.mkv", "one");
    names_rig_put(r, INBOX, "a.mkv", "two");
    names_rig_put(r, INBOX, "a.mkv", "one");
    names_rig_check(r, ROOT, "a.mkv", "one");
    names_rig_check(r, ROOT, "a (2).mkv", "two");
    assert_int_equal(names_rig_kind(r, ROOT, "a (3).mkv"), NAMES_NONE);
}

/* Its stores are gone: who copies the film once more does it for that. */
static void a_copy_of_a_film_that_is_lost_is_kept(void **state)
{
    struct names_rig *r = *state;
    const size_t len = 300000;
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    rig_fill(bytes, len, 1);
    for (unsigned n = 0; n < 3; n++) {
        struct file *f = names_rig_create(r, INBOX, "a.mkv");

        f->wrote = true;
        rig_write_all(&r->rig, f->inode, 0, bytes, len);
        assert_int_equal(names_rig_close_file(r, f), 0);
        rig_stores_down(&r->rig, 3, n == 0); /* lost for the second copy, back for the third */
    }
    names_rig_settle(r);
    rig_check_stored(&r->rig, "a.mkv", bytes, len);
    rig_check_stored(&r->rig, "a (2).mkv", bytes, len);
    assert_int_equal(names_rig_kind(r, ROOT, "a (3).mkv"), NAMES_NONE);
    free(bytes);
}

static void it_replaces_only_when_told_to(void **state)
{
    struct names_rig *r = *state;
    uint64_t old;

    names_rig_put(r, INBOX, "a.mkv", "one");
    old = names_rig_ino(r, ROOT, "a.mkv");
    r->fs->opt.taken = NS_TAKEN_REPLACE;
    names_rig_put(r, INBOX, "a.mkv", "two");
    names_rig_check(r, ROOT, "a.mkv", "two");
    assert_int_equal(names_rig_nlink(r, old), -1);
}

static void refused_it_stays_in_the_inbox(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "a.mkv", "one");
    r->fs->opt.taken = NS_TAKEN_REFUSE;
    names_rig_put(r, INBOX, "a.mkv", "two");
    names_rig_check(r, ROOT, "a.mkv", "one");
    assert_int_equal(names_rig_kind(r, INBOX, "a.mkv"), NAMES_STORED);
    names_rig_check(r, INBOX, "a.mkv", "two");
}

/* ---- expected ---- */

struct looker {
    struct inbox_wait wait;
    struct waiter waiter;
};

static void looker_done(struct inbox_wait *w)
{
    waiter_wake(&vs_container_of(w, struct looker, wait)->waiter);
}

static bool look(struct names_rig *r, struct looker *l, const char *name)
{
    *l = (struct looker){ .wait = { .dir = ROOT,
                                    .name = name,
                                    .name_len = strlen(name),
                                    .wait_ms = INBOX_EXPECT_WAIT_MS,
                                    .done = looker_done },
                          .waiter = WAITER_INIT };
    return inbox_wait(r->fs, &l->wait);
}

static void a_lookup_waits_for_what_was_flushed_until_it_is_published(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film.mkv");
    struct looker l;

    names_rig_write(r, f, 0, "bytes");
    assert_false(look(r, &l, "film.mkv")); /* not flushed: it may take hours */
    assert_false(inbox_expects(r->fs, ROOT, "film.mkv", 8));
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_false(look(r, &l, "other.mkv"));
    assert_false(inbox_expects(r->fs, ROOT, "other.mkv", 9));
    assert_true(inbox_expects(r->fs, ROOT, "film.mkv", 8));
    assert_true(look(r, &l, "film.mkv"));
    files_release(r->fs, f);
    waiter_wait(&l.waiter);
    assert_false(inbox_expects(r->fs, ROOT, "film.mkv", 8));
    assert_int_equal(names_rig_kind(r, ROOT, "film.mkv"), NAMES_STORED);
    assert_false(look(r, &l, "film.mkv"));
}

static void a_lookup_waits_no_longer_than_its_time(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film.mkv");
    struct looker l;

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_true(look(r, &l, "film.mkv"));
    names_rig_advance(r, 1 + INBOX_EXPECT_WAIT_MS / 1000);
    waiter_wait(&l.waiter);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

static void nobody_waits_for_a_temporary_name_or_one_that_was_removed(void **state)
{
    struct names_rig *r = *state;
    struct file *a = names_rig_create(r, INBOX, "a.part"), *b = names_rig_create(r, INBOX, "b");
    struct looker l;

    names_rig_write(r, a, 0, "bytes");
    names_rig_write(r, b, 0, "bytes");
    assert_int_equal(files_flush(r->fs, a), 0);
    assert_int_equal(files_flush(r->fs, b), 0);
    assert_false(look(r, &l, "a.part"));
    assert_true(look(r, &l, "b"));
    assert_int_equal(names_rig_unlink(r, INBOX, "b"), 0);
    waiter_wait(&l.waiter); /* told at once */
    assert_false(look(r, &l, "b"));
    files_release(r->fs, a);
    files_release(r->fs, b);
}

static void renamed_from_a_temporary_name_it_is_waited_for_under_the_new_one(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "a.part");
    struct looker l;

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_flush(r->fs, f), 0); /* its release is on the way */
    assert_int_equal(names_rig_rename(r, INBOX, "a.part", INBOX, "a", 0), 0);
    names_rig_settle(r);
    assert_true(look(r, &l, "a"));
    files_release(r->fs, f);
    waiter_wait(&l.waiter);
    names_rig_check(r, ROOT, "a", "bytes");
}

static void linked_from_a_temporary_name_it_is_waited_for_when_that_is_removed(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "a.part");
    struct ns_attr attr;
    struct looker l;

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_flush(r->fs, f), 0); /* its release is on the way */
    assert_int_equal(names_link(r->fs, f->inode->ino, INBOX, "a", 1, &attr), 0);
    names_rig_settle(r);
    assert_int_equal(names_rig_unlink(r, INBOX, "a.part"), 0);
    assert_true(look(r, &l, "a"));
    files_release(r->fs, f);
    waiter_wait(&l.waiter);
    names_rig_check(r, ROOT, "a", "bytes");
}

/* ---- start ---- */

/* Everything in memory is gone, as after a crash; what is stored is there. */
static void restart(struct names_rig *r)
{
    inbox_stop(r->fs->inbox);
    assert_int_equal(inbox_start(&r->fs->inbox, r->fs), 0);
    assert_int_equal(inbox_recover(r->fs), 0);
}

/* A file is flushed, and the mount is killed before the release: its handle is never closed. */
static void a_start_publishes_what_was_flushed(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, INBOX, "a");
    struct file *f = names_rig_create(r, dir, "film.mkv"), *g;
    struct inode *i = f->inode;

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_flush(r->fs, f), 0);
    i->writers = 0;
    g = names_rig_create(r, INBOX, "synced.mkv");
    names_rig_write(r, g, 0, "half");
    assert_int_equal(files_fsync(r->fs, g), 0);
    ((struct inode *)g->inode)->writers = 0;
    names_rig_put(r, INBOX, "x.part", "bytes");
    restart(r);
    names_rig_check(r, names_rig_ino(r, ROOT, "a"), "film.mkv", "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "synced.mkv"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "synced.mkv"), NAMES_STORED);
    assert_int_equal(names_rig_kind(r, ROOT, "x.part"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "x.part"), NAMES_STORED);
    assert_int_equal(names_rig_kind(r, INBOX, "a"), NAMES_NONE); /* it was emptied */
    i->writers = 1;
    ((struct inode *)g->inode)->writers = 1;
    files_release(r->fs, f);
    files_release(r->fs, g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_closed_file_is_published),
        NAMES_TEST(a_file_is_published_by_its_last_writer_only),
        NAMES_TEST(readers_do_not_hold_a_publish_back),
        NAMES_TEST(a_temporary_name_stays_until_it_is_renamed),
        NAMES_TEST(renamed_while_open_it_is_published_when_closed),
        NAMES_TEST(a_link_to_a_final_name_publishes),
        NAMES_TEST(a_file_moved_in_from_the_tree_is_published),
        NAMES_TEST(a_symbolic_link_is_published_when_made),
        NAMES_TEST(a_file_that_could_not_be_stored_is_not_published),
        NAMES_TEST(an_empty_file_waits_for_its_bytes),
        NAMES_TEST(an_empty_file_nobody_fills_is_published_empty),
        NAMES_TEST(an_empty_file_whose_name_is_taken_is_dropped),
        NAMES_TEST(a_taken_name_is_numbered_and_the_same_content_is_dropped),
        NAMES_TEST(a_copy_of_a_film_that_is_lost_is_kept),
        NAMES_TEST(it_replaces_only_when_told_to),
        NAMES_TEST(refused_it_stays_in_the_inbox),
        NAMES_TEST(a_lookup_waits_for_what_was_flushed_until_it_is_published),
        NAMES_TEST(a_lookup_waits_no_longer_than_its_time),
        NAMES_TEST(nobody_waits_for_a_temporary_name_or_one_that_was_removed),
        NAMES_TEST(renamed_from_a_temporary_name_it_is_waited_for_under_the_new_one),
        NAMES_TEST(linked_from_a_temporary_name_it_is_waited_for_when_that_is_removed),
        NAMES_TEST(a_start_publishes_what_was_flushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
