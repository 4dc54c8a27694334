/* JSON by the letter: what is taken, what is refused, and nothing beyond the end is read. */
#include "common/err.h"
#include "common/json_check.h"
#include "common/rand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In memory of exactly its length, so that the sanitizer sees a step too far. */
static int check(const char *text, size_t len, unsigned depth_max)
{
    char *exact = malloc(len > 0 ? len : 1);
    int r;

    memcpy(exact, text, len);
    r = vs_json_check(exact, len, depth_max);
    free(exact);
    return r;
}

static void json_is_taken(void **state)
{
    const char *const good[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.5e+3",
        "1E9",
        "0.0",
        "\"\"",
        " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"Zo\xc3\xab\"",
        "[[],[[]],{\"\":[]}]",
        "\"\x7f\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (check(good[i], strlen(good[i]), 4) != 0)
            fail_msg("refused: %s", good[i]);
}

static void anything_else_is_refused(void **state)
{
    const char *const bad[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "+1",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"\\u0000\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"\\ude00\\ude00\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x01\"",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "{]",
        "[}",
        "{} {}",
        "{}x",
        "\xef\xbb\xbf{}",
        "[1]//",
        "/**/1",
        "\v1",
        "\"\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (check(bad[i], strlen(bad[i]), 4) != -VS_ECORRUPT)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(check("1\0", 2, 4), -VS_ECORRUPT);
    assert_int_equal(check("\"a\0b\"", 5, 4), -VS_ECORRUPT);
    assert_int_equal(check("\"\\\0\"", 4, 4), -VS_ECORRUPT);
}

static void depth_has_a_limit(void **state)
{
    static char deep[100000];

    (void)state;
    assert_int_equal(check("1", 1, 0), 0);
    assert_int_equal(check("[]", 2, 0), -VS_ECORRUPT);
    assert_int_equal(check("[[1],{\"a\":1}]", 13, 2), 0);
    assert_int_equal(check("[[1],{\"a\":[]}]", 14, 2), -VS_ECORRUPT);
    memset(deep, '[', sizeof(deep));
    assert_int_equal(check(deep, sizeof(deep), 32), -VS_ECORRUPT);
}

static void numbers_have_a_length(void **state)
{
    char digits[VS_JSON_NUMBER_BYTES_MAX + 1];

    (void)state;
    memset(digits, '9', sizeof(digits));
    assert_int_equal(check(digits, VS_JSON_NUMBER_BYTES_MAX, 1), 0);
    assert_int_equal(check(digits, VS_JSON_NUMBER_BYTES_MAX + 1, 1), -VS_ECORRUPT);
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    const char text[] = "{\"a\":[1.5e3,\"\\ud83d\\ude00\xc3\xab\",true,null],\"b\":{}}";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        assert_int_equal(check(text, len, 4), -VS_ECORRUPT);
    assert_int_equal(check(text, sizeof(text) - 1, 4), 0);
}

static void any_bytes_are_answered(void **state)
{
    const char letters[] = "{}[]:,\"\\u0de8.+-truefalsn \xc3\xab\x80\x01";
    unsigned taken = 0;
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 1);
    for (unsigned round = 0; round < 200000; round++) {
        size_t len = vs_rand_below(&rand, 12);
        char text[12];
        int r;

        for (size_t i = 0; i < len; i++)
            text[i] = letters[vs_rand_below(&rand, sizeof(letters) - 1)];
        r = check(text, len, 3);
        assert_true(r == 0 || r == -VS_ECORRUPT);
        taken += r == 0;
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_taken),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(numbers_have_a_length),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(any_bytes_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
