/* Rules of `inbox ls`, `inbox publish`, `inbox cancel`. */
#include "common/err.h"
#include "common/json.h"
#include "fs/inbox_state.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

/* Member `key` of the entry of that name, or "" without one; size is compared when it is given. */
static void check_listed(struct names_rig *r, const char *list, const char *name, const char *key,
                         const char *value)
{
    struct vs_json *j = inbox_list(r->fs);
    const char *found = "";

    assert_non_null(j);
    for (const struct vs_json *e = vs_json_first(vs_json_get(j, list)); e != NULL;
         e = vs_json_next(e)) {
        if (strcmp(vs_json_get_text(e, "name"), name) == 0)
            found = vs_json_get_text(e, key);
    }
    assert_string_equal(found, value);
    vs_json_free(j);
}

static void files_are_listed_with_their_state(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, INBOX, "dir");
    struct file *fresh = names_rig_create(r, dir, "fresh"), *synced, *half;

    names_rig_write(r, fresh, 0, "bytes");
    synced = names_rig_create(r, INBOX, "synced");
    names_rig_write(r, synced, 0, "bytes");
    assert_int_equal(files_fsync(r->fs, synced), 0);
    names_rig_put(r, INBOX, "empty", "");
    names_rig_put(r, INBOX, "x.part", "bytes");
    check_listed(r, "files", "dir/fresh", "state", "uploading");
    check_listed(r, "files", "synced", "state", "uploading");
    check_listed(r, "files", "empty", "state", "waiting");
    check_listed(r, "files", "x.part", "state", ""); /* somebody is at it */
    names_rig_advance(r, 24 * 3600 + 60);
    check_listed(r, "files", "x.part", "state", "temporary");
    assert_int_equal(names_rig_close_file(r, fresh), 0);
    assert_int_equal(names_rig_close_file(r, synced), 0);
    /* its writer is gone without a close, as after a crash */
    half = names_rig_create(r, INBOX, "half");
    names_rig_write(r, half, 0, "bytes");
    assert_int_equal(files_fsync(r->fs, half), 0);
    ((struct inode *)half->inode)->writers = 0;
    check_listed(r, "files", "half", "state", "interrupted");
    ((struct inode *)half->inode)->writers = 1;
    assert_int_equal(names_rig_close_file(r, half), 0);
}

static void results_say_what_became_of_a_file(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, INBOX, "dir");

    names_rig_put(r, dir, "a.mkv", "one");
    check_listed(r, "results", "dir/a.mkv", "path", "dir/a.mkv");
    check_listed(r, "results", "dir/a.mkv", "what", "published");
    names_rig_put(r, dir, "a.mkv", "two");
    check_listed(r, "results", "dir/a.mkv", "path", "dir/a (2).mkv");
    r->fs->opt.taken = NS_TAKEN_REFUSE;
    names_rig_put(r, dir, "a.mkv", "three");
    check_listed(r, "results", "dir/a.mkv", "what", "name is taken, refused");
    check_listed(r, "files", "dir/a.mkv", "state", "waiting");
}

static void what_could_not_be_stored_is_a_result_with_its_reason(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "film.mkv");
    static uint8_t bytes[100000];

    rig_stores_down(&r->rig, RIG_STORES, true);
    f->wrote = true;
    assert_int_equal(rig_write(&r->rig, f->inode, 0, bytes, sizeof(bytes)), 0);
    assert_true(names_rig_close_file(r, f) < 0);
    check_listed(r, "results", "film.mkv", "what", "not stored");
    check_listed(r, "results", "film.mkv", "reason", vs_err_text(-EIO));
    f = names_rig_create(r, ROOT, "elsewhere.mkv"); /* whose writer alone was told */
    f->wrote = true;
    assert_int_equal(rig_write(&r->rig, f->inode, 0, bytes, sizeof(bytes)), 0);
    assert_true(names_rig_close_file(r, f) < 0);
    assert_int_equal(r->fs->inbox->result_count, 1);
}

static void only_the_last_results_are_kept(void **state)
{
    struct names_rig *r = *state;
    struct vs_json *j;

    for (unsigned n = 0; n < INBOX_RESULTS_MAX + 10; n++) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", n);
        names_rig_put(r, INBOX, name, "x");
    }
    j = inbox_list(r->fs);
    assert_int_equal(vs_json_count(vs_json_get(j, "results")), INBOX_RESULTS_MAX);
    vs_json_free(j);
}

static void publish_takes_what_nobody_writes(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, INBOX, "dir");
    struct file *f;

    names_rig_put(r, dir, "x.part", "bytes");
    assert_int_equal(inbox_publish(r->fs, "dir/x.part"), 0);
    names_rig_check(r, names_rig_ino(r, ROOT, "dir"), "x.part", "bytes");
    f = names_rig_create(r, INBOX, "open");
    assert_int_equal(inbox_publish(r->fs, "open"), -EBUSY);
    names_rig_write(r, f, 0, "x");
    assert_int_equal(files_fsync(r->fs, f), 0);
    assert_int_equal(inbox_publish(r->fs, "open"), -EBUSY);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

static void commands_refuse_what_is_no_file_of_the_inbox(void **state)
{
    struct names_rig *r = *state;

    names_rig_mkdir(r, INBOX, "dir");
    names_rig_put(r, ROOT, "film", "bytes");
    assert_int_equal(inbox_publish(r->fs, "nothing"), -ENOENT);
    assert_int_equal(inbox_publish(r->fs, "dir"), -EISDIR);
    assert_int_equal(inbox_publish(r->fs, "dir/"), -EINVAL);
    assert_int_equal(inbox_publish(r->fs, ""), -EINVAL);
    assert_int_equal(inbox_publish(r->fs, "nothing/x"), -ENOENT);
    assert_int_equal(inbox_publish(r->fs, "../film"), -EINVAL);
    assert_int_equal(inbox_cancel(r->fs, "film"), -ENOENT);
    names_rig_check(r, ROOT, "film", "bytes");
}

static void cancel_removes_an_upload(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, INBOX, "open");

    names_rig_put(r, INBOX, "x.part", "bytes");
    assert_int_equal(inbox_cancel(r->fs, "x.part"), 0);
    assert_int_equal(names_rig_kind(r, INBOX, "x.part"), NAMES_NONE);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(inbox_cancel(r->fs, "open"), 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "open"), NAMES_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(files_are_listed_with_their_state),
        NAMES_TEST(results_say_what_became_of_a_file),
        NAMES_TEST(what_could_not_be_stored_is_a_result_with_its_reason),
        NAMES_TEST(only_the_last_results_are_kept),
        NAMES_TEST(publish_takes_what_nobody_writes),
        NAMES_TEST(commands_refuse_what_is_no_file_of_the_inbox),
        NAMES_TEST(cancel_removes_an_upload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
