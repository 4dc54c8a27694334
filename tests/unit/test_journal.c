/* A replica of the journal: its start, its epochs, its step: docs/CHUNKPAXOS.md, "The journal". */
#include "common/err.h"
#include "meta/journal_state.h"
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct replica_rig rig;

static void limits_out_of_range_are_refused(void **state)
{
    struct journal_config good = { .pid = 1,
                                   .inc = 1,
                                   .ring = RIG_RING,
                                   .window = RIG_WINDOW,
                                   .ring_bytes = 1000,
                                   .slots = rig.slots,
                                   .found = rig.found };
    struct journal_config bad;
    struct px_ballot none = { 0 };
    struct journal j;

    (void)state;
    assert_int_equal(journal_init(&j, &good, &none, 1), 0);
    journal_close(&j);
    journal_close(&j);
    assert_int_equal(journal_init(&j, &good, &none, 0), -EINVAL);
    bad = good;
    bad.ring = JOURNAL_RING_MAX + 1;
    assert_int_equal(journal_init(&j, &bad, &none, 1), -EINVAL);
    bad = good;
    bad.window = RIG_RING / 2 + 1;
    assert_int_equal(journal_init(&j, &bad, &none, 1), -EINVAL);
    bad = good;
    bad.pid = 0;
    assert_int_equal(journal_init(&j, &bad, &none, 1), -EINVAL);
}

static void a_start_from_records_that_contradict_each_other_is_refused(void **state)
{
    struct journal_config config = { .pid = 1,
                                     .inc = 1,
                                     .ring = RIG_RING,
                                     .window = RIG_WINDOW,
                                     .ring_bytes = 1000,
                                     .slots = rig.slots,
                                     .found = rig.found };
    struct px_ballot promised = replica_ballot(4, 2), higher = replica_ballot(5, 2);
    struct journal j;

    (void)state;
    assert_int_equal(journal_init(&j, &config, &promised, 3), 0);
    assert_int_equal(journal_restore(&j, 2, &promised, NULL), -VS_ECORRUPT);
    assert_int_equal(journal_restore(&j, 3 + RIG_RING, &promised, NULL), -VS_ECORRUPT);
    assert_int_equal(journal_restore(&j, 3, &higher, NULL), -VS_ECORRUPT);
    assert_int_equal(journal_restore(&j, 3, &promised, NULL), 0);
    assert_int_equal(journal_restore(&j, 3, &promised, NULL), -VS_ECORRUPT); /* twice */
    assert_int_equal(journal_start(&j, 0, 1, 0), -VS_EFORGOT);               /* 2 is nowhere */
    assert_int_equal(journal_start(&j, 0, 4, 0), -VS_EFORGOT); /* applied, and not stored */
    assert_int_equal(journal_start(&j, 0, 4, 4), 0);           /* unless by a snapshot */
    assert_int_equal(journal_start(&j, 0, 3, 0), 0);
    journal_close(&j);
}

static void a_message_of_an_older_epoch_is_told_the_newer_one(void **state)
{
    const struct journal_msg *m;

    (void)state;
    replica_init(&rig, 3);
    replica_config(&rig, 5, 3, true);
    replica_msg(&rig, 2,
                (struct journal_msg){ .kind = JOURNAL_MSG_HEARTBEAT,
                                      .epoch = 4,
                                      .ballot = replica_ballot(4, 2),
                                      .round = 1 });
    m = replica_sent(&rig, 2, JOURNAL_MSG_NACK);
    assert_non_null(m);
    assert_int_equal(m->reason, JOURNAL_NACK_CONFIG);
    assert_int_equal(m->epoch, 5);
    assert_int_equal(journal_leader(&rig.j), 0);
    replica_close(&rig);
}

static void a_newer_epoch_is_fetched_before_anything_is_answered(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_msg(
        &rig, 2,
        (struct journal_msg){
            .kind = JOURNAL_MSG_PREPARE, .epoch = 2, .ballot = replica_ballot(9, 2), .slot = 1 });
    assert_int_equal(rig.out.config_epoch, 2);
    assert_int_equal(rig.out.config_from, 2);
    assert_int_equal(rig.out.sends, 0);
    assert_int_equal(rig.j.promised.round, 1);
    replica_close(&rig);
}

static void a_fenced_replica_answers_nothing(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_config(&rig, 2, 3, false);
    for (uint64_t epoch = 1; epoch <= 2; epoch++) {
        replica_msg(&rig, 2,
                    (struct journal_msg){ .kind = JOURNAL_MSG_PREPARE,
                                          .epoch = epoch,
                                          .ballot = replica_ballot(9, 2),
                                          .slot = 1 });
        assert_int_equal(rig.out.sends, 0);
        assert_int_equal(rig.out.persist, 0);
    }
    replica_wait(&rig, 5000);
    assert_int_equal(rig.out.sends, 0);
    replica_config(&rig, 2, 3, true);
    replica_wait(&rig, 700);
    assert_non_null(replica_sent(&rig, 2, JOURNAL_MSG_ASK));
    replica_close(&rig);
}

static void an_epoch_ends_leadership_and_phase_1_runs_again(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_settle(&rig);
    replica_propose(&rig, 10, 77);
    replica_persisted(&rig);
    replica_config(&rig, 2, 3, true);
    assert_int_equal(journal_role(&rig.j), JOURNAL_FOLLOWER);
    assert_int_equal(replica_answered(&rig, 77), JOURNAL_UNKNOWN);
    replica_msg(
        &rig, 2,
        (struct journal_msg){
            .kind = JOURNAL_MSG_HEARD, .epoch = 1, .ballot = rig.j.ballot, .round = 1, .have = 2 });
    assert_int_equal(rig.out.applies, 0);
    replica_lead(&rig);
    replica_close(&rig);
}

static void who_is_no_member_neither_votes_nor_stands(void **state)
{
    static const uint32_t others[] = { 2, 3, 4 };
    struct journal_event ev = {
        .kind = JOURNAL_EV_CONFIG, .epoch = 2, .pids = others, .count = 3, .open = true
    };

    (void)state;
    replica_init(&rig, 3);
    replica_step(&rig, &ev);
    rig.epoch = 2;
    replica_wait(&rig, 5000);
    assert_int_equal(rig.out.sends, 0);
    replica_msg(&rig, 2,
                (struct journal_msg){
                    .kind = JOURNAL_MSG_PREPARE, .ballot = replica_ballot(9, 2), .slot = 1 });
    assert_int_equal(rig.out.sends, 0);
    assert_int_equal(rig.out.persist, 0);
    replica_close(&rig);
}

static void a_stranger_is_not_answered(void **state)
{
    (void)state;
    replica_init(&rig, 3);
    replica_msg(&rig, 4,
                (struct journal_msg){
                    .kind = JOURNAL_MSG_PREPARE, .ballot = replica_ballot(9, 4), .slot = 1 });
    assert_int_equal(rig.out.sends, 0);
    assert_int_equal(rig.out.persist, 0);
    replica_msg(&rig, 2, (struct journal_msg){ .kind = 200, .ballot = replica_ballot(9, 2) });
    assert_int_equal(rig.out.sends, 0); /* nor a word that is not known */
    replica_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_out_of_range_are_refused),
        cmocka_unit_test(a_start_from_records_that_contradict_each_other_is_refused),
        cmocka_unit_test(a_message_of_an_older_epoch_is_told_the_newer_one),
        cmocka_unit_test(a_newer_epoch_is_fetched_before_anything_is_answered),
        cmocka_unit_test(a_fenced_replica_answers_nothing),
        cmocka_unit_test(an_epoch_ends_leadership_and_phase_1_runs_again),
        cmocka_unit_test(who_is_no_member_neither_votes_nor_stands),
        cmocka_unit_test(a_stranger_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
