/* ns_rule_rename: RENAME as rename(2) and renameat2(2) have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_record.h"
#include "tests/support/ns_fixture.h"

#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT
#define BOX  NS_INO_INBOX

/* /a/ with /a/sub/ and /a/x, /b/ with /b/y. */
struct tree {
    uint64_t a, b, sub, x, y;
};

static struct tree make_tree(struct nsf *f)
{
    struct tree t;

    t.a = (uint64_t)nsf_mkdir(f, ROOT, "a");
    t.b = (uint64_t)nsf_mkdir(f, ROOT, "b");
    t.sub = (uint64_t)nsf_mkdir(f, t.a, "sub");
    t.x = (uint64_t)nsf_file(f, t.a, "x", "xx");
    t.y = (uint64_t)nsf_file(f, t.b, "y", "yyy");
    return t;
}

static uint64_t cookie_of(struct nsf *f, uint64_t dir, const char *name)
{
    struct ns_dirent d[64];
    struct meta_req r = { .op = META_READDIR, .ino = dir, .dirents = d, .dirents_max = 64 };

    assert_int_equal(nsf_read(f, &r), 0);
    for (uint32_t i = 0; i < r.dirents_count; i++)
        if (d[i].name_len == strlen(name) && memcmp(d[i].name, name, d[i].name_len) == 0)
            return d[i].cookie;
    return 0;
}

static void a_file_moves_with_its_times_and_both_directories_notice(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);
    struct ns_attr before = nsf_attr(f, t.x);

    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "z", 0), 0);
    assert_int_equal(f->answer.attr.ino, t.x);
    assert_int_equal(f->answer.replaced.ino, 0);
    assert_int_equal(nsf_ino(f, t.a, "x"), 0);
    assert_int_equal(nsf_ino(f, t.b, "z"), t.x);
    assert_int_equal(nsf_attr(f, t.x).mtime.s, before.mtime.s);
    assert_int_equal(nsf_attr(f, t.x).ctime.s, f->now.s);
    assert_int_equal(nsf_attr(f, t.a).mtime.s, f->now.s);
    assert_int_equal(nsf_attr(f, t.b).mtime.s, f->now.s);
    assert_int_equal(nsf_attr(f, t.a).size, 1);
    assert_int_equal(nsf_attr(f, t.b).size, 2);
}

static void a_file_replaces_a_file_which_loses_a_link(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);

    assert_int_equal(nsf_link(f, t.y, ROOT, "y2"), 0);
    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "y", 0), 0);
    assert_int_equal(f->answer.replaced.ino, t.y);
    assert_int_equal(f->answer.replaced.nlink, 1);
    assert_int_equal(nsf_ino(f, t.b, "y"), t.x);
    assert_int_equal(nsf_rename(f, t.b, "y", ROOT, "y2", 0), 0);
    assert_int_equal(f->answer.replaced.nlink, 0);
    assert_int_equal(nsf_forget(f, t.y), 0);
}

static void onto_itself_and_onto_its_own_other_name_nothing_happens(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);

    assert_int_equal(nsf_link(f, t.x, t.b, "x2"), 0);
    assert_int_equal(nsf_rename(f, t.a, "x", t.a, "x", 0), 0);
    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "x2", 0), 0);
    assert_int_equal(nsf_ino(f, t.a, "x"), t.x);
    assert_int_equal(nsf_ino(f, t.b, "x2"), t.x);
    assert_int_equal(nsf_attr(f, t.x).nlink, 2);
    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "a", 0), 0);
}

static void a_directory_moves_over_an_empty_directory(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);
    uint64_t e = (uint64_t)nsf_mkdir(f, t.b, "empty");

    assert_int_equal(nsf_attr(f, ROOT).nlink, 5);
    assert_int_equal(nsf_rename(f, ROOT, "a", t.b, "empty", 0), 0);
    assert_int_equal(f->answer.replaced.ino, e);
    assert_int_equal(nsf_attr(f, ROOT).nlink, 4);
    assert_int_equal(nsf_attr(f, t.b).nlink, 3);
    assert_int_equal(nsf_attr(f, t.a).parent, t.b);
    assert_int_equal(nsf_attr(f, e).nlink, 0);
    nsf_check(f);
    assert_int_equal(nsf_rename(f, t.b, "empty", ROOT, "c", 0), 0);
    assert_int_equal(nsf_attr(f, t.b).nlink, 2);
    assert_int_equal(nsf_forget(f, e), 0);
}

static void what_rename_2_refuses(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);

    assert_int_equal(nsf_rename(f, t.a, "none", t.b, "z", 0), -ENOENT);
    assert_int_equal(nsf_rename(f, t.x, "n", t.b, "z", 0), -ENOTDIR);
    assert_int_equal(nsf_rename(f, t.a, "x", t.y, "z", 0), -ENOTDIR);
    assert_int_equal(nsf_rename(f, t.a, "x", 99999, "z", 0), -ENOENT);
    assert_int_equal(nsf_rename(f, t.a, "x", ROOT, "b", 0), -EISDIR);
    assert_int_equal(nsf_rename(f, t.a, "sub", t.b, "y", 0), -ENOTDIR);
    assert_int_equal(nsf_rename(f, t.a, "sub", ROOT, "b", 0), -ENOTEMPTY);
    assert_int_equal(nsf_rename(f, t.a, "sub", ROOT, "a", 0), -ENOTEMPTY); /* its own parent */
    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "z", 4), -EINVAL);
    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "y", 3), -EINVAL);
}

static void a_directory_does_not_get_below_itself(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);
    uint64_t deep = (uint64_t)nsf_mkdir(f, t.sub, "deep");

    assert_int_equal(nsf_rename(f, ROOT, "a", t.a, "a", 0), -EINVAL);
    assert_int_equal(nsf_rename(f, ROOT, "a", t.sub, "a", 0), -EINVAL);
    assert_int_equal(nsf_rename(f, ROOT, "a", deep, "a", 0), -EINVAL);
    assert_int_equal(nsf_rename(f, t.sub, "deep", ROOT, "a", NS_RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(nsf_rename(f, ROOT, "a", t.sub, "deep", NS_RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(nsf_rename(f, t.sub, "deep", ROOT, "deep", 0), 0);
    assert_int_equal(nsf_rename(f, ROOT, "a", deep, "a", 0), 0);
}

static void noreplace_is_eexist_where_something_is(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);

    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "y", NS_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(nsf_rename(f, t.a, "x", t.a, "x", NS_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(nsf_rename(f, t.a, "x", ROOT, "b", NS_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(nsf_rename(f, t.a, "x", t.b, "z", NS_RENAME_NOREPLACE), 0);
}

static void exchange_swaps_two_names_of_any_type(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);
    uint64_t in_a = cookie_of(f, t.a, "sub"), in_b = cookie_of(f, t.b, "y");

    assert_int_equal(nsf_rename(f, t.a, "sub", t.b, "none", NS_RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(nsf_rename(f, t.a, "sub", t.b, "y", NS_RENAME_EXCHANGE), 0);
    assert_int_equal(f->answer.attr.ino, t.sub);
    assert_int_equal(f->answer.attr.parent, t.b);
    assert_int_equal(f->answer.replaced.ino, 0);
    assert_int_equal(nsf_ino(f, t.a, "sub"), t.y);
    assert_int_equal(nsf_ino(f, t.b, "y"), t.sub);
    assert_int_equal(nsf_attr(f, t.a).nlink, 2);
    assert_int_equal(nsf_attr(f, t.b).nlink, 3);
    assert_int_equal(nsf_attr(f, t.y).ctime.s, f->now.s);
    assert_int_equal(nsf_attr(f, t.sub).ctime.s, f->now.s);
    assert_int_equal(cookie_of(f, t.a, "sub"), in_a);
    assert_int_equal(cookie_of(f, t.b, "y"), in_b);
    nsf_check(f);
    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "b", NS_RENAME_EXCHANGE), 0);
    assert_int_equal(nsf_ino(f, ROOT, "a"), t.b);
    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "a", NS_RENAME_EXCHANGE), 0);
}

/* A listing that is under way meets each name once. */
static void names_keep_their_place_in_listings(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);
    uint64_t x = cookie_of(f, t.a, "x"), y = cookie_of(f, t.b, "y");

    assert_int_equal(nsf_rename(f, t.a, "x", t.a, "renamed", 0), 0);
    assert_int_equal(cookie_of(f, t.a, "renamed"), x);
    assert_int_equal(nsf_rename(f, t.a, "renamed", t.b, "y", 0), 0);
    assert_int_equal(cookie_of(f, t.b, "y"), y);
    assert_int_equal(nsf_rename(f, t.b, "y", t.a, "x", 0), 0);
    assert_true(cookie_of(f, t.a, "x") > x);
}

static void the_programs_own_places_stay_where_they_are(void **state)
{
    struct nsf *f = *state;
    struct tree t = make_tree(f);

    assert_int_equal(nsf_rename(f, ROOT, "inbox", ROOT, "outbox", 0), -EBUSY);
    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "inbox", 0), -EBUSY);
    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "inbox", NS_RENAME_EXCHANGE), -EBUSY);
    assert_int_equal(nsf_rename(f, ROOT, "inbox", ROOT, "a", NS_RENAME_EXCHANGE), -EBUSY);
    assert_int_equal(nsf_rename(f, ROOT, "inbox", t.a, "inbox", 0), -EBUSY);
    assert_int_equal(nsf_rename(f, t.a, "x", ROOT, ".vstack", 0), -EBUSY);
    assert_int_equal(nsf_rename(f, t.a, "x", ROOT, ".vstack", NS_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(nsf_rename(f, t.a, "x", BOX, "inbox", 0), -EINVAL);
    assert_int_equal(nsf_rename(f, t.a, "x", BOX, ".vstack", 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(a_file_moves_with_its_times_and_both_directories_notice),
        NSF_TEST(a_file_replaces_a_file_which_loses_a_link),
        NSF_TEST(onto_itself_and_onto_its_own_other_name_nothing_happens),
        NSF_TEST(a_directory_moves_over_an_empty_directory),
        NSF_TEST(what_rename_2_refuses),
        NSF_TEST(a_directory_does_not_get_below_itself),
        NSF_TEST(noreplace_is_eexist_where_something_is),
        NSF_TEST(exchange_swaps_two_names_of_any_type),
        NSF_TEST(names_keep_their_place_in_listings),
        NSF_TEST(the_programs_own_places_stay_where_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
