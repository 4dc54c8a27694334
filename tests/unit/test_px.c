/* Rules of a register: docs/CHUNKPAXOS.md section 3. */
#include "meta/px.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_ballot ballot(uint64_t round, uint32_t pid, uint32_t inc)
{
    return (struct px_ballot){ .round = round, .pid = pid, .inc = inc };
}

static struct px_accepted value(const char *text)
{
    return (struct px_accepted){ .version = 1,
                                 .value = (const uint8_t *)text,
                                 .value_len = strlen(text) };
}

static void value_is(const struct px_reg *reg, const char *text)
{
    assert_int_equal(reg->accepted.value_len, strlen(text));
    assert_memory_equal(reg->accepted.value, text, strlen(text));
}

static enum px_verdict accept0(struct px_reg *reg, const struct vs_id *id, struct px_ballot b,
                               const char *text)
{
    struct px_accepted a = value(text);

    return px_accept0(reg, id, &b, &a);
}

static enum px_verdict prepare(struct px_reg *reg, struct px_ballot b)
{
    return px_prepare(reg, &b);
}

static enum px_verdict accept(struct px_reg *reg, struct px_ballot b, bool create, const char *text)
{
    struct px_accepted a = value(text);

    return px_accept(reg, &b, create, &a);
}

static void ballots_compare_by_round_then_pid_then_incarnation(void **state)
{
    struct px_ballot order[] = { ballot(0, 0, 0), ballot(0, 1, 0), ballot(0, 1, 1),
                                 ballot(0, 2, 0), ballot(1, 1, 9), ballot(1, 2, 0) };

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < 6; j++) {
            int c = px_ballot_cmp(&order[i], &order[j]);

            assert_int_equal(c, (i > j) - (i < j));
        }
    assert_true(px_ballot_is_none(&order[0]));
    assert_false(px_ballot_is_none(&order[1]));
}

static void only_the_owner_of_an_id_has_round_zero(void **state)
{
    struct vs_id id = vs_id_make(1, 7, 100, VS_ID_CHUNK);
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(accept0(&reg, &id, ballot(0, 2, 7), "a"), PX_NACK);
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 8), "a"), PX_NACK);
    assert_int_equal(accept0(&reg, &id, ballot(1, 1, 7), "a"), PX_NACK);
    assert_true(px_ballot_is_none(&reg.promised));
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 7), "a"), PX_STORE);
    value_is(&reg, "a");
}

static void round_zero_again_is_ok_with_the_same_value_only(void **state)
{
    struct vs_id id = vs_id_make(1, 7, 100, VS_ID_CHUNK);
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 7), "a"), PX_STORE);
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 7), "a"), PX_OK);
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 7), "b"), PX_NACK);
    value_is(&reg, "a");
}

/* Mutant M1: ACCEPT0 admitted although a promise exists. */
static void round_zero_is_refused_behind_a_promise(void **state)
{
    struct vs_id id = vs_id_make(1, 7, 100, VS_ID_CHUNK);
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(prepare(&reg, ballot(1, 2, 1)), PX_STORE);
    assert_int_equal(accept0(&reg, &id, ballot(0, 1, 7), "a"), PX_NACK);
    assert_true(px_ballot_is_none(&reg.ballot));
}

static void a_promise_never_falls(void **state)
{
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(prepare(&reg, ballot(0, 1, 1)), PX_NACK);
    assert_int_equal(prepare(&reg, ballot(5, 1, 1)), PX_STORE);
    assert_int_equal(prepare(&reg, ballot(5, 1, 1)), PX_NACK);
    assert_int_equal(prepare(&reg, ballot(4, 9, 9)), PX_NACK);
    assert_int_equal(prepare(&reg, ballot(5, 2, 0)), PX_STORE);
    assert_int_equal(reg.promised.pid, 2);
}

/* Mutant M2: ACCEPT ignores the promise. */
static void accept_needs_a_ballot_not_below_the_promise(void **state)
{
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(prepare(&reg, ballot(5, 1, 1)), PX_STORE);
    assert_int_equal(accept(&reg, ballot(4, 1, 1), false, "a"), PX_NACK);
    assert_int_equal(accept(&reg, ballot(5, 1, 1), false, "a"), PX_STORE);
    assert_int_equal(accept(&reg, ballot(5, 1, 1), false, "a"), PX_OK);
    assert_int_equal(accept(&reg, ballot(5, 1, 1), false, "b"), PX_NACK);
    assert_int_equal(accept(&reg, ballot(9, 1, 1), false, "b"), PX_STORE);
    assert_int_equal(reg.promised.round, 9);
    assert_int_equal(accept(&reg, ballot(0, 1, 1), false, "c"), PX_NACK);
    value_is(&reg, "b");
}

/* Mutant M10: CREATE where something was accepted. */
static void create_is_refused_where_something_was_accepted(void **state)
{
    struct px_reg reg = { 0 };

    (void)state;
    assert_int_equal(prepare(&reg, ballot(1, 1, 1)), PX_STORE);
    assert_int_equal(accept(&reg, ballot(1, 1, 1), true, "a"), PX_STORE);
    assert_int_equal(prepare(&reg, ballot(2, 1, 1)), PX_STORE);
    assert_int_equal(accept(&reg, ballot(2, 1, 1), true, "b"), PX_NACK);
    value_is(&reg, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ballots_compare_by_round_then_pid_then_incarnation),
        cmocka_unit_test(only_the_owner_of_an_id_has_round_zero),
        cmocka_unit_test(round_zero_again_is_ok_with_the_same_value_only),
        cmocka_unit_test(round_zero_is_refused_behind_a_promise),
        cmocka_unit_test(a_promise_never_falls),
        cmocka_unit_test(accept_needs_a_ballot_not_below_the_promise),
        cmocka_unit_test(create_is_refused_where_something_was_accepted),
    };

    return cmocka_run_group_tests_name("px", tests, NULL, NULL);
}
