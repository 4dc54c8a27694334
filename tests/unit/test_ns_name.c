/* ns_name: what a name may be, and what comes after "name.ext". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/utf8.h"
#include "meta/ns_name.h"

#include <string.h>

static void names_are_1_to_255_bytes_of_anything_but_slash_and_nul(void **state)
{
    char name[NS_NAME_BYTES_MAX + 1];

    (void)state;
    memset(name, 0xff, sizeof(name));
    assert_int_equal(ns_name_check(name, 0), -ENOENT);
    assert_int_equal(ns_name_check(name, 1), 0);
    assert_int_equal(ns_name_check(name, NS_NAME_BYTES_MAX), 0);
    assert_int_equal(ns_name_check(name, NS_NAME_BYTES_MAX + 1), -ENAMETOOLONG);
    assert_int_equal(ns_name_check("a/b", 3), -EINVAL);
    assert_int_equal(ns_name_check("a\0b", 3), -EINVAL);
    assert_int_equal(ns_name_check(".", 1), -EINVAL);
    assert_int_equal(ns_name_check("..", 2), -EINVAL);
    assert_int_equal(ns_name_check("...", 3), 0);
    assert_int_equal(ns_name_check("-rf \n\033[2J", 9), 0);
}

static void the_programs_own_names_are_reserved_where_they_matter(void **state)
{
    (void)state;
    assert_int_equal(ns_name_reserved(NS_INO_ROOT, ".vstack", 7), -EEXIST);
    assert_int_equal(ns_name_reserved(NS_INO_ROOT, "inbox", 5), 0);
    assert_int_equal(ns_name_reserved(NS_INO_INBOX, ".vstack", 7), -EINVAL);
    assert_int_equal(ns_name_reserved(NS_INO_INBOX, "inbox", 5), -EINVAL);
    assert_int_equal(ns_name_reserved(NS_INO_INBOX, "inbox2", 6), 0);
    assert_int_equal(ns_name_reserved(NS_INO_FIRST, ".vstack", 7), 0);
    assert_int_equal(ns_name_reserved(NS_INO_FIRST, "inbox", 5), 0);
}

static void assert_numbered(const char *name, unsigned number, const char *want)
{
    char got[NS_NAME_BYTES_MAX + 1];

    got[ns_name_numbered(name, strlen(name), number, got)] = '\0';
    assert_string_equal(got, want);
}

static void the_number_goes_before_the_last_dot(void **state)
{
    (void)state;
    assert_numbered("film.mkv", 2, "film (2).mkv");
    assert_numbered("film.mkv", 10000, "film (10000).mkv");
    assert_numbered("film", 3, "film (3)");
    assert_numbered("film.tar.gz", 2, "film.tar (2).gz");
    assert_numbered("film.", 2, "film (2).");
    assert_numbered(".hidden", 2, ".hidden (2)");
    assert_numbered(".hidden.mkv", 2, ".hidden (2).mkv");
    assert_numbered("x", 2, "x (2)");
}

static void a_long_stem_is_cut_so_that_all_fits(void **state)
{
    char name[NS_NAME_BYTES_MAX], got[NS_NAME_BYTES_MAX];
    uint8_t len;

    (void)state;
    memset(name, 'x', sizeof(name));
    memcpy(name + 251, ".mkv", 4);
    len = ns_name_numbered(name, sizeof(name), 12, got);
    assert_int_equal(len, NS_NAME_BYTES_MAX);
    assert_memory_equal(got + 246, " (12).mkv", 9);
    name[0] = '.'; /* an extension of 254 bytes is none */
    memset(name + 1, 'x', 254);
    len = ns_name_numbered(name, sizeof(name), 2, got);
    assert_int_equal(len, NS_NAME_BYTES_MAX);
    assert_memory_equal(got + 251, " (2)", 4);
    name[0] = 'x';
    name[1] = '.';
    len = ns_name_numbered(name, sizeof(name), 2, got);
    assert_memory_equal(got + 251, " (2)", 4);
}

/* A name of three-byte characters, moved byte by byte against the cut. */
static void a_character_is_not_cut_in_two(void **state)
{
    char name[NS_NAME_BYTES_MAX], got[NS_NAME_BYTES_MAX];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        size_t len = shift, at = 0;
        uint32_t code;

        memset(name, 'x', shift);
        for (; len + 3 <= sizeof(name); len += 3)
            memcpy(name + len, "\xe2\x82\xac", 3);
        len = ns_name_numbered(name, len, 2, got);
        while (at < len) {
            size_t n = vs_utf8_char((const uint8_t *)got + at, len - at, &code);

            assert_true(n > 0);
            at += n;
        }
        assert_true(len > NS_NAME_BYTES_MAX - 3);
    }
}

static void bytes_that_are_no_utf8_are_cut_anywhere(void **state)
{
    char name[NS_NAME_BYTES_MAX], got[NS_NAME_BYTES_MAX];

    (void)state;
    memset(name, 0x80, sizeof(name));
    assert_int_equal(ns_name_numbered(name, sizeof(name), 2, got), NS_NAME_BYTES_MAX);
    memset(name, 0xf0, sizeof(name));
    assert_int_equal(ns_name_numbered(name, sizeof(name), 2, got), NS_NAME_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_1_to_255_bytes_of_anything_but_slash_and_nul),
        cmocka_unit_test(the_programs_own_names_are_reserved_where_they_matter),
        cmocka_unit_test(the_number_goes_before_the_last_dot),
        cmocka_unit_test(a_long_stem_is_cut_so_that_all_fits),
        cmocka_unit_test(a_character_is_not_cut_in_two),
        cmocka_unit_test(bytes_that_are_no_utf8_are_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
