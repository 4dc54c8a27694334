/* Values of command lines. */
#include "common/conf.h"
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_bytes_or_have_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } good[] = {
        { "0", 0 },
        { "4096", 4096 },
        { "1K", 1024 },
        { "64M", 64ull << 20 },
        { "1G", 1ull << 30 },
        { "3T", 3ull << 40 },
        { "9223372036854775808", 1ull << 63 },
        { "8388608T", 1ull << 63 },
    };
    static const char *const bad[] = {
        "", "K", "-1", "+1", " 1", "1 ", "1KB", "1k", "1.5G", "0x10"
    };
    uint64_t v = 7;

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(vs_conf_size(good[i].text, &v), 0);
        assert_int_equal(v, good[i].want);
    }
    v = 7;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(vs_conf_size(bad[i], &v), -EINVAL);
    assert_int_equal(vs_conf_size("9223372036854775809", &v), -ERANGE);
    assert_int_equal(vs_conf_size("8388609T", &v), -ERANGE);
    assert_int_equal(vs_conf_size("99999999999999999999999", &v), -ERANGE);
    assert_int_equal(v, 7);
}

static void numbers_have_a_range(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(vs_conf_number("5", 5, 9, &v), 0);
    assert_int_equal(v, 5);
    assert_int_equal(vs_conf_number("18446744073709551615", 0, UINT64_MAX, &v), 0);
    assert_int_equal(v, UINT64_MAX);
    v = 7;
    assert_int_equal(vs_conf_number("4", 5, 9, &v), -ERANGE);
    assert_int_equal(vs_conf_number("10", 5, 9, &v), -ERANGE);
    assert_int_equal(vs_conf_number("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(vs_conf_number("", 5, 9, &v), -EINVAL);
    assert_int_equal(vs_conf_number("5x", 5, 9, &v), -EINVAL);
    assert_int_equal(v, 7);
}

struct values {
    const char *name;
    uint64_t size, count;
    bool on;
};

static int parse(struct values *v, char why[CONF_WHY_BYTES], int argc, const char *const argv[])
{
    const struct conf_flag flags[] = {
        { "--name", CONF_TEXT, &v->name, 0, 0, NULL, true },
        { "--size", CONF_SIZE, &v->size, 10, 4096, "bytes", false },
        { "--count", CONF_NUMBER, &v->count, 1, 5, NULL, false },
        { "--on", CONF_SWITCH, &v->on, 0, 0, NULL, false },
    };
    char *copy[16];

    for (int i = 0; i < argc; i++)
        copy[i] = (char *)(uintptr_t)argv[i];
    return vs_conf_flags(flags, 4, argc, copy, why);
}

#define PARSE(v, why, ...)                                                                         \
    parse(v, why, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *),                   \
          (const char *const[]){ __VA_ARGS__ })

static void flags_take_their_value_behind_a_blank_or_an_equals_sign(void **state)
{
    struct values v = { .count = 3 };
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(PARSE(&v, why, "--size=1K", "--name", "--size", "--on"), 0);
    assert_string_equal(v.name, "--size");
    assert_int_equal(v.size, 1024);
    assert_int_equal(v.count, 3);
    assert_true(v.on);
    assert_string_equal(why, "");
}

static void a_wrong_flag_is_named(void **state)
{
    struct values v;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(PARSE(&v, why, "--size", "1K"), -EINVAL);
    assert_string_equal(why, "--name is missing; --help says what it is");
    assert_int_equal(PARSE(&v, why, "--name", "n", "--sizes", "1K"), -EINVAL);
    assert_string_equal(why, "'--sizes' is not known; --help lists what is");
    assert_int_equal(PARSE(&v, why, "--name", "n", "stray"), -EINVAL);
    assert_non_null(strstr(why, "'stray'"));
    assert_int_equal(PARSE(&v, why, "--name"), -EINVAL);
    assert_string_equal(why, "--name needs a value");
    assert_int_equal(PARSE(&v, why, "--on", "--on", "--name", "n"), -EINVAL);
    assert_string_equal(why, "--on is given twice");
    assert_int_equal(PARSE(&v, why, "--name", "n", "--on=1"), -EINVAL);
}

static void a_value_out_of_range_is_told_with_the_range(void **state)
{
    struct values v;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(PARSE(&v, why, "--name", "n", "--size", "5K"), -EINVAL);
    assert_string_equal(why, "--size is 10 to 4096 bytes (K, M, G, T: times 1024); '5K' is not");
    assert_int_equal(PARSE(&v, why, "--name", "n", "--count=0"), -EINVAL);
    assert_string_equal(why, "--count is 1 to 5; '0' is not");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_bytes_or_have_a_unit),
        cmocka_unit_test(numbers_have_a_range),
        cmocka_unit_test(flags_take_their_value_behind_a_blank_or_an_equals_sign),
        cmocka_unit_test(a_wrong_flag_is_named),
        cmocka_unit_test(a_value_out_of_range_is_told_with_the_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
