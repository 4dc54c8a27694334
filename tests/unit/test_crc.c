/* CRC-32C against published values and a bit-by-bit computation. */
#include "common/crc.h"
#include "common/rand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the check value of the CRC catalogue. */
static void published_values(void **state)
{
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(vs_crc32c(0, "123456789", 9), 0xE3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(vs_crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(vs_crc32c(0, bytes, 32), 0x62A8AB43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(vs_crc32c(0, bytes, 32), 0x46DD794E);
    assert_int_equal(vs_crc32c(0, bytes, 0), 0);
    assert_int_equal(vs_crc32c(0x1234, NULL, 0), 0x1234);
}

static uint32_t crc_by_bits(const uint8_t *bytes, size_t len)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
    }
    return ~crc;
}

static void any_length_and_alignment_agrees_with_the_definition_and_pieces_chain(void **state)
{
    static uint8_t bytes[5000];
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 1);
    vs_rand_bytes(&rand, bytes, sizeof(bytes));
    for (unsigned round = 0; round < 2000; round++) {
        size_t at = vs_rand_below(&rand, 64);
        size_t len = vs_rand_below(&rand, round % 2 == 0 ? 100 : 4900);
        size_t first = vs_rand_below(&rand, len + 1);
        uint32_t want = crc_by_bits(bytes + at, len);

        assert_int_equal(vs_crc32c(0, bytes + at, len), want);
        assert_int_equal(
            vs_crc32c(vs_crc32c(0, bytes + at, first), bytes + at + first, len - first), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(any_length_and_alignment_agrees_with_the_definition_and_pieces_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
