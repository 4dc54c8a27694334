/* What an acceptor of the journal stores and says: docs/CHUNKPAXOS.md, "The journal". */
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void prepare(uint64_t round, uint32_t pid, uint64_t slot)
{
    replica_msg(&rig, pid,
                (struct journal_msg){ .kind = JOURNAL_MSG_PREPARE,
                                      .ballot = replica_ballot(round, pid),
                                      .slot = slot });
}

static void a_promise_is_told_only_when_it_is_durable(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    prepare(5, 2, 1);
    assert_true(rig.out.persist != 0);
    assert_int_equal(rig.out.promised.round, 5);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_PROMISE));
    replica_persisted(&rig);
    m = replica_sent(&rig, 2, JOURNAL_MSG_PROMISE);
    assert_non_null(m);
    assert_int_equal(m->ballot.round, 5);
    replica_close(&rig);
}

static void a_lower_ballot_is_refused_with_the_promise(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    prepare(5, 2, 1);
    prepare(5, 3, 1); /* higher by its pid */
    prepare(5, 2, 1);
    m = replica_sent(&rig, 2, JOURNAL_MSG_NACK);
    assert_non_null(m);
    assert_int_equal(m->reason, JOURNAL_NACK_PROMISED);
    assert_int_equal(m->promised.pid, 3);
    replica_accept(&rig, replica_ballot(5, 2), 1, 1, 1, 0);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_NACK)->reason, JOURNAL_NACK_PROMISED);
    assert_int_equal(rig.out.puts, 0);
    replica_close(&rig);
}

static void a_promise_overtaken_by_a_higher_ballot_is_not_told(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    prepare(5, 2, 1);
    replica_accept(&rig, replica_ballot(6, 2), 1, 1, 1, 0);
    replica_persisted(&rig);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_PROMISE));
    replica_close(&rig);
}

static void a_promise_repeated_is_told_again(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    prepare(5, 2, 1);
    replica_persisted(&rig);
    prepare(5, 2, 1);
    assert_int_equal(rig.out.persist, 0);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_PROMISE));
    replica_close(&rig);
}

static void a_promise_tells_every_record_from_the_slot_on(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 4, 10, 0);
    replica_accept(&rig, replica_ballot(4, 2), 6, 1, 20, 0);
    prepare(5, 3, 3);
    replica_persisted(&rig);
    m = replica_sent(&rig, 3, JOURNAL_MSG_PROMISE);
    assert_non_null(m);
    assert_int_equal(m->item_count, 3);
    assert_int_equal(m->items[0].slot, 3);
    assert_ptr_equal(m->items[0].entry, &rig.entry[12]);
    assert_int_equal(m->items[0].ballot.round, 4);
    assert_int_equal(m->items[2].slot, 6);
    assert_int_equal(m->next, 0);
    replica_close(&rig);
}

static void slots_that_are_gone_are_refused_not_answered_as_empty(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init_at(&rig, 3, 5, 8);
    prepare(9, 2, 4);
    m = replica_sent(&rig, 2, JOURNAL_MSG_NACK);
    assert_non_null(m);
    assert_int_equal(m->reason, JOURNAL_NACK_SNAPSHOT);
    assert_int_equal(m->slot, 5);
    assert_int_equal(rig.out.persist, 0);
    replica_accept(&rig, replica_ballot(9, 2), 4, 1, 1, 0);
    m = replica_sent(&rig, 2, JOURNAL_MSG_NACK);
    assert_non_null(m);
    assert_int_equal(m->reason, JOURNAL_NACK_SNAPSHOT);
    replica_close(&rig);
}

static void an_entry_is_acknowledged_only_when_it_is_durable(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 2, 10, 0);
    assert_int_equal(rig.out.puts, 2);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED));
    replica_persisted(&rig);
    m = replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED);
    assert_non_null(m);
    assert_int_equal(m->have, 2);
    replica_close(&rig);
}

static void an_acknowledgement_does_not_reach_over_a_gap(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 1, 10, 0);
    replica_accept(&rig, replica_ballot(4, 2), 3, 1, 12, 0);
    replica_persisted(&rig);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED)->have, 1);
    replica_accept(&rig, replica_ballot(4, 2), 2, 1, 11, 0);
    replica_persisted(&rig);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED)->have, 3);
    replica_close(&rig);
}

static void records_of_another_ballot_are_not_acknowledged(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 2, 10, 0);
    replica_persisted(&rig);
    replica_accept(&rig, replica_ballot(5, 3), 1, 1, 20, 0);
    replica_persisted(&rig);
    assert_int_equal(replica_sent(&rig, 3, JOURNAL_MSG_ACCEPTED)->have, 1);
    replica_close(&rig);
}

static void a_copy_of_an_entry_is_acknowledged_again_and_not_stored(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 1, 10, 0);
    replica_persisted(&rig);
    replica_accept(&rig, replica_ballot(4, 2), 1, 1, 10, 0);
    assert_int_equal(rig.out.persist, 0);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED)->have, 1);
    replica_close(&rig);
}

static void a_full_ring_takes_nothing_and_says_nothing(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), RIG_RING + 1, 1, 10, 0);
    assert_int_equal(rig.out.puts, 0);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPTED));
    replica_close(&rig);
}

static void fill(unsigned slots)
{
    for (unsigned n = 0; n < slots; n += 4)
        replica_accept(&rig, replica_ballot(4, 2), 1 + n, 4, 1 + n, slots);
    replica_persisted(&rig);
    while (rig.out.applies > 0)
        replica_applied(&rig, rig.out.apply[rig.out.applies - 1].slot);
    assert_int_equal(journal_applied(&rig.j), slots);
}

static void slots_go_only_when_this_replica_and_a_majority_have_flushed_them(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    fill(12);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 12, 12, 1); /* a majority, not this one */
    assert_int_equal(rig.j.first, 1);
    replica_flushed(&rig, 8);
    assert_int_equal(rig.j.first, 9);
    assert_true(rig.out.persist != 0);
    assert_int_equal(rig.out.first, 9);
    replica_close(&rig);

    replica_init(&rig, 3);
    fill(12);
    replica_flushed(&rig, 12); /* this one, not a majority */
    assert_int_equal(rig.j.first, 1);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 12, 6, 1);
    assert_int_equal(rig.j.first, 7);
    replica_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promise_is_told_only_when_it_is_durable),
        cmocka_unit_test(a_lower_ballot_is_refused_with_the_promise),
        cmocka_unit_test(a_promise_overtaken_by_a_higher_ballot_is_not_told),
        cmocka_unit_test(a_promise_repeated_is_told_again),
        cmocka_unit_test(a_promise_tells_every_record_from_the_slot_on),
        cmocka_unit_test(slots_that_are_gone_are_refused_not_answered_as_empty),
        cmocka_unit_test(an_entry_is_acknowledged_only_when_it_is_durable),
        cmocka_unit_test(an_acknowledgement_does_not_reach_over_a_gap),
        cmocka_unit_test(records_of_another_ballot_are_not_acknowledged),
        cmocka_unit_test(a_copy_of_an_entry_is_acknowledged_again_and_not_stored),
        cmocka_unit_test(a_full_ring_takes_nothing_and_says_nothing),
        cmocka_unit_test(slots_go_only_when_this_replica_and_a_majority_have_flushed_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
