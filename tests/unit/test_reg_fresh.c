/* Round 0 of an id: once in a life. */
#include "meta/reg_fresh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool take(struct reg_fresh *f, uint64_t seq)
{
    struct vs_id id = vs_id_make(3, 7, seq, VS_ID_CHUNK);

    return reg_fresh_take(f, &id);
}

static void an_id_is_fresh_once(void **state)
{
    struct reg_fresh f = { .pid = 3, .inc = 7 };

    (void)state;
    assert_true(take(&f, 1));
    assert_false(take(&f, 1));
    assert_true(take(&f, 0));
    assert_true(take(&f, UINT64_MAX));
    assert_false(take(&f, UINT64_MAX));
    reg_fresh_close(&f);
}

static void what_was_taken_is_not_forgotten_however_many_follow(void **state)
{
    struct reg_fresh f = { .pid = 3, .inc = 7 };

    (void)state;
    for (uint64_t seq = 1; seq < 4 * REG_FRESH_BLOCK_IDS; seq++)
        assert_true(take(&f, seq));
    for (uint64_t seq = 1; seq < 4 * REG_FRESH_BLOCK_IDS; seq++)
        assert_false(take(&f, seq));
    reg_fresh_close(&f);
}

static void an_id_of_another_owner_or_a_former_life_is_not_fresh(void **state)
{
    const struct vs_id other = vs_id_make(4, 7, 1, VS_ID_CHUNK);
    const struct vs_id former = vs_id_make(3, 6, 1, VS_ID_CHUNK);
    struct reg_fresh f = { .pid = 3, .inc = 7 };

    (void)state;
    assert_false(reg_fresh_take(&f, &other));
    assert_false(reg_fresh_take(&f, &former));
    reg_fresh_close(&f);
}

static void a_segment_with_the_number_of_a_chunk_is_not_fresh(void **state)
{
    const struct vs_id segment = vs_id_make(3, 7, 1, VS_ID_SEGMENT);
    struct reg_fresh f = { .pid = 3, .inc = 7 };

    (void)state;
    assert_true(take(&f, 1));
    assert_false(reg_fresh_take(&f, &segment));
    reg_fresh_close(&f);
}

static void without_room_nothing_new_is_fresh_and_nothing_is_forgotten(void **state)
{
    struct reg_fresh f = { .pid = 3, .inc = 7, .blocks_max = 1 };

    (void)state;
    assert_true(take(&f, 1));
    assert_false(take(&f, REG_FRESH_BLOCK_IDS + 1));
    assert_false(take(&f, 1));
    assert_true(take(&f, 2));
    reg_fresh_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_fresh_once),
        cmocka_unit_test(what_was_taken_is_not_forgotten_however_many_follow),
        cmocka_unit_test(an_id_of_another_owner_or_a_former_life_is_not_fresh),
        cmocka_unit_test(a_segment_with_the_number_of_a_chunk_is_not_fresh),
        cmocka_unit_test(without_room_nothing_new_is_fresh_and_nothing_is_forgotten),
    };

    return cmocka_run_group_tests_name("reg_fresh", tests, NULL, NULL);
}
