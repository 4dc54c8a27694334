/* The list of registers is a majority's. */
#include "common/err.h"
#include "tests/support/reg_use.h"
#include "tests/support/trio.h"
#include "tests/support/trio_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup_patient(void **state)
{
    *state = trio_new(3, false);
    return 0;
}

static int teardown(void **state)
{
    trio_free(*state);
    return 0;
}

static void registers_are_listed_from_a_majority(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, 1);
    struct vs_id made[6], ids[4];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = 4
    };

    link_mem_isolate(t->link, 3, true);
    for (unsigned i = 0; i < 6; i++) {
        made[i] = trio_id(c);
        assert_int_equal(reg_create(c, &made[i], 1), 0);
    }
    link_mem_isolate(t->link, 3, false);
    assert_int_equal(meta_call(trio_client(t, 3), &r), 0);
    assert_int_equal(r.scan_count, 4);
    assert_memory_equal(ids, made, sizeof(ids));
    r.scan_after_id = ids[3];
    assert_int_equal(meta_call(trio_client(t, 3), &r), 0);
    assert_int_equal(r.scan_count, 2);
    assert_memory_equal(ids, made + 4, 2 * sizeof(ids[0]));
    r.here = true;
    r.scan_after_id = (struct vs_id){ 0 };
    assert_int_equal(meta_call(trio_client(t, 3), &r), 0);
    assert_int_equal(r.scan_count, 0); /* what it has itself */
}

#define PATIENT(fn) cmocka_unit_test_setup_teardown(fn, setup_patient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(registers_are_listed_from_a_majority),
    };

    return cmocka_run_group_tests_name("meta_replica_list", tests, NULL, NULL);
}
