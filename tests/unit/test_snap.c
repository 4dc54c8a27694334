/* A replica that was away for longer than the others keep gets a snapshot, whatever happens on the
 * way; and goes on as if it had never been away. */
#include "common/err.h"
#include "meta/snap.h"
#include "tests/support/snap_rig.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AWAY_CHANGES (3 * SNAP_RIG_RING)

struct snap_fixture {
    struct snap_rig r;
    char dir[TEMP_DIR_BYTES];
    bool on_disk;
    _Atomic unsigned fault_at, fault;
};

static int setup(void **state)
{
    struct snap_fixture *f = calloc(1, sizeof(*f));

    snap_rig_start(&f->r, NULL);
    *state = f;
    return 0;
}

static int setup_disk(void **state)
{
    struct snap_fixture *f = calloc(1, sizeof(*f));

    f->on_disk = true;
    temp_dir_make(f->dir);
    snap_rig_start(&f->r, f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct snap_fixture *f = *state;

    snap_rig_stop(&f->r);
    if (f->on_disk)
        temp_dir_remove(f->dir);
    free(f);
    return 0;
}

/* Somebody that does not lead is away until the others have dropped what it lacks. */
static unsigned go_away(struct snap_fixture *f)
{
    unsigned away;

    snap_rig_change(&f->r);
    snap_rig_settle(&f->r);
    away = snap_rig_leader(&f->r) == 0 ? 1 : 0;
    snap_rig_down(&f->r, away);
    for (unsigned i = 0; i < AWAY_CHANGES; i++)
        snap_rig_change(&f->r);
    return away;
}

static void all_are_equal(struct snap_fixture *f)
{
    snap_rig_settle(&f->r);
    snap_rig_equal(&f->r, 0, 1);
    snap_rig_equal(&f->r, 0, 2);
}

/* The others go away in turn: whoever is left must have been a whole member. */
static void leads_afterwards(struct snap_fixture *f, unsigned node)
{
    for (unsigned tries = 0; snap_rig_leader(&f->r) != (int)node; tries++) {
        int leader = snap_rig_leader(&f->r);

        assert_true(tries < 50);
        if (leader < 0)
            continue;
        snap_rig_down(&f->r, (unsigned)leader);
        snap_rig_change(&f->r);
        snap_rig_up(&f->r, (unsigned)leader);
        snap_rig_settle(&f->r);
    }
    snap_rig_change(&f->r);
}

static void one_that_was_away_for_too_long_gets_a_snapshot_and_leads(void **state)
{
    struct snap_fixture *f = *state;
    unsigned away = go_away(f);

    snap_rig_up(&f->r, away);
    all_are_equal(f);
    assert_int_equal(f->r.node[away].installed, 1);
    leads_afterwards(f, away);
    all_are_equal(f);
}

/* Its acceptor holds nothing of what the snapshot brought: it must not be taken for a lost disk. */
static void after_a_restart_it_is_still_a_member(void **state)
{
    struct snap_fixture *f = *state;
    unsigned away = go_away(f);

    snap_rig_up(&f->r, away);
    all_are_equal(f);
    snap_rig_down(&f->r, away);
    snap_rig_up(&f->r, away);
    snap_rig_change(&f->r);
    all_are_equal(f);
    assert_int_equal(f->r.node[away].installed, 1);
}

/* ---- faults ---- */

enum fault { FAULT_LOST, FAULT_REFUSED, FAULT_CHANGED, FAULT_OF_ANOTHER, FAULTS };

static int fault_ask(void *arg, unsigned count, uint32_t from, uint32_t to)
{
    struct snap_fixture *f = arg;

    (void)from;
    (void)to;
    if (count != f->fault_at)
        return 0;
    return f->fault == FAULT_LOST ? -ETIMEDOUT : f->fault == FAULT_REFUSED ? -ECONNREFUSED : 0;
}

static void fault_answer(void *arg, unsigned count, struct vs_buf *answer)
{
    struct snap_fixture *f = arg;

    if (count != f->fault_at)
        return;
    if (f->fault == FAULT_CHANGED)
        answer->data[answer->len / 2] ^= 1;
    if (f->fault == FAULT_OF_ANOTHER)
        answer->len = 0;
}

static void whatever_happens_to_an_ask_it_comes_to_the_same_in_the_end(void **state)
{
    struct snap_fixture *f = *state;

    f->r.on_ask = fault_ask;
    f->r.on_answer = fault_answer;
    f->r.arg = f;
    for (f->fault = 0; f->fault < FAULTS; f->fault++) {
        unsigned away, before;

        f->fault_at = UINT32_MAX;
        away = go_away(f);
        before = f->r.node[away].installed;
        f->fault_at = f->r.asks;
        snap_rig_up(&f->r, away);
        all_are_equal(f);
        assert_int_equal(f->r.node[away].installed, before + 1);
        assert_true(f->r.asks > f->fault_at + 1);
    }
}

/* The one that gives dies in the middle; the next leader gives another. */
static int kill_giver(void *arg, unsigned count, uint32_t from, uint32_t to)
{
    struct snap_fixture *f = arg;

    (void)count;
    (void)from;
    if (f->fault == 0)
        f->fault = to;
    return f->fault == to ? -ECONNRESET : 0; /* it never answers again */
}

static void if_the_one_that_gives_dies_another_one_does(void **state)
{
    struct snap_fixture *f = *state;
    unsigned away = go_away(f);

    f->r.on_ask = kill_giver;
    f->r.arg = f;
    f->fault = 0;
    snap_rig_up(&f->r, away);
    while (f->fault == 0)
        snap_rig_change(&f->r);
    snap_rig_down(&f->r, f->fault - 1);
    snap_rig_settle(&f->r);
    snap_rig_change(&f->r);
    snap_rig_up(&f->r, f->fault - 1);
    f->r.on_ask = NULL;
    all_are_equal(f);
}

/* Down while it is being brought up to date, at every ask in turn. */
static void ended_in_the_middle_it_begins_again(void **state)
{
    struct snap_fixture *f = *state;
    unsigned away = go_away(f), before = f->r.asks;

    for (unsigned round = 0; round < 5; round++) {
        snap_rig_up(&f->r, away);
        while (f->r.asks == before && f->r.node[away].installed == 0)
            snap_rig_pause();
        before = f->r.asks;
        snap_rig_down(&f->r, away);
    }
    snap_rig_up(&f->r, away);
    all_are_equal(f);
}

#define SNAP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define SNAP_DISK(fn) cmocka_unit_test_setup_teardown(fn, setup_disk, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SNAP_TEST(one_that_was_away_for_too_long_gets_a_snapshot_and_leads),
        SNAP_DISK(one_that_was_away_for_too_long_gets_a_snapshot_and_leads),
        SNAP_DISK(after_a_restart_it_is_still_a_member),
        SNAP_TEST(whatever_happens_to_an_ask_it_comes_to_the_same_in_the_end),
        SNAP_TEST(if_the_one_that_gives_dies_another_one_does),
        SNAP_DISK(ended_in_the_middle_it_begins_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
