/* Stores that keep silent: others are asked in their place, and nothing is given up too early. */
#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/chunk_fetch.h"
#include "fs/waiter.h"
#include "tests/support/chunk_rig.h"
#include "tests/support/store_late.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEDGE_MS 20
#define BYTES    400000

struct hedge_rig {
    struct chunk_rig *f;
    struct chunk_fetch_env env;
    struct place_cache places;
    struct chunk_mem_pool mem;
    struct chunk_store *late[CHUNK_RIG_STORES];
};

struct fetching {
    struct chunk_fetch fetch;
    struct waiter waiter;
};

static int setup(void **state)
{
    static struct hedge_rig rig;

    chunk_rig_setup(state);
    rig = (struct hedge_rig){ .f = *state };
    rig.env = (struct chunk_fetch_env){ .stores = &rig.f->stores,
                                        .meta = &rig.f->meta,
                                        .exec = rig.f->exec,
                                        .places = &rig.places,
                                        .mem = &rig.mem,
                                        .hedge_ns = HEDGE_MS * VS_NS_PER_MS };
    place_cache_init(&rig.places);
    chunk_mem_init(&rig.mem);
    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        rig.late[i] = store_late_entry(&rig.f->stores, i, rig.f->exec);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct hedge_rig *rig = *state;

    chunk_mem_close(&rig->mem);
    place_cache_close(&rig->places);
    *state = rig->f;
    return chunk_rig_teardown(state);
}

static void fetch_done(struct chunk_fetch *fetch)
{
    waiter_wake(&vs_container_of(fetch, struct fetching, fetch)->waiter);
}

static void begin(struct hedge_rig *rig, struct fetching *w, unsigned c, uint32_t offset,
                  uint32_t bytes)
{
    *w = (struct fetching){ .fetch = { .env = &rig->env,
                                       .chunk = rig->f->at[c].chunk,
                                       .offset = offset,
                                       .bytes = bytes,
                                       .done = fetch_done },
                            .waiter = WAITER_INIT };
    chunk_fetch_start(&w->fetch);
}

static int end(struct hedge_rig *rig, struct fetching *w, unsigned c)
{
    waiter_wait(&w->waiter);
    if (w->fetch.status == 0) {
        assert_memory_equal(w->fetch.data, rig->f->at[c].bytes + w->fetch.offset, w->fetch.bytes);
        chunk_bytes_put(w->fetch.mem);
    }
    return w->fetch.status;
}

static int fetch(struct hedge_rig *rig, unsigned c, uint32_t offset, uint32_t bytes)
{
    struct fetching w;

    begin(rig, &w, c, offset, bytes);
    return end(rig, &w, c);
}

/* The store that has fragment n of a chunk. */
static struct chunk_store *holder(struct hedge_rig *rig, unsigned c, unsigned n)
{
    struct place_value v = chunk_rig_place(rig->f, c);

    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        if (rig->f->stores.entries[i].node == v.frag[n].node)
            return rig->late[i];
    fail_msg("no store has fragment %u", n);
    return NULL;
}

static void a_late_store_is_done_without_and_its_get_cancelled(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);

    for (unsigned late = 0; late < 2; late++) /* any two */
        store_late_hold(holder(rig, c, late), true);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
    assert_int_equal(rig->env.stats.hedged, 1);
    for (unsigned late = 0; late < 2; late++) {
        assert_int_equal(store_late_cancels(holder(rig, c, late)), 1);
        assert_int_equal(store_late_held(holder(rig, c, late)), 0);
        store_late_hold(holder(rig, c, late), false);
    }
}

static void reads_that_follow_do_not_ask_a_late_store(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);
    struct chunk_store *late = holder(rig, c, 0);
    unsigned gets;

    store_late_hold(late, true);
    assert_int_equal(fetch(rig, c, 0, 1000), 0);
    gets = store_late_gets(late);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(fetch(rig, c, i * 1000, 1000), 0);
    assert_int_equal(store_late_gets(late), gets);
    assert_int_equal(rig->env.stats.hedged, 1);
    store_late_hold(late, false);
}

static void three_late_stores_are_waited_for(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);
    struct fetching w;

    for (unsigned n = 0; n < 3; n++)
        store_late_hold(holder(rig, c, n), true);
    begin(rig, &w, c, 0, BYTES);
    while (atomic_load(&rig->env.stats.hedged) == 0) /* the others were asked */
        nanosleep(&(struct timespec){ .tv_nsec = VS_NS_PER_MS }, NULL);
    store_late_hold(holder(rig, c, 1), false);
    assert_int_equal(end(rig, &w, c), 0);
    store_late_hold(holder(rig, c, 0), false);
    store_late_hold(holder(rig, c, 2), false);
}

/* What is asked in the place of a late one may be late itself. */
static void a_late_substitute_is_done_without(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);

    store_late_hold(holder(rig, c, 0), true);
    store_late_hold(holder(rig, c, 3), true);
    assert_int_equal(fetch(rig, c, 0, 1000), 0);
    assert_int_equal(rig->env.stats.hedged, 2);
    store_late_hold(holder(rig, c, 0), false);
    store_late_hold(holder(rig, c, 3), false);
}

/* Asked to rebuild a part that came after all: nobody needs it, and nobody waits for it. */
static void a_late_extra_that_nobody_needs_is_cancelled(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);

    /* fragment 0 is doubted; 2, 3 and 4 are asked for to rebuild it, and too few of them answer */
    store_late_state(holder(rig, c, 0), STORE_DOWN);
    store_late_hold(holder(rig, c, 2), true);
    store_late_hold(holder(rig, c, 3), true);
    assert_int_equal(fetch(rig, c, 0, 1000), 0);
    assert_int_equal(store_late_held(holder(rig, c, 2)), 0);
    assert_int_equal(store_late_held(holder(rig, c, 3)), 0);
    store_late_hold(holder(rig, c, 2), false);
    store_late_hold(holder(rig, c, 3), false);
}

static void a_late_copy_is_done_without(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, three);

    store_late_hold(holder(rig, c, 0), true);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
    store_late_hold(holder(rig, c, 0), false);
}

static void stores_said_to_be_down_are_asked_when_nothing_else_helps(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);

    store_late_state(holder(rig, c, 0), STORE_DOWN);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
    assert_int_equal(store_late_gets(holder(rig, c, 0)), 0);
    store_late_state(holder(rig, c, 1), STORE_DOWN);
    store_late_state(holder(rig, c, 3), STORE_DOWN);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
    assert_true(store_late_gets(holder(rig, c, 0)) > 0);
    for (unsigned n = 0; n < 5; n++)
        store_late_state(holder(rig, c, n), STORE_DOWN);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
    assert_int_equal(fetch(rig, c, 100000, 50000), 0);
}

static void three_stores_down_for_good_are_lost(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c = chunk_rig_write(rig->f, BYTES, rs32);

    chunk_rig_down(rig->f, 31);
    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        store_late_state(rig->late[i], STORE_DOWN);
    assert_int_equal(fetch(rig, c, 0, BYTES), -VS_ELOST);
    chunk_rig_down(rig->f, 0);
    assert_int_equal(fetch(rig, c, 0, BYTES), 0);
}

/* Stores fall silent and come back in the middle of many reads: every one gets its bytes. */
static void stores_that_come_and_go_lose_no_read(void **state)
{
    struct hedge_rig *rig = *state;
    unsigned c[4];
    struct vs_rand rand;

    vs_rand_init(&rand, 7);
    rig->env.hedge_ns = 2 * VS_NS_PER_MS;
    for (unsigned i = 0; i < 4; i++)
        c[i] = chunk_rig_write(rig->f, BYTES, i % 2 == 0 ? rs32 : rs22);
    for (unsigned round = 0; round < 60; round++) {
        struct fetching w[16];
        unsigned of[16], a = (unsigned)vs_rand_below(&rand, 5);

        store_late_hold(rig->late[a], true);
        for (unsigned i = 0; i < 16; i++) {
            uint32_t offset = (uint32_t)vs_rand_below(&rand, BYTES);

            of[i] = c[vs_rand_below(&rand, 4)];
            begin(rig, &w[i], of[i], offset, 1 + (uint32_t)vs_rand_below(&rand, BYTES - offset));
            if (i == 8)
                store_late_hold(rig->late[(a + 1) % 5], true);
        }
        store_late_hold(rig->late[a], false);
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(end(rig, &w[i], of[i]), 0);
        store_late_hold(rig->late[(a + 1) % 5], false);
    }
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_late_store_is_done_without_and_its_get_cancelled),
        RULE(reads_that_follow_do_not_ask_a_late_store),
        RULE(three_late_stores_are_waited_for),
        RULE(a_late_substitute_is_done_without),
        RULE(a_late_extra_that_nobody_needs_is_cancelled),
        RULE(a_late_copy_is_done_without),
        RULE(stores_said_to_be_down_are_asked_when_nothing_else_helps),
        RULE(three_stores_down_for_good_are_lost),
        RULE(stores_that_come_and_go_lose_no_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
