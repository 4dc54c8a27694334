/* The coordinator with a single acceptor: what is decided, what is left alone. */
#include "common/err.h"
#include "meta/px_solo.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_ballot ballot(uint64_t round, uint32_t pid, uint32_t inc)
{
    return (struct px_ballot){ .round = round, .pid = pid, .inc = inc };
}

static void value_is(const struct px_reg *reg, const char *text)
{
    assert_int_equal(reg->accepted.value_len, strlen(text));
    assert_memory_equal(reg->accepted.value, text, strlen(text));
}

static enum px_verdict prepare(struct px_reg *reg, struct px_ballot b)
{
    return px_prepare(reg, &b);
}

static const struct vs_id *fresh_id(void)
{
    static struct vs_id id;

    id = vs_id_make(1, 7, 100, VS_ID_CHUNK);
    return &id;
}

static void a_fresh_id_is_decided_once(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { 0 };
    bool store;

    (void)state;
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    assert_true(store);
    assert_int_equal(reg.ballot.round, 0);
    assert_int_equal(reg.accepted.version, 1);
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    assert_false(store);
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "b", 1, &store), -VS_EEXISTS_OTHER);
    assert_false(store);
    value_is(&reg, "a");
}

/* Mutant M9: round 0 reused after a restart. */
static void an_id_of_an_older_incarnation_is_created_by_both_phases(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 8 };
    struct px_reg reg = { 0 };
    bool store;

    (void)state;
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    assert_true(store);
    assert_int_equal(reg.ballot.round, 1);
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "b", 1, &store), -VS_EEXISTS_OTHER);
    assert_false(store);
    value_is(&reg, "a");
}

static void an_id_of_another_owner_or_of_the_future_takes_the_classic_path(void **state)
{
    struct px_solo p[] = { { .pid = 2, .inc = 7 }, { .pid = 1, .inc = 6 } };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct px_reg reg = { 0 };
        bool store;

        assert_int_equal(px_solo_create(&p[i], fresh_id(), &reg, "a", 1, &store), 0);
        assert_int_equal(reg.ballot.round, 1);
        value_is(&reg, "a");
    }
}

static void creation_behind_a_promise_takes_the_classic_path(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { 0 };
    bool store;

    (void)state;
    assert_int_equal(prepare(&reg, ballot(3, 2, 2)), PX_STORE);
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    assert_true(store);
    assert_int_equal(reg.ballot.round, 4);
    value_is(&reg, "a");
}

struct cas {
    const char *expect; /* NULL: absent */
    const char *to;     /* NULL: leave */
    unsigned calls;
};

static int cas(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
               size_t *ret_new_len)
{
    struct cas *c = arg;

    c->calls++;
    if ((cur == NULL) != (c->expect == NULL))
        return -ESTALE;
    if (cur != NULL && (cur_len != strlen(c->expect) || memcmp(cur, c->expect, cur_len) != 0))
        return -ESTALE;
    if (c->to == NULL)
        return 1;
    *ret_new = (const uint8_t *)c->to;
    *ret_new_len = strlen(c->to);
    return 0;
}

static void a_change_follows_the_current_value_with_a_higher_ballot(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { 0 };
    bool store;

    (void)state;
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    assert_int_equal(px_solo_change(&p, &reg, cas, &(struct cas){ "a", "b", 0 }, &store), 0);
    assert_true(store);
    value_is(&reg, "b");
    assert_int_equal(reg.ballot.round, 1);
    assert_int_equal(reg.accepted.version, 2);
    assert_int_equal(reg.accepted.last_op[0].version, 2);
    assert_int_equal(reg.accepted.last_op[1].version, 1);
    assert_true(reg.accepted.last_op[0].op.seq > reg.accepted.last_op[1].op.seq);
    assert_int_equal(px_solo_change(&p, &reg, cas, &(struct cas){ "b", NULL, 0 }, &store), 0);
    assert_false(store);
}

static void a_refused_change_leaves_and_shows_the_current_value(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { 0 }, before;
    struct cas c = { "x", "b", 0 };
    bool store;

    (void)state;
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), 0);
    before = reg;
    assert_int_equal(px_solo_change(&p, &reg, cas, &c, &store), -ESTALE);
    assert_int_equal(c.calls, 1);
    assert_false(store);
    assert_int_equal(px_ballot_cmp(&reg.promised, &before.promised), 0);
    value_is(&reg, "a");
}

static void a_change_can_fill_an_absent_register(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { 0 };
    bool store;

    (void)state;
    assert_int_equal(px_solo_change(&p, &reg, cas, &(struct cas){ NULL, "t", 0 }, &store), 0);
    assert_true(store);
    assert_int_equal(reg.ballot.round, 1);
    /* The owner comes too late: what is there stays. */
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), -VS_EEXISTS_OTHER);
    value_is(&reg, "t");
}

static void a_register_that_nothing_can_follow_is_told_and_left(void **state)
{
    struct px_solo p = { .pid = 1, .inc = 7 };
    struct px_reg reg = { .promised = ballot(UINT64_MAX, 2, 2) };
    bool store = true;

    (void)state;
    assert_int_equal(px_solo_create(&p, fresh_id(), &reg, "a", 1, &store), -VS_ECORRUPT);
    assert_false(store);
    assert_true(px_ballot_is_none(&reg.ballot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_id_is_decided_once),
        cmocka_unit_test(an_id_of_an_older_incarnation_is_created_by_both_phases),
        cmocka_unit_test(an_id_of_another_owner_or_of_the_future_takes_the_classic_path),
        cmocka_unit_test(creation_behind_a_promise_takes_the_classic_path),
        cmocka_unit_test(a_change_follows_the_current_value_with_a_higher_ballot),
        cmocka_unit_test(a_refused_change_leaves_and_shows_the_current_value),
        cmocka_unit_test(a_change_can_fill_an_absent_register),
        cmocka_unit_test(a_register_that_nothing_can_follow_is_told_and_left),
    };

    return cmocka_run_group_tests_name("px_solo", tests, NULL, NULL);
}
