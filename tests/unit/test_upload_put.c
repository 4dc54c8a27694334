/* Stores that do not answer, answer late, or answer something else than what was asked. */
#include "common/err.h"
#include "ingest/upload_chunk.h"
#include "node/store_mem.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

static struct upload *upload_of(struct upload_rig *rig, uint64_t seed, uint64_t bytes)
{
    struct upload *u = upload_rig_upload(rig, "film.mkv", false, false);

    assert_int_equal(upload_rig_append(u, seed, bytes, MIB), 0);
    return u;
}

/* All that is on its way are `chunks` chunks, each of which waits for `puts` puts. */
static bool is_waiting(struct upload_rig *rig, unsigned chunks, unsigned puts)
{
    struct vs_list *pos, *tmp;
    VS_LOCK_SCOPE(&rig->env->lock);

    vs_list_for_each (pos, tmp, &rig->env->putting) {
        const struct up_chunk *c = vs_container_of(pos, struct up_chunk, queue);
        unsigned waiting = 0;

        for (unsigned i = 0; i < c->attempt->place.count; i++)
            waiting += c->attempt->state[i] == UM_PUT_WAITING;
        if (waiting != puts)
            return false;
        chunks--;
    }
    return chunks == 0;
}

/* Time passes for one store that holds a put of each of so many chunks; the next look finds out. */
static void time_out(struct upload_rig *rig, unsigned store, unsigned chunks)
{
    store_stall_await_held(rig->stall[store], chunks);
    while (!is_waiting(rig, chunks, 1))
        usleep(1000);
    upload_rig_skip_ms(rig, UPLOAD_PUT_TIMEOUT_MS);
}

static bool is_silent(struct upload_rig *rig, unsigned store)
{
    VS_LOCK_SCOPE(&rig->env->lock);

    return rig->env->store[store].silent;
}

/* What is still in flight comes to its end; then the session and env are gone. */
static void await_all(struct upload_rig *rig)
{
    upload_session_committed(rig->session);
    upload_session_free(rig->session);
    upload_env_free(rig->env);
    rig->session = NULL;
    rig->env = NULL;
}

static void a_store_that_never_answers_is_left_out_until_it_does(void **state)
{
    struct upload_rig rig;
    struct upload_flush f, second, third;
    struct upload *u, *u2, *u3;
    struct place_value v;
    unsigned held;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_hold(rig.stall[1], true);
    u = upload_of(&rig, 1, 12 * MIB);
    time_out(&rig, 1, 3);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    assert_int_equal(f.degraded, f.chunk_count);
    for (size_t i = 0; i < f.chunk_count; i++) {
        upload_rig_place(&rig, &f.chunks[i].id, &v);
        assert_int_equal(v.generation, 2); /* the same id, coded anew */
        for (unsigned k = 0; k < 4; k++)
            assert_int_not_equal(v.frag[k].node, 2);
    }

    held = store_stall_held(rig.stall[1]); /* nothing more is asked of it, nobody waits for it */
    assert_int_equal(held, f.chunk_count);
    u2 = upload_of(&rig, 2, 5 * MIB);
    assert_int_equal(upload_rig_flush(u2, &second), 0);
    assert_int_equal(store_stall_held(rig.stall[1]), held);
    upload_rig_check(&rig, second.chunks, second.chunk_count, 2, 0);

    store_stall_hold(rig.stall[1], false); /* the late answers bring it back */
    while (store_stall_dels(rig.stall[1]) < held) {
        u3 = upload_of(&rig, 3, MIB); /* time passes */
        assert_int_equal(upload_rig_flush(u3, &third), 0);
        upload_free(u3);
    }
    u3 = upload_of(&rig, 3, MIB);
    assert_int_equal(upload_rig_flush(u3, &third), 0);
    assert_int_equal(third.degraded, 0);
    upload_rig_check(&rig, third.chunks, third.chunk_count, 3, 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    upload_free(u);
    upload_free(u2);
    upload_free(u3);
    upload_rig_close(&rig);
}

/* First generation: four fragments were durable, the fifth came late. Neither is left behind. */
static void fragments_of_a_superseded_generation_are_deleted(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    size_t chunks;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_hold(rig.stall[4], true);
    u = upload_of(&rig, 1, 8 * MIB);
    time_out(&rig, 4, 2);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    chunks = f.chunk_count;
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    upload_free(u);
    store_stall_hold(rig.stall[4], false);
    await_all(&rig);
    assert_int_equal(upload_rig_fragments(&rig), chunks * 4);
    upload_rig_close(&rig);
}

/* Whoever stops the mount hears that an audit is due. */
static void a_fragment_that_could_not_be_deleted_is_told(void **state)
{
    (void)state;
    for (unsigned fails = 0; fails < 2; fails++) {
        _Atomic bool missed = false;
        struct upload_rig rig;
        struct upload_flush f;
        struct upload *u;

        upload_rig_open(&rig, 5, 0, NULL);
        rig.env->missed = &missed;
        store_stall_hold(rig.stall[4], true);
        u = upload_of(&rig, 1, 4 * MIB);
        store_stall_await_held(rig.stall[4], 1);
        while (!is_waiting(&rig, 1, 1))
            usleep(1000);
        store_mem_set_down(rig.mem[0], fails == 1); /* it has a fragment by now */
        upload_rig_skip_ms(&rig, UPLOAD_PUT_TIMEOUT_MS);
        assert_int_equal(upload_rig_flush(u, &f), 0);
        upload_free(u);
        store_stall_hold(rig.stall[4], false);
        await_all(&rig);
        assert_int_equal(missed, fails == 1);
        store_mem_set_down(rig.mem[0], false);
        upload_rig_close(&rig);
    }
}

static void a_wrong_receipt_is_a_failed_put(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct place_value v;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_lie(rig.stall[3], 1);
    u = upload_of(&rig, 1, 3 * MIB);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, 1, 1, 0);
    upload_rig_place(&rig, &f.chunks[0].id, &v);
    assert_int_equal(v.generation, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(v.frag[i].node, 4);
    upload_free(u);
    await_all(&rig);
    assert_int_equal(upload_rig_fragments(&rig), 4); /* nor is the wrong one left */
    upload_rig_close(&rig);
}

/* One disk below all stores spins up: there is nobody else to ask, so the chunks wait. */
static void silence_of_all_is_waited_for(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct place_value v;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < 5; i++)
        store_stall_hold(rig.stall[i], true);
    u = upload_of(&rig, 1, 4 * MIB);
    for (unsigned i = 0; i < 5; i++)
        store_stall_await_held(rig.stall[i], 1);
    upload_rig_skip_ms(&rig, 30000);
    while (!is_silent(&rig, 4))
        usleep(1000);
    assert_int_equal(upload_rig_append(u, 1, 4 * MIB, MIB), 0); /* also what comes then */
    for (unsigned i = 0; i < 5; i++)
        store_stall_await_held(rig.stall[i], 2);
    for (unsigned i = 0; i < 5; i++)
        store_stall_hold(rig.stall[i], false);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    assert_int_equal(f.degraded, 0);
    for (size_t i = 0; i < f.chunk_count; i++) {
        upload_rig_place(&rig, &f.chunks[i].id, &v);
        assert_int_equal(v.generation, 1);
    }
    upload_free(u);
    upload_rig_close(&rig);
}

static void silence_of_all_is_eio_after_a_minute(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 1; i < 5; i++)
        store_stall_hold(rig.stall[i], true);
    u = upload_of(&rig, 1, 4 * MIB);
    for (unsigned i = 1; i < 5; i++)
        store_stall_await_held(rig.stall[i], 1);
    upload_rig_skip_ms(&rig, UM_STALL_MS);
    assert_int_equal(upload_rig_flush(u, &f), -EIO);
    upload_free(u);
    for (unsigned i = 1; i < 5; i++)
        store_stall_hold(rig.stall[i], false);
    upload_rig_close(&rig);
}

/* Three fail one after the other, each in a put of its own. */
static void a_chunk_survives_one_failure_after_the_other(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct place_value v;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < 3; i++)
        store_stall_fail(rig.stall[i], i == 1 ? -EIO : -VS_EDOWN);
    u = upload_of(&rig, 1, 3 * MIB);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, 1, 1, 0);
    upload_rig_place(&rig, &f.chunks[0].id, &v);
    assert_true(v.generation > 1);
    assert_int_equal(v.red.kind, VS_RED_REPLICATE);
    assert_int_equal(v.red.m, 1);
    upload_free(u);
    store_stall_fail(rig.stall[3], -VS_EDOWN);
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 3 * MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -EIO);
    upload_free(u);
    upload_rig_close(&rig);
}

static void a_store_put_in_place_of_a_hung_one_begins_with_a_clean_record(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct chunk_store *fresh;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_hold(rig.stall[0], true);
    u = upload_of(&rig, 1, 4 * MIB);
    time_out(&rig, 0, 1);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.degraded, 1);
    upload_free(u);
    assert_int_equal(store_mem_new(&fresh, rig.store_exec), 0);
    assert_int_equal(store_set_replace(&rig.stores, 0, fresh, "new"), 0);
    rig.mem[0] = fresh;
    u = upload_of(&rig, 2, MIB);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.degraded, 0);
    upload_rig_check(&rig, f.chunks, 1, 2, 0);
    upload_free(u);
    store_stall_hold(rig.stall[0], false);
    upload_rig_close(&rig);
}

/* A detached put holds its bytes until it is answered, and nothing else. */
static void an_upload_freed_while_a_store_is_silent_frees_its_budget(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    uint64_t used = 1;

    (void)state;
    upload_rig_open(&rig, 5, 32 * MIB, NULL);
    store_stall_hold(rig.stall[2], true);
    u = upload_of(&rig, 1, 20 * MIB);
    time_out(&rig, 2, 5);
    upload_free(u);
    u = upload_of(&rig, 2, 40 * MIB); /* needs the budget that the first one held */
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 2, 0);
    upload_free(u);
    pthread_mutex_lock(&rig.env->lock);
    used = rig.env->used;
    pthread_mutex_unlock(&rig.env->lock);
    assert_int_equal(used, 0);
    store_stall_hold(rig.stall[2], false);
    upload_rig_close(&rig);
}

/* ---- where they go ---- */

/* One chunk of a file of its own. */
static void put_one(struct upload_rig *rig, uint64_t ino, struct place_value *ret)
{
    const struct upload_config config = {
        .session = rig->session, .ino = ino, .name = "x", .name_len = 1
    };
    struct upload_flush f;
    struct upload *u;

    assert_int_equal(upload_new(&u, rig->env, &config), 0);
    assert_int_equal(upload_rig_append(u, ino, 300, 300), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.chunk_count, 1);
    upload_rig_place(rig, &f.chunks[0].id, ret);
    upload_free(u);
}

static void load_over_seven_equal_stores_differs_by_less_than_5_percent(void **state)
{
    unsigned used[8] = { 0 }, low = UINT32_MAX, high = 0;
    struct upload_rig rig;
    struct place_value v;

    (void)state;
    upload_rig_open(&rig, 7, 0, NULL);
    for (unsigned i = 0; i < 7; i++)
        store_stall_health(rig.stall[i], STORE_UP, INT64_C(1) << 40);
    for (uint64_t ino = 100; ino < 10100; ino++) {
        put_one(&rig, ino, &v);
        assert_int_equal(v.red.k + v.red.m, 5);
        for (unsigned i = 0; i < 5; i++)
            used[v.frag[i].node]++;
    }
    for (unsigned i = 1; i <= 7; i++) {
        low = used[i] < low ? used[i] : low;
        high = used[i] > high ? used[i] : high;
    }
    print_message("seven stores, 10000 chunks uploaded: %u .. %u fragments each\n", low, high);
    assert_true((high - low) * 100 < 5 * (50000 / 7));
    upload_rig_close(&rig);
}

static void a_node_that_joins_is_used_and_one_that_is_emptied_gets_nothing_new(void **state)
{
    unsigned used[9] = { 0 };
    struct upload_rig rig;
    struct place_value v;
    struct chunk_store *joined;

    (void)state;
    upload_rig_open(&rig, 6, 0, NULL);
    put_one(&rig, 100, &v);
    assert_int_equal(store_mem_new(&joined, rig.store_exec), 0);
    assert_int_equal(store_set_add(&rig.stores, 7, "n7", "", 0, joined, ""), 0);
    atomic_store(&rig.stores.entries[0].takes, STORE_TAKES_NOTHING);
    atomic_store(&rig.stores.entries[1].takes, STORE_TAKES_LAST);
    for (uint64_t ino = 101; ino < 200; ino++) {
        put_one(&rig, ino, &v);
        assert_int_equal(v.red.k + v.red.m, 5);
        for (unsigned i = 0; i < 5; i++)
            used[v.frag[i].node]++;
    }
    assert_int_equal(used[1], 0);
    assert_int_equal(used[2], 0);
    assert_int_equal(used[7], 99);
    upload_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_never_answers_is_left_out_until_it_does),
        cmocka_unit_test(fragments_of_a_superseded_generation_are_deleted),
        cmocka_unit_test(a_fragment_that_could_not_be_deleted_is_told),
        cmocka_unit_test(a_wrong_receipt_is_a_failed_put),
        cmocka_unit_test(silence_of_all_is_waited_for),
        cmocka_unit_test(silence_of_all_is_eio_after_a_minute),
        cmocka_unit_test(a_chunk_survives_one_failure_after_the_other),
        cmocka_unit_test(a_store_put_in_place_of_a_hung_one_begins_with_a_clean_record),
        cmocka_unit_test(an_upload_freed_while_a_store_is_silent_frees_its_budget),
        cmocka_unit_test(load_over_seven_equal_stores_differs_by_less_than_5_percent),
        cmocka_unit_test(a_node_that_joins_is_used_and_one_that_is_emptied_gets_nothing_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
