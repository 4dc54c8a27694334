/* Whole replicas: one that was away for longer than the others keep comes back by a snapshot, and
 * knows, votes and leads like the others. */
#include "common/err.h"
#include "tests/support/trio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RING         64
#define KEPT         4
#define AWAY_CHANGES (3 * RING)

static int setup(void **state)
{
    *state = trio_new_short(3, RING, KEPT);
    return 0;
}

static int teardown(void **state)
{
    trio_free(*state);
    return 0;
}

/* Change number n: an attribute of the root. */
static void change(struct trio *t, uint32_t pid, unsigned n)
{
    char name[16];
    struct ns_entry entry = { .kind = NS_E_SETXATTR,
                              .client = 77,
                              .request = n + 1,
                              .ino = NS_INO_ROOT,
                              .name = name,
                              .value = "x",
                              .value_len = 1 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };

    snprintf(name, sizeof(name), "user.%u", n);
    entry.name_len = strlen(name);
    assert_int_equal(meta_call(trio_client(t, pid), &r), 0);
}

static int look(struct trio *t, uint32_t pid, unsigned n)
{
    char name[16];
    struct meta_req r = { .op = META_GETXATTR, .ino = NS_INO_ROOT, .name = name };
    int status;

    snprintf(name, sizeof(name), "user.%u", n);
    r.name_len = strlen(name);
    status = meta_call(trio_client(t, pid), &r);
    vs_buf_close(&r.bytes);
    return status;
}

static void wait_applied(struct trio *t, uint32_t pid, uint64_t slot)
{
    const struct timespec pause = { 0, VS_NS_PER_MS };
    int64_t end = vs_now_ns(&vs_clock_system) + 60 * VS_NS_PER_S;
    struct meta_replica_state s;

    for (;;) {
        meta_replica_state(t->replica[pid - 1], &s);
        if (s.applied_slot >= slot)
            return;
        assert_true(vs_now_ns(&vs_clock_system) < end);
        nanosleep(&pause, NULL);
    }
}

static uint64_t applied(struct trio *t, uint32_t pid)
{
    struct meta_replica_state s;

    meta_replica_state(t->replica[pid - 1], &s);
    return s.applied_slot;
}

static uint64_t first_slot(struct trio *t, uint32_t pid)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(meta_call(trio_client(t, pid), &r), 0);
    return r.stats.first_slot;
}

static void one_that_was_away_comes_back_and_leads(void **state)
{
    struct trio *t = *state;
    uint32_t away = trio_follower(t), leader;
    uint64_t slot;

    change(t, away, 0);
    trio_stop(t, away);
    leader = trio_leader(t, 0);
    slot = applied(t, leader);
    for (unsigned n = 1; n <= AWAY_CHANGES; n++)
        change(t, leader, n);
    assert_true(first_slot(t, leader) > slot + 1); /* what it lacks is not kept */
    trio_start(t, away);
    wait_applied(t, away, applied(t, leader));
    trio_stop(t, away); /* and a start after the snapshot */
    trio_start(t, away);
    while ((leader = trio_leader(t, 0)) != away) {
        trio_stop(t, leader);
        change(t, away, AWAY_CHANGES + 1);
        trio_start(t, leader);
        wait_applied(t, leader, applied(t, trio_leader(t, 0)));
    }
    for (unsigned n = 0; n <= AWAY_CHANGES; n++)
        assert_int_equal(look(t, away, n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_was_away_comes_back_and_leads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
