/* What a follower of the journal applies, and when: docs/CHUNKPAXOS.md, "The journal". */
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void nothing_is_applied_before_it_is_chosen_and_durable(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 2, 10, 0);
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 0);
    replica_accept(&rig, replica_ballot(4, 2), 3, 1, 12, 3);
    assert_int_equal(rig.out.applies, 2); /* the third is not on the disk */
    assert_int_equal(rig.out.apply[0].slot, 1);
    assert_ptr_equal(rig.out.apply[1].entry, &rig.entry[11]);
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 1);
    assert_int_equal(rig.out.apply[0].slot, 3);
    replica_close(&rig);
}

static void a_record_of_another_ballot_is_not_applied(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 1, 10, 0);
    replica_persisted(&rig);
    replica_heartbeat(&rig, replica_ballot(5, 3), 1, 1, 0, 1);
    assert_int_equal(rig.out.applies, 0);
    replica_accept(&rig, replica_ballot(5, 3), 1, 1, 20, 1);
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 1);
    assert_ptr_equal(rig.out.apply[0].entry, &rig.entry[20]);
    replica_close(&rig);
}

static void what_another_leader_chose_is_not_this_ones_word(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 1, 0, 1); /* slot 1 is chosen, not here yet */
    replica_accept(&rig, replica_ballot(5, 3), 1, 1, 20, 0); /* a proposal: chosen with ballot 5? */
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 0);
    replica_close(&rig);
}

static void a_heartbeat_is_answered_though_the_disk_is_busy(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, 2, 10, 0); /* its batch is under way */
    replica_heartbeat(&rig, replica_ballot(4, 2), 7, 0, 0, 1);
    m = replica_sent(&rig, 2, JOURNAL_MSG_HEARD);
    assert_non_null(m);
    assert_int_equal(m->round, 7);
    assert_int_equal(m->have, 0); /* and claims nothing that is not durable */
    replica_close(&rig);
}

static void an_acceptor_confirms_only_while_it_promised_nothing_higher(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_msg(&rig, 3,
                (struct journal_msg){
                    .kind = JOURNAL_MSG_PREPARE, .ballot = replica_ballot(5, 3), .slot = 1 });
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 0, 0, 1);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_HEARD));
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_NACK)->promised.round, 5);
    replica_close(&rig);
}

static void a_leader_of_a_lower_ballot_is_none(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(5, 3), 1, 0, 0, 1);
    assert_int_equal(journal_leader(&rig.j), 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 0, 0, 1);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_NACK));
    assert_int_equal(journal_leader(&rig.j), 3);
    replica_close(&rig);
}

static void what_the_leader_cannot_send_comes_as_a_snapshot(void **state)
{
    struct journal_event done = { .kind = JOURNAL_EV_INSTALLED, .slot = 12 };

    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 12, 0, 9);
    assert_int_equal(rig.out.install_from, 2);
    replica_heartbeat(&rig, replica_ballot(4, 2), 2, 12, 0, 9);
    assert_int_equal(rig.out.install_from, 0); /* once */
    replica_accept(&rig, replica_ballot(4, 2), 13, 1, 13, 13);
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 0); /* the namespace is being replaced */
    replica_step(&rig, &done);
    assert_int_equal(journal_applied(&rig.j), 12);
    assert_int_equal(rig.out.applies, 1);
    assert_int_equal(rig.out.apply[0].slot, 13);
    replica_close(&rig);
}

static void a_snapshot_that_failed_is_asked_for_again(void **state)
{
    struct journal_event failed = { .kind = JOURNAL_EV_INSTALLED };

    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 12, 0, 9);
    replica_step(&rig, &failed);
    replica_heartbeat(&rig, replica_ballot(4, 2), 2, 12, 0, 9);
    assert_int_equal(rig.out.install_from, 2);
    replica_close(&rig);
}

static void the_namespace_is_flushed_before_the_ring_is_full(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_accept(&rig, replica_ballot(4, 2), 1, RIG_RING / 4, 10, RIG_RING / 4);
    replica_persisted(&rig);
    assert_false(rig.out.flush);
    replica_applied(&rig, RIG_RING / 4);
    assert_true(rig.out.flush);
    replica_wait(&rig, 1);
    assert_false(rig.out.flush); /* once */
    replica_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_applied_before_it_is_chosen_and_durable),
        cmocka_unit_test(a_record_of_another_ballot_is_not_applied),
        cmocka_unit_test(what_another_leader_chose_is_not_this_ones_word),
        cmocka_unit_test(a_heartbeat_is_answered_though_the_disk_is_busy),
        cmocka_unit_test(an_acceptor_confirms_only_while_it_promised_nothing_higher),
        cmocka_unit_test(a_leader_of_a_lower_ballot_is_none),
        cmocka_unit_test(what_the_leader_cannot_send_comes_as_a_snapshot),
        cmocka_unit_test(a_snapshot_that_failed_is_asked_for_again),
        cmocka_unit_test(the_namespace_is_flushed_before_the_ring_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
