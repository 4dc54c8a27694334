/* How a replica of the journal comes to lead: docs/CHUNKPAXOS.md, "The journal". */
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void answer(uint32_t from, unsigned kind)
{
    replica_msg(&rig, from, (struct journal_msg){ .kind = (uint8_t)kind, .ballot = rig.j.ballot });
}

static void refuse(uint32_t from, unsigned reason, uint64_t round, uint64_t slot)
{
    replica_msg(&rig, from,
                (struct journal_msg){ .kind = JOURNAL_MSG_NACK,
                                      .reason = (uint8_t)reason,
                                      .ballot = rig.j.ballot,
                                      .promised = replica_ballot(round, 3),
                                      .slot = slot });
}

/* Items of one ballot, from `slot` on; entry 0: nothing. */
static void promise(uint32_t from, uint64_t round, uint64_t slot, unsigned entry, unsigned count,
                    uint64_t next)
{
    struct journal_item item[8];

    for (unsigned n = 0; n < count; n++)
        item[n] = (struct journal_item){ .slot = slot + n,
                                         .ballot = replica_ballot(round, 3),
                                         .entry = &rig.entry[entry + n] };
    replica_msg(&rig, from,
                (struct journal_msg){ .kind = JOURNAL_MSG_PROMISE,
                                      .ballot = rig.j.ballot,
                                      .slot = journal_peer(&rig.j, from)->next,
                                      .next = next,
                                      .items = item,
                                      .item_count = (uint16_t)count });
}

static void stand_and_be_asked(void)
{
    replica_stand(&rig);
    answer(2, JOURNAL_MSG_ASKED);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_PREPARE));
}

static void a_replica_that_hears_a_leader_does_not_stand(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    for (unsigned n = 1; n <= 20; n++) {
        replica_heartbeat(&rig, replica_ballot(4, 2), n, 0, 0, 1);
        replica_persisted(&rig);
        replica_wait(&rig, 100);
        assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    }
    replica_wait(&rig, 600);
    assert_int_equal(journal_role(&rig.j), JOURNAL_ASKING);
    replica_close(&rig);
}

static void asking_changes_nothing_at_anybody(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_wait(&rig, 700);
    replica_msg(
        &rig, 2,
        (struct journal_msg){ .kind = JOURNAL_MSG_ASK, .ballot = replica_ballot(9, 2), .slot = 1 });
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_ASKED));
    assert_int_equal(rig.out.persist, 0);
    assert_int_equal(rig.j.promised.round, 1);
    replica_close(&rig);
}

static void who_hears_a_leader_promises_nothing_to_another(void **state)
{
    struct journal_msg ask = { .kind = JOURNAL_MSG_ASK, .ballot = replica_ballot(9, 3), .slot = 1 };

    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 0, 0, 1);
    replica_msg(&rig, 3, ask);
    assert_int_equal(replica_sent(&rig, 3, JOURNAL_MSG_NACK)->reason, JOURNAL_NACK_HEARD);
    ask.ballot = replica_ballot(9, 2); /* the leader itself may stand again */
    replica_msg(&rig, 2, ask);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_ASKED));
    replica_close(&rig);
}

static void a_minority_of_answers_is_not_enough(void **state)
{
    (void)state;
    replica_init(&rig, 5);
    replica_stand(&rig);
    answer(2, JOURNAL_MSG_ASKED);
    answer(2, JOURNAL_MSG_ASKED); /* the same one again */
    assert_int_equal(journal_role(&rig.j), JOURNAL_ASKING);
    answer(3, JOURNAL_MSG_ASKED);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    promise(2, 0, 1, 0, 0, 0);
    promise(3, 0, 1, 0, 0, 0);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING); /* its own is not durable yet */
    replica_persisted(&rig);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_close(&rig);
}

static void answers_to_another_ballot_do_not_count(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    stand_and_be_asked();
    replica_persisted(&rig);
    replica_msg(&rig, 2,
                (struct journal_msg){ .kind = JOURNAL_MSG_PROMISE,
                                      .ballot = replica_ballot(rig.j.ballot.round - 1, 1),
                                      .slot = 1 });
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    replica_close(&rig);
}

static void phase_1_starts_at_the_durably_applied_slot(void **state)
{
    (void)state;
    replica_init_at(&rig, 3, 3, 6);
    stand_and_be_asked();
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_PREPARE)->slot, 7);
    replica_close(&rig);
}

static void of_two_records_the_one_of_the_higher_ballot_is_completed(void **state)
{
    (void)state;
    replica_init(&rig, 5);
    replica_stand(&rig);
    answer(2, JOURNAL_MSG_ASKED);
    answer(3, JOURNAL_MSG_ASKED);
    promise(2, 7, 1, 10, 3, 0);
    promise(3, 8, 2, 21, 1, 0);
    replica_persisted(&rig);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    assert_ptr_equal(journal_at(&rig.j, 1)->entry, &rig.entry[10]);
    assert_ptr_equal(journal_at(&rig.j, 2)->entry, &rig.entry[21]);
    assert_ptr_equal(journal_at(&rig.j, 3)->entry, &rig.entry[12]);
    assert_null(journal_at(&rig.j, 4)->entry); /* its own no-op */
    assert_int_equal(rig.j.mine, 4);
    replica_close(&rig);
}

static void an_answer_in_parts_counts_when_it_is_complete(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    stand_and_be_asked();
    replica_persisted(&rig);
    promise(2, 7, 1, 10, 2, 3);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_PREPARE)->slot, 3);
    promise(2, 7, 3, 12, 1, 0);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    assert_int_equal(rig.j.mine, 4);
    replica_close(&rig);
}

static void every_attempt_has_a_higher_ballot(void **state)
{
    uint64_t round;

    (void)state;
    replica_init(&rig, 3);
    stand_and_be_asked();
    replica_persisted(&rig);
    round = rig.j.ballot.round;
    refuse(2, JOURNAL_NACK_PROMISED, 40, 0);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    stand_and_be_asked();
    assert_true(round < 40);
    assert_true(rig.j.ballot.round > 40);
    replica_persisted(&rig);
    round = rig.j.ballot.round;
    replica_wait(&rig, JOURNAL_PREPARE_MAX_NS / JOURNAL_MS + 1); /* no answer: the next attempt */
    answer(2, JOURNAL_MSG_ASKED);
    assert_true(rig.j.ballot.round > round);
    replica_close(&rig);
}

/* With a new ballot the waiting would begin anew, and never end. */
static void a_replica_alone_waits_for_its_disk_however_slow(void **state)
{
    struct px_ballot ballot;

    (void)state;
    replica_init(&rig, 1);
    replica_wait(&rig, 1);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    ballot = rig.j.ballot;
    for (unsigned i = 0; i < 100; i++)
        replica_wait(&rig, 700);
    assert_int_equal(journal_role(&rig.j), JOURNAL_PREPARING);
    assert_int_equal(px_ballot_cmp(&rig.j.ballot, &ballot), 0);
    replica_persisted(&rig);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_wait(&rig, 60000); /* the process was stopped meanwhile: there is nobody to miss */
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_close(&rig);
}

static void told_to_take_a_snapshot_it_gives_up_and_takes_one(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    stand_and_be_asked();
    refuse(2, JOURNAL_NACK_SNAPSHOT, 0, 9);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    assert_int_equal(rig.out.install_from, 2);
    replica_wait(&rig, 5000);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER); /* not before it has it */
    replica_close(&rig);
}

static void what_is_only_not_flushed_needs_no_snapshot(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 3), 1, 2, 10, 2);
    replica_persisted(&rig);
    replica_applied(&rig, 2);
    stand_and_be_asked();
    refuse(2, JOURNAL_NACK_SNAPSHOT, 0, 2);
    assert_int_equal(rig.out.install_from, 0);
    assert_true(rig.out.flush);
    replica_persisted(&rig);
    replica_flushed(&rig, 2);
    stand_and_be_asked();
    assert_int_equal(rig.j.start, 3);
    replica_close(&rig);
}

static void a_single_member_leads_at_once(void **state)
{
    (void)state;
    replica_init(&rig, 1);
    replica_wait(&rig, 0);
    replica_persisted(&rig);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 1);
    replica_close(&rig);
}

static void a_replica_whose_disk_hangs_does_not_stand(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 1, 10, 0); /* and its batch never ends */
    replica_wait(&rig, 700);
    replica_wait(&rig, 700);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    replica_persisted(&rig);
    replica_wait(&rig, 700);
    assert_int_equal(journal_role(&rig.j), JOURNAL_ASKING);
    replica_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_hears_a_leader_does_not_stand),
        cmocka_unit_test(asking_changes_nothing_at_anybody),
        cmocka_unit_test(who_hears_a_leader_promises_nothing_to_another),
        cmocka_unit_test(a_minority_of_answers_is_not_enough),
        cmocka_unit_test(answers_to_another_ballot_do_not_count),
        cmocka_unit_test(phase_1_starts_at_the_durably_applied_slot),
        cmocka_unit_test(of_two_records_the_one_of_the_higher_ballot_is_completed),
        cmocka_unit_test(an_answer_in_parts_counts_when_it_is_complete),
        cmocka_unit_test(every_attempt_has_a_higher_ballot),
        cmocka_unit_test(a_replica_alone_waits_for_its_disk_however_slow),
        cmocka_unit_test(told_to_take_a_snapshot_it_gives_up_and_takes_one),
        cmocka_unit_test(what_is_only_not_flushed_needs_no_snapshot),
        cmocka_unit_test(a_single_member_leads_at_once),
        cmocka_unit_test(a_replica_whose_disk_hangs_does_not_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
