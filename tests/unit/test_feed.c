/* feed: what is kept, who waits, and what is told when it is not kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "meta/feed.h"
#include "meta/kv.h"
#include "meta/ns_schema.h"

#include <stdio.h>
#include <string.h>

static struct vs_exec *exec;
static struct feed *feed;
static struct kv_batch *batch;

static int setup(void **state)
{
    (void)state;
    return vs_exec_serial_new(&exec) + feed_new(&feed, exec, FEED_BYTES_MAX) + kv_batch_new(&batch);
}

static int teardown(void **state)
{
    (void)state;
    feed_stop(feed);
    vs_exec_stop(exec);
    feed_free(feed);
    kv_batch_free(batch);
    return 0;
}

static void on_answer(struct meta_req *r)
{
    r->ino++; /* answers so far */
}

static void ask(struct meta_req *r, uint64_t after, uint32_t wait_ms)
{
    vs_buf_close(&r->bytes);
    *r = (struct meta_req){
        .op = META_CHANGES, .after = after, .wait_ms = wait_ms, .done = on_answer
    };
    feed_ask(feed, r);
}

/* One entry that deletes `names` names of a directory. */
static void note(uint64_t slot, unsigned names)
{
    kv_batch_clear(batch);
    for (unsigned n = 0; n < names; n++) {
        struct ns_key key;
        char name[16];
        int len = snprintf(name, sizeof(name), "%u", n);

        key = ns_key_named(NS_T_NAME, 1, name, (size_t)len);
        kv_batch_del(batch, key.b, key.len);
    }
    feed_note(feed, slot, 0, batch);
}

static unsigned changes(const struct meta_req *r)
{
    struct feed_walk w = feed_walk_init(r->bytes.data, r->bytes.len);
    struct feed_change c;
    unsigned n = 0;

    while (feed_walk_next(&w, &c) == 1)
        n++;
    return n;
}

static void what_is_newer_is_told_at_once(void **state)
{
    struct meta_req r = { 0 };

    (void)state;
    feed_begin(feed, 10);
    note(11, 1);
    note(12, 0);
    note(13, 2);
    ask(&r, 10, 1000);
    assert_int_equal(r.ino, 1);
    assert_false(r.reset);
    assert_int_equal(r.slot, 13);
    assert_int_equal(changes(&r), 3);
    ask(&r, 11, 1000);
    assert_int_equal(changes(&r), 2);
    ask(&r, 13, 0);
    assert_int_equal(r.ino, 1);
    assert_int_equal(changes(&r), 0);
    assert_int_equal(r.slot, 13);
    vs_buf_close(&r.bytes);
}

static void who_waits_is_told_the_next_change(void **state)
{
    struct meta_req r = { 0 };

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 10, 1000);
    vs_exec_run_all(exec);
    note(11, 0); /* nothing that anybody keeps */
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 0);
    note(12, 1);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1);
    assert_int_equal(r.slot, 12);
    assert_int_equal(changes(&r), 1);
    vs_exec_advance(exec, 2 * VS_NS_PER_S);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1); /* once */
    vs_buf_close(&r.bytes);
}

static void a_wait_ends_with_nothing_when_its_time_is_over(void **state)
{
    struct meta_req r = { 0 };
    struct feed_state s;

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 10, 1000);
    note(11, 0);
    vs_exec_advance(exec, 999 * VS_NS_PER_MS);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 0);
    vs_exec_advance(exec, 2 * VS_NS_PER_MS);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1);
    assert_false(r.reset);
    assert_int_equal(r.slot, 11); /* known: nothing of interest in it */
    assert_int_equal(r.bytes.len, 0);
    feed_state(feed, &s);
    assert_int_equal(s.waiters, 0);
}

/* A replica that is behind knows nothing newer, and must not say that it all is known. */
static void who_knows_more_than_the_replica_waits(void **state)
{
    struct meta_req r = { 0 };

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 12, 1000);
    note(11, 1);
    note(12, 1);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 0);
    note(13, 1);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1);
    assert_int_equal(changes(&r), 1);
    ask(&r, 20, 0);
    assert_int_equal(r.slot, 13);
    assert_false(r.reset);
    vs_buf_close(&r.bytes);
}

static void what_is_not_kept_is_a_reset(void **state)
{
    struct meta_req r = { 0 };
    struct feed_state s;

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 9, 1000);
    assert_int_equal(r.ino, 1);
    assert_true(r.reset);
    assert_int_equal(r.slot, 10);
    for (uint64_t slot = 11; slot < 11 + FEED_RECORDS_MAX; slot++)
        note(slot, 1);
    ask(&r, 10, 1000);
    assert_false(r.reset); /* the last of them was kept until now */
    note(11 + FEED_RECORDS_MAX, 1);
    ask(&r, 10, 1000);
    assert_true(r.reset);
    assert_int_equal(r.bytes.len, 0);
    assert_int_equal(r.slot, 11 + FEED_RECORDS_MAX);
    feed_state(feed, &s);
    assert_int_equal(s.records, FEED_RECORDS_MAX);
    assert_int_equal(s.oldest, 11);
    vs_buf_close(&r.bytes);
}

static void memory_is_bounded_by_bytes(void **state)
{
    struct feed_state s;

    (void)state;
    feed_begin(feed, 0);
    for (uint64_t slot = 1; slot <= 1000; slot++)
        note(slot, FEED_INODES_MAX);
    feed_state(feed, &s);
    assert_true(s.bytes <= FEED_BYTES_MAX);
    assert_true(s.bytes > FEED_BYTES_MAX / 2);
    assert_int_equal(s.newest, 1000);
}

static void an_answer_is_bounded_and_the_next_goes_on_behind_it(void **state)
{
    struct meta_req r = { 0 };
    unsigned told = 0;

    (void)state;
    feed_begin(feed, 0);
    for (uint64_t slot = 1; slot <= 100; slot++)
        note(slot, FEED_INODES_MAX);
    for (uint64_t after = 0; after < 100; after = r.slot) {
        ask(&r, after, 0);
        assert_true(r.bytes.len <= FEED_ANSWER_BYTES_MAX && r.slot > after);
        told += changes(&r);
    }
    assert_int_equal(told, 100 * FEED_INODES_MAX);
    vs_buf_close(&r.bytes);
}

static void an_entry_that_changes_too_much_is_a_reset(void **state)
{
    struct meta_req r = { 0 };

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 10, 1000);
    note(11, FEED_INODES_MAX + 1);
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1);
    assert_true(r.reset);
    assert_int_equal(r.slot, 11);
}

static void a_new_beginning_wakes_who_waits_with_a_reset(void **state)
{
    struct meta_req r = { 0 };

    (void)state;
    feed_begin(feed, 10);
    ask(&r, 10, 1000);
    feed_begin(feed, 500); /* a snapshot was installed */
    vs_exec_run_all(exec);
    assert_int_equal(r.ino, 1);
    assert_true(r.reset);
    assert_int_equal(r.slot, 500);
}

static void too_many_who_wait_are_answered_at_once(void **state)
{
    static struct meta_req r[FEED_WAITERS_MAX + 1];

    (void)state;
    feed_begin(feed, 10);
    for (unsigned n = 0; n <= FEED_WAITERS_MAX; n++)
        ask(&r[n], 10, 1000);
    assert_int_equal(r[0].ino, 0);
    assert_int_equal(r[FEED_WAITERS_MAX].ino, 1);
    feed_stop(feed); /* and at the end so are all */
    vs_exec_run_all(exec);
    for (unsigned n = 0; n <= FEED_WAITERS_MAX; n++)
        assert_int_equal(r[n].ino, 1);
    ask(&r[0], 10, 1000);
    assert_int_equal(r[0].ino, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_newer_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_told_the_next_change, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_ends_with_nothing_when_its_time_is_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_knows_more_than_the_replica_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_kept_is_a_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded_by_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_bounded_and_the_next_goes_on_behind_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_changes_too_much_is_a_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_beginning_wakes_who_waits_with_a_reset, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_many_who_wait_are_answered_at_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
