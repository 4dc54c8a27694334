/* Rules of upload_machine.h: forms, stores, silence, ids, room. */
#include "ingest/upload_machine.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB  (1u << 20)
#define GIB  (UINT64_C(1) << 30)
#define MS   VS_NS_PER_MS
#define LAST (UM_SILENT_MS * MS)

static void stores_up(struct um_store *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        s[i] = (struct um_store){ .up = true, .free_bytes = 100 * GIB };
}

static struct um_place place(const struct um_store *s, unsigned count, uint64_t turn)
{
    struct um_place p;

    assert_int_equal(um_place(s, count, turn, 4 * MIB, false, &p), 0);
    assert_int_equal(p.count, p.red.k + p.red.m);
    assert_int_equal(vs_redundancy_check(&p.red), 0);
    return p;
}

static void the_form_follows_the_number_of_usable_stores(void **state)
{
    static const struct {
        unsigned down;
        uint8_t kind, k, m;
    } rows[] = { { 0, VS_RED_RS, 3, 2 },
                 { 1, VS_RED_RS, 2, 2 },
                 { 2, VS_RED_REPLICATE, 1, 2 },
                 { 3, VS_RED_REPLICATE, 1, 1 } };
    struct um_place p;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct um_store s[5];

        stores_up(s, 5);
        for (unsigned d = 0; d < rows[i].down; d++)
            s[4 - d].up = false;
        p = place(s, 5, 0);
        assert_int_equal(p.red.kind, rows[i].kind);
        assert_int_equal(p.red.k, rows[i].k);
        assert_int_equal(p.red.m, rows[i].m);
        for (unsigned f = 0; f < p.count; f++)
            assert_true(p.entry[f] < 5 - rows[i].down);
    }
}

static void one_copy_only_where_the_set_has_one_store(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    p = place(s, 1, 7);
    assert_int_equal(p.red.kind, VS_RED_REPLICATE);
    assert_int_equal(p.count, 1);
    for (unsigned i = 1; i < 5; i++)
        s[i].up = false;
    assert_int_equal(um_place(s, 5, 0, MIB, true, &p), -EIO);
    s[0].up = false;
    assert_int_equal(um_place(s, 5, 0, MIB, true, &p), -EIO);
    assert_int_equal(um_place(s, 1, 0, MIB, true, &p), -EIO);
}

static void fragment_0_rotates_and_no_store_gets_two(void **state)
{
    unsigned firsts[5] = { 0 };
    struct um_store s[5];

    (void)state;
    stores_up(s, 5);
    for (uint64_t turn = 1000; turn < 1100; turn++) {
        struct um_place p = place(s, 5, turn);
        unsigned seen = 0;

        for (unsigned i = 0; i < 5; i++)
            seen |= 1u << p.entry[i];
        assert_int_equal(seen, 31);
        firsts[p.entry[0]]++;
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(firsts[i], 20);
}

static void of_more_than_five_the_load_follows_the_free_space(void **state)
{
    unsigned used[9] = { 0 };
    struct um_store s[9];

    (void)state;
    stores_up(s, 9);
    s[8].free_bytes = 20 * GIB;
    for (uint64_t turn = 0; turn < 9000; turn++) {
        struct um_place p = place(s, 9, turn);

        assert_int_equal(p.count, 5);
        for (unsigned i = 0; i < 5; i++) {
            used[p.entry[i]]++;
            for (unsigned j = 0; j < i; j++)
                assert_int_not_equal(p.entry[i], p.entry[j]);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        assert_in_range(used[i], 5000, 5900);
    assert_in_range(used[8], 700, 1700);
}

static void stores_that_failed_or_are_silent_are_left_out(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    s[1].left_out = true;
    p = place(s, 5, 0);
    assert_int_equal(p.count, 4);
    s[2].silent = true;
    p = place(s, 5, 0);
    assert_int_equal(p.count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(p.entry[i] != 1 && p.entry[i] != 2);
}

static void silent_stores_are_used_where_nothing_else_is_left(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    for (unsigned i = 0; i < 4; i++)
        s[i].silent = true;
    assert_int_equal(um_place(s, 5, 0, MIB, false, &p), -EIO);
    assert_int_equal(um_place(s, 5, 0, MIB, true, &p), 0);
    assert_int_equal(p.count, 5);
}

static void suspects_are_used_only_where_3_2_is_not_possible_without(void **state)
{
    struct um_store s[7];
    struct um_place p;

    (void)state;
    stores_up(s, 7);
    s[0].suspect = s[1].suspect = true;
    for (uint64_t turn = 0; turn < 100; turn++) {
        p = place(s, 7, turn);
        assert_int_equal(p.count, 5);
        for (unsigned i = 0; i < 5; i++)
            assert_true(p.entry[i] > 1);
    }
    s[6].up = false;
    assert_int_equal(place(s, 7, 0).count, 5);
    s[5].up = false; /* four others: 2+2, or 3+2 with a suspect */
    assert_int_equal(place(s, 7, 0).count, 5);
    s[0].full = s[1].full = true; /* no help */
    assert_int_equal(place(s, 7, 0).count, 3);
}

static void a_closed_store_gets_nothing_even_when_too_few_are_left(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    s[4].closed = true;
    p = place(s, 5, 3);
    assert_int_equal(p.red.k, 2);
    assert_int_equal(p.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(p.entry[i], 4);
    for (unsigned i = 1; i < 4; i++)
        s[i].closed = true;
    assert_int_equal(um_place(s, 5, 0, MIB, true, &p),
                     -EIO); /* one copy where more were possible */
}

static void no_two_fragments_share_a_failure_domain(void **state)
{
    struct um_store s[12];

    (void)state;
    stores_up(s, 12);
    for (unsigned i = 0; i < 12; i++)
        s[i].domain = 100 + i / 2; /* six machines of two disks */
    for (uint64_t turn = 0; turn < 1000; turn++) {
        struct um_place p = place(s, 12, turn);
        unsigned seen = 0;

        assert_int_equal(p.count, 5);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(seen >> p.entry[i] / 2 & 1, 0);
            seen |= 1u << p.entry[i] / 2;
        }
    }
    assert_int_equal(place(s, 8, 0).red.k, 2); /* eight disks in four machines */
    assert_int_equal(place(s, 6, 0).red.kind, VS_RED_REPLICATE);
    assert_int_equal(place(s, 2, 0).count, 1); /* all there is is one machine */
}

static void load_over_seven_equal_stores_differs_by_less_than_5_percent(void **state)
{
    unsigned used[7] = { 0 }, low = UINT32_MAX, high = 0;
    struct um_store s[7];

    (void)state;
    stores_up(s, 7);
    for (uint64_t turn = 0; turn < 10000; turn++) {
        struct um_place p = place(s, 7, turn);

        for (unsigned i = 0; i < 5; i++)
            used[p.entry[i]]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        low = used[i] < low ? used[i] : low;
        high = used[i] > high ? used[i] : high;
    }
    print_message("seven stores, 10000 chunks: %u .. %u fragments each\n", low, high);
    assert_true((high - low) * 100 < 5 * (50000 / 7));
}

static void want_of_space_ends_in_enospc_before_it_ends_in_copies(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    s[0].full = true;
    assert_int_equal(place(s, 5, 0).count, 4); /* 2+2 */
    s[1].free_bytes = MIB;
    assert_int_equal(um_place(s, 5, 0, 4 * MIB, true, &p), -ENOSPC);
    s[1].up = false; /* four are up, one of them full: three copies would take more */
    assert_int_equal(um_place(s, 5, 0, 4 * MIB, true, &p), -ENOSPC);
    s[2].up = false; /* three are up: copies are what they can do, for want of stores */
    assert_int_equal(place(s, 5, 0).count, 2);
    s[3].full = true;
    assert_int_equal(um_place(s, 5, 0, 4 * MIB, true, &p), -ENOSPC);
}

static void a_fragment_must_fit_in_the_form_it_gets(void **state)
{
    struct um_store s[5];
    struct um_place p;

    (void)state;
    stores_up(s, 5);
    for (unsigned i = 0; i < 5; i++)
        s[i].free_bytes = 4 * MIB / 3 + UM_RECORD_EXTRA_BYTES + 1;
    assert_int_equal(place(s, 5, 0).count, 5);
    s[4].free_bytes = MIB; /* 2+2 needs 2 MiB on each of the others: nobody has that */
    assert_int_equal(um_place(s, 5, 0, 4 * MIB, true, &p), -ENOSPC);
}

static void random_sets_never_break_the_rules_of_placement(void **state)
{
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 11);
    for (unsigned round = 0; round < 20000; round++) {
        struct um_store s[UM_STORES_MAX];
        unsigned count = 1 + (unsigned)vs_rand_below(&r, 8), good = 0;
        struct um_place p;
        int e;

        for (unsigned i = 0; i < count; i++) {
            s[i] = (struct um_store){ .up = vs_rand_below(&r, 5) > 0,
                                      .left_out = vs_rand_below(&r, 8) == 0,
                                      .silent = vs_rand_below(&r, 8) == 0,
                                      .full = vs_rand_below(&r, 8) == 0,
                                      .free_bytes = vs_rand_below(&r, 12 * MIB) };
            good += s[i].up && !s[i].left_out && !s[i].silent && !s[i].full &&
                    s[i].free_bytes >= 4 * MIB + UM_RECORD_EXTRA_BYTES;
        }
        e = um_place(s, count, vs_rand_u64(&r), 4 * MIB, false, &p);
        assert_true(e == 0 || e == -EIO || e == -ENOSPC);
        if (e == 0) {
            uint64_t seen = 0;

            for (unsigned i = 0; i < p.count; i++) {
                const struct um_store *chosen = &s[p.entry[i]];

                assert_true(p.entry[i] < count && !(seen >> p.entry[i] & 1));
                seen |= UINT64_C(1) << p.entry[i];
                assert_true(chosen->up && !chosen->left_out && !chosen->silent && !chosen->full);
                assert_true(chosen->free_bytes >= vs_ec_fragment_bytes(4 * MIB, p.red.k));
            }
        }
        if (good >= 5)
            assert_true(e == 0 && p.count == 5);
    }
}

static void a_chunk_is_durable_when_all_puts_are(void **state)
{
    enum um_put puts[5] = { UM_PUT_DURABLE, UM_PUT_DURABLE, UM_PUT_DURABLE, UM_PUT_DURABLE,
                            UM_PUT_WAITING };

    (void)state;
    assert_int_equal(um_after_put(puts, 5), UM_WAIT);
    puts[4] = UM_PUT_DURABLE;
    assert_int_equal(um_after_put(puts, 5), UM_DURABLE);
    puts[2] = UM_PUT_FAILED;
    assert_int_equal(um_after_put(puts, 5), UM_RECODE);
    puts[0] = UM_PUT_WAITING; /* the others are not waited for */
    assert_int_equal(um_after_put(puts, 5), UM_RECODE);
}

static void a_store_is_silent_after_two_seconds_without_any_answer(void **state)
{
    (void)state;
    assert_false(um_is_silent(1000, 0, 1000 + LAST - 1));
    assert_true(um_is_silent(1000, 0, 1000 + LAST));
    assert_true(um_is_silent(1000, 500, 1000 + LAST)); /* answers before the question */
    assert_false(um_is_silent(1000, 2000, 1000 + LAST));
    assert_true(um_is_silent(1000, 2000, 2000 + LAST));
}

static void a_slow_store_that_answers_others_has_until_it_is_stuck(void **state)
{
    int64_t stuck = UM_STUCK_MS * MS;

    (void)state;
    assert_false(um_is_silent(1000, 1000 + stuck - 2 * MS, 1000 + stuck - 1));
    assert_true(um_is_silent(1000, 1000 + stuck - 2 * MS, 1000 + stuck));
}

static void a_silent_store_is_replaced_or_waited_for_a_minute(void **state)
{
    int64_t minute = UM_STALL_MS * MS;

    (void)state;
    assert_int_equal(um_after_silence(true, 0, LAST), UM_RECODE);
    assert_int_equal(um_after_silence(false, 5, 5 + LAST), UM_WAIT);
    assert_int_equal(um_after_silence(false, 5, 5 + minute - 1), UM_WAIT);
    assert_int_equal(um_after_silence(false, 5, 5 + minute), UM_FAIL);
}

static void ids_begin_with_8_and_double_to_256(void **state)
{
    unsigned n = 0, sizes[] = { 8, 16, 32, 64, 128, 256, 256 };

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        n = um_ids_next(n);
        assert_int_equal(n, sizes[i]);
    }
    assert_false(um_ids_are_low(3, 8));
    assert_true(um_ids_are_low(2, 8));
    assert_true(um_ids_are_low(64, 256));
}

static void cuts_wait_for_the_demuxer_until_too_much_is_held(void **state)
{
    (void)state;
    assert_int_equal(um_plan_end(100, 1000, 400, false, 2000), 400);
    assert_int_equal(um_plan_end(100, 1000, 50, false, 2000), 100);
    assert_int_equal(um_plan_end(100, 1000, 2000, false, 2000), 1000);
    assert_int_equal(um_plan_end(100, 1000, 400, true, 2000), 1000);
    assert_int_equal(um_plan_end(100, 1000, 400, false, 900), 1000);
}

static void a_writer_goes_on_below_the_budget(void **state)
{
    (void)state;
    assert_true(um_has_room(1500, 1600, false));
    assert_false(um_has_room(1501, 1600, false));
    assert_true(um_has_room(1600, 1600, true));
    assert_false(um_has_room(1601, 1600, true));
}

static void a_chunk_moves_only_along_its_way(void **state)
{
    static const char *const allowed[] = { "QC", "QE", "CP", "CE", "PC", "PL", "PE", "LD", "LE" };
    static const char letters[] = "QCPLDE";

    (void)state;
    for (unsigned from = UM_QUEUED; from <= UM_ENDED; from++) {
        for (unsigned to = UM_QUEUED; to <= UM_ENDED; to++) {
            char move[3] = { letters[from], letters[to], 0 };
            bool may = false;

            for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
                may = may || strcmp(allowed[i], move) == 0;
            assert_int_equal(um_may_move((enum um_state)from, (enum um_state)to), may);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_follows_the_number_of_usable_stores),
        cmocka_unit_test(one_copy_only_where_the_set_has_one_store),
        cmocka_unit_test(fragment_0_rotates_and_no_store_gets_two),
        cmocka_unit_test(of_more_than_five_the_load_follows_the_free_space),
        cmocka_unit_test(stores_that_failed_or_are_silent_are_left_out),
        cmocka_unit_test(silent_stores_are_used_where_nothing_else_is_left),
        cmocka_unit_test(suspects_are_used_only_where_3_2_is_not_possible_without),
        cmocka_unit_test(a_closed_store_gets_nothing_even_when_too_few_are_left),
        cmocka_unit_test(no_two_fragments_share_a_failure_domain),
        cmocka_unit_test(load_over_seven_equal_stores_differs_by_less_than_5_percent),
        cmocka_unit_test(want_of_space_ends_in_enospc_before_it_ends_in_copies),
        cmocka_unit_test(a_fragment_must_fit_in_the_form_it_gets),
        cmocka_unit_test(random_sets_never_break_the_rules_of_placement),
        cmocka_unit_test(a_chunk_is_durable_when_all_puts_are),
        cmocka_unit_test(a_store_is_silent_after_two_seconds_without_any_answer),
        cmocka_unit_test(a_slow_store_that_answers_others_has_until_it_is_stuck),
        cmocka_unit_test(a_silent_store_is_replaced_or_waited_for_a_minute),
        cmocka_unit_test(ids_begin_with_8_and_double_to_256),
        cmocka_unit_test(cuts_wait_for_the_demuxer_until_too_much_is_held),
        cmocka_unit_test(a_writer_goes_on_below_the_budget),
        cmocka_unit_test(a_chunk_moves_only_along_its_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
