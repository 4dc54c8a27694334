/* Values of registers: what fits an id, what may be first, what may follow. */
#include "common/err.h"
#include "meta/place_value.h"
#include "meta/reg_rule.h"
#include "tests/support/reg_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct meta_reg reg_of(enum vs_id_type type, const struct vs_buf *value, uint32_t expect)
{
    return (struct meta_reg){ .id = vs_id_make(1, 1, 1, type),
                              .value = value->data,
                              .value_len = value->len,
                              .expect_generation = expect };
}

static void a_value_fits_its_id_or_is_refused(void **state)
{
    static uint8_t segment_bytes[] = { PLACE_SEGMENT, 1, 2, 3 };
    struct vs_buf live = reg_value(PLACE_LIVE, 1), dead = reg_value(PLACE_TOMB, 1);
    struct vs_buf segment = { segment_bytes, 4, 4 }, none = { 0 };
    struct meta_reg good[] = { reg_of(VS_ID_CHUNK, &live, 0), reg_of(VS_ID_SEGMENT, &segment, 0) };
    struct meta_reg bad[] = { reg_of(VS_ID_CHUNK, &segment, 0), reg_of(VS_ID_SEGMENT, &live, 0),
                              reg_of(VS_ID_CHUNK, &none, 0) };
    struct meta_reg tomb = reg_of(VS_ID_SEGMENT, &dead, 0);

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(reg_rule_create(&good[i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(reg_rule_create(&bad[i]), -EINVAL);
        assert_int_equal(reg_rule_fits(&bad[i]), -EINVAL);
    }
    assert_int_equal(reg_rule_fits(&tomb), 0);
    assert_int_equal(reg_rule_create(&tomb), -EINVAL);
    good[0].value_len = (64u << 10) + 1;
    assert_int_equal(reg_rule_fits(&good[0]), -EMSGSIZE);
    vs_buf_close(&live);
    vs_buf_close(&dead);
}

static void a_value_follows_the_generation_it_expects_and_never_a_tomb(void **state)
{
    struct vs_buf one = reg_value(PLACE_LIVE, 1), two = reg_value(PLACE_LIVE, 2);
    struct vs_buf dead = reg_value(PLACE_TOMB, 2);
    struct meta_reg raise = reg_of(VS_ID_CHUNK, &two, 1), kill = reg_of(VS_ID_CHUNK, &dead, 1);
    struct meta_reg kill_absent = reg_of(VS_ID_CHUNK, &dead, 0);
    struct meta_reg again = reg_of(VS_ID_CHUNK, &one, 1), revive = reg_of(VS_ID_CHUNK, &two, 0);

    (void)state;
    assert_int_equal(reg_rule_change(&raise, one.data, one.len), 0);
    assert_int_equal(reg_rule_change(&kill, one.data, one.len), 0);
    assert_int_equal(reg_rule_change(&kill_absent, NULL, 0), 0);
    assert_int_equal(reg_rule_change(&raise, two.data, two.len), 1);
    assert_int_equal(reg_rule_change(&again, two.data, two.len), -ESTALE);
    assert_int_equal(reg_rule_change(&kill_absent, one.data, one.len), -ESTALE);
    assert_int_equal(reg_rule_change(&revive, NULL, 0), -EINVAL);
    raise.expect_generation = 2;
    assert_int_equal(reg_rule_change(&raise, dead.data, dead.len), -ESTALE);
    assert_int_equal(reg_rule_change(&kill, one.data, 5), -VS_ECORRUPT);
    vs_buf_close(&one);
    vs_buf_close(&two);
    vs_buf_close(&dead);
}

static void a_value_has_a_generation_or_is_corrupt(void **state)
{
    static const uint8_t segment[] = { PLACE_SEGMENT, 1, 2, 3 };
    struct vs_buf value = reg_value(PLACE_LIVE, 9), dead = reg_value(PLACE_TOMB, 4);
    uint32_t generation;
    bool is_tomb;

    (void)state;
    assert_int_equal(reg_value_generation(NULL, 0, &generation, &is_tomb), 0);
    assert_int_equal(generation, 0);
    assert_int_equal(reg_value_generation(segment, 4, &generation, &is_tomb), 0);
    assert_int_equal(generation, 1);
    assert_int_equal(reg_value_generation(value.data, value.len, &generation, &is_tomb), 0);
    assert_int_equal(generation, 9);
    assert_false(is_tomb);
    assert_int_equal(reg_value_generation(dead.data, dead.len, &generation, &is_tomb), 0);
    assert_int_equal(generation, 4);
    assert_true(is_tomb);
    assert_int_equal(reg_value_generation(value.data, 5, &generation, &is_tomb), -VS_ECORRUPT);
    vs_buf_close(&value);
    vs_buf_close(&dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_fits_its_id_or_is_refused),
        cmocka_unit_test(a_value_follows_the_generation_it_expects_and_never_a_tomb),
        cmocka_unit_test(a_value_has_a_generation_or_is_corrupt),
    };

    return cmocka_run_group_tests_name("reg_rule", tests, NULL, NULL);
}
