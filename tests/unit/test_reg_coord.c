/* Registers over three replicas in one process: messages, owners, contention. */
#include "common/err.h"
#include "tests/support/reg_use.h"
#include "tests/support/trio.h"
#include "tests/support/trio_use.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

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

/* ---- registers ---- */

static void a_fresh_chunk_costs_four_messages_between_three_replicas(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, 2);
    struct vs_id id = trio_id(c);
    struct link_mem_count before, after;

    link_mem_count(t->link, &before);
    assert_int_equal(reg_create(c, &id, 1), 0);
    assert_int_equal(reg_generation(c, &id, false), 1); /* both have answered, or a read would */
    link_mem_count(t->link, &after);
    assert_in_range(after.asks - before.asks, 3, 4); /* two of them the read's */
    assert_int_equal(after.questions, before.questions);
}

static void ids_of_a_dead_owner_are_created_by_another(void **state)
{
    struct trio *t = *state;
    struct vs_id id = trio_id(trio_client(t, 1));

    link_mem_isolate(t->link, 1, true);
    assert_int_equal(reg_create(trio_client(t, 2), &id, 1), 0);
    assert_int_equal(reg_create(trio_client(t, 3), &id, 1), 0);
    assert_int_equal(reg_create(trio_client(t, 3), &id, 5), -VS_EEXISTS_OTHER);
    link_mem_isolate(t->link, 1, false);
    assert_int_equal(reg_create(trio_client(t, 1), &id, 5), -VS_EEXISTS_OTHER);
    assert_int_equal(reg_create(trio_client(t, 1), &id, 1), 0);
    assert_int_equal(reg_generation(trio_client(t, 1), &id, false), 1);
}

/* A caller that breaks the rule of one value per fresh id cannot make two of them true. */
static void a_fresh_id_keeps_its_first_value(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, 1);
    struct vs_id id = trio_id(c);

    link_mem_cut(t->link, 1, 3, true);
    assert_int_equal(reg_create(c, &id, 1), 0);
    link_mem_cut(t->link, 1, 3, false);
    assert_int_equal(reg_create(c, &id, 2), -VS_EEXISTS_OTHER);
    for (uint32_t pid = 1; pid <= 3; pid++)
        assert_int_equal(reg_generation(trio_client(t, pid), &id, false), 1);
}

/* Slow disks, or a slow way: asking again and again must not take the place of waiting. */
static void acceptors_that_are_slow_are_waited_for(void **state)
{
    struct trio *t = *state;
    struct meta_client *c = trio_client(t, 1);
    struct vs_id id = trio_id(c);

    link_mem_delay(t->link, 120 * VS_NS_PER_MS);
    assert_int_equal(reg_create(c, &id, 1), 0);
    assert_int_equal(reg_raise(c, &id, 2), 0);
    assert_int_equal(reg_generation(c, &id, false), 2);
    link_mem_delay(t->link, 0);
}

struct raiser {
    struct meta_client *c;
    struct vs_id id;
    unsigned won, lost;
};

static void *raise_often(void *arg)
{
    struct raiser *r = arg;

    for (uint32_t generation = 2; generation <= 12; generation++) {
        int status = reg_raise(r->c, &r->id, generation);

        r->won += status == 0;
        r->lost += status == -ESTALE;
    }
    return NULL;
}

/* They write the same value, so each is told that it is there; none is lost, none goes back. */
static void two_that_raise_one_register_agree(void **state)
{
    struct trio *t = *state;
    struct raiser r[2];
    pthread_t thread[2];
    struct vs_id id = trio_id(trio_client(t, 1));

    assert_int_equal(reg_create(trio_client(t, 1), &id, 1), 0);
    for (unsigned i = 0; i < 2; i++) {
        r[i] = (struct raiser){ .c = trio_client(t, i + 2), .id = id };
        assert_int_equal(pthread_create(&thread[i], NULL, raise_often, &r[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(r[i].won + r[i].lost, 11);
    }
    assert_int_equal(reg_generation(trio_client(t, 1), &id, false), 12);
}

#define PATIENT(fn) cmocka_unit_test_setup_teardown(fn, setup_patient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(a_fresh_chunk_costs_four_messages_between_three_replicas),
        PATIENT(ids_of_a_dead_owner_are_created_by_another),
        PATIENT(a_fresh_id_keeps_its_first_value),
        PATIENT(acceptors_that_are_slow_are_waited_for),
        PATIENT(two_that_raise_one_register_agree),
    };

    return cmocka_run_group_tests_name("reg_coord", tests, NULL, NULL);
}
