/* Hex text: two lower-case digits a byte, and NUL. */
#include "common/hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void every_byte_has_its_two_digits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        char text[3], want[3];

        vs_hex(&byte, 1, text);
        snprintf(want, sizeof(want), "%02x", i);
        assert_string_equal(text, want);
    }
}

static void nothing_is_the_empty_text(void **state)
{
    char text[2] = "x";

    (void)state;
    vs_hex(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_has_its_two_digits),
        cmocka_unit_test(nothing_is_the_empty_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
