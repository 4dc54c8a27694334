/* When a strict read may be answered: docs/CHUNKPAXOS.md, "The journal". */
#include "meta/journal_retry.h"
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void a_read_waits_for_a_heartbeat_sent_after_it(void **state)
{
    uint64_t before;

    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    before = rig.j.round;
    replica_read(&rig, 5);
    assert_int_equal(replica_answered(&rig, 5), -1);
    assert_int_equal(replica_sent(&rig, 2, JOURNAL_MSG_HEARTBEAT)->round, before + 1); /* at once */
    replica_msg(
        &rig, 2,
        (struct journal_msg){
            .kind = JOURNAL_MSG_HEARD, .ballot = rig.j.ballot, .round = before, .have = 1 });
    assert_int_equal(replica_answered(&rig, 5), -1); /* an older one proves nothing */
    replica_heard(&rig, 2, 1);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_READ_NOW);
    replica_close(&rig);
}

static void reads_that_come_meanwhile_share_the_next_heartbeat(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_read(&rig, 5);
    replica_read(&rig, 6);
    replica_read(&rig, 7);
    assert_null(replica_sent(&rig, 2, JOURNAL_MSG_HEARTBEAT));
    replica_heard(&rig, 2, 1);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_READ_NOW);
    assert_int_equal(replica_answered(&rig, 6), -1);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_HEARTBEAT));
    replica_heard(&rig, 2, 1);
    assert_int_equal(replica_answered(&rig, 6), JOURNAL_READ_NOW);
    assert_int_equal(replica_answered(&rig, 7), JOURNAL_READ_NOW);
    replica_close(&rig);
}

static void nothing_is_read_before_its_own_no_op_is_chosen_and_applied(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_lead(&rig);
    replica_read(&rig, 5);
    replica_wait(&rig, 50);
    replica_heard(&rig, 2, 0); /* confirmed, but the no-op is nowhere else */
    assert_int_equal(replica_answered(&rig, 5), -1);
    replica_persisted(&rig);
    replica_heard(&rig, 2, 1);
    assert_int_equal(rig.out.applies, 1);
    assert_int_equal(replica_answered(&rig, 5), -1);
    replica_applied(&rig, 1);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_READ_NOW);
    replica_close(&rig);
}

static void a_read_sees_all_that_was_chosen_when_it_came(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    replica_persisted(&rig);
    replica_heard(&rig, 2, 2); /* chosen; being applied */
    replica_read(&rig, 5);
    replica_heard(&rig, 2, 2);
    assert_int_equal(replica_answered(&rig, 5), -1);
    replica_applied(&rig, 2);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_READ_NOW);
    replica_close(&rig);
}

static void the_leaders_own_acceptor_does_not_count_unasked(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_msg(&rig, 3,
                (struct journal_msg){
                    .kind = JOURNAL_MSG_PREPARE, .ballot = replica_ballot(50, 3), .slot = 1 });
    replica_read(&rig, 5);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_NOT_LEADER);
    replica_heard(&rig, 2, 1);
    assert_int_equal(replica_answered(&rig, 5), -1);
    replica_close(&rig);
}

static void a_leader_that_steps_down_answers_none_of_its_reads(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_read(&rig, 5);
    replica_config(&rig, 2, 3, true);
    assert_int_equal(replica_answered(&rig, 5), JOURNAL_NOT_LEADER);
    replica_read(&rig, 6);
    assert_int_equal(replica_answered(&rig, 6), JOURNAL_NOT_LEADER);
    replica_close(&rig);
}

static void too_many_reads_are_refused(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    for (unsigned n = 1; n <= JOURNAL_READS_MAX; n++) {
        replica_read(&rig, n);
        assert_int_equal(replica_answered(&rig, n), -1);
    }
    replica_read(&rig, 9999);
    assert_int_equal(replica_answered(&rig, 9999), JOURNAL_BUSY);
    replica_close(&rig);
}

static void a_request_is_new_once(void **state)
{
    (void)state;
    assert_int_equal(journal_retry(0, 1), JOURNAL_RETRY_NEW);
    assert_int_equal(journal_retry(1, 1), JOURNAL_RETRY_AGAIN);
    assert_int_equal(journal_retry(5, 4), JOURNAL_RETRY_OLD);
    assert_int_equal(journal_retry(5, 9), JOURNAL_RETRY_NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_a_heartbeat_sent_after_it),
        cmocka_unit_test(reads_that_come_meanwhile_share_the_next_heartbeat),
        cmocka_unit_test(nothing_is_read_before_its_own_no_op_is_chosen_and_applied),
        cmocka_unit_test(a_read_sees_all_that_was_chosen_when_it_came),
        cmocka_unit_test(the_leaders_own_acceptor_does_not_count_unasked),
        cmocka_unit_test(a_leader_that_steps_down_answers_none_of_its_reads),
        cmocka_unit_test(too_many_reads_are_refused),
        cmocka_unit_test(a_request_is_new_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
