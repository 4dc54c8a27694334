/* ns_rule_publish: an inbox file gets to its place in the tree, and never over another one. */
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

static void assert_name(const struct nsf *f, const char *name)
{
    assert_int_equal(f->answer.name_len, strlen(name));
    assert_memory_equal(f->answer.name, name, strlen(name));
}

static int set_mtime(struct nsf *f, uint64_t ino, int64_t s)
{
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = ino, .set = NS_SET_MTIME };

    e.attr.mtime.s = s;
    return nsf_do(f, &e);
}

static int64_t flushed_file(struct nsf *f, uint64_t parent, const char *name, const char *text)
{
    int64_t x = nsf_file(f, parent, name, text);
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = (uint64_t)x, .set = NS_SET_FLAGS };

    e.flags_set = NS_F_FLUSHED;
    assert_int_equal(nsf_do(f, &e), 0);
    return x;
}

static void a_file_moves_to_the_root_and_is_flushed_no_more(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)flushed_file(f, BOX, "film.mkv", "1");
    int64_t mtime = nsf_attr(f, x).mtime.s;

    assert_int_equal(nsf_publish(f, BOX, "film.mkv", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_MOVED);
    assert_int_equal(f->answer.dir, ROOT);
    assert_name(f, "film.mkv");
    assert_int_equal(f->answer.attr.ino, x);
    assert_int_equal(f->answer.attr.flags, 0);
    assert_int_equal(f->answer.attr.mtime.s, mtime);
    assert_int_equal(f->answer.attr.ctime.s, f->now.s);
    assert_int_equal(nsf_ino(f, ROOT, "film.mkv"), x);
    assert_int_equal(nsf_ino(f, BOX, "film.mkv"), 0);
    assert_int_equal(nsf_publish(f, BOX, "film.mkv", 0), -ENOENT);
}

static void only_an_inbox_file_can_be_published(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, ROOT, "d"), x = (uint64_t)nsf_file(f, d, "x", "1");

    assert_true(nsf_mkdir(f, BOX, "dir") > 0);
    assert_int_equal(nsf_publish(f, ROOT, "d", 0), -EINVAL);
    assert_int_equal(nsf_publish(f, d, "x", 0), -EINVAL);
    assert_int_equal(nsf_publish(f, x, "x", 0), -ENOTDIR);
    assert_int_equal(nsf_publish(f, 99999, "x", 0), -ENOENT);
    assert_int_equal(nsf_publish(f, BOX, "dir", 0), -EISDIR);
    assert_int_equal(nsf_publish(f, BOX, "none", 0), -ENOENT);
    assert_int_equal(nsf_publish(f, BOX, "dir", 3), -EINVAL);
}

static void a_taken_name_gets_a_number(void **state)
{
    struct nsf *f = *state;
    uint64_t old = (uint64_t)nsf_file(f, ROOT, "film.mkv", "old");

    assert_true(nsf_mkdir(f, ROOT, "film (2).mkv") > 0);
    assert_true(nsf_file(f, BOX, "film.mkv", "new") > 0);
    assert_int_equal(nsf_publish(f, BOX, "film.mkv", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_NUMBERED);
    assert_name(f, "film (3).mkv");
    assert_int_equal(f->answer.replaced.ino, 0);
    assert_int_equal(nsf_ino(f, ROOT, "film.mkv"), old);
    assert_int_equal(nsf_ino(f, ROOT, "film (3).mkv"), f->answer.attr.ino);
}

static void the_same_content_is_there_already(void **state)
{
    struct nsf *f = *state;
    uint64_t old = (uint64_t)nsf_file(f, ROOT, "a", "same"), dropped;
    int64_t mtime = nsf_attr(f, old).mtime.s;

    dropped = (uint64_t)nsf_file(f, BOX, "a", "same");
    assert_int_equal(nsf_publish(f, BOX, "a", NS_TAKEN_REFUSE), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_int_equal(f->answer.attr.ino, old);
    assert_int_equal(f->answer.attr.mtime.s, mtime);
    assert_int_equal(f->answer.replaced.ino, dropped);
    assert_int_equal(f->answer.replaced.nlink, 0);
    assert_int_equal(f->answer.dir, ROOT);
    assert_int_equal(nsf_ino(f, BOX, "a"), 0);
    assert_true(nsf_symlink(f, ROOT, "s", "target") > 0);
    assert_true(nsf_symlink(f, BOX, "s", "target") > 0);
    assert_int_equal(nsf_publish(f, BOX, "s", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_true(nsf_file(f, BOX, "s", "target") > 0); /* a file is no symlink */
    assert_int_equal(nsf_publish(f, BOX, "s", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_NUMBERED);
}

/* The film that has the name lost its stores: its copy is all there is. */
static void content_is_not_the_same_as_what_is_lost(void **state)
{
    struct nsf *f = *state;

    assert_true(nsf_file(f, ROOT, "a.mkv", "same") > 0);
    assert_true(nsf_file(f, BOX, "a.mkv", "same") > 0);
    assert_int_equal(nsf_publish(f, BOX, "a.mkv", NS_TAKEN_REFUSE | NS_TAKEN_LOST), -EEXIST);
    assert_int_equal(nsf_publish(f, BOX, "a.mkv", NS_TAKEN_KEEP_BOTH | NS_TAKEN_LOST), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_NUMBERED);
    assert_name(f, "a (2).mkv");
    assert_true(nsf_file(f, BOX, "a.mkv", "same") > 0); /* once more: the second one is there */
    assert_int_equal(nsf_publish(f, BOX, "a.mkv", NS_TAKEN_KEEP_BOTH | NS_TAKEN_LOST), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_name(f, "a (2).mkv");
    assert_true(nsf_file(f, BOX, "a.mkv", "same") > 0);
    assert_int_equal(nsf_publish(f, BOX, "a.mkv", NS_TAKEN_REPLACE | NS_TAKEN_LOST), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_REPLACED);
}

static void the_same_content_is_found_under_a_numbered_name(void **state)
{
    struct nsf *f = *state;
    uint64_t second;

    assert_true(nsf_file(f, ROOT, "CLIP0001.MP4", "camera 1") > 0);
    second = (uint64_t)nsf_file(f, BOX, "CLIP0001.MP4", "camera 2");
    assert_int_equal(nsf_publish(f, BOX, "CLIP0001.MP4", NS_TAKEN_KEEP_BOTH), 0);
    assert_true(nsf_file(f, BOX, "CLIP0001.MP4", "camera 2") > 0);
    assert_int_equal(nsf_publish(f, BOX, "CLIP0001.MP4", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_int_equal(f->answer.attr.ino, second);
    assert_name(f, "CLIP0001 (2).MP4");
}

static void large_files_are_the_same_when_their_hashes_are_known_and_equal(void **state)
{
    const struct {
        uint8_t old_sha, new_sha;
        uint32_t segments;
        uint8_t want;
    } cases[] = { { 1, 1, 2, NS_PUBLISHED_SAME },
                  { 1, 2, 2, NS_PUBLISHED_NUMBERED },
                  { 0, 0, 2, NS_PUBLISHED_NUMBERED }, /* not known: not assumed */
                  { 1, 0, 2, NS_PUBLISHED_NUMBERED },
                  { 1, 1, 3, NS_PUBLISHED_NUMBERED } };
    struct nsf *f = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[] = { (char)('a' + i), '.', 'm', 'k', 'v', 0 };

        assert_true(nsf_big_file(f, ROOT, name, 2, cases[i].old_sha) > 0);
        assert_true(nsf_big_file(f, BOX, name, cases[i].segments, cases[i].new_sha) > 0);
        assert_int_equal(nsf_publish(f, BOX, name, NS_TAKEN_KEEP_BOTH), 0);
        assert_int_equal(f->answer.published, cases[i].want);
    }
}

static void two_names_of_one_file_become_one(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, BOX, "a", "1");

    assert_int_equal(nsf_link(f, x, ROOT, "a"), 0);
    assert_int_equal(nsf_publish(f, BOX, "a", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_int_equal(f->answer.attr.ino, x);
    assert_int_equal(f->answer.attr.nlink, 1);
    assert_int_equal(nsf_ino(f, ROOT, "a"), x);
}

static void an_empty_file_gives_way_to_whatever_has_its_name(void **state)
{
    struct nsf *f = *state;
    uint64_t film = (uint64_t)nsf_file(f, ROOT, "film", "a film");

    assert_true(nsf_make(f, BOX, "film", S_IFREG | 0644) > 0);
    assert_int_equal(nsf_publish(f, BOX, "film", NS_TAKEN_REPLACE), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_SAME);
    assert_int_equal(f->answer.attr.ino, film);
    assert_true(nsf_make(f, BOX, "empty", S_IFREG | 0644) > 0);
    assert_int_equal(nsf_publish(f, BOX, "empty", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_MOVED);
}

static void replacing_and_refusing_only_when_told_to(void **state)
{
    struct nsf *f = *state;
    uint64_t old = (uint64_t)nsf_file(f, ROOT, "a", "old");
    uint64_t size = nsf_attr(f, ROOT).size;

    assert_true(nsf_file(f, BOX, "a", "new") > 0);
    assert_int_equal(nsf_publish(f, BOX, "a", NS_TAKEN_REFUSE), -EEXIST);
    assert_true(nsf_ino(f, BOX, "a") > 0);
    assert_int_equal(nsf_publish(f, BOX, "a", NS_TAKEN_REPLACE), 0);
    assert_int_equal(f->answer.published, NS_PUBLISHED_REPLACED);
    assert_int_equal(f->answer.replaced.ino, old);
    assert_int_equal(f->answer.replaced.nlink, 0);
    assert_int_equal(nsf_attr(f, ROOT).size, size);
    assert_true(nsf_mkdir(f, ROOT, "dir") > 0);
    assert_true(nsf_file(f, ROOT, "dir (2)", "somebody else's") > 0);
    assert_true(nsf_file(f, BOX, "dir", "new") > 0);
    assert_int_equal(nsf_publish(f, BOX, "dir", NS_TAKEN_REPLACE), 0); /* not a directory */
    assert_int_equal(f->answer.published, NS_PUBLISHED_NUMBERED);
    assert_name(f, "dir (3)"); /* and not a name that nobody named */
}

static void times_set_on_a_directory_outlast_its_files_being_published(void **state)
{
    struct nsf *f = *state;
    uint64_t d = (uint64_t)nsf_mkdir(f, BOX, "d"), tree = nsf_ino(f, ROOT, "d");

    assert_true(nsf_file(f, d, "1", "1") > 0);
    assert_true(nsf_file(f, d, "2", "2") > 0);
    assert_true(nsf_file(f, d, "3", "3") > 0);
    assert_int_equal(nsf_publish(f, d, "1", 0), 0);
    assert_int_equal(nsf_attr(f, tree).mtime.s, f->now.s);
    assert_int_equal(set_mtime(f, d, 1000), 0); /* cp -p does this last */
    assert_int_equal(nsf_publish(f, d, "2", 0), 0);
    assert_int_equal(nsf_attr(f, tree).mtime.s, 1000);
    assert_int_equal(nsf_attr(f, d).mtime.s, 1000);
    assert_int_equal(nsf_rmdir(f, ROOT, "none"), -ENOENT);
    assert_int_equal(nsf_unlink(f, tree, "1"), 0); /* somebody works in the tree meanwhile */
    assert_int_equal(nsf_publish(f, d, "3", 0), 0);
    assert_int_equal(nsf_attr(f, tree).mtime.s, 1000);
    assert_true(nsf_file(f, d, "4", "4") > 0); /* a new file, after the times were set */
    assert_int_equal(nsf_publish(f, d, "4", 0), 0);
    assert_int_equal(nsf_attr(f, tree).mtime.s, f->now.s);
}

static void times_survive_when_the_published_directory_is_made_again(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, BOX, "a"), b = (uint64_t)nsf_mkdir(f, a, "b");

    assert_true(nsf_file(f, b, "film", "1") > 0);
    assert_int_equal(set_mtime(f, b, 2000), 0);
    assert_int_equal(set_mtime(f, a, 1000), 0);
    assert_int_equal(nsf_rmdir(f, nsf_ino(f, ROOT, "a"), "b"), 0);
    assert_int_equal(nsf_rmdir(f, ROOT, "a"), 0);
    assert_int_equal(nsf_publish(f, b, "film", 0), 0);
    assert_int_equal(nsf_attr(f, nsf_ino(f, ROOT, "a")).mtime.s, 1000);
    assert_int_equal(nsf_attr(f, nsf_ino(f, nsf_ino(f, ROOT, "a"), "b")).mtime.s, 2000);
}

static void times_set_on_the_inbox_do_not_reach_the_root(void **state)
{
    struct nsf *f = *state;

    assert_true(nsf_file(f, BOX, "a", "1") > 0);
    assert_int_equal(set_mtime(f, BOX, 1000), 0);
    assert_int_equal(nsf_publish(f, BOX, "a", 0), 0);
    assert_int_equal(nsf_attr(f, ROOT).mtime.s, f->now.s);
    assert_int_equal(nsf_attr(f, BOX).mtime.s, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(a_file_moves_to_the_root_and_is_flushed_no_more),
        NSF_TEST(only_an_inbox_file_can_be_published),
        NSF_TEST(a_taken_name_gets_a_number),
        NSF_TEST(the_same_content_is_there_already),
        NSF_TEST(content_is_not_the_same_as_what_is_lost),
        NSF_TEST(the_same_content_is_found_under_a_numbered_name),
        NSF_TEST(large_files_are_the_same_when_their_hashes_are_known_and_equal),
        NSF_TEST(two_names_of_one_file_become_one),
        NSF_TEST(an_empty_file_gives_way_to_whatever_has_its_name),
        NSF_TEST(replacing_and_refusing_only_when_told_to),
        NSF_TEST(times_set_on_a_directory_outlast_its_files_being_published),
        NSF_TEST(times_survive_when_the_published_directory_is_made_again),
        NSF_TEST(times_set_on_the_inbox_do_not_reach_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
