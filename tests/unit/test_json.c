/* JSON trees: built, printed, read back; strict about what comes in; whole or nothing without
 * memory. */
#include "common/err.h"
#include "common/json.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vs_json *parse(const char *text)
{
    struct vs_json *j = NULL;

    assert_int_equal(vs_json_parse(text, strlen(text), &j), 0);
    return j;
}

static void assert_prints(struct vs_json *j, const char *want)
{
    char *text = vs_json_print(j, false);

    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
    vs_json_free(j);
}

static struct vs_json *build(void)
{
    struct vs_json *obj = vs_json_object(), *arr = vs_json_array(), *inner = vs_json_object();

    vs_json_set_text(obj, "t", "Zo\xc3\xab \"1\"\n");
    vs_json_set_u64(obj, "n", 7);
    vs_json_set_double(obj, "d", 0.5);
    vs_json_set_bool(obj, "yes", true);
    vs_json_set_bool(obj, "no", false);
    vs_json_set_null(obj, "z");
    vs_json_set_u64(inner, "x", 1);
    vs_json_add(arr, inner);
    vs_json_add_text(arr, "s");
    vs_json_set(obj, "a", arr);
    return obj;
}

static const char built[] = "{\"t\":\"Zo\xc3\xab \\\"1\\\"\\n\",\"n\":7,\"d\":0.5,\"yes\":true,"
                            "\"no\":false,\"z\":null,\"a\":[{\"x\":1},\"s\"]}";

static void a_tree_prints_and_parses_back(void **state)
{
    const struct vs_json *arr;
    struct vs_json *j;
    uint64_t n = 0;
    double d = 0;
    bool yes = false, no = true;

    (void)state;
    assert_prints(build(), built);
    j = parse(built);
    assert_string_equal(vs_json_get_text(j, "t"), "Zo\xc3\xab \"1\"\n");
    assert_int_equal(vs_json_get_u64(j, "n", &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(vs_json_get_double(j, "d", &d), 0);
    assert_true(d > 0.49 && d < 0.51);
    assert_int_equal(vs_json_get_bool(j, "yes", &yes), 0);
    assert_int_equal(vs_json_get_bool(j, "no", &no), 0);
    assert_true(yes && !no);
    arr = vs_json_get(j, "a");
    assert_int_equal(vs_json_count(arr), 2);
    assert_int_equal(vs_json_get_u64(vs_json_at(arr, 0), "x", &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(vs_json_text(vs_json_at(arr, 1)), "s");
    assert_null(vs_json_at(arr, 2));
    assert_ptr_equal(vs_json_next(vs_json_first(arr)), vs_json_at(arr, 1));
    assert_null(vs_json_next(vs_json_at(arr, 1)));
    assert_prints(j, built);
}

static void a_tree_can_be_read_before_it_is_printed(void **state)
{
    struct vs_json *j = vs_json_object();
    uint64_t n = 0;
    double d = 0;

    (void)state;
    vs_json_set_u64(j, "n", 1000000);
    assert_int_equal(vs_json_get_u64(j, "n", &n), 0);
    assert_int_equal(n, 1000000);
    assert_int_equal(vs_json_get_double(j, "n", &d), 0);
    assert_true(d > 999999 && d < 1000001);
    vs_json_free(j);
}

static void a_pretty_text_has_lines_and_the_same_content(void **state)
{
    struct vs_json *j = build();
    char *text = vs_json_print(j, true);

    (void)state;
    assert_non_null(strchr(text, '\n'));
    vs_json_free(j);
    assert_prints(parse(text), built);
    free(text);
}

static void every_u64_survives_exactly(void **state)
{
    const uint64_t values[] = { 0,
                                1,
                                1000000000000000,
                                (UINT64_C(1) << 53) - 1,
                                UINT64_C(1) << 53,
                                (UINT64_C(1) << 53) + 1,
                                UINT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct vs_json *j = vs_json_object();
        uint64_t v = 0;
        char *text, want[64];

        vs_json_set_u64(j, "v", values[i]);
        text = vs_json_print(j, false);
        vs_json_free(j);
        snprintf(want, sizeof(want), values[i] >> 53 == 0 ? "{\"v\":%llu}" : "{\"v\":\"%llu\"}",
                 (unsigned long long)values[i]);
        assert_string_equal(text, want);
        j = parse(text);
        assert_int_equal(vs_json_get_u64(j, "v", &v), 0);
        assert_true(v == values[i]);
        vs_json_free(j);
        free(text);
    }
}

static void what_is_no_u64_is_refused(void **state)
{
    const char *const bad[] = { "-1",     "0.5",    "1e300",  "9007199254740992",         "\"\"",
                                "\"-1\"", "\" 1\"", "\"1x\"", "\"18446744073709551616\"", "null",
                                "true",   "[]",     "{}" };
    char text[64];
    uint64_t v = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vs_json *j;

        snprintf(text, sizeof(text), "{\"v\":%s}", bad[i]);
        j = parse(text);
        assert_int_equal(vs_json_get_u64(j, "v", &v), -EINVAL);
        assert_int_equal(vs_json_get_u64(j, "w", &v), -ENOENT);
        assert_int_equal(v, 42);
        vs_json_free(j);
    }
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
    struct vs_json *j = vs_json_object();

    (void)state;
    vs_json_set_bytes(j, "k\xff", "a\xff\xc3\0b", 5);
    vs_json_set_bytes(j, "e", "", 0);
    assert_prints(j, "{\"k\xef\xbf\xbd\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                     "b\",\"e\":\"\"}");
}

static void a_member_set_twice_is_replaced(void **state)
{
    struct vs_json *j = vs_json_object();

    (void)state;
    vs_json_set_u64(j, "a", 1);
    vs_json_set_text(j, "b", "x");
    vs_json_set_text(j, "a", "y");
    assert_prints(j, "{\"b\":\"x\",\"a\":\"y\"}");
}

static void numbers_json_cannot_say_are_null(void **state)
{
    struct vs_json *j = vs_json_object();

    (void)state;
    vs_json_set_double(j, "a", NAN);
    vs_json_set_double(j, "b", INFINITY);
    assert_prints(j, "{\"a\":null,\"b\":null}");
}

static void a_text_is_taken_by_the_letter_or_refused(void **state)
{
    struct vs_json *j = NULL;
    char *big = malloc(VS_JSON_TEXT_BYTES_MAX + 1);
    char deep[2 * VS_JSON_DEPTH_MAX + 2];

    (void)state;
    assert_int_equal(vs_json_parse("{\"a\":01}", 8, &j), -VS_ECORRUPT);
    assert_int_equal(vs_json_parse("{}x", 3, &j), -VS_ECORRUPT);
    assert_int_equal(vs_json_parse("", 0, &j), -VS_ECORRUPT);

    memset(big, ' ', VS_JSON_TEXT_BYTES_MAX + 1);
    big[0] = '1';
    assert_int_equal(vs_json_parse(big, VS_JSON_TEXT_BYTES_MAX + 1, &j), -EMSGSIZE);
    assert_null(j);
    assert_int_equal(vs_json_parse(big, VS_JSON_TEXT_BYTES_MAX, &j), 0);
    vs_json_free(j);
    free(big);

    memset(deep, '[', VS_JSON_DEPTH_MAX);
    memset(deep + VS_JSON_DEPTH_MAX, ']', VS_JSON_DEPTH_MAX);
    assert_int_equal(vs_json_parse(deep, sizeof(deep) - 2, &j), 0);
    vs_json_free(j);
    memset(deep, '[', VS_JSON_DEPTH_MAX + 1);
    memset(deep + VS_JSON_DEPTH_MAX + 1, ']', VS_JSON_DEPTH_MAX + 1);
    assert_int_equal(vs_json_parse(deep, sizeof(deep), &j), -VS_ECORRUPT);
}

static void the_wrong_type_is_as_good_as_nothing(void **state)
{
    struct vs_json *j = parse("{\"n\":1,\"t\":\"x\",\"a\":[]}");
    bool b;
    double d;

    (void)state;
    assert_null(vs_json_get_text(j, "n"));
    assert_null(vs_json_get(vs_json_get(j, "a"), "n"));
    assert_null(vs_json_get(NULL, "n"));
    assert_null(vs_json_get(j, "N")); /* names are told apart by case */
    assert_int_equal(vs_json_get_bool(j, "n", &b), -EINVAL);
    assert_int_equal(vs_json_get_bool(j, "m", &b), -ENOENT);
    assert_int_equal(vs_json_get_double(j, "t", &d), -EINVAL);
    assert_int_equal(vs_json_get_double(j, "m", &d), -ENOENT);
    assert_int_equal(vs_json_count(j), 0);
    assert_int_equal(vs_json_count(NULL), 0);
    assert_null(vs_json_first(j));
    vs_json_free(j);
    vs_json_free(NULL);
    assert_null(vs_json_print(NULL, false));
}

static unsigned allocations_until_failure; /* that one fails, those behind it do not */

static void *scarce_malloc(size_t len)
{
    return allocations_until_failure-- == 0 ? NULL : malloc(len);
}

/* Fail each allocation of cJSON in turn: the text is whole, or there is none; nothing leaks. */
static void without_memory_the_text_is_whole_or_missing(void **state)
{
    cJSON_Hooks scarce = { scarce_malloc, free };
    bool whole = false;

    (void)state;
    for (unsigned n = 0; !whole; n++) {
        struct vs_json *j;
        char *text;

        assert_true(n < 1000);
        allocations_until_failure = n;
        cJSON_InitHooks(&scarce);
        j = build();
        text = vs_json_print(j, false);
        cJSON_InitHooks(NULL);
        vs_json_free(j);
        whole = text != NULL;
        if (whole)
            assert_string_equal(text, built);
        free(text);
    }
}

static void without_memory_a_parse_says_so(void **state)
{
    cJSON_Hooks scarce = { scarce_malloc, free };
    int r = -ENOMEM;

    (void)state;
    for (unsigned n = 0; r != 0; n++) {
        struct vs_json *j = NULL;

        assert_true(n < 1000);
        allocations_until_failure = n;
        cJSON_InitHooks(&scarce);
        r = vs_json_parse(built, strlen(built), &j);
        cJSON_InitHooks(NULL);
        assert_true(r == 0 || (r == -ENOMEM && j == NULL));
        vs_json_free(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_prints_and_parses_back),
        cmocka_unit_test(a_tree_can_be_read_before_it_is_printed),
        cmocka_unit_test(a_pretty_text_has_lines_and_the_same_content),
        cmocka_unit_test(every_u64_survives_exactly),
        cmocka_unit_test(what_is_no_u64_is_refused),
        cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
        cmocka_unit_test(a_member_set_twice_is_replaced),
        cmocka_unit_test(numbers_json_cannot_say_are_null),
        cmocka_unit_test(a_text_is_taken_by_the_letter_or_refused),
        cmocka_unit_test(the_wrong_type_is_as_good_as_nothing),
        cmocka_unit_test(without_memory_the_text_is_whole_or_missing),
        cmocka_unit_test(without_memory_a_parse_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
