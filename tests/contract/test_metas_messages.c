/* What a decided chunk costs on real replicas, to the message: 6 for a fresh chunk, however many
 * share its frames, 12 for a change (docs/CHUNKPAXOS.md, 5), counted where frames are handed over:
 * to HTTP, and to the coordinator's own acceptor, which for a coordinator elsewhere would be one
 * more to send to.
 *
 * Three real metadata processes; one operation at a time, so that no two share a frame. An
 * operation that finds no majority within PX_PATIENCE_US asks again, and costs more: a machine that
 * slow proves nothing, so operations count that took less, and some must. */
#include "common/assert.h"
#include "common/clock.h"
#include "meta/place_value.h"
#include "meta/px_propose.h"
#include "tests/support/metas_rig.h"
#include "tests/support/msg_counts.h"
#include "tests/support/reg_use.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNTED  10u /* operations of each kind that must be fast enough */
#define TOGETHER 64

#define FRESH      6
#define CHANGE     12
#define OWN_FRESH  2 /* of them within the coordinator's replica */
#define OWN_CHANGE 4

struct fixture {
    struct metas_rig rig;
    struct meta_client *meta;
    uint64_t next, end; /* ids of ours */
    uint16_t pid;
    uint32_t inc;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    metas_rig_start(&f->rig, 3);
    f->meta = metas_rig_open(&f->rig, 0);
    metas_rig_settle(f->meta);
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

/* Does the client ask the replica that its ids are of? A leader may have changed. */
static bool is_owner(struct fixture *f)
{
    uint16_t pid;
    uint32_t inc;

    meta_client_owner(f->meta, &pid, &inc);
    return f->pid == pid && f->inc == inc;
}

/* Ids whose first round is free: of the replica that is asked. */
static void need_ids(struct fixture *f, unsigned count)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = NS_RESERVE_MAX };
    struct meta_req r = { .op = META_CHANGE, .entry = &e };

    if (is_owner(f) && f->end - f->next >= count)
        return;
    meta_client_owner(f->meta, &e.pid, &e.inc);
    assert_int_equal(meta_call(f->meta, &r), 0);
    f->pid = e.pid;
    f->inc = e.inc;
    f->next = r.answer.first;
    f->end = f->next + NS_RESERVE_MAX;
}

static struct vs_id fresh_id(struct fixture *f)
{
    VS_ASSERT(f->next < f->end);
    return vs_id_make(f->pid, f->inc, f->next++, VS_ID_CHUNK);
}

static uint64_t sum(void *arg, const char *begin)
{
    struct fixture *f = arg;
    uint64_t sum = 0;

    for (unsigned i = 0; i < f->rig.count; i++)
        sum += metas_rig_count(&f->rig, i, begin);
    return sum;
}

/* One operation: was it fast enough to be counted? Then it costs exactly so much. */
static bool costs(struct fixture *f, int (*carry_out)(struct fixture *f), unsigned messages,
                  unsigned own)
{
    struct msg_counts before, now, cost;
    int64_t began_ns, took_ns;

    need_ids(f, TOGETHER);
    before = msg_counts_settled(sum, f);
    began_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(carry_out(f), 0);
    took_ns = vs_now_ns(&vs_clock_system) - began_ns;
    now = msg_counts_settled(sum, f);
    if (took_ns >= (int64_t)PX_PATIENCE_US * 1000 || !is_owner(f))
        return false;
    cost = msg_counts_since(&before, &now);
    assert_int_equal(cost.wire + cost.own, messages);
    assert_int_equal(cost.own, own);
    assert_int_equal(cost.questions, 1);
    return true;
}

static void some_cost(struct fixture *f, int (*carry_out)(struct fixture *f), unsigned messages,
                      unsigned own)
{
    for (unsigned counted = 0; counted < COUNTED;)
        counted += costs(f, carry_out, messages, own);
}

static int make_fresh(struct fixture *f)
{
    struct vs_id id = fresh_id(f);

    return reg_create(f->meta, &id, 1);
}

static void a_fresh_chunk_costs_six_messages_two_of_them_within_the_coordinators_replica(
    void **state)
{
    struct fixture *f = *state;

    some_cost(f, make_fresh, FRESH, OWN_FRESH);
}

static int make_64(struct fixture *f)
{
    struct vs_buf value = reg_value(PLACE_LIVE, 1);
    struct meta_reg regs[TOGETHER];
    struct meta_req r = { .op = META_REG_CREATE, .regs = regs, .reg_count = TOGETHER };
    int status;

    for (unsigned i = 0; i < TOGETHER; i++)
        regs[i] =
            (struct meta_reg){ .id = fresh_id(f), .value = value.data, .value_len = value.len };
    status = meta_call(f->meta, &r);
    vs_buf_close(&value);
    return status;
}

static void sixty_four_fresh_chunks_together_cost_the_same_six(void **state)
{
    struct fixture *f = *state;

    some_cost(f, make_64, FRESH, OWN_FRESH);
}

static struct vs_id changed;
static uint32_t generation;

static int raise_it(struct fixture *f)
{
    return reg_raise(f->meta, &changed, ++generation);
}

static void a_change_costs_twelve_messages_four_of_them_within_the_coordinators_replica(
    void **state)
{
    struct fixture *f = *state;

    need_ids(f, 1);
    changed = fresh_id(f);
    generation = 1;
    assert_int_equal(reg_create(f->meta, &changed, generation), 0);
    some_cost(f, raise_it, CHANGE, OWN_CHANGE);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_fresh_chunk_costs_six_messages_two_of_them_within_the_coordinators_replica),
        RULE(sixty_four_fresh_chunks_together_cost_the_same_six),
        RULE(a_change_costs_twelve_messages_four_of_them_within_the_coordinators_replica),
    };

    return cmocka_run_group_tests_name("metas_messages", tests, NULL, NULL);
}
