/* ns_mirror: the published counterparts of inbox directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "tests/support/ns_fixture.h"

#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT
#define BOX  NS_INO_INBOX

static void assert_counterpart(struct nsf *f, uint64_t box_dir, uint64_t tree_dir)
{
    assert_true(tree_dir != 0);
    assert_int_equal(nsf_attr(f, box_dir).mirror, tree_dir);
}

static void a_directory_in_the_inbox_appears_in_the_tree_at_once(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = { .kind = NS_E_CREATE, .parent = BOX, .name = "Series", .name_len = 6 };
    uint64_t s, season, tree;

    e.attr.mode = S_IFDIR | 0710;
    e.attr.uid = 5;
    e.attr.gid = 6;
    assert_int_equal(nsf_do(f, &e), 0);
    s = f->answer.attr.ino;
    tree = nsf_ino(f, ROOT, "Series");
    assert_int_equal(f->answer.attr.mirror, tree);
    assert_int_equal(f->answer.dir, ROOT);
    assert_int_equal(f->answer.name_len, 6);
    assert_memory_equal(f->answer.name, "Series", 6);
    assert_counterpart(f, s, tree);
    assert_int_equal(nsf_attr(f, tree).mode, S_IFDIR | 0710);
    assert_int_equal(nsf_attr(f, tree).uid, 5);
    assert_int_equal(nsf_attr(f, tree).gid, 6);
    assert_int_equal(nsf_attr(f, tree).mirror, 0);
    season = (uint64_t)nsf_mkdir(f, s, "Season 1");
    assert_counterpart(f, season, nsf_ino(f, tree, "Season 1"));
    assert_int_equal(nsf_attr(f, tree).nlink, 3);
    assert_int_equal(nsf_stats(f).directories, 6);
}

static void a_directory_that_is_there_already_is_used(void **state)
{
    struct nsf *f = *state;
    uint64_t tree = (uint64_t)nsf_make(f, ROOT, "Series", S_IFDIR | 0700);
    uint64_t s = (uint64_t)nsf_mkdir(f, BOX, "Series");

    assert_counterpart(f, s, tree);
    assert_int_equal(nsf_attr(f, tree).mode, S_IFDIR | 0700); /* as mkdir -p leaves it */
}

static void a_name_taken_by_a_file_gets_a_number(void **state)
{
    struct nsf *f = *state;
    uint64_t s;

    assert_true(nsf_file(f, ROOT, "Series", "a file") > 0);
    assert_true(nsf_file(f, ROOT, "Series (2)", "another") > 0);
    s = (uint64_t)nsf_mkdir(f, BOX, "Series");
    assert_counterpart(f, s, nsf_ino(f, ROOT, "Series (3)"));
    assert_memory_equal(f->answer.name, "Series (3)", f->answer.name_len);
    assert_int_equal(nsf_rmdir(f, BOX, "Series"), 0);
    s = (uint64_t)nsf_mkdir(f, BOX, "Series"); /* and finds it again */
    assert_counterpart(f, s, nsf_ino(f, ROOT, "Series (3)"));
}

static void a_removed_counterpart_is_made_again_with_its_parents(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_make(f, BOX, "a", S_IFDIR | 0750),
             b = (uint64_t)nsf_mkdir(f, a, "b");
    uint64_t old = nsf_ino(f, ROOT, "a"), tree_a, tree_b;

    assert_int_equal(nsf_setxattr(f, a, "user.x", "1", 0), 0);
    assert_true(nsf_file(f, b, "film", "1") > 0);
    assert_int_equal(nsf_rmdir(f, old, "b"), 0);
    assert_int_equal(nsf_rmdir(f, ROOT, "a"), 0);
    assert_int_equal(nsf_publish(f, b, "film", 0), 0);
    tree_a = nsf_ino(f, ROOT, "a");
    tree_b = nsf_ino(f, tree_a, "b");
    assert_int_not_equal(tree_a, old);
    assert_counterpart(f, a, tree_a);
    assert_counterpart(f, b, tree_b);
    assert_int_equal(f->answer.dir, tree_b);
    assert_true(nsf_ino(f, tree_b, "film") > 0);
    assert_int_equal(nsf_attr(f, tree_a).mode, S_IFDIR | 0750);
    {
        struct meta_req r = { .op = META_GETXATTR, .ino = tree_a, .name = "user.x", .name_len = 6 };

        assert_int_equal(nsf_read(f, &r), 0);
        vs_buf_close(&r.bytes);
    }
}

static void a_counterpart_renamed_in_the_tree_is_followed(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), tree = nsf_ino(f, ROOT, "a");

    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "better name", 0), 0);
    assert_true(nsf_file(f, a, "film", "1") > 0);
    assert_int_equal(nsf_publish(f, a, "film", 0), 0);
    assert_true(nsf_ino(f, tree, "film") > 0);
    assert_int_equal(nsf_ino(f, ROOT, "a"), 0);
}

static void a_counterpart_moved_into_the_inbox_is_one_no_more(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), old = nsf_ino(f, ROOT, "a");

    assert_int_equal(nsf_rename(f, ROOT, "a", a, "a", 0), 0); /* into its own inbox directory */
    assert_true(nsf_file(f, a, "film", "1") > 0);
    assert_int_equal(nsf_publish(f, a, "film", 0), 0);
    assert_int_not_equal(nsf_ino(f, ROOT, "a"), old);
    assert_true(nsf_ino(f, nsf_ino(f, ROOT, "a"), "film") > 0);
    assert_int_equal(nsf_ino(f, old, "film"), 0);
}

/* ---- renames in the inbox ---- */

static void a_renamed_inbox_directory_takes_its_counterpart_along(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, BOX, "b");
    uint64_t tree = nsf_ino(f, ROOT, "a"), tree_b = nsf_ino(f, ROOT, "b");

    assert_int_equal(nsf_rename(f, BOX, "a", BOX, "a2", 0), 0);
    assert_int_equal(nsf_ino(f, ROOT, "a2"), tree);
    assert_int_equal(nsf_ino(f, ROOT, "a"), 0);
    assert_counterpart(f, a, tree);
    assert_int_equal(f->answer.dir, ROOT);
    assert_memory_equal(f->answer.name, "a2", f->answer.name_len);
    assert_int_equal(nsf_rename(f, BOX, "a2", b, "a3", 0), 0);
    assert_int_equal(nsf_ino(f, tree_b, "a3"), tree);
    assert_int_equal(nsf_attr(f, tree).parent, tree_b);
    assert_int_equal(nsf_attr(f, tree_b).nlink, 3);
    assert_int_equal(f->answer.dir, tree_b);
}

static void the_parents_of_a_counterpart_are_made_for_it(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, BOX, "b");
    uint64_t tree = nsf_ino(f, ROOT, "a");

    assert_int_equal(nsf_rmdir(f, ROOT, "b"), 0);
    assert_int_equal(nsf_rename(f, BOX, "a", b, "a", 0), 0);
    assert_int_equal(nsf_ino(f, nsf_ino(f, ROOT, "b"), "a"), tree);
    assert_counterpart(f, a, tree);
}

static void a_counterpart_that_cannot_follow_is_let_go(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), tree = nsf_ino(f, ROOT, "a");

    assert_true(nsf_file(f, ROOT, "taken", "1") > 0);
    assert_int_equal(nsf_rename(f, BOX, "a", BOX, "taken", 0), 0);
    assert_int_equal(nsf_attr(f, a).mirror, 0);
    assert_int_equal(f->answer.dir, 0);
    assert_int_equal(nsf_ino(f, ROOT, "a"), tree);
    assert_true(nsf_file(f, a, "film", "1") > 0);
    assert_int_equal(nsf_publish(f, a, "film", 0), 0);
    assert_counterpart(f, a, nsf_ino(f, ROOT, "taken (2)"));
}

static void a_counterpart_with_a_name_of_its_own_stays(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), tree = nsf_ino(f, ROOT, "a");

    assert_int_equal(nsf_rename(f, ROOT, "a", ROOT, "mine", 0), 0);
    assert_int_equal(nsf_rename(f, BOX, "a", BOX, "b", 0), 0);
    assert_int_equal(nsf_ino(f, ROOT, "mine"), tree);
    assert_int_equal(nsf_attr(f, a).mirror, 0);
}

static void a_counterpart_moved_elsewhere_stays(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), tree = nsf_ino(f, ROOT, "a");
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d");

    assert_int_equal(nsf_rename(f, ROOT, "a", d, "a", 0), 0);
    assert_int_equal(nsf_rename(f, BOX, "a", BOX, "b", 0), 0);
    assert_int_equal(nsf_ino(f, d, "a"), tree);
    assert_int_equal(nsf_attr(f, a).mirror, 0);
}

static void a_counterpart_does_not_get_below_itself(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, BOX, "b");
    uint64_t tree_a = nsf_ino(f, ROOT, "a"), tree_b = nsf_ino(f, ROOT, "b");

    assert_int_equal(nsf_rename(f, ROOT, "b", tree_a, "b", 0), 0); /* the tree nests b in a */
    assert_int_equal(nsf_rename(f, BOX, "a", b, "a", 0), 0);       /* the inbox a in b */
    assert_int_equal(nsf_attr(f, tree_a).parent, ROOT);
    assert_int_equal(nsf_attr(f, a).mirror, 0);
    assert_counterpart(f, b, tree_b);
}

static void exchanged_inbox_directories_find_their_counterparts_anew(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, BOX, "b");
    uint64_t tree_b = nsf_ino(f, ROOT, "b");

    assert_int_equal(nsf_rename(f, BOX, "a", BOX, "b", NS_RENAME_EXCHANGE), 0);
    assert_int_equal(nsf_attr(f, a).mirror, 0);
    assert_int_equal(nsf_attr(f, b).mirror, 0);
    assert_true(nsf_file(f, a, "film", "1") > 0);
    assert_int_equal(nsf_publish(f, a, "film", 0), 0);
    assert_counterpart(f, a, tree_b);
}

static void a_tree_directory_moved_into_the_inbox_publishes_as_usual(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d"), sub = (uint64_t)nsf_mkdir(f, d, "sub");

    assert_true(nsf_file(f, sub, "film", "1") > 0);
    assert_int_equal(nsf_rename(f, ROOT, "d", BOX, "d", 0), 0);
    assert_int_equal(nsf_attr(f, d).mirror, 0);
    assert_int_equal(nsf_publish(f, sub, "film", 0), 0);
    assert_true(nsf_ino(f, nsf_ino(f, nsf_ino(f, ROOT, "d"), "sub"), "film") > 0);
}

static void nesting_has_a_limit(void **state)
{
    struct nsf *f = *state;
    uint64_t dir = (uint64_t)nsf_mkdir(f, ROOT, "moved"), half = 0;

    for (unsigned depth = 0; depth < 2100; depth++) { /* in the tree, then moved in whole */
        dir = (uint64_t)nsf_mkdir(f, dir, "d");
        half = depth == 1000 ? dir : half;
    }
    assert_true(nsf_file(f, dir, "film", "1") > 0);
    assert_true(nsf_file(f, half, "film", "1") > 0);
    assert_int_equal(nsf_rename(f, ROOT, "moved", BOX, "moved", 0), 0);
    assert_int_equal(nsf_publish(f, dir, "film", 0), -ENAMETOOLONG);
    assert_true(nsf_ino(f, dir, "film") > 0);
    assert_int_equal(nsf_mkdir(f, dir, "more"), -ENAMETOOLONG);
    assert_int_equal(nsf_publish(f, half, "film", 0), 0);
}

/* Links below a directory that was moved out are stale: nothing may follow them. */
static void a_counterpart_does_not_follow_out_of_the_inbox(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), sub = (uint64_t)nsf_mkdir(f, a, "sub");
    uint64_t c = (uint64_t)nsf_mkdir(f, BOX, "c"), tree_c = nsf_ino(f, ROOT, "c");

    assert_int_equal(nsf_rename(f, BOX, "a", ROOT, "moved out", 0), 0);
    assert_int_equal(nsf_rename(f, BOX, "c", sub, "c", 0), 0);
    assert_int_equal(nsf_attr(f, c).mirror, 0);
    assert_int_equal(nsf_ino(f, ROOT, "c"), tree_c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(a_directory_in_the_inbox_appears_in_the_tree_at_once),
        NSF_TEST(a_directory_that_is_there_already_is_used),
        NSF_TEST(a_name_taken_by_a_file_gets_a_number),
        NSF_TEST(a_removed_counterpart_is_made_again_with_its_parents),
        NSF_TEST(a_counterpart_renamed_in_the_tree_is_followed),
        NSF_TEST(a_counterpart_moved_into_the_inbox_is_one_no_more),
        NSF_TEST(a_renamed_inbox_directory_takes_its_counterpart_along),
        NSF_TEST(the_parents_of_a_counterpart_are_made_for_it),
        NSF_TEST(a_counterpart_that_cannot_follow_is_let_go),
        NSF_TEST(a_counterpart_with_a_name_of_its_own_stays),
        NSF_TEST(a_counterpart_moved_elsewhere_stays),
        NSF_TEST(a_counterpart_does_not_get_below_itself),
        NSF_TEST(exchanged_inbox_directories_find_their_counterparts_anew),
        NSF_TEST(a_tree_directory_moved_into_the_inbox_publishes_as_usual),
        NSF_TEST(nesting_has_a_limit),
        NSF_TEST(a_counterpart_does_not_follow_out_of_the_inbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
