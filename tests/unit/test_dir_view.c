/* dir_view: what is known of directories without asking, and what ends that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/mix.h"
#include "fs/dir_view.h"

#define DIR 77u

static int64_t now = VS_NS_PER_S;

static int64_t clock_now(const struct vs_clock *c)
{
    (void)c;
    return now;
}

static const struct vs_clock clock = { clock_now, clock_now };
static struct cache_guard *g;
static struct dir_view *v;

static int setup(void **state)
{
    (void)state;
    if (cache_guard_new(&g, &clock) < 0 || dir_view_new(&v, g, &clock) < 0)
        return -1;
    cache_guard_heard(g, now);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dir_view_free(v);
    dir_view_free(NULL);
    cache_guard_free(g);
    return 0;
}

static const struct ns_attr a_dir = { .ino = DIR, .mode = S_IFDIR | 0755, .size = 3 };

static void told(void)
{
    struct dir_view_moment m = dir_view_moment(v, DIR);

    dir_view_told(v, &m, &a_dir);
}

/* How many names the directory is said to have; -1: it has to be asked. */
static int names(void)
{
    struct ns_attr a;
    uint64_t since;

    return dir_view_attr(v, DIR, &a, &since) ? (int)a.size : -1;
}

static struct ns_entry making(int64_t at_s)
{
    return (struct ns_entry){
        .kind = NS_E_CREATE, .parent = DIR, .now = { at_s, 0 }, .attr = { .mode = S_IFREG | 0644 }
    };
}

static void made(const struct ns_entry *e, enum dir_view_change what, int status)
{
    const struct ns_answer a = { .status = status };

    dir_view_end(v, what, e, &a);
}

static void a_mount_that_is_alone_keeps_nothing(void **state)
{
    struct dir_view_moment m = dir_view_moment(NULL, DIR);
    struct ns_entry e = making(5);
    struct ns_attr a;
    uint64_t since;

    (void)state;
    dir_view_told(NULL, &m, &a_dir);
    assert_false(dir_view_attr(NULL, DIR, &a, &since));
    dir_view_missing(NULL, &m, DIR, "a", 1);
    assert_false(dir_view_take_missing(NULL, DIR, "a", 1));
    assert_int_equal(dir_view_begin(NULL, &e, false), DIR_VIEW_NOTHING);
}

static void a_directory_is_told_until_somebody_else_changes_it_or_nothing_is_heard(void **state)
{
    (void)state;
    assert_int_equal(names(), -1);
    told();
    assert_int_equal(names(), 3);
    cache_guard_note_inode(g, DIR);
    assert_int_equal(names(), -1);
    told();
    assert_int_equal(names(), 3);
    now += CACHE_GUARD_LIVE_NS;
    assert_int_equal(names(), -1);
}

static void files_made_here_are_counted_in(void **state)
{
    struct ns_entry e = making(5), over = making(6);
    const struct ns_answer replaced = { .replaced = { .ino = 9 } };
    struct ns_attr a;
    uint64_t since;

    (void)state;
    told();
    made(&e, dir_view_begin(v, &e, false), 0);
    assert_true(dir_view_attr(v, DIR, &a, &since));
    assert_int_equal(a.size, 4);
    assert_int_equal(a.mtime.s, 5);
    dir_view_end(v, dir_view_begin(v, &over, false), &over, &replaced);
    assert_true(dir_view_attr(v, DIR, &a, &since));
    assert_int_equal(a.size, 4);
    assert_int_equal(a.ctime.s, 6);
    made(&e, dir_view_begin(v, &e, false), -EEXIST);
    assert_int_equal(names(), 4);
    made(&e, dir_view_begin(v, &e, false), -VS_EDOWN); /* it may be carried out */
    assert_int_equal(names(), -1);
}

static void behind_files_made_at_the_same_time_the_directory_is_asked_again(void **state)
{
    struct ns_entry one = making(6), two = making(5);
    enum dir_view_change a, b;
    struct ns_attr attr;
    uint64_t since;

    (void)state;
    told();
    a = dir_view_begin(v, &one, false);
    b = dir_view_begin(v, &two, false);
    made(&one, a, 0);
    assert_int_equal(names(), 4);
    made(&two, b, 0); /* whose time is the directory's? */
    assert_int_equal(names(), -1);
    told();
    a = dir_view_begin(v, &one, false);
    b = dir_view_begin(v, &two, false);
    made(&one, a, 0);
    a = dir_view_begin(v, &one, false);
    made(&two, b, 0);
    assert_true(dir_view_attr(v, DIR, &attr, &since));
    assert_int_equal(attr.mtime.s, 6);
    made(&one, a, 0);
}

/* What is kept in the place of DIR. */
static uint64_t same_place(void)
{
    uint64_t n = DIR + 1;

    while (vs_mix64(n) % DIR_VIEW_SLOTS != vs_mix64(DIR) % DIR_VIEW_SLOTS)
        n++;
    return n;
}

static void a_file_made_while_another_directory_has_the_place_is_not_missed(void **state)
{
    struct ns_entry e = making(5), other = making(5);
    enum dir_view_change what, of_other;
    struct dir_view_moment m;

    (void)state;
    other.parent = same_place();
    of_other = dir_view_begin(v, &other, false);
    what = dir_view_begin(v, &e, false);
    made(&other, of_other, 0);
    m = dir_view_moment(v, DIR);
    dir_view_told(v, &m, &a_dir); /* as it was before the file */
    made(&e, what, 0);
    assert_int_equal(names(), -1);
    told();
    assert_int_equal(names(), 3);
}

static void an_answer_that_an_own_change_has_overtaken_is_not_kept(void **state)
{
    struct dir_view_moment m = dir_view_moment(v, DIR);
    struct ns_entry e = making(5);
    enum dir_view_change what = dir_view_begin(v, &e, false);

    (void)state;
    made(&e, what, 0);
    dir_view_told(v, &m, &a_dir);
    assert_int_equal(names(), -1);
    e.kind = NS_E_RENAME;
    m = dir_view_moment(v, DIR);
    what = dir_view_begin(v, &e, false);
    dir_view_told(v, &m, &a_dir);
    assert_int_equal(names(), -1);
    m = dir_view_moment(v, DIR);
    dir_view_told(v, &m, &a_dir);
    assert_int_equal(names(), -1);
    made(&e, what, 0);
    dir_view_told(v, &m, &a_dir);
    assert_int_equal(names(), -1);
    told();
    assert_int_equal(names(), 3);
}

static void other_own_changes_forget_all_directories_but_those_of_files_do_not(void **state)
{
    static const enum ns_entry_kind any[] = { NS_E_LINK,   NS_E_UNLINK,  NS_E_RMDIR,
                                              NS_E_RENAME, NS_E_PUBLISH, NS_E_SETATTR };
    struct ns_entry e = { .ino = 5 };

    (void)state;
    for (unsigned n = 0; n < sizeof(any) / sizeof(any[0]); n++) {
        told();
        e.kind = any[n];
        made(&e, dir_view_begin(v, &e, false), 0);
        assert_int_equal(names(), -1);
    }
    told();
    made(&e, dir_view_begin(v, &e, true), 0);
    e.kind = NS_E_SWAP;
    made(&e, dir_view_begin(v, &e, true), 0);
    e = (struct ns_entry){ .kind = NS_E_SETXATTR, .ino = NS_INO_COPY }; /* noted while files come */
    made(&e, dir_view_begin(v, &e, false), 0);
    assert_int_equal(names(), 3);
    e = making(5);
    e.attr.mode = S_IFDIR | 0755;
    made(&e, dir_view_begin(v, &e, false), 0);
    assert_int_equal(names(), -1);
}

static void missing(void)
{
    struct dir_view_moment m = dir_view_moment(v, DIR);

    dir_view_missing(v, &m, DIR, "a", 1);
}

static void a_name_that_was_missing_just_now_is_taken_once(void **state)
{
    struct ns_entry e = { .kind = NS_E_RENAME };

    (void)state;
    missing();
    assert_false(dir_view_take_missing(v, DIR, "b", 1));
    assert_false(dir_view_take_missing(v, DIR + 1, "a", 1));
    assert_true(dir_view_take_missing(v, DIR, "a", 1));
    assert_false(dir_view_take_missing(v, DIR, "a", 1));
    missing();
    cache_guard_note_name(g, DIR, "a", 1);
    assert_false(dir_view_take_missing(v, DIR, "a", 1));
    missing();
    made(&e, dir_view_begin(v, &e, false), 0);
    assert_false(dir_view_take_missing(v, DIR, "a", 1));
    missing();
    now += DIR_VIEW_ABSENT_NS;
    assert_false(dir_view_take_missing(v, DIR, "a", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_mount_that_is_alone_keeps_nothing),
        TEST(a_directory_is_told_until_somebody_else_changes_it_or_nothing_is_heard),
        TEST(files_made_here_are_counted_in),
        TEST(behind_files_made_at_the_same_time_the_directory_is_asked_again),
        TEST(a_file_made_while_another_directory_has_the_place_is_not_missed),
        TEST(an_answer_that_an_own_change_has_overtaken_is_not_kept),
        TEST(other_own_changes_forget_all_directories_but_those_of_files_do_not),
        TEST(a_name_that_was_missing_just_now_is_taken_once),
    };

    return cmocka_run_group_tests_name("dir_view", tests, NULL, NULL);
}
