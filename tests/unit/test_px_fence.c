/* A change of membership: who may vote, what the next epoch begins with. */
#include "meta/px_fence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_reg reg(uint64_t promised, uint64_t accepted, const char *value)
{
    struct px_reg r = { .promised = { .round = promised, .pid = 1, .inc = 1 } };

    if (value != NULL) {
        r.ballot = (struct px_ballot){ .round = accepted, .pid = 1, .inc = 1 };
        r.accepted.value = (const uint8_t *)value;
        r.accepted.value_len = strlen(value);
    }
    return r;
}

/* Mutant M3. */
static void a_replica_without_its_identity_or_with_less_than_was_recorded_does_not_vote(
    void **state)
{
    (void)state;
    assert_true(px_may_vote(true, 10, 10));
    assert_true(px_may_vote(true, 10, 11));
    assert_false(px_may_vote(true, 10, 9));
    assert_false(px_may_vote(false, 0, 0));
}

static void the_number_of_acceptors_may_stay_or_grow(void **state)
{
    (void)state;
    assert_true(px_fence_sizes(1, 1));
    assert_true(px_fence_sizes(1, 3));
    assert_true(px_fence_sizes(3, 3));
    assert_true(px_fence_sizes(3, 5));
    assert_true(px_fence_sizes(5, 5));
    assert_false(px_fence_sizes(5, 3));
    assert_false(px_fence_sizes(3, 1));
    assert_false(px_fence_sizes(3, 4));
    assert_false(px_fence_sizes(5, 7));
}

/* Mutant M11. */
static void nothing_opens_before_a_majority_is_fenced_and_has_given_all(void **state)
{
    struct px_fence f;
    uint64_t above;

    (void)state;
    px_fence_begin(&f, 3);
    for (unsigned i = 0; i < 3; i++)
        px_fence_copied(&f, i, true, 10 + i);
    assert_false(px_fence_close(&f));
    px_fence_fenced(&f, 1, true);
    px_fence_fenced(&f, 1, true);
    assert_false(px_fence_close(&f));
    assert_false(px_fence_wants_rest(&f, 1, &above));
    px_fence_fenced(&f, 2, true);
    assert_true(px_fence_close(&f));
    assert_false(px_fence_may_open(&f));
    px_fence_taken(&f, 1);
    px_fence_taken(&f, 0); /* not of F */
    assert_false(px_fence_may_open(&f));
    px_fence_taken(&f, 2);
    assert_true(px_fence_may_open(&f));
}

/* Mutant M12. */
static void the_rest_is_taken_from_every_member_of_f_above_its_own_mark(void **state)
{
    struct px_fence f;
    uint64_t above;

    (void)state;
    px_fence_begin(&f, 3);
    px_fence_copied(&f, 0, true, 10);
    px_fence_fenced(&f, 0, true);
    px_fence_fenced(&f, 2, true);
    assert_true(px_fence_close(&f));
    assert_true(px_fence_wants_rest(&f, 0, &above));
    assert_int_equal(above, 10);
    assert_true(px_fence_wants_rest(&f, 2, &above));
    assert_int_equal(above, 0); /* no mark: everything */
    assert_false(px_fence_wants_rest(&f, 1, &above));
    px_fence_taken(&f, 0);
    assert_false(px_fence_wants_rest(&f, 0, &above));
}

/* Mutant M20. */
static void only_records_of_f_count(void **state)
{
    struct px_fence f;

    (void)state;
    px_fence_begin(&f, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(px_fence_wants_copy(&f, i));
        px_fence_copied(&f, i, true, 1);
        assert_false(px_fence_wants_copy(&f, i));
    }
    px_fence_fenced(&f, 0, true);
    px_fence_fenced(&f, 1, true);
    assert_true(px_fence_close(&f));
    assert_true(px_fence_counts(&f, 0));
    assert_true(px_fence_counts(&f, 1));
    assert_false(px_fence_counts(&f, 2));
}

static void a_member_that_never_voted_in_the_old_epoch_does_not_count_for_it(void **state)
{
    struct px_fence f;

    (void)state;
    px_fence_begin(&f, 3);
    px_fence_fenced(&f, 0, true);
    px_fence_fenced(&f, 1, false);
    assert_false(px_fence_close(&f));
}

static void f_is_decided_once(void **state)
{
    struct px_fence f;

    (void)state;
    px_fence_begin(&f, 3);
    px_fence_fenced(&f, 0, true);
    px_fence_fenced(&f, 1, true);
    assert_true(px_fence_close(&f));
    px_fence_fenced(&f, 2, true);
    px_fence_copied(&f, 2, true, 9);
    assert_true(px_fence_close(&f));
    assert_int_equal(f.members, 3);
    assert_int_equal(f.marked, 0);
}

static void the_highest_accepted_record_begins_the_epoch_promised_to_itself(void **state)
{
    struct px_reg start = { 0 }, low = reg(9, 3, "low"), high = reg(7, 5, "high");
    struct px_reg absent = reg(20, 0, NULL);

    (void)state;
    px_fence_merge(&start, &absent);
    assert_true(px_ballot_is_none(&start.ballot));
    assert_true(px_ballot_is_none(&start.promised));
    px_fence_merge(&start, &low);
    px_fence_merge(&start, &high);
    px_fence_merge(&start, &low);
    assert_int_equal(start.ballot.round, 5);
    assert_int_equal(start.promised.round, 5);
    assert_memory_equal(start.accepted.value, "high", 4);
}

/* Mutant M19. */
static void a_member_outside_f_gives_up_its_records_and_keeps_its_promises(void **state)
{
    struct px_reg own = reg(9, 8, "mine"), start = reg(5, 5, "start"), absent = { 0 };

    (void)state;
    px_fence_adopt(&own, &start);
    assert_int_equal(own.ballot.round, 5);
    assert_memory_equal(own.accepted.value, "start", 5);
    assert_int_equal(own.promised.round, 9);
    px_fence_adopt(&own, &absent);
    assert_true(px_ballot_is_none(&own.ballot));
    assert_int_equal(own.promised.round, 9);
    own = reg(2, 2, "mine");
    px_fence_adopt(&own, &start);
    assert_int_equal(own.promised.round, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_replica_without_its_identity_or_with_less_than_was_recorded_does_not_vote),
        cmocka_unit_test(the_number_of_acceptors_may_stay_or_grow),
        cmocka_unit_test(nothing_opens_before_a_majority_is_fenced_and_has_given_all),
        cmocka_unit_test(the_rest_is_taken_from_every_member_of_f_above_its_own_mark),
        cmocka_unit_test(only_records_of_f_count),
        cmocka_unit_test(a_member_that_never_voted_in_the_old_epoch_does_not_count_for_it),
        cmocka_unit_test(f_is_decided_once),
        cmocka_unit_test(the_highest_accepted_record_begins_the_epoch_promised_to_itself),
        cmocka_unit_test(a_member_outside_f_gives_up_its_records_and_keeps_its_promises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
