/* The simulated world keeps its promises: same seed, same run; what was synced is there after a
 * crash, what was not may be gone; a broken rule is found and told. */
#include "common/assert.h"
#include "tests/sim/sim_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVERS 2
#define SEEDS   300

enum { TIMER_SEND = 1 };

/* Servers count on their disks; a client asks them to, and remembers what was acknowledged. */
struct toy {
    struct sim_world *w;
    unsigned client;
    uint64_t disk[SERVERS][2]; /* the same number twice: a batch is whole or not at all */
    uint64_t acked[SERVERS];
    unsigned got[SERVERS], dropped_batches, doubles, stops;
    uint64_t last_now;
    bool sloppy;    /* replies before the sync */
    bool asserting; /* fails an assertion at the tenth message */
};

static struct toy *toy_now; /* the one of the running test */

struct toy_msg {
    uint64_t count; /* 0: please count */
};

static void *toy_new(void)
{
    return toy_now;
}

static void toy_free(void *sys)
{
    (void)sys;
}

static void toy_setup(void *sys, struct sim_world *w)
{
    struct toy *t = sys;
    bool sloppy = t->sloppy, asserting = t->asserting;

    *t = (struct toy){ .w = w, .sloppy = sloppy, .asserting = asserting };
    for (unsigned i = 0; i < SERVERS; i++)
        world_proc_add(w, "server", WORLD_MAY_CRASH | WORLD_MAY_PAUSE | WORLD_MAY_CUT);
    t->client = world_proc_add(w, "client", 0);
    world_timer(w, t->client, 1, TIMER_SEND, 0);
}

static void toy_message(void *sys, unsigned to, unsigned from, const void *msg, size_t len)
{
    struct toy *t = sys;
    const struct toy_msg *m = msg;

    assert_int_equal(len, sizeof(*m));
    assert_true(world_now(t->w) >= t->last_now);
    t->last_now = world_now(t->w);
    if (to == t->client) {
        if (t->acked[from] < m->count)
            t->acked[from] = m->count;
        t->doubles += t->acked[from] == m->count;
        return;
    }
    assert_true(world_up(t->w, to));
    t->got[to]++;
    if (t->asserting)
        VS_ASSERT(t->got[to] < 10);
    uint64_t next = t->disk[to][0] + 1, durable;

    world_put(t->w, to, 0, &t->disk[to][0], &next, sizeof(next));
    world_put(t->w, to, 0, &t->disk[to][1], &next, sizeof(next));
    durable = world_batch_end(t->w, to, 0, true);
    world_send(t->w, to, t->client, &(struct toy_msg){ .count = next }, sizeof(struct toy_msg),
               t->sloppy ? 0 : durable);
}

static void toy_timer(void *sys, unsigned proc, uint32_t kind, uint64_t data)
{
    struct toy *t = sys;

    assert_int_equal(kind, TIMER_SEND);
    for (unsigned i = 0; i < SERVERS; i++)
        world_send(t->w, proc, i, &(struct toy_msg){ 0 }, sizeof(struct toy_msg), 0);
    if (!world_healed(t->w) || data < 400)
        world_timer(t->w, proc, 300 + world_below(t->w, WORLD_MS), TIMER_SEND, data + 1);
}

static void toy_crash(void *sys, unsigned proc, bool wiped)
{
    struct toy *t = sys;

    assert_false(wiped);
    assert_false(world_up(t->w, proc));
    t->stops++;
}

static void toy_restart(void *sys, unsigned proc)
{
    struct toy *t = sys;

    assert_true(world_up(t->w, proc));
    if (t->disk[proc][0] != t->disk[proc][1])
        world_violation(t->w, "half a batch");
    if (t->disk[proc][0] < t->acked[proc])
        world_violation(t->w, "server forgot what it had acknowledged");
}

static bool toy_done(void *sys)
{
    struct toy *t = sys;

    return t->got[0] >= 200;
}

static void toy_check(void *sys, bool quiet)
{
    struct toy *t = sys;

    (void)quiet;
    for (unsigned i = 0; i < SERVERS; i++)
        toy_restart(t, i);
}

static const struct sim_system toy_system = {
    .name = "toy",
    .msg_bytes_max = sizeof(struct toy_msg),
    .new = toy_new,
    .free = toy_free,
    .setup = toy_setup,
    .message = toy_message,
    .timer = toy_timer,
    .crash = toy_crash,
    .restart = toy_restart,
    .done = toy_done,
    .check = toy_check,
};

struct tally {
    unsigned violations, crashes, doubles;
    uint64_t hash[SEEDS];
    char text[WORLD_TEXT_MAX];
};

static struct tally run_seeds(struct toy *toy)
{
    static struct tally t;
    struct sim_world *w;

    toy_now = toy;
    t = (struct tally){ 0 };
    w = sim_world_new(&toy_system);
    assert_non_null(w);
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct world_result r;

        sim_world_run(w, seed, false, &r);
        t.hash[seed] = r.hash;
        t.violations += r.violated;
        t.crashes += toy->stops;
        t.doubles += toy->doubles;
        if (r.violated)
            memcpy(t.text, r.text, sizeof(t.text));
    }
    sim_world_free(w);
    return t;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    struct toy a = { 0 }, b = { 0 };
    struct tally first = run_seeds(&a), second = run_seeds(&b);
    unsigned same = 0;

    (void)state;
    assert_memory_equal(first.hash, second.hash, sizeof(first.hash));
    for (unsigned i = 1; i < SEEDS; i++)
        same += first.hash[i] == first.hash[i - 1];
    assert_int_equal(same, 0);
}

static void what_was_acknowledged_after_a_sync_survives_every_crash(void **state)
{
    struct toy toy = { 0 };
    struct tally t = run_seeds(&toy);

    (void)state;
    assert_int_equal(t.violations, 0);
    assert_true(t.crashes > SEEDS / 2);
    assert_true(t.doubles > 0);
}

static void a_reply_before_the_sync_is_found(void **state)
{
    struct toy toy = { .sloppy = true };
    struct tally t = run_seeds(&toy);

    (void)state;
    assert_true(t.violations > 0);
    assert_string_equal(t.text, "server forgot what it had acknowledged");
}

static void a_failed_assertion_ends_the_schedule_and_is_told(void **state)
{
    struct toy toy = { .asserting = true };
    struct tally t = run_seeds(&toy);

    (void)state;
    assert_true(t.violations > SEEDS / 2);
    assert_non_null(strstr(t.text, "t->got[to] < 10"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(what_was_acknowledged_after_a_sync_survives_every_crash),
        cmocka_unit_test(a_reply_before_the_sync_is_found),
        cmocka_unit_test(a_failed_assertion_ends_the_schedule_and_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
