/* Range headers. */
#include "common/err.h"
#include "common/http_range.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TOTAL 1000

static void one_range_of_bytes_is_taken(void **state)
{
    static const struct {
        const char *text;
        uint64_t first, bytes;
    } good[] = {
        { "bytes=0-0", 0, 1 },
        { "bytes=0-", 0, 1000 },
        { "bytes=999-999", 999, 1 },
        { "bytes=999-", 999, 1 },
        { "bytes=10-19", 10, 10 },
        { "bytes=990-5000", 990, 10 },
        { "bytes=-1", 999, 1 },
        { "bytes=-1000", 0, 1000 },
        { "bytes=-5000", 0, 1000 },
        { "BYTES=1-2", 1, 2 },
        { "bytes=0-18446744073709551615", 0, 1000 },
    };
    uint64_t first, bytes;

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(http_range_parse(good[i].text, TOTAL, &first, &bytes), 1);
        assert_int_equal(first, good[i].first);
        assert_int_equal(bytes, good[i].bytes);
    }
}

static void nonsense_is_no_range(void **state)
{
    static const char *const bad[] = {
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=5-4",
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=-0",
        "bytes=0-1,",
        "bytes=1-2,5-6",
        "bytes= 1-2",
        "bytes=1-2 ",
        "bytes=--1",
        "bytes=18446744073709551616-",
        "bytes=1-18446744073709551616",
        "=1-2",
        "bytes=+1-2",
        "bytes=0x1-2",
    };
    uint64_t first = 7, bytes = 7;

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(http_range_parse(bad[i], TOTAL, &first, &bytes), -ERANGE);
}

static void another_unit_is_ignored(void **state)
{
    uint64_t first, bytes;

    (void)state;
    assert_int_equal(http_range_parse("frames=1-2", TOTAL, &first, &bytes), 0);
}

static void an_empty_body_has_no_range(void **state)
{
    uint64_t first, bytes;

    (void)state;
    assert_int_equal(http_range_parse("bytes=0-", 0, &first, &bytes), -ERANGE);
    assert_int_equal(http_range_parse("bytes=0-0", 0, &first, &bytes), -ERANGE);
    assert_int_equal(http_range_parse("bytes=-1", 0, &first, &bytes), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_of_bytes_is_taken),
        cmocka_unit_test(nonsense_is_no_range),
        cmocka_unit_test(another_unit_is_ignored),
        cmocka_unit_test(an_empty_body_has_no_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
