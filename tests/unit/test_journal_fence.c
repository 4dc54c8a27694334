/* What the journal of the next epoch begins with: docs/CHUNKPAXOS.md, "Membership". */
#include "common/err.h"
#include "meta/journal_fence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RING 8

static struct journal_slot slots[RING];
static struct journal_entry entry[4];

static struct px_ballot ballot(uint64_t round)
{
    return (struct px_ballot){ .round = round, .pid = 1, .inc = 1 };
}

static int record(struct journal_base *b, uint64_t slot, uint64_t round, unsigned e)
{
    struct px_ballot at = ballot(round);

    return journal_base_record(b, slot, &at, &entry[e]);
}

static void begin(struct journal_base *b)
{
    for (unsigned n = 0; n < 4; n++)
        entry[n] = (struct journal_entry){ .refs = 1 };
    journal_base_init(b, slots, RING);
}

static void end(struct journal_base *b)
{
    journal_base_close(b);
    journal_base_close(b);
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(entry[n].refs, 1);
}

static void per_slot_the_highest_ballot_of_the_fence_counts(void **state)
{
    struct journal_base b;

    (void)state;
    begin(&b);
    journal_base_head(&b, 1);
    assert_int_equal(record(&b, 2, 5, 0), 0);
    assert_int_equal(record(&b, 3, 5, 1), 0);
    journal_base_head(&b, 1);
    assert_int_equal(record(&b, 2, 4, 2), 0);
    assert_int_equal(record(&b, 3, 7, 3), 0);
    assert_ptr_equal(slots[2].entry, &entry[0]);
    assert_ptr_equal(slots[3].entry, &entry[3]);
    assert_true(px_ballot_is_none(&slots[1].ballot));
    assert_int_equal(b.promised.round, 7);
    assert_int_equal(b.last, 3);
    end(&b);
}

static void what_one_member_forgot_the_next_epoch_does_not_have(void **state)
{
    struct journal_base b;

    (void)state;
    begin(&b);
    journal_base_head(&b, 1);
    assert_int_equal(record(&b, 2, 5, 0), 0);
    assert_int_equal(record(&b, 6, 5, 1), 0);
    journal_base_head(&b, 4);
    assert_int_equal(b.first, 4);
    assert_true(px_ballot_is_none(&slots[2].ballot));
    assert_int_equal(record(&b, 3, 9, 2), 0); /* of a member that still has it */
    assert_true(px_ballot_is_none(&slots[3].ballot));
    assert_ptr_equal(slots[6].entry, &entry[1]);
    journal_base_head(&b, 2); /* never falls */
    assert_int_equal(b.first, 4);
    journal_base_head(&b, 100);
    assert_int_equal(b.last, 0);
    end(&b);
}

static void a_record_that_no_replica_can_hold_is_refused(void **state)
{
    struct journal_base b;

    (void)state;
    begin(&b);
    assert_int_equal(record(&b, RING, 5, 0), 0);
    assert_int_equal(record(&b, RING + 1, 5, 0), -VS_ECORRUPT);
    assert_int_equal(journal_base_record(&b, 1, &(struct px_ballot){ 0 }, NULL), -VS_ECORRUPT);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(per_slot_the_highest_ballot_of_the_fence_counts),
        cmocka_unit_test(what_one_member_forgot_the_next_epoch_does_not_have),
        cmocka_unit_test(a_record_that_no_replica_can_hold_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
