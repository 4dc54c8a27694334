/* meta_nodes: storage nodes register once, are judged by what this replica hears, and a replica
 * that starts has heard nobody, which is no sign against them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/log.h"
#include "meta/meta_local.h"
#include "meta/meta_nodes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 500 /* less than what counts as an own pause */

struct hand_clock {
    struct vs_clock clock;
    _Atomic int64_t now_ns;
};

struct fixture {
    struct hand_clock time;
    struct meta_client *meta;
    struct meta_nodes *nodes;
    struct meta_nodes_row row;
    uint32_t boot;
};

static int64_t hand_now(const struct vs_clock *c)
{
    return atomic_load(&((const struct hand_clock *)c)->now_ns);
}

static int64_t hand_real(const struct vs_clock *c)
{
    return hand_now(c) + 1700000000 * VS_NS_PER_S;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };

    vs_log_set_level(VS_LOG_ERROR);
    f->time.clock = (struct vs_clock){ hand_now, hand_real };
    atomic_store(&f->time.now_ns, VS_NS_PER_S);
    memset(config.cluster.b, 9, VS_ID_BYTES);
    assert_int_equal(meta_local_open(&f->meta, &config), 0);
    assert_int_equal(meta_nodes_start(&f->nodes, f->meta, &f->time.clock), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    meta_nodes_stop(f->nodes);
    meta_client_stop(f->meta);
    free(f);
    return 0;
}

/* Another replica starts: it has heard nobody. */
static void restart(struct fixture *f)
{
    meta_nodes_stop(f->nodes);
    assert_int_equal(meta_nodes_start(&f->nodes, f->meta, &f->time.clock), 0);
}

static struct meta_nodes_beat beat(uint8_t store, uint32_t boot, uint64_t seq)
{
    struct meta_nodes_beat b = { .boot = boot,
                                 .seq = seq,
                                 .writable = true,
                                 .free_bytes = 100 + seq,
                                 .total_bytes = 1000,
                                 .fragments = 7 };

    memset(b.uuid.b, store, VS_ID_BYTES);
    return b;
}

static int enroll(struct fixture *f, const char *name, uint8_t store, const char *url)
{
    struct ns_node said = { .capacity_bytes = 1000 };
    struct meta_nodes_beat b = beat(store, 0, 0);

    said.uuid = b.uuid;
    snprintf(said.name, sizeof(said.name), "%s", name);
    snprintf(said.domain, sizeof(said.domain), "%s", name);
    snprintf(said.path, sizeof(said.path), "%s", url);
    return meta_nodes_register(f->nodes, &said, &b, &f->row, &f->boot);
}

static int heard(struct fixture *f, const char *name, uint8_t store, uint32_t boot, uint64_t seq)
{
    struct meta_nodes_beat b = beat(store, boot, seq);

    return meta_nodes_beat(f->nodes, name, &b, &f->row);
}

static struct meta_nodes_row row_of(struct fixture *f, const char *name)
{
    static struct meta_nodes_row rows[META_NODES_ROWS_MAX];
    unsigned count = meta_nodes_list(f->nodes, rows, META_NODES_ROWS_MAX);

    for (unsigned i = 0; i < count; i++)
        if (strcmp(rows[i].node.name, name) == 0)
            return rows[i];
    return (struct meta_nodes_row){ .now.state = HEALTH_STATES };
}

static void pass(struct fixture *f, unsigned ms)
{
    for (unsigned t = 0; t < ms; t += STEP_MS) {
        atomic_fetch_add(&f->time.now_ns, STEP_MS * VS_NS_PER_MS);
        (void)row_of(f, "");
    }
}

static uint64_t slot(struct fixture *f)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(meta_call(f->meta, &r), 0);
    return r.stats.applied_slot;
}

static void a_node_registers_once_and_its_heartbeats_cost_no_entry(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(f->row.node.node, 1);
    assert_int_equal(f->row.now.state, HEALTH_UP);
    before = slot(f);
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(f->row.node.node, 1);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(heard(f, "n1", 1, f->boot, i), 0);
    assert_int_equal(slot(f), before);
    assert_int_equal(row_of(f, "n1").now.free_bytes, 105);
    assert_int_equal(row_of(f, "n1").now.fragments, 7);
}

static void a_silent_node_is_suspect_then_down_and_up_when_it_is_heard(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(heard(f, "n1", 1, f->boot, 1), 0);
    pass(f, HEALTH_SUSPECT_MS - STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_UP);
    pass(f, STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_SUSPECT);
    pass(f, HEALTH_DOWN_MS - HEALTH_SUSPECT_MS - STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_SUSPECT);
    pass(f, STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_DOWN);
    assert_int_equal(row_of(f, "n1").silent_ms, HEALTH_DOWN_MS);
    assert_int_equal(heard(f, "n1", 1, f->boot, 2), 0);
    assert_int_equal(f->row.now.state, HEALTH_UP);
}

static void a_store_that_moves_keeps_its_number_and_rivals_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(enroll(f, "n2", 2, "http://127.0.0.1:2"), 0);
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:9"), 0);
    assert_int_equal(f->row.node.node, 1);
    assert_string_equal(row_of(f, "n1").node.path, "http://127.0.0.1:9");
    assert_int_equal(enroll(f, "n1", 3, "http://127.0.0.1:3"), -EEXIST);
    assert_string_equal(f->row.node.path, "http://127.0.0.1:9"); /* who is in its way */
    assert_int_equal(enroll(f, "n3", 2, "http://127.0.0.1:3"), -EEXIST);
    assert_string_equal(f->row.node.name, "n2");
    assert_int_equal(heard(f, "n1", 3, f->boot, 1), -EEXIST);
}

static void a_replica_that_starts_calls_nobody_down_before_it_has_listened(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    pass(f, HEALTH_DOWN_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_DOWN);
    restart(f);
    for (unsigned i = 0; i < 1000 && row_of(f, "n1").now.state == HEALTH_STATES; i++)
        usleep(5000); /* until it has read the list */
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_UP);
    assert_false(row_of(f, "n1").now.heard);
    assert_int_equal(heard(f, "n1", 1, 1, 6), -ENOENT); /* it must register here, too */
    pass(f, HEALTH_DOWN_MS - STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_SUSPECT);
    pass(f, STEP_MS);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_DOWN);
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_true(row_of(f, "n1").now.heard);
}

static void a_message_of_an_earlier_start_revives_nobody(void **state)
{
    struct fixture *f = *state;
    uint32_t first;

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    first = f->boot;
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_true(f->boot > first);
    pass(f, HEALTH_SUSPECT_MS);
    assert_int_equal(heard(f, "n1", 1, first, 99), -ENOENT);
    assert_int_equal(row_of(f, "n1").now.state, HEALTH_SUSPECT);
}

static void a_node_goes_when_it_is_drained_and_empty_or_down(void **state)
{
    struct fixture *f = *state;
    struct meta_nodes_beat empty = beat(1, 0, 9);

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(enroll(f, "n2", 2, "http://127.0.0.1:2"), 0);
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(meta_nodes_put(f->nodes, "n9", NS_NODE_DRAINING, &f->row), -ENOENT);
    assert_int_equal(meta_nodes_put(f->nodes, "n1", NS_NODE_GONE, &f->row), -EBUSY);
    assert_int_equal(meta_nodes_put(f->nodes, "n1", NS_NODE_DRAINING, &f->row), 0);
    assert_int_equal(f->row.now.state, HEALTH_DRAINING);
    assert_int_equal(meta_nodes_put(f->nodes, "n1", NS_NODE_GONE, &f->row), -EBUSY);
    empty.boot = f->boot;
    empty.fragments = 0;
    assert_int_equal(meta_nodes_beat(f->nodes, "n1", &empty, &f->row), 0);
    assert_int_equal(meta_nodes_put(f->nodes, "n1", NS_NODE_GONE, &f->row), 0);
    assert_int_equal(f->row.now.state, HEALTH_GONE);
    empty.seq++;
    assert_int_equal(meta_nodes_beat(f->nodes, "n1", &empty, &f->row), -ESTALE);
    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), -ESTALE);
    pass(f, HEALTH_DOWN_MS);
    assert_int_equal(meta_nodes_put(f->nodes, "n2", NS_NODE_GONE, &f->row), 0);
    assert_int_equal(row_of(f, "n2").now.state, HEALTH_GONE);
    assert_int_equal(meta_nodes_put(f->nodes, "n2", NS_NODE_IN, &f->row), -ESTALE);
}

static void a_list_of_nodes_is_told_who_is_there(void **state)
{
    struct fixture *f = *state;
    struct ns_node nodes[4];
    struct health_now now[4];
    struct meta_req r = { .op = META_NODES, .nodes = nodes, .nodes_max = 4 };

    assert_int_equal(enroll(f, "n1", 1, "http://127.0.0.1:1"), 0);
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.nodes_count, 1);
    meta_nodes_tell(f->nodes, &r); /* nobody wants to know */
    r.nodes_now = now;
    meta_nodes_tell(f->nodes, &r);
    assert_true(now[0].known);
    assert_int_equal(now[0].state, HEALTH_UP);
    assert_int_equal(now[0].free_bytes, 100);
    assert_int_equal(now[0].total_bytes, 1000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_registers_once_and_its_heartbeats_cost_no_entry),
        T(a_silent_node_is_suspect_then_down_and_up_when_it_is_heard),
        T(a_store_that_moves_keeps_its_number_and_rivals_are_refused),
        T(a_replica_that_starts_calls_nobody_down_before_it_has_listened),
        T(a_message_of_an_earlier_start_revives_nobody),
        T(a_node_goes_when_it_is_drained_and_empty_or_down),
        T(a_list_of_nodes_is_told_who_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
