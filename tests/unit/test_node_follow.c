/* node_follow: what the metadata says of nodes reaches the stores of a mount. */
#include "common/err.h"
#include "common/log.h"
#include "fs/node_follow.h"
#include "meta/placement.h"
#include "node/store_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 3

struct fixture {
    struct vsfs fs;
    struct vs_exec *exec;
    struct ns_node nodes[NODES];
    struct health_now now[NODES];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    vs_log_set_level(VS_LOG_ERROR);
    assert_int_equal(vs_exec_start(&f->exec, "stores", 1), 0);
    for (unsigned i = 0; i < NODES; i++) {
        struct ns_node *n = &f->nodes[i];
        struct chunk_store *store;

        *n = (struct ns_node){ .node = i + 1 };
        snprintf(n->name, sizeof(n->name), "n%u", i + 1);
        snprintf(n->domain, sizeof(n->domain), "host%u", i + 1);
        snprintf(n->path, sizeof(n->path), "http://127.0.0.1:%u", i + 1);
        f->now[i] = (struct health_now){ .known = true, .heard = true, .writable = true };
        assert_int_equal(store_mem_new(&store, f->exec), 0);
        assert_int_equal(store_set_add(&f->fs.stores, i + 1, n->name, n->path, 0, store, ""), 0);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    store_set_close(&f->fs.stores);
    vs_exec_stop(f->exec);
    free(f);
    return 0;
}

static enum store_takes takes(struct fixture *f, unsigned i)
{
    return (enum store_takes)atomic_load(&f->fs.stores.entries[i].takes);
}

static void drained_and_removed_nodes_get_nothing_new(void **state)
{
    struct fixture *f = *state;

    f->nodes[0].state = NS_NODE_DRAINING;
    f->nodes[1].state = NS_NODE_GONE;
    node_follow_take(&f->fs, f->nodes, f->now, NODES);
    assert_int_equal(takes(f, 0), STORE_TAKES_NOTHING);
    assert_int_equal(takes(f, 1), STORE_TAKES_NOTHING);
    assert_int_equal(takes(f, 2), STORE_TAKES_ALL);
    f->nodes[0].state = NS_NODE_IN; /* somebody thought better of it */
    node_follow_take(&f->fs, f->nodes, f->now, NODES);
    assert_int_equal(takes(f, 0), STORE_TAKES_ALL);
}

/* What the mount itself sees of a store decides whether it is asked at all. */
static void a_node_that_the_metadata_does_not_hear_is_the_last_choice(void **state)
{
    struct fixture *f = *state;

    f->now[0].state = HEALTH_SUSPECT;
    f->now[1].state = HEALTH_DOWN;
    f->now[2].known = false;
    node_follow_take(&f->fs, f->nodes, f->now, NODES);
    assert_int_equal(takes(f, 0), STORE_TAKES_LAST);
    assert_int_equal(takes(f, 1), STORE_TAKES_LAST);
    assert_int_equal(takes(f, 2), STORE_TAKES_ALL);
    node_follow_take(&f->fs, f->nodes, NULL, NODES); /* nobody listens to them */
    assert_int_equal(takes(f, 0), STORE_TAKES_ALL);
}

static void the_failure_domain_is_as_recorded(void **state)
{
    struct fixture *f = *state;

    node_follow_take(&f->fs, f->nodes, f->now, NODES);
    assert_int_equal(atomic_load(&f->fs.stores.entries[1].domain), placement_domain("host2"));
    snprintf(f->nodes[1].domain, sizeof(f->nodes[1].domain), "host1");
    node_follow_take(&f->fs, f->nodes, f->now, NODES);
    assert_int_equal(atomic_load(&f->fs.stores.entries[1].domain), placement_domain("host1"));
}

static void a_removed_node_that_was_never_used_stays_unknown(void **state)
{
    struct fixture *f = *state;
    struct ns_node gone = { .node = 9, .name = "n9", .state = NS_NODE_GONE };

    node_follow_take(&f->fs, &gone, NULL, 1);
    assert_int_equal(f->fs.stores.count, NODES);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(drained_and_removed_nodes_get_nothing_new),
        T(a_node_that_the_metadata_does_not_hear_is_the_last_choice),
        T(the_failure_domain_is_as_recorded),
        T(a_removed_node_that_was_never_used_stays_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
