/* Who is answered by an acceptor, and what an answer says. */
#include "meta/px_acceptor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_acceptor acceptor(void)
{
    return (struct px_acceptor){
        .epoch = 5, .votes = true, .members = 3, .member = { { 1, 0 }, { 2, 4 }, { 3, 0 } }
    };
}

static struct px_head head(uint64_t epoch, uint32_t pid, uint32_t inc)
{
    return (struct px_head){ .epoch = epoch, .pid = pid, .inc = inc };
}

static void a_member_of_this_epoch_is_answered(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(5, 1, 7);

    (void)state;
    assert_int_equal(px_admit(&a, &h, 1), PX_ADMIT);
}

static void strangers_are_not(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head other_cluster = head(5, 1, 7), not_itself = head(5, 1, 7);
    struct px_head no_member = head(5, 9, 1);

    (void)state;
    other_cluster.cluster.b[0] = 1;
    assert_int_equal(px_admit(&a, &other_cluster, 1), PX_STRANGER);
    assert_int_equal(px_admit(&a, &not_itself, 2), PX_STRANGER);
    assert_int_equal(px_admit(&a, &no_member, 9), PX_STRANGER);
}

static void an_older_incarnation_is_a_stranger_once_a_newer_was_seen(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head old = head(5, 2, 3), new = head(5, 2, 6), now_old = head(5, 2, 4);

    (void)state;
    assert_int_equal(px_admit(&a, &old, 2), PX_STRANGER);
    assert_int_equal(px_admit(&a, &now_old, 2), PX_ADMIT);
    assert_int_equal(px_admit(&a, &new, 2), PX_ADMIT);
    assert_int_equal(px_admit(&a, &now_old, 2), PX_STRANGER);
}

static void another_epoch_is_told_or_looked_up(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head older = head(4, 1, 1), newer = head(6, 1, 1);

    (void)state;
    assert_int_equal(px_admit(&a, &older, 1), PX_OLD_EPOCH);
    assert_int_equal(px_admit(&a, &newer, 1), PX_NEW_EPOCH);
}

static void whoever_does_not_vote_is_mute(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(5, 1, 1);

    (void)state;
    a.votes = false;
    assert_int_equal(px_admit(&a, &h, 1), PX_MUTE);
}

static struct px_ask ask(enum px_phase phase, uint64_t round, uint32_t pid, uint32_t inc)
{
    return (
        struct px_ask){ .id = vs_id_make(1, 7, 1, VS_ID_CHUNK),
                        .seq = 42,
                        .phase = (uint8_t)phase,
                        .ballot = { .round = round, .pid = pid, .inc = inc },
                        .value = { .version = 1, .value = (const uint8_t *)"v", .value_len = 1 } };
}

static void an_answer_repeats_what_was_asked(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(5, 1, 7);
    struct px_ask q = ask(PX_ACCEPT0, 0, 1, 7);
    struct px_reg reg = { 0 };
    struct px_answer r;

    (void)state;
    assert_int_equal(px_answer(&a, &h, &reg, &q, &r), PX_STORE);
    assert_int_equal(r.word, PX_SAYS_OK);
    assert_int_equal(r.seq, 42);
    assert_int_equal(r.phase, PX_ACCEPT0);
    assert_memory_equal(&r.id, &q.id, sizeof(q.id));
    assert_int_equal(px_ballot_cmp(&r.ballot, &q.ballot), 0);
    assert_null(r.accepted.value);

    q = ask(PX_READ, 0, 1, 7);
    assert_int_equal(px_answer(&a, &h, &reg, &q, &r), PX_OK);
    assert_memory_equal(r.accepted.value, "v", 1);
}

static void nobody_uses_the_ballot_of_another_or_of_a_former_life(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(5, 1, 7);
    struct px_reg reg = { 0 };
    struct px_answer r;

    (void)state;
    for (unsigned phase = PX_ACCEPT0; phase <= PX_ACCEPT; phase++) {
        struct px_ask others = ask((enum px_phase)phase, phase == PX_ACCEPT0 ? 0 : 9, 2, 7);
        struct px_ask former = ask((enum px_phase)phase, phase == PX_ACCEPT0 ? 0 : 9, 1, 6);

        assert_int_equal(px_answer(&a, &h, &reg, &others, &r), PX_NACK);
        assert_int_equal(px_answer(&a, &h, &reg, &former, &r), PX_NACK);
        assert_int_equal(r.word, PX_SAYS_NO);
    }
    assert_true(px_ballot_is_none(&reg.promised));
}

static void a_refusal_says_how_high_to_aim(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h2 = head(5, 2, 4), h1 = head(5, 1, 7);
    struct px_ask high = ask(PX_PREPARE, 8, 2, 4), low = ask(PX_PREPARE, 3, 1, 7);
    struct px_reg reg = { 0 };
    struct px_answer r;

    (void)state;
    assert_int_equal(px_answer(&a, &h2, &reg, &high, &r), PX_STORE);
    assert_int_equal(px_answer(&a, &h1, &reg, &low, &r), PX_NACK);
    assert_int_equal(r.promised.round, 8);
    assert_int_equal(r.ballot.round, 3);
}

static void a_proposer_of_an_older_epoch_is_told_so_and_changes_nothing(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(4, 1, 7);
    struct px_ask q = ask(PX_PREPARE, 8, 1, 7);
    struct px_reg reg = { 0 };
    struct px_answer r;

    (void)state;
    assert_int_equal(px_answer(&a, &h, &reg, &q, &r), PX_NACK);
    assert_int_equal(r.word, PX_SAYS_EPOCH);
    assert_true(px_ballot_is_none(&reg.promised));
}

static void a_phase_nobody_knows_is_refused(void **state)
{
    struct px_acceptor a = acceptor();
    struct px_head h = head(5, 1, 7);
    struct px_ask q = ask((enum px_phase)9, 8, 1, 7);
    struct px_reg reg = { 0 };
    struct px_answer r;

    (void)state;
    assert_int_equal(px_answer(&a, &h, &reg, &q, &r), PX_NACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_of_this_epoch_is_answered),
        cmocka_unit_test(strangers_are_not),
        cmocka_unit_test(an_older_incarnation_is_a_stranger_once_a_newer_was_seen),
        cmocka_unit_test(another_epoch_is_told_or_looked_up),
        cmocka_unit_test(whoever_does_not_vote_is_mute),
        cmocka_unit_test(an_answer_repeats_what_was_asked),
        cmocka_unit_test(nobody_uses_the_ballot_of_another_or_of_a_former_life),
        cmocka_unit_test(a_refusal_says_how_high_to_aim),
        cmocka_unit_test(a_proposer_of_an_older_epoch_is_told_so_and_changes_nothing),
        cmocka_unit_test(a_phase_nobody_knows_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
