/* Rules of health.h, in virtual time. */
#include "meta/health.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS VS_NS_PER_MS

/* One observer and its clock. */
struct watch {
    struct health h;
    int64_t now;
    struct health_change last; /* the last change told */
    unsigned changes;
};

static struct health_beat beat(uint32_t node, uint32_t boot, uint64_t seq)
{
    struct health_beat b = { .node = node, .boot = boot, .seq = seq, .writable = true };

    memset(b.uuid.b, (int)node, sizeof(b.uuid.b));
    b.free_bytes = 70;
    b.total_bytes = 100;
    return b;
}

static void watch_init(struct watch *w)
{
    *w = (struct watch){ .now = 1000 * MS };
    health_init(&w->h, w->now);
}

static void watch_told(struct watch *w, const struct health_change *c)
{
    assert_true(health_may_move(c->from, c->to));
    w->last = *c;
    w->changes++;
}

/* Time passes, a tick each HEALTH_TICK_MS. */
static void watch_wait(struct watch *w, int64_t ms)
{
    struct health_change c[4];

    for (int64_t end = w->now + ms * MS; w->now < end;) {
        int64_t step = end - w->now < HEALTH_TICK_MS * MS ? end - w->now : HEALTH_TICK_MS * MS;
        unsigned count;

        w->now += step;
        count = health_tick(&w->h, w->now, c, 4);
        for (unsigned i = 0; i < count; i++)
            watch_told(w, &c[i]);
    }
}

static int watch_beat(struct watch *w, uint32_t node, uint32_t boot, uint64_t seq)
{
    struct health_beat b = beat(node, boot, seq);
    struct health_change c = { 0 };
    int r = health_beat(&w->h, w->now, &b, &c);

    if (r == 1)
        watch_told(w, &c);
    return r;
}

static int watch_register(struct watch *w, uint32_t node, uint32_t boot, uint64_t seq)
{
    struct health_beat b = beat(node, boot, seq);
    struct health_change c = { 0 };

    return health_register(&w->h, w->now, &b, &c);
}

static enum health_state state_of(const struct watch *w, uint32_t node)
{
    const struct health_node *n = health_find(&w->h, node);

    assert_non_null(n);
    return n->state;
}

static void a_node_that_beats_stays_up(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    assert_int_equal(watch_register(&w, 1, 1, 1), 1);
    for (uint64_t seq = 2; seq < 100; seq++) {
        watch_wait(&w, HEALTH_BEAT_MS);
        assert_int_equal(watch_beat(&w, 1, 1, seq), 0);
    }
    assert_int_equal(w.changes, 0);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    assert_true(health_takes_data(health_find(&w.h, 1)));
    assert_int_equal(health_find(&w.h, 1)->last.free_bytes, 70);
}

static void silence_makes_suspect_after_2_s_and_down_after_5(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_wait(&w, HEALTH_SUSPECT_MS - 1);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    watch_wait(&w, 1);
    assert_int_equal(state_of(&w, 1), HEALTH_SUSPECT);
    assert_int_equal(w.last.from, HEALTH_UP);
    assert_int_equal(w.last.to, HEALTH_SUSPECT);
    assert_false(health_takes_data(health_find(&w.h, 1)));
    watch_wait(&w, HEALTH_DOWN_MS - HEALTH_SUSPECT_MS - 1);
    assert_int_equal(state_of(&w, 1), HEALTH_SUSPECT);
    watch_wait(&w, 1);
    assert_int_equal(state_of(&w, 1), HEALTH_DOWN);
    assert_int_equal(w.changes, 2);
    assert_int_equal(watch_beat(&w, 1, 1, 2), 1);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
}

static void repair_begins_a_minute_after_down(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_wait(&w, HEALTH_DOWN_MS + HEALTH_REPAIR_MS - 1);
    assert_false(health_wants_repair(&w.h, health_find(&w.h, 1)));
    watch_wait(&w, 1);
    assert_true(health_wants_repair(&w.h, health_find(&w.h, 1)));
    watch_beat(&w, 1, 1, 2);
    assert_false(health_wants_repair(&w.h, health_find(&w.h, 1)));
}

static void a_late_or_repeated_beat_revives_nobody(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_beat(&w, 1, 1, 5);
    watch_wait(&w, HEALTH_DOWN_MS + 1000);
    assert_int_equal(watch_beat(&w, 1, 1, 5), 0);
    assert_int_equal(watch_beat(&w, 1, 1, 4), 0);
    assert_int_equal(watch_register(&w, 1, 1, 1), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_DOWN);
    assert_int_equal(watch_beat(&w, 1, 1, 6), 1);
}

static void a_restarted_node_registers_before_it_beats(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    assert_int_equal(watch_beat(&w, 1, 1, 1), -ENOENT);
    watch_register(&w, 1, 1, 1);
    watch_beat(&w, 1, 1, 900);
    assert_int_equal(watch_beat(&w, 1, 2, 1), -ENOENT);
    watch_wait(&w, HEALTH_SUSPECT_MS);
    assert_int_equal(watch_register(&w, 1, 2, 1), 1);
    assert_int_equal(watch_beat(&w, 1, 2, 2), 0);
    assert_int_equal(watch_beat(&w, 1, 1, 901), -ESTALE); /* the earlier process still talks */
    assert_int_equal(watch_register(&w, 1, 1, 902), -ESTALE);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
}

static void another_store_does_not_get_the_number(void **state)
{
    struct health_beat b = beat(1, 9, 9);
    struct health_change c;
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    b.uuid.b[0] ^= 1;
    assert_int_equal(health_register(&w.h, w.now, &b, &c), -EEXIST);
    assert_int_equal(health_beat(&w.h, w.now, &b, &c), -EEXIST);
    assert_int_equal(health_load(&w.h, w.now, 1, &b.uuid, true), -EEXIST);
    assert_int_equal(health_find(&w.h, 1)->last.boot, 1);
    assert_false(health_find(&w.h, 1)->drain);
}

static void draining_outlives_silence(void **state)
{
    struct health_change c;
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    assert_int_equal(health_drain(&w.h, w.now, 1, true, &c), 1);
    assert_int_equal(state_of(&w, 1), HEALTH_DRAINING);
    assert_false(health_takes_data(health_find(&w.h, 1)));
    watch_beat(&w, 1, 1, 2);
    assert_int_equal(state_of(&w, 1), HEALTH_DRAINING);
    watch_wait(&w, HEALTH_SUSPECT_MS);
    assert_int_equal(state_of(&w, 1), HEALTH_SUSPECT);
    watch_beat(&w, 1, 1, 3);
    assert_int_equal(state_of(&w, 1), HEALTH_DRAINING);
    watch_wait(&w, HEALTH_DOWN_MS);
    assert_int_equal(health_drain(&w.h, w.now, 1, false, &c), 0); /* asked while it is down */
    watch_beat(&w, 1, 1, 4);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    assert_int_equal(health_drain(&w.h, w.now, 2, true, &c), -ENOENT);
}

static void only_a_draining_or_dead_node_is_removed_and_never_comes_back(void **state)
{
    struct health_change c;
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_register(&w, 2, 1, 1);
    assert_int_equal(health_remove(&w.h, w.now, 1, &c), -EBUSY);
    watch_wait(&w, HEALTH_SUSPECT_MS);
    assert_int_equal(health_remove(&w.h, w.now, 1, &c), -EBUSY);
    watch_wait(&w, HEALTH_DOWN_MS);
    assert_int_equal(health_remove(&w.h, w.now, 1, &c), 1);
    assert_int_equal(c.to, HEALTH_GONE);
    watch_register(&w, 2, 2, 1);
    health_drain(&w.h, w.now, 2, true, &c);
    assert_int_equal(health_remove(&w.h, w.now, 2, &c), 1);
    for (uint32_t node = 1; node <= 2; node++) {
        assert_int_equal(watch_beat(&w, node, 2, 9), -ESTALE);
        assert_int_equal(watch_register(&w, node, 3, 1), -ESTALE);
        assert_int_equal(health_remove(&w.h, w.now, node, &c), -ESTALE);
        assert_int_equal(health_drain(&w.h, w.now, node, true, &c), -ESTALE);
        assert_int_equal(state_of(&w, node), HEALTH_GONE);
        assert_true(health_wants_repair(&w.h, health_find(&w.h, node)));
    }
    assert_int_equal(health_remove(&w.h, w.now, 3, &c), -ENOENT);
    assert_int_equal(health_load(&w.h, w.now, 1, &health_find(&w.h, 1)->last.uuid, false), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_GONE);
    assert_int_equal(health_load(&w.h, w.now, 2, &health_find(&w.h, 2)->last.uuid, true), 0);
    assert_int_equal(state_of(&w, 2), HEALTH_GONE);
}

static void a_frozen_observer_does_not_take_its_nodes_for_dead(void **state)
{
    struct health_change c[4];
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_wait(&w, 500);
    w.now += 3600 * VS_NS_PER_S; /* frozen for an hour */
    assert_int_equal(health_tick(&w.h, w.now, c, 4), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    watch_wait(&w, HEALTH_SUSPECT_MS); /* but a node that is dead is noticed */
    assert_int_equal(state_of(&w, 1), HEALTH_SUSPECT);
    watch_wait(&w, HEALTH_DOWN_MS);
    assert_int_equal(state_of(&w, 1), HEALTH_DOWN);
    w.now += 3600 * VS_NS_PER_S;
    health_tick(&w.h, w.now, c, 4);
    assert_false(health_wants_repair(&w.h, health_find(&w.h, 1)));
}

static void an_observer_that_is_always_late_still_notices_a_death(void **state)
{
    struct health_change c[4];
    struct watch w;
    unsigned ticks = 0;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    for (; state_of(&w, 1) != HEALTH_DOWN && ticks < 100; ticks++) {
        w.now += 20 * VS_NS_PER_S;
        health_tick(&w.h, w.now, c, 4);
    }
    assert_true(ticks <= HEALTH_DOWN_MS / HEALTH_STALL_MS + 1);
}

static void a_clock_that_runs_back_changes_nothing(void **state)
{
    struct health_change c[4];
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    watch_wait(&w, 1500);
    assert_int_equal(health_tick(&w.h, w.now - 1200 * MS, c, 4), 0);
    watch_wait(&w, 499);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    watch_wait(&w, 1);
    assert_int_equal(state_of(&w, 1), HEALTH_SUSPECT);
}

static void a_node_known_from_the_journal_is_up_on_credit_and_gets_no_data(void **state)
{
    struct health_beat b = beat(1, 0, 0);
    struct watch w;

    (void)state;
    watch_init(&w);
    assert_int_equal(health_load(&w.h, w.now, 1, &b.uuid, false), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    assert_false(health_takes_data(health_find(&w.h, 1)));
    assert_int_equal(watch_beat(&w, 1, 7, 41), -ENOENT);
    assert_int_equal(watch_register(&w, 1, 7, 42), 0);
    assert_true(health_takes_data(health_find(&w.h, 1)));
    assert_int_equal(health_load(&w.h, w.now, 1, &b.uuid, true), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_DRAINING);
    b = beat(2, 0, 0);
    health_load(&w.h, w.now, 2, &b.uuid, true);
    assert_int_equal(state_of(&w, 2), HEALTH_DRAINING);
    watch_wait(&w, HEALTH_DOWN_MS + HEALTH_TICK_MS);
    assert_int_equal(state_of(&w, 2), HEALTH_DOWN);
    assert_int_equal(health_load(&w.h, w.now, 0, &b.uuid, true), -EINVAL);
}

static void a_store_that_takes_no_puts_gets_no_data(void **state)
{
    struct health_beat b = beat(1, 1, 2);
    struct health_change c;
    struct watch w;

    (void)state;
    watch_init(&w);
    watch_register(&w, 1, 1, 1);
    b.writable = false;
    assert_int_equal(health_beat(&w.h, w.now, &b, &c), 0);
    assert_int_equal(state_of(&w, 1), HEALTH_UP);
    assert_false(health_takes_data(health_find(&w.h, 1)));
}

static void changes_that_find_no_room_wait_for_the_next_tick(void **state)
{
    struct health_change c[2];
    struct watch w;

    (void)state;
    watch_init(&w);
    for (uint32_t n = 1; n <= 5; n++)
        watch_register(&w, n, 1, 1);
    for (unsigned s = 1; s < HEALTH_SUSPECT_MS / HEALTH_STALL_MS; s++)
        assert_int_equal(health_tick(&w.h, w.now + s * HEALTH_STALL_MS * MS, c, 2), 0);
    w.now += HEALTH_SUSPECT_MS * MS;
    assert_int_equal(health_tick(&w.h, w.now, c, 0), 0);
    assert_int_equal(health_tick(&w.h, w.now, c, 2), 2);
    assert_int_equal(health_tick(&w.h, w.now, c, 2), 2);
    assert_int_equal(health_tick(&w.h, w.now, c, 2), 1);
    assert_int_equal(c[0].node, 5);
    assert_int_equal(health_tick(&w.h, w.now, c, 2), 0);
}

static void the_table_of_nodes_is_bounded(void **state)
{
    struct watch w;

    (void)state;
    watch_init(&w);
    for (uint32_t n = 1; n <= HEALTH_NODES_MAX; n++)
        assert_int_equal(watch_register(&w, n, 1, 1), 1);
    assert_int_equal(watch_register(&w, HEALTH_NODES_MAX + 1, 1, 1), -ENOBUFS);
    assert_int_equal(watch_register(&w, 0, 1, 1), -EINVAL);
    assert_null(health_find(&w.h, HEALTH_NODES_MAX + 1));
}

static void every_state_has_a_word_and_gone_has_no_way_out(void **state)
{
    (void)state;
    for (unsigned s = 0; s < HEALTH_STATES; s++) {
        assert_true(strlen(health_state_text((enum health_state)s)) > 1);
        assert_false(health_may_move(HEALTH_GONE, (enum health_state)s));
        assert_false(health_may_move((enum health_state)s, (enum health_state)s));
    }
    assert_false(health_may_move(HEALTH_UP, HEALTH_DOWN)); /* one step at a time */
}

/* Whatever comes in whatever order: every move is in the table (asserted inside), a node that was
 * heard less than 2 s ago is never SUSPECT or DOWN, and GONE stays. */
static void any_sequence_of_events_keeps_the_rules(void **state)
{
    struct vs_rand rand;
    struct watch w;
    int64_t heard[4] = { 0 };
    bool gone[4] = { false };

    (void)state;
    vs_rand_init(&rand, 7);
    watch_init(&w);
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t node = 1 + (uint32_t)vs_rand_below(&rand, 3);
        uint32_t boot = 1 + step / 50000;
        struct health_change c;

        switch (vs_rand_below(&rand, 6)) {
        case 0:
        case 1:
            watch_wait(&w, (int64_t)vs_rand_below(&rand, 3000));
            break;
        case 2:
            if (watch_register(&w, node, boot, step + 1) >= 0)
                heard[node] = w.now;
            break;
        case 3:
            if (watch_beat(&w, node, boot, step + 1) >= 0)
                heard[node] = w.now;
            break;
        case 4:
            health_drain(&w.h, w.now, node, vs_rand_below(&rand, 2) == 0, &c);
            break;
        default:
            if (step > 190000 && health_remove(&w.h, w.now, node, &c) == 1)
                gone[node] = true;
        }
        for (uint32_t n = 1; n <= 3; n++) {
            const struct health_node *h = health_find(&w.h, n);

            if (h == NULL)
                continue;
            assert_int_equal(h->state == HEALTH_GONE, gone[n]);
            if (w.now - heard[n] < HEALTH_SUSPECT_MS * MS && !gone[n])
                assert_true(h->state == HEALTH_UP || h->state == HEALTH_DRAINING);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_beats_stays_up),
        cmocka_unit_test(silence_makes_suspect_after_2_s_and_down_after_5),
        cmocka_unit_test(repair_begins_a_minute_after_down),
        cmocka_unit_test(a_late_or_repeated_beat_revives_nobody),
        cmocka_unit_test(a_restarted_node_registers_before_it_beats),
        cmocka_unit_test(another_store_does_not_get_the_number),
        cmocka_unit_test(draining_outlives_silence),
        cmocka_unit_test(only_a_draining_or_dead_node_is_removed_and_never_comes_back),
        cmocka_unit_test(a_frozen_observer_does_not_take_its_nodes_for_dead),
        cmocka_unit_test(an_observer_that_is_always_late_still_notices_a_death),
        cmocka_unit_test(a_clock_that_runs_back_changes_nothing),
        cmocka_unit_test(a_node_known_from_the_journal_is_up_on_credit_and_gets_no_data),
        cmocka_unit_test(a_store_that_takes_no_puts_gets_no_data),
        cmocka_unit_test(changes_that_find_no_room_wait_for_the_next_tick),
        cmocka_unit_test(the_table_of_nodes_is_bounded),
        cmocka_unit_test(every_state_has_a_word_and_gone_has_no_way_out),
        cmocka_unit_test(any_sequence_of_events_keeps_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
