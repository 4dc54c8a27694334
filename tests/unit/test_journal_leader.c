/* What a leader of the journal proposes, sends and believes: docs/CHUNKPAXOS.md, "The journal". */
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void refuse(uint32_t from, unsigned reason, uint64_t round, uint64_t slot)
{
    replica_msg(&rig, from,
                (struct journal_msg){ .kind = JOURNAL_MSG_NACK,
                                      .reason = (uint8_t)reason,
                                      .ballot = rig.j.ballot,
                                      .promised = replica_ballot(round, 3),
                                      .slot = slot });
}

static void nothing_is_proposed_for_callers_before_its_own_no_op(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_lead(&rig);
    assert_int_equal(rig.out.puts, 1);
    assert_null(rig.out.put[0].entry);
    replica_persisted(&rig);
    replica_propose(&rig, 10, 77);
    assert_int_equal(rig.out.puts, 1);
    assert_int_equal(rig.out.put[0].slot, 2);
    replica_close(&rig);
}

static void a_slot_is_chosen_when_a_majority_has_it_durably(void **state)
{
    (void)state;
    replica_init(&rig, 5);
    replica_stand(&rig);
    for (uint32_t from = 2; from <= 3; from++)
        replica_msg(&rig, from,
                    (struct journal_msg){ .kind = JOURNAL_MSG_ASKED, .ballot = rig.j.ballot });
    replica_persisted(&rig);
    for (uint32_t from = 2; from <= 3; from++)
        replica_msg(
            &rig, from,
            (struct journal_msg){ .kind = JOURNAL_MSG_PROMISE, .ballot = rig.j.ballot, .slot = 1 });
    replica_heard(&rig, 2, 1);
    assert_int_equal(rig.j.commit, 0);
    replica_heard(&rig, 2, 1); /* the same one again */
    assert_int_equal(rig.j.commit, 0);
    replica_persisted(&rig); /* its own one is an acceptor like the others */
    assert_int_equal(rig.j.commit, 0);
    replica_heard(&rig, 4, 1);
    assert_int_equal(rig.j.commit, 1);
    replica_close(&rig);
}

static void a_caller_is_told_with_the_entry_that_is_applied(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPT));
    replica_persisted(&rig);
    assert_int_equal(rig.out.applies, 0);
    replica_heard(&rig, 2, 2);
    assert_int_equal(rig.out.applies, 1);
    assert_int_equal(rig.out.apply[0].token, 77);
    assert_ptr_equal(rig.out.apply[0].entry, &rig.entry[10]);
    replica_close(&rig);
}

static void who_is_no_leader_says_who_is(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_heartbeat(&rig, replica_ballot(4, 2), 1, 0, 0, 1);
    replica_propose(&rig, 10, 77);
    assert_int_equal(replica_answered(&rig, 77), JOURNAL_NOT_LEADER);
    assert_int_equal(journal_leader(&rig.j), 2);
    replica_close(&rig);
}

static void a_full_window_refuses_and_stores_nothing(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    for (unsigned n = 0; n < RIG_WINDOW; n++) {
        replica_propose(&rig, 10 + n, 70 + n);
        assert_int_equal(replica_answered(&rig, 70 + n), -1);
    }
    replica_propose(&rig, 30, 90);
    assert_int_equal(replica_answered(&rig, 90), JOURNAL_BUSY);
    assert_int_equal(rig.out.puts, 0);
    replica_close(&rig);
}

static void a_higher_promise_anywhere_ends_it_and_callers_know_nothing(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    refuse(3, JOURNAL_NACK_PROMISED, 50, 0);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    assert_int_equal(replica_answered(&rig, 77), JOURNAL_UNKNOWN);
    replica_close(&rig);
}

static void its_own_acceptor_ends_it_when_it_is_asked(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_msg(&rig, 3,
                (struct journal_msg){
                    .kind = JOURNAL_MSG_PREPARE, .ballot = replica_ballot(50, 3), .slot = 1 });
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_wait(&rig, 60); /* the next heartbeat asks it */
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    replica_close(&rig);
}

/* What lies in its acceptor may be another leader's entry by then. */
static void it_sends_nothing_once_its_acceptor_promised_a_higher_ballot(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    replica_accept(&rig, replica_ballot(50, 3), 2, 1, 20, 0);
    assert_int_equal(replica_answered(&rig, 77), JOURNAL_UNKNOWN);
    replica_heard(&rig, 2, 1);
    replica_wait(&rig, 49);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPT));
    replica_wait(&rig, 60);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPT));
    replica_close(&rig);
}

static void a_leader_that_no_majority_hears_gives_up(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    for (unsigned n = 0; n < 14 && journal_role(&rig.j) == JOURNAL_LEADING; n++)
        replica_wait(&rig, 50);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    replica_close(&rig);

    replica_init(&rig, 3);
    replica_settle(&rig);
    for (unsigned n = 0; n < 30; n++) {
        replica_wait(&rig, 50);
        replica_heard(&rig, 2, 1);
    }
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_close(&rig);
}

static void hang(uint64_t have)
{
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    for (unsigned n = 0; n < 20 && journal_role(&rig.j) == JOURNAL_LEADING; n++) {
        replica_wait(&rig, 50);
        if (journal_role(&rig.j) == JOURNAL_LEADING)
            replica_heard(&rig, 2, have);
        if (journal_role(&rig.j) == JOURNAL_LEADING)
            replica_heard(&rig, 3, have);
    }
}

static void a_leader_whose_disk_hangs_gives_up_when_others_are_faster(void **state)
{
    (void)state;
    hang(2);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    replica_close(&rig);

    hang(1);
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    replica_close(&rig);
}

static void what_is_lost_on_the_way_is_sent_again(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    replica_persisted(&rig);
    replica_wait(&rig, 50);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_ACCEPT));
    replica_heard(&rig, 2, 1);
    replica_wait(&rig, 60);
    m = replica_sent(&rig, 2, JOURNAL_MSG_ACCEPT);
    assert_non_null(m);
    assert_int_equal(m->items[0].slot, 2);
    replica_close(&rig);
}

static void a_member_that_was_away_gets_what_it_lacks_under_this_ballot(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init_at(&rig, 3, 1, 6); /* six slots of an older ballot, applied */
    replica_settle(&rig);
    replica_heard(&rig, 3, 2);
    m = replica_sent(&rig, 3, JOURNAL_MSG_ACCEPT);
    assert_non_null(m);
    assert_int_equal(m->items[0].slot, 3);
    assert_ptr_equal(m->items[0].entry, &rig.entry[3]);
    assert_int_equal(m->items[0].ballot.round, rig.j.ballot.round);
    assert_int_equal(m->item_count, 5);
    replica_close(&rig);
}

static void a_member_below_what_is_kept_is_told_so(void **state)
{
    (void)state;
    replica_init_at(&rig, 3, 5, 6);
    replica_settle(&rig);
    replica_heard(&rig, 3, 1);
    assert_null(replica_sent(&rig, 3, JOURNAL_MSG_ACCEPT));
    replica_wait(&rig, 60);
    assert_int_equal(replica_sent(&rig, 3, JOURNAL_MSG_HEARTBEAT)->slot, 5);
    replica_close(&rig);
}

static void slots_that_others_forgot_make_it_take_a_snapshot(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    refuse(2, JOURNAL_NACK_SNAPSHOT, 0, 2); /* chosen here: an old copy was refused */
    assert_int_equal(journal_role(&rig.j), JOURNAL_LEADING);
    refuse(2, JOURNAL_NACK_SNAPSHOT, 0, 9);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    assert_int_equal(rig.out.install_from, 2);
    replica_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_proposed_for_callers_before_its_own_no_op),
        cmocka_unit_test(a_slot_is_chosen_when_a_majority_has_it_durably),
        cmocka_unit_test(a_caller_is_told_with_the_entry_that_is_applied),
        cmocka_unit_test(who_is_no_leader_says_who_is),
        cmocka_unit_test(a_full_window_refuses_and_stores_nothing),
        cmocka_unit_test(a_higher_promise_anywhere_ends_it_and_callers_know_nothing),
        cmocka_unit_test(its_own_acceptor_ends_it_when_it_is_asked),
        cmocka_unit_test(it_sends_nothing_once_its_acceptor_promised_a_higher_ballot),
        cmocka_unit_test(a_leader_that_no_majority_hears_gives_up),
        cmocka_unit_test(a_leader_whose_disk_hangs_gives_up_when_others_are_faster),
        cmocka_unit_test(what_is_lost_on_the_way_is_sent_again),
        cmocka_unit_test(a_member_that_was_away_gets_what_it_lacks_under_this_ballot),
        cmocka_unit_test(a_member_below_what_is_kept_is_told_so),
        cmocka_unit_test(slots_that_others_forgot_make_it_take_a_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
