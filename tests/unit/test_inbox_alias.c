/* Rules of aliases (inbox.h): what reaches the film, what begins a new upload, what only drops the
 * name; and for how long. */
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

static const struct names_caller caller = { .uid = 1000, .gid = 1000 };

/* "film" is published, its alias fresh. */
static int setup(void **state)
{
    names_rig_setup(state);
    names_rig_put(*state, INBOX, "film", "bytes");
    return 0;
}

static void set_attr(struct names_rig *r, uint64_t ino, struct file *f, uint32_t set,
                     const struct ns_attr *attr, const uint64_t *size, int expect)
{
    struct ns_attr now;

    assert_int_equal(files_setattr(r->fs, &caller, ino, f, set, attr, size, &now), expect);
}

/* ---- the film ---- */

static void an_alias_has_a_number_of_its_own(void **state)
{
    struct names_rig *r = *state;
    uint64_t alias = names_rig_ino(r, INBOX, "film");

    assert_true(inode_is_alias(alias));
    assert_true(names_rig_ino(r, ROOT, "film") != alias);
}

static void attributes_and_bytes_reach_the_film(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr set = { .mtime = { .s = 1234 }, .mode = 0600 };
    struct meta_req req = { .op = META_LOOKUP, .ino = ROOT, .name = "film", .name_len = 4 };
    struct file *f;

    set_attr(r, names_rig_ino(r, INBOX, "film"), NULL, NS_SET_MTIME | NS_SET_MODE, &set, NULL, 0);
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    assert_int_equal(req.attr.mtime.s, 1234);
    assert_int_equal(req.attr.mode & 07777, 0600);
    names_rig_check(r, INBOX, "film", "bytes");
    f = names_rig_open_file(r, INBOX, "film", O_RDWR);
    names_rig_write(r, f, 0, "B");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "Bytes");
}

static void a_truncation_to_another_size_cuts_the_film(void **state)
{
    struct names_rig *r = *state;
    uint64_t size = 2;

    set_attr(r, names_rig_ino(r, INBOX, "film"), NULL, 0, &(struct ns_attr){ 0 }, &size, 0);
    names_rig_check(r, ROOT, "film", "by");
}

static void after_its_time_the_name_is_gone_and_the_film_stays(void **state)
{
    struct names_rig *r = *state;

    names_rig_advance(r, 9);
    assert_int_equal(names_rig_kind(r, INBOX, "film"), NAMES_ALIAS);
    names_rig_advance(r, 2);
    assert_int_equal(names_rig_kind(r, INBOX, "film"), NAMES_NONE);
    names_rig_check(r, ROOT, "film", "bytes");
}

static void without_aliases_the_name_is_gone_at_once(void **state)
{
    struct names_rig *r = *state;

    r->fs->opt.alias_s = 0;
    names_rig_put(r, INBOX, "other", "bytes");
    assert_int_equal(names_rig_kind(r, INBOX, "other"), NAMES_NONE);
    names_rig_check(r, ROOT, "other", "bytes");
}

static void unlinking_drops_the_alias_alone(void **state)
{
    struct names_rig *r = *state;

    assert_int_equal(names_rig_unlink(r, INBOX, "film"), 0);
    assert_int_equal(names_rig_unlink(r, INBOX, "film"), -ENOENT);
    names_rig_check(r, ROOT, "film", "bytes");
}

static void the_alias_of_dropped_content_reaches_what_was_there(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr set = { .mtime = { .s = 77 } };
    struct meta_req req = { .op = META_LOOKUP, .ino = ROOT, .name = "film", .name_len = 4 };

    names_rig_put(r, INBOX, "film", "bytes"); /* the same again */
    set_attr(r, names_rig_ino(r, INBOX, "film"), NULL, NS_SET_MTIME, &set, NULL, 0);
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    assert_int_equal(req.attr.mtime.s, 77);
}

/* ---- a new upload ---- */

static void expect_both(struct names_rig *r, const char *second)
{
    names_rig_settle(r);
    names_rig_check(r, ROOT, "film", "bytes");
    names_rig_check(r, ROOT, "film (2)", second);
}

static void opening_with_truncation_begins_a_new_upload(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_open_file(r, INBOX, "film", O_WRONLY | O_TRUNC);

    assert_int_equal(names_rig_kind(r, INBOX, "film"), NAMES_PROVISIONAL);
    names_rig_check(r, ROOT, "film", "bytes");
    names_rig_write(r, f, 0, "second");
    assert_int_equal(names_rig_close_file(r, f), 0);
    expect_both(r, "second");
}

static void making_the_name_anew_begins_a_new_upload(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "film", "second");
    expect_both(r, "second");
}

/* Between FLUSH and RELEASE the name is not an alias yet; close() has returned. */
static void opened_with_truncation_before_its_publish_it_is_published_first(void **state)
{
    struct names_rig *r = *state;
    struct file *one = names_rig_create(r, INBOX, "two"), *other;

    names_rig_write(r, one, 0, "one");
    assert_int_equal(files_flush(r->fs, one), 0);
    assert_int_equal(names_rig_open_name(r, INBOX, "two", O_WRONLY | O_TRUNC, &other), -ESTALE);
    other = names_rig_open_file(r, INBOX, "two", O_WRONLY | O_TRUNC); /* the kernel's second look */
    names_rig_write(r, other, 0, "other");
    files_release(r->fs, one);
    assert_int_equal(names_rig_close_file(r, other), 0);
    names_rig_check(r, ROOT, "two", "one");
    names_rig_check(r, ROOT, "two (2)", "other");
}

/* The kernel looked it up in the inbox, it was published, and then the open arrives. */
static void published_between_lookup_and_open_it_is_not_cut(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "two");
    struct inode *i = inode_ref(f->inode, r->fs->inodes);
    bool keep;

    inbox_told(r->fs, i, INBOX);
    names_rig_write(r, f, 0, "one");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_WRONLY | O_TRUNC, &f, &keep), -ESTALE);
    names_rig_check(r, ROOT, "two", "one");
    /* who means the film in the tree comes through the tree */
    f = names_rig_open_file(r, ROOT, "two", O_WRONLY | O_TRUNC);
    names_rig_write(r, f, 0, "new");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "two", "new");
    inode_put(r->fs->inodes, i);
}

/* The same without O_TRUNC, as truncate(1) does it: the cut comes by the handle. */
static void published_between_lookup_and_open_for_writing_the_alias_is_opened(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "two");
    struct inode *i = inode_ref(f->inode, r->fs->inodes);
    uint64_t zero = 0;
    bool keep;

    inbox_told(r->fs, i, INBOX);
    names_rig_write(r, f, 0, "one");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_WRONLY, &f, &keep), -ESTALE);
    f = names_rig_open_file(r, INBOX, "two", O_WRONLY); /* the kernel's second look */
    set_attr(r, names_rig_ino(r, INBOX, "two"), f, 0, &(struct ns_attr){ 0 }, &zero, 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "two", "one");
    inode_put(r->fs->inodes, i);
}

struct closing {
    struct names_rig *r;
    struct file *f;
};

static void *close_soon(void *arg)
{
    struct closing *c = arg;

    files_release(c->r->fs, c->f);
    return NULL;
}

/* close() has returned, and RELEASE is on its way. */
static void opened_for_writing_before_its_publish_it_is_waited_for(void **state)
{
    struct names_rig *r = *state;
    struct closing c = { r, names_rig_create(r, INBOX, "two") };
    struct inode *i = inode_ref(c.f->inode, r->fs->inodes);
    struct file *f;
    pthread_t t;
    bool keep;

    inbox_told(r->fs, i, INBOX);
    names_rig_write(r, c.f, 0, "one");
    assert_int_equal(files_flush(r->fs, c.f), 0);
    assert_int_equal(pthread_create(&t, NULL, close_soon, &c), 0);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_WRONLY, &f, &keep), -ESTALE);
    pthread_join(t, NULL);
    names_rig_check(r, ROOT, "two", "one");
    inode_put(r->fs->inodes, i);
}

/* It did not come in time: then the cut is refused, and nothing is lost. */
static void cut_by_a_handle_before_its_publish_it_is_published_instead(void **state)
{
    struct names_rig *r = *state;
    struct file *one = names_rig_create(r, INBOX, "two"), *other;
    uint64_t zero = 0;

    names_rig_write(r, one, 0, "one");
    assert_int_equal(files_flush(r->fs, one), 0);
    other = names_rig_open_file(r, INBOX, "two", O_WRONLY);
    set_attr(r, other->inode->ino, other, 0, &(struct ns_attr){ 0 }, &zero, -ESTALE);
    files_release(r->fs, one);
    files_release(r->fs, other);
    names_rig_check(r, ROOT, "two", "one");
}

static void cut_by_name_before_its_publish_it_is_published_first(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "two");
    uint64_t zero = 0;

    names_rig_write(r, f, 0, "one");
    assert_int_equal(files_flush(r->fs, f), 0);
    set_attr(r, f->inode->ino, NULL, 0, &(struct ns_attr){ 0 }, &zero, -ESTALE);
    names_rig_check(r, ROOT, "two", "one");
    files_release(r->fs, f);
    names_rig_check(r, ROOT, "two", "one");
}

/* The same content was there: the upload is dropped, and the kernel still has its number. */
static void an_upload_that_was_dropped_is_not_written_to(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film"), *reader;
    struct inode *i = inode_ref(f->inode, r->fs->inodes);
    bool keep;

    inbox_told(r->fs, i, INBOX);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_RDONLY, &reader, &keep), 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film (2)"), NAMES_NONE);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_WRONLY | O_TRUNC, &f, &keep), -ESTALE);
    names_rig_check_file(r, reader, "bytes"); /* who has it open keeps it */
    files_release(r->fs, reader);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_WRONLY, &f, &keep), -ESTALE);
    inode_put(r->fs->inodes, i);
}

static void a_film_replaced_by_a_publish_is_not_written_to(void **state)
{
    struct names_rig *r = *state;
    struct inode *old = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film"));
    struct file *f, *reader;
    bool keep;

    r->fs->opt.taken = NS_TAKEN_REPLACE;
    assert_int_equal(files_open(r->fs, &caller, old->ino, O_RDONLY, &reader, &keep), 0);
    names_rig_put(r, INBOX, "film", "new");
    assert_int_equal(files_open(r->fs, &caller, old->ino, O_WRONLY, &f, &keep), -ESTALE);
    names_rig_check_file(r, reader, "bytes");
    names_rig_check(r, ROOT, "film", "new");
    files_release(r->fs, reader);
    inode_put(r->fs->inodes, old);
}

/* A writer that has not closed it, and one that ended with fsync only, have promised nothing. */
static void what_is_not_complete_is_cut_as_anywhere_else(void **state)
{
    struct names_rig *r = *state;
    struct file *one = names_rig_create(r, INBOX, "two"), *other;

    names_rig_write(r, one, 0, "one");
    assert_int_equal(files_fsync(r->fs, one), 0);
    other = names_rig_open_file(r, INBOX, "two", O_WRONLY | O_TRUNC);
    names_rig_write(r, other, 0, "other");
    assert_int_equal(names_rig_close_file(r, one), 0);
    assert_int_equal(names_rig_close_file(r, other), 0);
    names_rig_check(r, ROOT, "two", "other");
    assert_int_equal(names_rig_kind(r, ROOT, "two (2)"), NAMES_NONE);
}

static void truncating_an_open_alias_turns_the_handle_to_a_new_upload(void **state)
{
    struct names_rig *r = *state;
    uint64_t alias = names_rig_ino(r, INBOX, "film"), zero = 0;
    struct file *f = names_rig_open_file(r, INBOX, "film", O_RDWR);
    struct inode *i = inode_find(r->fs->inodes, alias), *now; /* the kernel has it open */

    set_attr(r, alias, f, 0, &(struct ns_attr){ 0 }, &zero, 0);
    names_rig_write(r, f, 0, "second");
    names_rig_check_file(r, f, "second");
    now = inode_resolve(r->fs->inodes, alias);
    assert_ptr_equal(now, f->inode); /* who asks by the old number sees the new file */
    inode_put(r->fs->inodes, now);
    names_rig_check(r, ROOT, "film", "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    inode_put(r->fs->inodes, i);
    expect_both(r, "second");
}

static void truncating_by_name_leaves_an_empty_upload(void **state)
{
    struct names_rig *r = *state;
    uint64_t alias = names_rig_ino(r, INBOX, "film"), zero = 0;
    struct inode *i = inode_find(r->fs->inodes, alias); /* the kernel remembers it */

    set_attr(r, alias, NULL, 0, &(struct ns_attr){ 0 }, &zero, 0);
    inode_put(r->fs->inodes, i);
    names_rig_check(r, ROOT, "film", "bytes");
    assert_int_equal(names_rig_kind(r, INBOX, "film"), NAMES_STORED);
    names_rig_check(r, INBOX, "film", "");
}

static void an_alias_that_lost_its_name_never_cuts_the_film(void **state)
{
    struct names_rig *r = *state;
    uint64_t alias = names_rig_ino(r, INBOX, "film"), zero = 0;
    struct inode *i = inode_find(r->fs->inodes, alias); /* the kernel remembers it */
    struct file *f;
    bool keep;

    names_rig_advance(r, 11);
    set_attr(r, alias, NULL, 0, &(struct ns_attr){ 0 }, &zero, -ESTALE);
    assert_int_equal(files_open(r->fs, &caller, alias, O_WRONLY | O_TRUNC, &f, &keep), -ESTALE);
    names_rig_check(r, ROOT, "film", "bytes");
    inode_put(r->fs->inodes, i);
}

/* ---- rename ---- */

static void renaming_onto_the_alias_leaves_the_film_alone(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "film.part", "second");
    assert_int_equal(names_rig_rename(r, INBOX, "film.part", INBOX, "film", 0), 0);
    expect_both(r, "second");
}

static void renaming_onto_what_is_about_to_be_published_leaves_it_alone(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "two");

    names_rig_put(r, INBOX, "two.part", "other");
    names_rig_write(r, f, 0, "one");
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_int_equal(names_rig_rename(r, INBOX, "two.part", INBOX, "two", 0), 0);
    files_release(r->fs, f);
    names_rig_settle(r);
    names_rig_check(r, ROOT, "two", "one");
    names_rig_check(r, ROOT, "two (2)", "other");
}

/* Still being written when an uncommitted file is renamed onto it, and completed afterwards. */
static void renaming_onto_an_unfinished_upload_takes_its_name(void **state)
{
    struct names_rig *r = *state;
    struct file *one = names_rig_create(r, INBOX, "two"), *other;

    names_rig_write(r, one, 0, "one");
    assert_int_equal(files_fsync(r->fs, one), 0);
    other = names_rig_create(r, INBOX, "two.part");
    names_rig_write(r, other, 0, "other");
    assert_int_equal(names_rig_rename(r, INBOX, "two.part", INBOX, "two", 0), 0);
    assert_int_equal(names_rig_close_file(r, one), 0);
    assert_int_equal(names_rig_close_file(r, other), 0);
    names_rig_check(r, ROOT, "two", "other");
    assert_int_equal(names_rig_kind(r, ROOT, "two (2)"), NAMES_NONE);
}

static void renaming_the_alias_renames_the_film(void **state)
{
    struct names_rig *r = *state;
    uint64_t film = names_rig_ino(r, ROOT, "film"), dir = names_rig_mkdir(r, INBOX, "d");

    assert_int_equal(names_rig_rename(r, INBOX, "film", dir, "better", 0), 0);
    assert_int_equal(names_rig_ino(r, names_rig_ino(r, ROOT, "d"), "better"), film);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, INBOX, "film"), NAMES_NONE);
    assert_int_equal(names_rig_kind(r, dir, "better"), NAMES_ALIAS);
    assert_int_equal(names_rig_rename(r, dir, "better", ROOT, "best", 0), 0);
    assert_int_equal(names_rig_ino(r, ROOT, "best"), film);
    assert_int_equal(names_rig_kind(r, dir, "better"), NAMES_NONE);
}

static void renaming_the_alias_never_replaces_what_is_published(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "other", "kept");
    assert_int_equal(names_rig_rename(r, INBOX, "film", INBOX, "other", 0), -EEXIST);
    names_rig_check(r, ROOT, "other", "kept");
    names_rig_check(r, ROOT, "film", "bytes");
}

static void a_film_that_moved_on_is_not_renamed_by_its_alias(void **state)
{
    struct names_rig *r = *state;

    assert_int_equal(names_rig_rename(r, ROOT, "film", ROOT, "elsewhere", 0), 0);
    assert_int_equal(names_rig_rename(r, INBOX, "film", INBOX, "x", 0), -ENOENT);
    names_rig_check(r, ROOT, "elsewhere", "bytes");
    names_rig_put(r, ROOT, "film", "another");
    assert_int_equal(names_rig_rename(r, INBOX, "film", INBOX, "x", 0), -ENOENT);
    names_rig_check(r, ROOT, "film", "another");
}

#define ALIAS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, names_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALIAS_TEST(an_alias_has_a_number_of_its_own),
        ALIAS_TEST(attributes_and_bytes_reach_the_film),
        ALIAS_TEST(a_truncation_to_another_size_cuts_the_film),
        ALIAS_TEST(after_its_time_the_name_is_gone_and_the_film_stays),
        ALIAS_TEST(without_aliases_the_name_is_gone_at_once),
        ALIAS_TEST(unlinking_drops_the_alias_alone),
        ALIAS_TEST(the_alias_of_dropped_content_reaches_what_was_there),
        ALIAS_TEST(opening_with_truncation_begins_a_new_upload),
        ALIAS_TEST(making_the_name_anew_begins_a_new_upload),
        ALIAS_TEST(opened_with_truncation_before_its_publish_it_is_published_first),
        ALIAS_TEST(published_between_lookup_and_open_it_is_not_cut),
        ALIAS_TEST(published_between_lookup_and_open_for_writing_the_alias_is_opened),
        ALIAS_TEST(opened_for_writing_before_its_publish_it_is_waited_for),
        ALIAS_TEST(cut_by_a_handle_before_its_publish_it_is_published_instead),
        ALIAS_TEST(cut_by_name_before_its_publish_it_is_published_first),
        ALIAS_TEST(an_upload_that_was_dropped_is_not_written_to),
        ALIAS_TEST(a_film_replaced_by_a_publish_is_not_written_to),
        ALIAS_TEST(what_is_not_complete_is_cut_as_anywhere_else),
        ALIAS_TEST(renaming_onto_what_is_about_to_be_published_leaves_it_alone),
        ALIAS_TEST(truncating_an_open_alias_turns_the_handle_to_a_new_upload),
        ALIAS_TEST(truncating_by_name_leaves_an_empty_upload),
        ALIAS_TEST(an_alias_that_lost_its_name_never_cuts_the_film),
        ALIAS_TEST(renaming_onto_the_alias_leaves_the_film_alone),
        ALIAS_TEST(renaming_onto_an_unfinished_upload_takes_its_name),
        ALIAS_TEST(renaming_the_alias_renames_the_film),
        ALIAS_TEST(renaming_the_alias_never_replaces_what_is_published),
        ALIAS_TEST(a_film_that_moved_on_is_not_renamed_by_its_alias),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
