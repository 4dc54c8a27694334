/* Exactly the characters of RFC 3629 are taken. */
#include "common/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static size_t encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

static void every_character_is_taken_whole_and_none_when_cut(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x1fffff; code++) {
        bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        uint8_t bytes[4];
        uint32_t got = 0xdead;
        size_t n = encode(code, bytes);

        if (vs_utf8_char(bytes, n, &got) != (valid ? n : 0) || got != (valid ? code : 0xdead))
            fail_msg("U+%04X", code);
        if (vs_utf8_char(bytes, n - 1, &got) != 0)
            fail_msg("U+%04X, cut", code);
    }
}

static void broken_bytes_are_no_character(void **state)
{
    const char *const broken[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3(",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "\xc3\xc3",
        "\xe2(\x82",
    };
    uint32_t code;

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(vs_utf8_char((const uint8_t *)broken[i], strlen(broken[i]), &code), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_taken_whole_and_none_when_cut),
        cmocka_unit_test(broken_bytes_are_no_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
