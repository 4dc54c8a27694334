/* The blocks of `faults` and `scrub`: they read back, any flipped bit is found, nonsense is
 * refused. */
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_format_state.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sb_scrub_pos some_pos = { .pass = 3,
                                              .ended = 2,
                                              .began_ns = 11,
                                              .ended_ns = 10,
                                              .next = 7,
                                              .fresh = 20,
                                              .fresh_to = 18,
                                              .done_bytes = 1234567,
                                              .found = 5 };

static struct sb_fault_list some_list(uint32_t count)
{
    struct sb_fault_list l = { 0 };

    for (uint32_t i = 0; i < count; i++)
        sb_fault_list_add(&l, &(struct sb_fault){ 1000 + i, 5 });
    return l;
}

static void sign(uint8_t block[SB_BLOCK_BYTES])
{
    uint32_t crc;

    memset(block + 8, 0, 4);
    crc = htole32(vs_crc32c(0, block, SB_BLOCK_BYTES));
    memcpy(block + 8, &crc, sizeof(crc));
}

static void they_read_back(void **state)
{
    struct sb_fault_list list = some_list(3), got_list;
    uint8_t block[SB_BLOCK_BYTES];
    struct sb_scrub_pos got;

    (void)state;
    sb_scrub_pos_encode(&some_pos, block);
    assert_memory_equal(block, "VSSP\x01\0\0\0", 8);
    assert_int_equal(sb_scrub_pos_decode(block, &got), 0);
    assert_memory_equal(&got, &some_pos, sizeof(got));
    sb_fault_list_encode(&list, block);
    assert_memory_equal(block, "VSFT\x01\0\0\0", 8);
    assert_int_equal(sb_fault_list_decode(block, &got_list), 0);
    assert_int_equal(got_list.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(got_list.v[i].at_ns, list.v[i].at_ns);
        assert_int_equal(got_list.v[i].err, list.v[i].err);
    }
}

static void every_flipped_bit_is_found(void **state)
{
    struct sb_fault_list list = some_list(SB_FAULTS_MAX), got_list;
    uint8_t block[SB_BLOCK_BYTES];
    struct sb_scrub_pos got;

    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        if (which == 0)
            sb_scrub_pos_encode(&some_pos, block);
        else
            sb_fault_list_encode(&list, block);
        for (unsigned bit = 0; bit < 8 * SB_BLOCK_BYTES; bit++) {
            block[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(which == 0 ? sb_scrub_pos_decode(block, &got)
                                        : sb_fault_list_decode(block, &got_list),
                             -VS_ECORRUPT);
            block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void signed_nonsense_is_refused_and_a_newer_format_is_told(void **state)
{
    /* own bytes, pass before its end, ids beyond the limit, something behind */
    static const unsigned at[] = { 6, 20, 12 + 4 * 8 + 5, 12 + 5 * 8 + 5, 12 + 6 * 8 + 5, 4000 };
    struct sb_fault_list list = some_list(1), got_list;
    uint8_t block[SB_BLOCK_BYTES];
    struct sb_scrub_pos got;

    (void)state;
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        sb_scrub_pos_encode(&some_pos, block);
        block[at[i]] = 9;
        sign(block);
        assert_int_equal(sb_scrub_pos_decode(block, &got), -VS_ECORRUPT);
    }
    sb_fault_list_encode(&list, block);
    block[12] = SB_FAULTS_MAX + 1;
    sign(block);
    assert_int_equal(sb_fault_list_decode(block, &got_list), -VS_ECORRUPT);
    block[4] = SB_FORMAT_VERSION + 1;
    sign(block);
    assert_int_equal(sb_fault_list_decode(block, &got_list), -VS_ENEWER);
}

static void the_oldest_goes_and_the_distance_counts_whichever_way_the_clock_went(void **state)
{
    struct sb_fault_list l = some_list(SB_FAULTS_MAX + 2);

    (void)state;
    assert_int_equal(l.count, SB_FAULTS_MAX);
    assert_int_equal(l.v[0].at_ns, 1002);
    assert_true(sb_fault_list_close(&l, 1));
    assert_false(sb_fault_list_close(&l, 0));
    l = (struct sb_fault_list){ .count = 2, .v = { { 5000, 5 }, { 1000, 5 } } };
    assert_true(sb_fault_list_close(&l, 4000));
    assert_false(sb_fault_list_close(&l, 3999));
    l.count = 1;
    assert_false(sb_fault_list_close(&l, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_read_back),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(signed_nonsense_is_refused_and_a_newer_format_is_told),
        cmocka_unit_test(the_oldest_goes_and_the_distance_counts_whichever_way_the_clock_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
