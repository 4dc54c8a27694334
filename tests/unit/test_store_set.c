/* The stores a process can reach, by node number. */
#include "common/err.h"
#include "node/store_mem.h"
#include "node/store_set.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct vs_exec *exec;
    struct store_set set;
    struct chunk_store *stores[3];
};

/* Nodes 11, 12 and 13; the last one could not be opened. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(vs_exec_start(&f->exec, "stores", 1), 0);
    f->set.count = 3;
    for (unsigned i = 0; i < 3; i++) {
        f->set.entries[i].node = 11 + i;
        if (i == 2)
            continue;
        assert_int_equal(store_mem_new(&f->stores[i], f->exec), 0);
        atomic_store(&f->set.entries[i].store, f->stores[i]);
    }
    snprintf(f->set.entries[2].why, sizeof(f->set.entries[2].why), "its directory is empty");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    store_set_close(&f->set);
    store_set_close(&f->set);
    vs_exec_stop(f->exec);
    free(f);
    return 0;
}

static void a_store_is_found_by_its_node_number(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(store_set_get(&f->set, 11), f->stores[0]);
    assert_ptr_equal(store_set_get(&f->set, 12), f->stores[1]);
    assert_null(store_set_get(&f->set, 13));
    assert_null(store_set_get(&f->set, 14));
    assert_null(store_set_get(&f->set, 0));
}

static void a_store_that_could_not_be_opened_is_down_and_says_why(void **state)
{
    struct fixture *f = *state;
    struct store_health health;

    store_set_health(&f->set, 0, &health);
    assert_int_equal(health.state, STORE_UP);
    store_set_health(&f->set, 2, &health);
    assert_int_equal(health.state, STORE_DOWN);
    assert_string_equal(health.why, "its directory is empty");
}

static void only_stores_that_take_puts_count_as_up(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(store_set_up_count(&f->set), 2);
    store_mem_set_down(f->stores[1], true);
    assert_int_equal(store_set_up_count(&f->set), 1);
}

static void a_replaced_store_serves_and_the_old_one_stays_until_close(void **state)
{
    struct fixture *f = *state;
    struct chunk_store *other;
    struct store_health health;
    char path[STORE_SET_PATH_BYTES];

    assert_int_equal(store_mem_new(&other, f->exec), 0);
    assert_int_equal(store_set_replace(&f->set, 0, other, "/new/place"), 0);
    assert_ptr_equal(store_set_get(&f->set, 11), other);
    assert_string_equal(store_set_path(&f->set, 0, path), "/new/place");
    assert_int_equal(f->set.retired_count, 1);
    chunk_store_health(f->set.retired[0], &health); /* still alive */
    assert_int_equal(store_mem_new(&other, f->exec), 0);
    assert_int_equal(store_set_replace(&f->set, 2, other, "/found"), 0);
    assert_int_equal(f->set.retired_count, 1);
    store_set_health(&f->set, 2, &health);
    assert_int_equal(health.state, STORE_UP);
}

static void too_many_replacements_are_refused(void **state)
{
    struct fixture *f = *state;
    struct chunk_store *other;

    for (unsigned i = 0; i < STORE_SET_RETIRED_MAX; i++) {
        assert_int_equal(store_mem_new(&other, f->exec), 0);
        assert_int_equal(store_set_replace(&f->set, 0, other, "/new"), 0);
    }
    assert_int_equal(store_mem_new(&other, f->exec), 0);
    assert_int_equal(store_set_replace(&f->set, 0, other, "/new"), -ENOBUFS);
    chunk_store_stop(other);
}

static void one_more_store_is_seen_whole_and_a_node_comes_once(void **state)
{
    struct fixture *f = *state;
    struct chunk_store *store;
    struct store_health h;

    assert_int_equal(store_mem_new(&store, f->exec), 0);
    assert_int_equal(store_set_add(&f->set, 14, "n14", "http://h:1", 5, store, ""), 0);
    assert_int_equal(f->set.count, 4);
    assert_ptr_equal(store_set_get(&f->set, 14), store);
    assert_string_equal(f->set.entries[3].name, "n14");
    assert_int_equal(f->set.entries[3].domain, 5);
    assert_int_equal(store_set_add(&f->set, 15, "n15", "", 5, NULL, "no address"), 0);
    store_set_health(&f->set, 4, &h);
    assert_int_equal(h.state, STORE_DOWN);
    assert_string_equal(h.why, "no address");
    assert_int_equal(store_mem_new(&store, f->exec), 0);
    assert_int_equal(store_set_add(&f->set, 11, "n11", "", 5, store, ""), -EEXIST);
    assert_int_equal(f->set.count, 5);
    while (f->set.count < STORE_SET_MAX)
        assert_int_equal(store_set_add(&f->set, 100 + f->set.count, "n", "", 0, NULL, "none"), 0);
    assert_int_equal(store_set_add(&f->set, 999, "n", "", 0, NULL, "none"), -ENOBUFS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

struct looking {
    struct store_set *set;
    _Atomic unsigned looks;
    _Atomic bool enough;
};

static void *look_often(void *arg)
{
    struct looking *l = arg;
    char path[STORE_SET_PATH_BYTES];

    while (!l->enough) {
        store_set_path(l->set, 0, path);
        assert_true(path[0] == '\0' || strcmp(path, "/odd") == 0 ||
                    strcmp(path, "/even/longer") == 0);
        l->looks++;
    }
    return NULL;
}

/* Status asks while a node moves. With threads watched (VARIANT=tsan) any unguarded look fails. */
static void a_path_is_read_whole_while_it_changes(void **state)
{
    struct fixture *f = *state;
    struct looking l = { .set = &f->set };
    struct chunk_store *other;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, look_often, &l), 0);
    for (unsigned n = 0; n < STORE_SET_RETIRED_MAX; n++) {
        unsigned looks = l.looks;

        while (l.looks == looks)
            sched_yield();
        assert_int_equal(store_mem_new(&other, f->exec), 0);
        assert_int_equal(store_set_replace(&f->set, 0, other, n % 2 ? "/odd" : "/even/longer"), 0);
    }
    l.enough = true;
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_is_found_by_its_node_number),
        TEST(a_store_that_could_not_be_opened_is_down_and_says_why),
        TEST(only_stores_that_take_puts_count_as_up),
        TEST(a_replaced_store_serves_and_the_old_one_stays_until_close),
        TEST(too_many_replacements_are_refused),
        TEST(one_more_store_is_seen_whole_and_a_node_comes_once),
        TEST(a_path_is_read_whole_while_it_changes),
    };

    return cmocka_run_group_tests_name("store_set", tests, NULL, NULL);
}
