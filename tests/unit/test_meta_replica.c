/* Three replicas in one process: opened, stopped, started again. */
#include "common/err.h"
#include "tests/support/reg_use.h"
#include "tests/support/trio.h"
#include "tests/support/trio_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATIENCE_MS 400

static int setup(void **state)
{
    *state = trio_new_patient(3, false, PATIENCE_MS);
    (void)trio_leader(*state, 0);
    return 0;
}

static int setup_disk(void **state)
{
    *state = trio_new(3, true);
    return 0;
}

static int teardown(void **state)
{
    trio_free(*state);
    return 0;
}

static void whoever_waits_at_the_stop_is_answered(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, trio_leader(t, 0));

    assert_int_equal(trio_make_dir(c, "x"), 0);
    for (uint32_t pid = 1; pid <= 3; pid++)
        link_mem_isolate(t->link, pid, true);
    assert_int_equal(trio_lookup(c, "x"), -VS_EDOWN);
    for (uint32_t pid = 1; pid <= 3; pid++)
        trio_stop(t, pid);
}

/* ---- stops and starts ---- */

static void what_was_acknowledged_is_there_after_each_restart(void **state)
{
    struct trio *t = *state;
    struct vs_id id = trio_id(trio_client(t, 1));
    char name[32];

    assert_int_equal(reg_create(trio_client(t, 1), &id, 1), 0);
    for (uint32_t pid = 1; pid <= 3; pid++) {
        uint32_t other = pid % 3 + 1;

        trio_stop(t, pid);
        snprintf(name, sizeof(name), "without%u", pid);
        assert_int_equal(trio_make_dir(trio_client(t, other), name), 0);
        assert_int_equal(reg_raise(trio_client(t, other), &id, pid + 1), 0);
        trio_start(t, pid);
        assert_int_equal(trio_lookup(trio_client(t, pid), name), 0);
        assert_int_equal(reg_generation(trio_client(t, pid), &id, false), (int)pid + 1);
    }
    for (uint32_t pid = 1; pid <= 3; pid++)
        trio_stop(t, pid);
    for (uint32_t pid = 1; pid <= 3; pid++)
        trio_start(t, pid);
    for (uint32_t pid = 1; pid <= 3; pid++) {
        snprintf(name, sizeof(name), "without%u", pid);
        assert_int_equal(trio_lookup(trio_client(t, 1), name), 0);
    }
    assert_int_equal(reg_generation(trio_client(t, 2), &id, false), 4);
}

/* ---- open ---- */

static void members_that_cannot_be_are_refused(void **state)
{
    struct link_mem *l = link_mem_new();
    const struct meta_replica_config good = { .create = true,
                                              .pid = 1,
                                              .member_count = 3,
                                              .members = { 1, 2, 3 },
                                              .in_memory = true,
                                              .clock = &vs_clock_system,
                                              .link = link_mem_of(l, 1) };
    struct meta_replica_config bad[5];
    struct meta_replica *m = NULL;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        bad[i] = good;
    bad[0].member_count = 2;
    bad[1].pid = 4;
    bad[2].members[1] = 3;
    bad[3].link = NULL;
    bad[4].member_count = 0;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(meta_replica_open(&m, &bad[i]), -EINVAL);
    link_mem_free(l);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_waits_at_the_stop_is_answered),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_after_each_restart,
                                        setup_disk, teardown),
        cmocka_unit_test(members_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests_name("meta_replica", tests, NULL, NULL);
}
