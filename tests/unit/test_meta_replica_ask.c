/* Three replicas in one process, joined by links that can be cut: what callers see while some of
 * them are away. */
#include "common/err.h"
#include "tests/support/reg_use.h"
#include "tests/support/trio.h"
#include "tests/support/trio_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOUND_NS    (20 * VS_NS_PER_S)
#define PATIENCE_MS 400

static int setup(void **state)
{
    *state = trio_new_patient(3, false, PATIENCE_MS);
    (void)trio_leader(*state, 0);
    return 0;
}

static int setup_patient(void **state)
{
    *state = trio_new(3, false);
    return 0;
}

static int setup_five(void **state)
{
    *state = trio_new(5, false);
    return 0;
}

static int teardown(void **state)
{
    trio_free(*state);
    return 0;
}

static void all_goes_on(struct meta_client *c, const char *name)
{
    struct vs_id id = trio_id(c);

    assert_int_equal(trio_make_dir(c, name), 0);
    assert_int_equal(trio_lookup(c, name), 0);
    assert_int_equal(reg_create(c, &id, 1), 0);
    assert_int_equal(reg_raise(c, &id, 2), 0);
    assert_int_equal(reg_generation(c, &id, false), 2);
}

static void is_soon(int64_t since_ns)
{
    assert_true(vs_now_ns(&vs_clock_system) - since_ns < BOUND_NS);
}

/* ---- a minority ---- */

static void a_minority_that_is_cut_off_either_way_is_not_noticed(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1;
    struct meta_client *c = trio_client(t, leader);

    all_goes_on(c, "before");
    link_mem_cut(t->link, leader, other, true);
    all_goes_on(c, "deaf");
    link_mem_cut(t->link, leader, other, false);
    link_mem_cut(t->link, other, leader, true);
    all_goes_on(c, "dumb");
    link_mem_isolate(t->link, other, true);
    all_goes_on(c, "gone");
    link_mem_isolate(t->link, other, false);
    all_goes_on(c, "back");
    assert_int_equal(trio_lookup(trio_client(t, other), "gone"), 0);
}

static void without_its_leader_the_majority_goes_on_soon(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1;
    struct meta_client *c = trio_client(t, other);
    int64_t start;

    all_goes_on(c, "before");
    link_mem_isolate(t->link, leader, true);
    start = vs_now_ns(&vs_clock_system);
    assert_int_equal(trio_make_dir(c, "after"), 0);
    is_soon(start);
    assert_int_equal(trio_lookup(c, "before"), 0);
    all_goes_on(c, "more");
    link_mem_isolate(t->link, leader, false);
    assert_int_equal(trio_lookup(trio_client(t, leader), "after"), 0);
}

/* It would wait for a leader for long; it says at once that it is the wrong one to ask. */
static void a_leader_that_resigns_sends_whoever_asks_elsewhere(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1;
    struct meta_client *c = trio_client(t, other);
    int64_t start;

    all_goes_on(c, "before");
    meta_replica_resign(t->replica[leader - 1]);
    start = vs_now_ns(&vs_clock_system);
    assert_int_equal(trio_lookup(trio_client(t, leader), "before"), -VS_EDOWN);
    assert_true(vs_now_ns(&vs_clock_system) - start < META_REPLICA_PATIENCE_MS * VS_NS_PER_MS);
    all_goes_on(c, "after");
    assert_int_not_equal(trio_leader(t, leader), leader);
}

static void two_of_five_may_be_away(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1, third = leader == 3 ? 4 : 3;
    struct meta_client *c = trio_client(t, third);

    link_mem_isolate(t->link, leader, true);
    link_mem_isolate(t->link, other, true);
    all_goes_on(c, "three");
    assert_int_equal(trio_lookup(c, "three"), 0);
}

/* A deposed leader must not answer from what it knows: it may be old. */
static void a_leader_that_is_cut_off_answers_nothing_strict(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1;
    struct meta_client *c = trio_client(t, leader);

    assert_int_equal(trio_make_dir(c, "old"), 0);
    link_mem_isolate(t->link, leader, true);
    assert_int_equal(trio_lookup(c, "old"), -VS_EDOWN);
    (void)trio_leader(t, leader);
    assert_int_equal(trio_make_dir(trio_client(t, other), "new"), 0);
    assert_int_equal(trio_lookup(c, "new"), -VS_EDOWN);
}

/* ---- no majority ---- */

static void without_a_majority_a_hint_is_all_there_is(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, 1);
    struct vs_id id = trio_id(c), ids[4];
    struct meta_req content = { .op = META_CONTENT, .ino = NS_INO_ROOT, .hint = true };
    struct meta_req scan = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = 4
    };
    struct meta_req stats = { .op = META_STATS };
    int64_t start;

    assert_int_equal(reg_create(c, &id, 1), 0);
    assert_int_equal(trio_make_dir(c, "before"), 0);
    link_mem_isolate(t->link, 1, true);
    start = vs_now_ns(&vs_clock_system);
    assert_int_equal(reg_generation(c, &id, true), 1);
    (void)meta_call(c, &content);
    assert_int_not_equal(content.status, -VS_EDOWN);
    vs_buf_close(&content.bytes);
    assert_int_equal(reg_generation(c, &id, false), -VS_EDOWN);
    assert_int_equal(reg_raise(c, &id, 2), -VS_EDOWN);
    assert_int_equal(trio_make_dir(c, "lost"), -VS_EDOWN);
    assert_int_equal(meta_call(c, &scan), -VS_EDOWN);
    assert_int_equal(scan.scan_count, 0);
    assert_int_equal(meta_call(c, &stats), -VS_EDOWN);
    is_soon(start);
    link_mem_isolate(t->link, 1, false);
    assert_int_equal(reg_raise(c, &id, 2), 0);
    assert_int_equal(reg_generation(c, &id, false), 2);
}

/* ---- who answers ---- */

static void what_is_passed_on_is_not_passed_on_again(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, trio_follower(t));
    struct ns_entry nop = { .kind = NS_E_NOP };
    struct meta_req change = { .op = META_CHANGE, .entry = &nop, .here = true };
    struct meta_req getattr = { .op = META_GETATTR, .ino = NS_INO_ROOT, .here = true };

    assert_int_equal(meta_call(c, &change), -EREMOTE);
    assert_int_equal(meta_call(c, &getattr), -EREMOTE);
}

static void the_ids_of_a_session_are_those_of_who_was_asked(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, trio_follower(t));
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 4 };
    struct meta_req r = { .op = META_CHANGE, .entry = &open };
    struct vs_id id;

    assert_int_equal(meta_call(c, &r), 0);
    id = vs_id_make(c->pid, c->inc, r.answer.first, VS_ID_CHUNK);
    assert_int_equal(reg_create(c, &id, 1), 0);
}

/* Whose answers are lost on their way back is told that nothing is known, in bounded time; asked
 * elsewhere under its number, it finds that it was done. */
static void a_change_whose_answer_is_lost_happens_once(void **state)
{
    struct trio *t = *state;
    uint32_t leader = trio_leader(t, 0), other = leader == 1 ? 2 : 1;
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1, .client = 77, .request = 1 };
    struct meta_req r = { .op = META_CHANGE, .entry = &reserve };
    uint64_t first;

    assert_int_equal(meta_call(trio_client(t, other), &r), 0);
    first = r.answer.first;
    link_mem_cut(t->link, leader, other, true);
    reserve.request = 2;
    assert_int_equal(meta_call(trio_client(t, other), &r), -VS_EDOWN);
    assert_int_equal(meta_call(trio_client(t, 6 - leader - other), &r), 0);
    assert_int_equal(r.answer.first, first + 1);
    link_mem_cut(t->link, leader, other, false);
    reserve.request = 3;
    assert_int_equal(meta_call(trio_client(t, trio_leader(t, 0)), &r), 0);
    assert_int_equal(r.answer.first, first + 2);
}

#define TEST(fn)    cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define PATIENT(fn) cmocka_unit_test_setup_teardown(fn, setup_patient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(a_minority_that_is_cut_off_either_way_is_not_noticed),
        PATIENT(without_its_leader_the_majority_goes_on_soon),
        PATIENT(a_leader_that_resigns_sends_whoever_asks_elsewhere),
        cmocka_unit_test_setup_teardown(two_of_five_may_be_away, setup_five, teardown),
        TEST(a_leader_that_is_cut_off_answers_nothing_strict),
        TEST(without_a_majority_a_hint_is_all_there_is),
        PATIENT(what_is_passed_on_is_not_passed_on_again),
        PATIENT(the_ids_of_a_session_are_those_of_who_was_asked),
        TEST(a_change_whose_answer_is_lost_happens_once),
    };

    return cmocka_run_group_tests_name("meta_replica_ask", tests, NULL, NULL);
}
