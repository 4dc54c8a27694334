/* ns_rule_name: CREATE, LINK, UNLINK, RMDIR as the man pages have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "tests/support/ns_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT
#define BOX  NS_INO_INBOX

static char long_name[NS_NAME_BYTES_MAX + 2];

static struct ns_entry create(uint64_t parent, const char *name, uint32_t mode)
{
    struct ns_entry e = {
        .kind = NS_E_CREATE, .parent = parent, .name = name, .name_len = strlen(name)
    };

    e.attr.mode = mode;
    return e;
}

static void assert_now(const struct nsf *f, struct ns_time t)
{
    assert_int_equal(t.s, f->now.s);
}

/* ---- create ---- */

static void every_type_can_be_made(void **state)
{
    const uint32_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
    struct nsf *f = *state;
    struct ns_attr a;

    for (unsigned i = 0; i < 6; i++) {
        char name[2] = { (char)('a' + i), 0 };
        struct ns_entry e = create(ROOT, name, types[i] | 0640);

        e.attr.uid = 11;
        e.attr.gid = 12;
        e.attr.rdev = 77;
        assert_int_equal(nsf_do(f, &e), 0);
        a = f->answer.attr;
        assert_int_equal(nsf_lookup(f, ROOT, name, &a), 0);
        assert_int_equal(a.ino, f->answer.attr.ino);
        assert_int_equal(a.mode, types[i] | 0640);
        assert_int_equal(a.uid, 11);
        assert_int_equal(a.gid, 12);
        assert_int_equal(a.rdev, types[i] == S_IFCHR || types[i] == S_IFBLK ? 77 : 0);
        assert_int_equal(a.nlink, types[i] == S_IFDIR ? 2 : 1);
        assert_int_equal(a.parent, types[i] == S_IFDIR ? ROOT : 0);
        assert_int_equal(a.generation, 1);
        assert_int_equal(a.version, 1);
        assert_now(f, a.atime);
        assert_now(f, a.mtime);
        assert_now(f, a.ctime);
        assert_now(f, a.btime);
        nsf_check(f);
    }
    assert_int_equal(nsf_attr(f, ROOT).nlink, 4); /* itself, its dot, inbox, b */
    assert_now(f, nsf_attr(f, ROOT).mtime);
    assert_now(f, nsf_attr(f, ROOT).ctime);
}

static void a_mode_without_a_known_type_is_einval(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(nsf_make(f, ROOT, "x", 0644), -EINVAL);
    assert_int_equal(nsf_make(f, ROOT, "x", S_IFREG | 0200000), -EINVAL);
    assert_int_equal(nsf_make(f, ROOT, "x", 0030000 | 0644), -EINVAL);
}

static void a_create_may_bring_its_times(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = create(ROOT, "x", S_IFREG | 0644);

    e.set = NS_SET_MTIME;
    e.attr.mtime = (struct ns_time){ -315619200, 5 };
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.mtime.s, -315619200);
    assert_int_equal(f->answer.attr.mtime.ns, 5);
    assert_now(f, f->answer.attr.atime);
    assert_now(f, f->answer.attr.ctime);
}

static void a_setgid_directory_hands_down_its_group(void **state)
{
    struct nsf *f = *state;
    struct ns_entry dir = create(ROOT, "d", S_IFDIR | S_ISGID | 0755);
    struct ns_entry e;
    uint64_t d;

    dir.attr.gid = 33;
    assert_int_equal(nsf_do(f, &dir), 0);
    d = f->answer.attr.ino;
    e = create(d, "x", S_IFREG | 0644);
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.gid, 33);
    assert_int_equal(f->answer.attr.mode, S_IFREG | 0644);
    e = create(d, "sub", S_IFDIR | 0755);
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.gid, 33);
    assert_int_equal(f->answer.attr.mode, S_IFDIR | S_ISGID | 0755);
}

static void a_taken_name_is_eexist(void **state)
{
    struct nsf *f = *state;

    assert_true(nsf_file(f, ROOT, "x", "1") > 0);
    assert_int_equal(nsf_file(f, ROOT, "x", "2"), -EEXIST);
    assert_int_equal(nsf_mkdir(f, ROOT, "x"), -EEXIST);
    assert_int_equal(nsf_symlink(f, ROOT, "x", "t"), -EEXIST);
    assert_int_equal(nsf_mkdir(f, ROOT, "inbox"), -EEXIST);
    assert_int_equal(nsf_mkdir(f, ROOT, ".vstack"), -EEXIST);
}

static void create_with_replace_takes_the_name_over(void **state)
{
    struct nsf *f = *state;
    int64_t old = nsf_file(f, ROOT, "x", "old"), d = nsf_mkdir(f, ROOT, "d");
    struct ns_entry e = create(ROOT, "x", S_IFREG | 0644);
    uint64_t entries = nsf_attr(f, ROOT).size;

    assert_true(d > 0);
    e.flags = NS_CREATE_REPLACE;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.replaced.ino, old);
    assert_int_equal(f->answer.replaced.nlink, 0);
    assert_now(f, f->answer.replaced.ctime);
    assert_int_equal(nsf_ino(f, ROOT, "x"), f->answer.attr.ino);
    assert_int_equal(nsf_attr(f, ROOT).size, entries);
    assert_now(f, nsf_attr(f, ROOT).mtime);
    e = create(ROOT, "d", S_IFREG | 0644);
    e.flags = NS_CREATE_REPLACE;
    assert_int_equal(nsf_do(f, &e), -EISDIR);
    e = create(ROOT, "x", S_IFDIR | 0755);
    e.flags = NS_CREATE_REPLACE;
    assert_int_equal(nsf_do(f, &e), -EEXIST);
    e = create(ROOT, "inbox", S_IFREG | 0644);
    e.flags = NS_CREATE_REPLACE;
    assert_int_equal(nsf_do(f, &e), -EISDIR);
    e = create(ROOT, "new", S_IFREG | 0644);
    e.flags = NS_CREATE_REPLACE;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.replaced.ino, 0);
    e.flags = 2;
    assert_int_equal(nsf_do(f, &e), -EINVAL);
}

static void a_name_needs_a_directory_that_is_there(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1"), d = (uint64_t)nsf_mkdir(f, ROOT, "d");

    assert_int_equal(nsf_file(f, x, "y", "1"), -ENOTDIR);
    assert_int_equal(nsf_file(f, 99999, "y", "1"), -ENOENT);
    assert_int_equal(nsf_rmdir(f, ROOT, "d"), 0);
    assert_int_equal(nsf_file(f, d, "y", "1"), -ENOENT); /* somebody is still in it */
    assert_int_equal(nsf_link(f, x, d, "y"), -ENOENT);
    assert_int_equal(nsf_unlink(f, d, "y"), -ENOENT);
    assert_int_equal(nsf_rename(f, ROOT, "x", d, "y", 0), -ENOENT);
}

static void names_are_checked_everywhere(void **state)
{
    const struct {
        const char *name;
        int want;
    } cases[] = { { "", -ENOENT },    { ".", -EINVAL }, { "..", -EINVAL },
                  { "a/b", -EINVAL }, { "/", -EINVAL }, { long_name, -ENAMETOOLONG } };
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");

    memset(long_name, 'n', NS_NAME_BYTES_MAX + 1);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(nsf_mkdir(f, ROOT, cases[i].name), cases[i].want);
        assert_int_equal(nsf_link(f, x, ROOT, cases[i].name), cases[i].want);
        assert_int_equal(nsf_unlink(f, ROOT, cases[i].name), cases[i].want);
        assert_int_equal(nsf_rmdir(f, ROOT, cases[i].name), cases[i].want);
        assert_int_equal(nsf_rename(f, ROOT, cases[i].name, ROOT, "y", 0), cases[i].want);
        assert_int_equal(nsf_rename(f, ROOT, "x", ROOT, cases[i].name, 0), cases[i].want);
    }
    long_name[NS_NAME_BYTES_MAX] = '\0';
    assert_true(nsf_mkdir(f, ROOT, long_name) > 0);
    assert_true(nsf_mkdir(f, BOX, long_name) > 0);
}

static void a_symlink_has_its_target_as_content(void **state)
{
    static char target[NS_SYMLINK_BYTES_MAX + 2];
    struct nsf *f = *state;
    struct ns_entry e = create(ROOT, "n", S_IFLNK | 0777);

    memset(target, 't', NS_SYMLINK_BYTES_MAX);
    assert_true(nsf_symlink(f, ROOT, "s", target) > 0);
    assert_int_equal(f->answer.attr.size, NS_SYMLINK_BYTES_MAX);
    assert_int_equal(nsf_stats(f).symlinks, 1);
    target[NS_SYMLINK_BYTES_MAX] = 't';
    assert_int_equal(nsf_symlink(f, ROOT, "l", target), -ENAMETOOLONG);
    assert_int_equal(nsf_symlink(f, ROOT, "e", ""), -ENOENT);
    e.content = (struct ns_new_content){
        .kind = NS_CONTENT_INLINE, .bytes = "a\0b", .bytes_len = 3, .size = 3
    };
    assert_int_equal(nsf_do(f, &e), -EINVAL);
}

static void a_create_takes_its_number_from_a_reserved_range_once(void **state)
{
    struct nsf *f = *state;
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 3 };
    struct ns_entry e = create(ROOT, "a", S_IFREG | 0644);
    uint64_t first;

    assert_int_equal(nsf_do(f, &reserve), 0);
    first = f->answer.first;
    e.ino = first + 1;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.ino, first + 1);
    e.name = "b";
    assert_int_equal(nsf_do(f, &e), -EINVAL); /* used */
    e.ino = first + 3;
    assert_int_equal(nsf_do(f, &e), -EINVAL); /* never reserved */
    e.ino = 1;
    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e.ino = first + 2;
    assert_int_equal(nsf_do(f, &e), 0);
    e.name = "c";
    e.ino = first;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_true(nsf_mkdir(f, ROOT, "d") > (int64_t)first + 2); /* ranges are nobody else's */
    assert_int_equal(nsf_unlink(f, ROOT, "c"), 0);
    assert_int_equal(nsf_forget(f, first), 0);
    assert_int_equal(nsf_do(f, &e), -EINVAL); /* not even when it is forgotten */
    reserve.count = 0;
    assert_int_equal(nsf_do(f, &reserve), -EINVAL);
    reserve.count = NS_RESERVE_MAX + 1;
    assert_int_equal(nsf_do(f, &reserve), -EINVAL);
}

/* ---- link, unlink ---- */

static void a_link_is_another_name_of_the_same_inode(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d"), x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    struct ns_attr before = nsf_attr(f, x);

    assert_int_equal(nsf_link(f, x, d, "y"), 0);
    assert_int_equal(f->answer.attr.nlink, 2);
    assert_now(f, f->answer.attr.ctime);
    assert_int_equal(f->answer.attr.mtime.s, before.mtime.s);
    assert_now(f, nsf_attr(f, d).mtime);
    assert_int_equal(nsf_ino(f, d, "y"), x);
    assert_int_equal(nsf_stats(f).files, 1);
    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(f->answer.replaced.ino, x);
    assert_int_equal(f->answer.replaced.nlink, 1);
    assert_int_equal(nsf_ino(f, d, "y"), x);
}

static void links_are_refused_as_link_2_says(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d"), x = (uint64_t)nsf_file(f, ROOT, "x", "1");

    assert_int_equal(nsf_link(f, d, ROOT, "e"), -EPERM);
    assert_int_equal(nsf_link(f, x, ROOT, "d"), -EEXIST);
    assert_int_equal(nsf_link(f, 99999, ROOT, "e"), -ENOENT);
    assert_int_equal(nsf_link(f, x, ROOT, ".vstack"), -EEXIST);
    assert_int_equal(nsf_link(f, x, BOX, "inbox"), -EINVAL);
    assert_int_equal(nsf_link(f, x, BOX, ".vstack"), -EINVAL);
    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(nsf_link(f, x, ROOT, "e"), -ENOENT); /* open, but without a name */
}

static void too_many_links_are_emlink(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d"), x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    char name[16];

    for (unsigned i = 1; i < NS_LINK_MAX; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(nsf_link(f, x, d, name), 0);
    }
    assert_int_equal(nsf_link(f, x, d, "more"), -EMLINK);
}

static void unlink_is_refused_as_unlink_2_says(void **state)
{
    struct nsf *f = *state;

    assert_true(nsf_mkdir(f, ROOT, "d") > 0);
    assert_int_equal(nsf_unlink(f, ROOT, "d"), -EISDIR);
    assert_int_equal(nsf_unlink(f, ROOT, "inbox"), -EISDIR);
    assert_int_equal(nsf_unlink(f, ROOT, "none"), -ENOENT);
}

static void the_last_unlink_leaves_an_orphan_until_it_is_forgotten(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "still here"), orphans[2];
    struct meta_req r = { .op = META_CONTENT, .ino = x };

    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(nsf_stats(f).files, 0);
    assert_int_equal(nsf_stats(f).logical_bytes, 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_ORPHANS, orphans, 2), 1);
    assert_int_equal(orphans[0], x);
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.bytes.len, 10);
    assert_int_equal(r.attr.nlink, 0);
    assert_int_equal(nsf_forget(f, x), 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_ORPHANS, orphans, 2), 0);
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    assert_int_equal(nsf_forget(f, x), -ENOENT);
    vs_buf_close(&r.bytes);
}

/* ---- rmdir ---- */

static void rmdir_is_refused_as_rmdir_2_says(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d");

    assert_true(nsf_file(f, ROOT, "x", "1") > 0);
    assert_true(nsf_mkdir(f, d, "sub") > 0);
    assert_int_equal(nsf_rmdir(f, ROOT, "x"), -ENOTDIR);
    assert_int_equal(nsf_rmdir(f, ROOT, "none"), -ENOENT);
    assert_int_equal(nsf_rmdir(f, ROOT, "d"), -ENOTEMPTY);
    assert_int_equal(nsf_rmdir(f, ROOT, "inbox"), -EBUSY);
    assert_int_equal(nsf_rmdir(f, d, "sub"), 0);
    assert_now(f, nsf_attr(f, d).mtime);
    assert_int_equal(nsf_attr(f, d).nlink, 2);
    assert_int_equal(nsf_rmdir(f, ROOT, "d"), 0);
    assert_int_equal(f->answer.replaced.ino, d);
    assert_int_equal(nsf_attr(f, d).nlink, 0);
    assert_int_equal(nsf_attr(f, ROOT).nlink, 3);
    assert_int_equal(nsf_forget(f, d), 0);
}

static void an_inbox_directory_goes_with_its_empty_directories(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, a, "b");
    uint64_t published = nsf_ino(f, ROOT, "a"), orphans[8];

    assert_true(nsf_mkdir(f, b, "c") > 0);
    assert_true(nsf_mkdir(f, a, "d") > 0);
    assert_true(nsf_file(f, b, "film", "1") > 0);
    assert_int_equal(nsf_rmdir(f, BOX, "a"), -ENOTEMPTY);
    nsf_check(f);
    assert_int_equal(nsf_publish(f, b, "film", 0), 0);
    assert_int_equal(nsf_rmdir(f, BOX, "a"), 0);
    nsf_check(f);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_ORPHANS, orphans, 8), 4);
    assert_int_equal(nsf_ino(f, BOX, "a"), 0);
    assert_int_equal(nsf_ino(f, ROOT, "a"), published); /* what was published stays */
    assert_true(nsf_ino(f, nsf_ino(f, published, "b"), "film") > 0);
    assert_true(nsf_ino(f, published, "d") > 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(nsf_forget(f, orphans[i]), 0);
}

static void a_subtree_too_large_for_one_entry_is_enotempty(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a");
    char name[16];

    for (unsigned i = 1; i < 4096; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_true(nsf_mkdir(f, a, name) > 0);
    }
    assert_true(nsf_mkdir(f, a, "one more") > 0);
    assert_int_equal(nsf_rmdir(f, BOX, "a"), -ENOTEMPTY);
    assert_int_equal(nsf_rmdir(f, a, "one more"), 0);
    assert_int_equal(nsf_rmdir(f, BOX, "a"), 0);
}

static void in_the_tree_a_directory_of_directories_is_not_empty(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, ROOT, "a");

    assert_true(nsf_mkdir(f, a, "b") > 0);
    assert_int_equal(nsf_rmdir(f, ROOT, "a"), -ENOTEMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(every_type_can_be_made),
        NSF_TEST(a_mode_without_a_known_type_is_einval),
        NSF_TEST(a_create_may_bring_its_times),
        NSF_TEST(a_setgid_directory_hands_down_its_group),
        NSF_TEST(a_taken_name_is_eexist),
        NSF_TEST(create_with_replace_takes_the_name_over),
        NSF_TEST(a_name_needs_a_directory_that_is_there),
        NSF_TEST(names_are_checked_everywhere),
        NSF_TEST(a_symlink_has_its_target_as_content),
        NSF_TEST(a_create_takes_its_number_from_a_reserved_range_once),
        NSF_TEST(a_link_is_another_name_of_the_same_inode),
        NSF_TEST(links_are_refused_as_link_2_says),
        NSF_TEST(too_many_links_are_emlink),
        NSF_TEST(unlink_is_refused_as_unlink_2_says),
        NSF_TEST(the_last_unlink_leaves_an_orphan_until_it_is_forgotten),
        NSF_TEST(rmdir_is_refused_as_rmdir_2_says),
        NSF_TEST(an_inbox_directory_goes_with_its_empty_directories),
        NSF_TEST(a_subtree_too_large_for_one_entry_is_enotempty),
        NSF_TEST(in_the_tree_a_directory_of_directories_is_not_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
