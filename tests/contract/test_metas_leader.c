/* The client of a mount and the replica that leads: it is asked itself, also behind a failover, and
 * fresh ids are its own, so that a decided chunk costs no more messages than before.
 *
 * Three real metadata processes. */
#include "common/assert.h"
#include "tests/support/metas_rig.h"
#include "tests/support/reg_use.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define CHUNKS 20u
#define FRESH  4u /* messages between replicas for a fresh chunk: two asked, two answers */

struct fixture {
    struct metas_rig rig;
    struct meta_client *meta;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    metas_rig_start(&f->rig, 3);
    f->meta = metas_rig_open(&f->rig, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    metas_rig_stop(&f->rig);
    free(f);
    return 0;
}

static uint64_t messages(struct fixture *f)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < f->rig.count; i++) {
        sum += metas_rig_count(&f->rig, i, "vstack_px_messages_total{kind=\"asks\",way=\"out\"}");
        sum +=
            metas_rig_count(&f->rig, i, "vstack_px_messages_total{kind=\"answers\",way=\"out\"}");
    }
    return sum;
}

/* Place chunks one after the other with ids of a new session; as many messages as that takes (the
 * last answers may still be on their way). */
static uint64_t placed(struct fixture *f, uint16_t *ret_pid)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = CHUNKS };
    struct meta_req r = { .op = META_CHANGE, .entry = &e };
    uint64_t before;

    meta_client_owner(f->meta, &e.pid, &e.inc);
    assert_int_equal(meta_call(f->meta, &r), 0);
    before = messages(f);
    for (unsigned n = 0; n < CHUNKS; n++) {
        struct vs_id id = vs_id_make(e.pid, e.inc, r.answer.first + n, VS_ID_CHUNK);

        assert_int_equal(reg_create(f->meta, &id, 1), 0);
    }
    *ret_pid = e.pid;
    return messages(f) - before;
}

static void the_leader_is_asked_itself_also_behind_a_failover(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < 2; round++) {
        unsigned leader = metas_rig_leader(&f->rig);

        metas_rig_settle(f->meta);
        node_proc_kill(&f->rig.proc[leader]);
        metas_rig_settle(f->meta);
        metas_rig_restart(&f->rig, leader);
    }
}

static void fresh_chunks_cost_the_same_behind_a_failover_and_a_restart(void **state)
{
    struct fixture *f = *state;
    uint16_t before, after;
    unsigned leader;

    metas_rig_settle(f->meta);
    assert_true(placed(f, &before) <= CHUNKS * FRESH);
    leader = metas_rig_leader(&f->rig);
    assert_int_equal(before, leader + 1);
    node_proc_kill(&f->rig.proc[leader]);
    metas_rig_settle(f->meta);
    metas_rig_restart(&f->rig, leader);
    (void)metas_rig_leader(&f->rig);
    metas_rig_settle(f->meta);
    assert_true(placed(f, &after) <= CHUNKS * FRESH);
    assert_int_not_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_leader_is_asked_itself_also_behind_a_failover, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(fresh_chunks_cost_the_same_behind_a_failover_and_a_restart,
                                        setup, teardown),
    };

    return cmocka_run_group_tests_name("metas_leader", tests, NULL, NULL);
}
