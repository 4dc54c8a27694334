/* Rules of inbox_rules.h: which names are temporary, and when a file is settled. */
#include "fs/inbox_rules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void each_pattern_takes_its_names_and_spares_the_neighbours(void **state)
{
    static const struct {
        const char *pattern, *takes[4], *spares[5];
    } cases[] = {
        { ".*.??????",
          { ".film.mkv.AbCdEf", ".a.123456", ".x..~~~~~~" },
          { "film.mkv.AbCdEf", ".film.mkv", ".nfo.12345", ".hidden", ".a.1234567" } },
        { ".~*", { ".~lock.film.mkv#", ".~" }, { "x.~y", "~.film", ".film" } },
        { ".goutputstream-*",
          { ".goutputstream-AB12CD", ".goutputstream-" },
          { "goutputstream-AB12CD", ".goutputstream" } },
        { ".fuse_hidden*", { ".fuse_hidden0000000100000001", ".fuse_hidden" }, { "fuse_hidden1" } },
        { "*.part", { "film.mkv.part", ".part" }, { "film.part.mkv", "part", "film.parts" } },
        { "*.partial", { "film.partial", ".partial" }, { "film.partially", "partial" } },
        { "*.partial~", { "film.mkv.partial~" }, { "film.partial~.mkv" } },
        { "*.crdownload", { "film.mkv.crdownload" }, { "crdownload", "film.crdownload.mkv" } },
        { "*.tmp", { "a.tmp", ".tmp" }, { "tmp", "a.tmp2", "a.tmp.mkv" } },
        { "*~", { "film.mkv~", "~" }, { "~film.mkv", "fi~lm" } },
        { "*.!qB", { "film.mkv.!qB" }, { "film.mkv.qB", "film.!qB.mkv", "film.!qb" } },
    };

    (void)state;
    assert_int_equal(inbox_temporary_pattern_count, sizeof(cases) / sizeof(cases[0]));
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        assert_string_equal(cases[c].pattern, inbox_temporary_patterns[c]);
        for (size_t n = 0; n < 4 && cases[c].takes[n] != NULL; n++) {
            const char *name = cases[c].takes[n];

            if (!inbox_glob(cases[c].pattern, name, strlen(name)))
                fail_msg("%s does not take %s", cases[c].pattern, name);
            assert_true(inbox_is_temporary(name, strlen(name)));
        }
        for (size_t n = 0; n < 5 && cases[c].spares[n] != NULL; n++) {
            const char *name = cases[c].spares[n];

            if (inbox_glob(cases[c].pattern, name, strlen(name)))
                fail_msg("%s takes %s", cases[c].pattern, name);
            if (inbox_is_temporary(name, strlen(name)))
                fail_msg("%s is taken for temporary", name);
        }
    }
}

static void names_of_films_and_dot_files_are_not_temporary(void **state)
{
    static const char *const names[] = { "film.mkv",
                                         ".nomedia",
                                         ".hidden.mkv",
                                         "CLIP0001.MP4",
                                         ".htaccess",
                                         "a",
                                         ".",
                                         "Film (2026).mkv",
                                         "x.part1.rar",
                                         ".DS_Store",
                                         "...",
                                         "film.mkv.torrent",
                                         ".film.nfo.txt",
                                         "\xff\xfe.mkv",
                                         "a\nb.mkv" };

    (void)state;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        if (inbox_is_temporary(names[n], strlen(names[n])))
            fail_msg("%s is taken for temporary", names[n]);
}

static void a_pattern_matches_bytes_and_knows_nothing_else(void **state)
{
    (void)state;
    assert_true(inbox_glob("", "", 0));
    assert_false(inbox_glob("", "a", 1));
    assert_true(inbox_glob("*", "", 0));
    assert_true(inbox_glob("***", "abc", 3));
    assert_true(inbox_glob("a*b*c", "aXbYbZc", 7));
    assert_false(inbox_glob("a*b*c", "aXbYbZ", 6));
    assert_true(inbox_glob("?", "\xff", 1));
    assert_false(inbox_glob("?", "", 0));
    assert_true(inbox_glob("[a]", "[a]", 3));
    assert_false(inbox_glob("[a]", "a", 1));
    assert_true(inbox_glob("*b", "a\0b", 3)); /* a NUL is a byte like any other */
    assert_false(inbox_glob("a", "a\0", 2));
}

/* A pattern of stars against a long name must not explode. */
static void matching_is_bounded(void **state)
{
    char name[NS_NAME_BYTES_MAX], pattern[INBOX_PATTERN_BYTES_MAX] = { 0 };

    (void)state;
    memset(name, 'a', sizeof(name));
    for (size_t n = 0; n + 2 < sizeof(pattern); n += 2)
        memcpy(pattern + n, "*a", 2);
    pattern[strlen(pattern) - 1] = 'b';
    for (unsigned n = 0; n < 1000; n++)
        assert_false(inbox_glob(pattern, name, sizeof(name)));
}

/* ---- settled ---- */

/* A film that was closed under its final name. */
static struct inbox_facts facts(struct ns_attr *attr, const char *name)
{
    *attr = (struct ns_attr){ .mode = S_IFREG | 0644, .size = 1000, .flags = NS_F_FLUSHED };
    return (struct inbox_facts){ .attr = attr, .name = name, .len = strlen(name) };
}

static void a_flushed_file_under_a_final_name_is_settled(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    assert_int_equal(inbox_decide(&f), INBOX_PUBLISH);
}

static void a_file_that_is_being_written_is_not_settled(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    f.writers = true;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
    f.named = true;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
}

static void a_temporary_name_is_never_settled(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv.part");

    (void)state;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
    f.named = true;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
}

static void an_interrupted_file_is_not_settled(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    attr.flags = 0;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
    f.named = true; /* renamed from one final name to another: nobody says that it is complete */
    f.from = "old.mkv";
    f.from_len = 7;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
}

static void a_rename_from_a_temporary_name_settles(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    attr.flags = 0;
    f.named = true;
    f.from = "film.mkv.part";
    f.from_len = strlen(f.from);
    assert_int_equal(inbox_decide(&f), INBOX_PUBLISH);
}

static void a_link_or_a_move_from_the_tree_settles(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    attr.flags = 0;
    f.named = true;
    assert_int_equal(inbox_decide(&f), INBOX_PUBLISH);
}

static void an_empty_file_waits(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "film.mkv");

    (void)state;
    attr.size = 0;
    assert_int_equal(inbox_decide(&f), INBOX_WAIT);
}

static void links_and_devices_are_settled_when_made_and_directories_never(void **state)
{
    struct ns_attr attr;
    struct inbox_facts f = facts(&attr, "name");

    (void)state;
    attr.flags = 0;
    attr.size = 0;
    attr.mode = S_IFLNK | 0777;
    assert_int_equal(inbox_decide(&f), INBOX_PUBLISH);
    attr.mode = S_IFIFO | 0600;
    assert_int_equal(inbox_decide(&f), INBOX_PUBLISH);
    attr.mode = S_IFDIR | 0755;
    assert_int_equal(inbox_decide(&f), INBOX_LEAVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pattern_takes_its_names_and_spares_the_neighbours),
        cmocka_unit_test(names_of_films_and_dot_files_are_not_temporary),
        cmocka_unit_test(a_pattern_matches_bytes_and_knows_nothing_else),
        cmocka_unit_test(matching_is_bounded),
        cmocka_unit_test(a_flushed_file_under_a_final_name_is_settled),
        cmocka_unit_test(a_file_that_is_being_written_is_not_settled),
        cmocka_unit_test(a_temporary_name_is_never_settled),
        cmocka_unit_test(an_interrupted_file_is_not_settled),
        cmocka_unit_test(a_rename_from_a_temporary_name_settles),
        cmocka_unit_test(a_link_or_a_move_from_the_tree_settles),
        cmocka_unit_test(an_empty_file_waits),
        cmocka_unit_test(links_and_devices_are_settled_when_made_and_directories_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
