/* The thread that applies chosen entries to the namespace. */
#include "common/err.h"
#include "meta/feed.h"
#include "meta/journal_applier.h"
#include "meta/ns_entry.h"
#include "meta/tail_record.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A namespace that can be told to fail. */
static struct {
    struct kv kv;
    struct kv *below;
    atomic_bool is_broken;
    atomic_uint flushes;
} ns;

static int ns_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    (void)kv;
    return kv_get(ns.below, key, key_len, ret);
}

static int ns_scan(struct kv *kv, const void *from, size_t from_len, const void *to, size_t to_len,
                   kv_scan_fn *fn, void *arg)
{
    (void)kv;
    return kv_scan(ns.below, from, from_len, to, to_len, fn, arg);
}

static int ns_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    (void)kv;
    return ns.is_broken ? -EIO : kv_write(ns.below, b, sync);
}

static int ns_flush(struct kv *kv)
{
    (void)kv;
    ns.flushes++;
    return kv_flush(ns.below);
}

static const struct kv_ops ns_ops = {
    .get = ns_get, .scan = ns_scan, .write = ns_write, .flush = ns_flush
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t applied, flushed;
    unsigned failures, answers;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static void on_applied(void *arg, uint64_t slot)
{
    (void)arg;
    pthread_mutex_lock(&seen.lock);
    assert_int_equal(slot, seen.applied + 1);
    seen.applied = slot;
    pthread_cond_broadcast(&seen.wake);
    pthread_mutex_unlock(&seen.lock);
}

static void on_flushed(void *arg, uint64_t slot)
{
    (void)arg;
    pthread_mutex_lock(&seen.lock);
    seen.flushed = slot;
    pthread_cond_broadcast(&seen.wake);
    pthread_mutex_unlock(&seen.lock);
}

static void on_failed(void *arg, int err)
{
    (void)arg;
    (void)err;
    pthread_mutex_lock(&seen.lock);
    seen.failures++;
    pthread_cond_broadcast(&seen.wake);
    pthread_mutex_unlock(&seen.lock);
}

static void on_answer(struct meta_req *r)
{
    (void)r;
    pthread_mutex_lock(&seen.lock);
    seen.answers++;
    pthread_cond_broadcast(&seen.wake);
    pthread_mutex_unlock(&seen.lock);
}

static void wait_for(const void *what, uint64_t value)
{
    pthread_mutex_lock(&seen.lock);
    while (what == &seen.answers ? seen.answers < value : *(const uint64_t *)what < value)
        pthread_cond_wait(&seen.wake, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static struct journal_applier *applier;
static struct vs_buf bytes[2];
static struct journal_entry entries[2];

static void encode(unsigned n, const struct ns_entry *entry)
{
    assert_int_equal(ns_entry_encode(entry, &bytes[n]), 0);
    entries[n] =
        (struct journal_entry){ .refs = 1, .len = (uint32_t)bytes[n].len, .bytes = bytes[n].data };
}

static int start_with(struct feed *feed, struct feed *told)
{
    struct ns_entry cluster = { .kind = NS_E_CLUSTER, .attr = { .mode = S_IFDIR | 0755 } };
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1 };
    struct journal_applier_calls calls = { .applied = on_applied,
                                           .flushed = on_flushed,
                                           .failed = on_failed,
                                           .feed = feed,
                                           .entries = told };

    memset(cluster.cluster.b, 5, VS_ID_BYTES);
    encode(0, &cluster);
    encode(1, &reserve);
    ns.kv.ops = &ns_ops;
    ns.is_broken = false;
    ns.flushes = 0;
    seen.applied = seen.flushed = 0;
    seen.failures = seen.answers = 0;
    assert_int_equal(kv_mem_new(&ns.below), 0);
    assert_int_equal(journal_applier_new(&applier, &ns.kv, &calls), 0);
    assert_int_equal(journal_applier_slot(applier), 0);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return start_with(NULL, NULL);
}

static int teardown(void **state)
{
    (void)state;
    journal_applier_free(applier);
    journal_applier_free(NULL);
    vs_buf_close(&bytes[0]);
    vs_buf_close(&bytes[1]);
    kv_close(ns.below);
    return 0;
}

static void entries_are_applied_in_order_and_their_callers_answered(void **state)
{
    struct meta_req r[2] = { { .done = on_answer }, { .done = on_answer } };

    (void)state;
    journal_applier_add(applier, 1, &entries[0], NULL);
    journal_applier_add(applier, 2, NULL, NULL); /* a no-op */
    journal_applier_add(applier, 3, &entries[1], &r[0]);
    journal_applier_add(applier, 4, &entries[1], &r[1]);
    wait_for(&seen.applied, 4);
    assert_int_equal(r[0].status, 0);
    assert_int_equal(r[1].status, 0);
    assert_int_equal(r[1].answer.first, r[0].answer.first + 1);
}

static void a_flush_says_up_to_which_slot(void **state)
{
    (void)state;
    journal_applier_add(applier, 1, &entries[0], NULL);
    journal_applier_add(applier, 2, NULL, NULL);
    journal_applier_flush(applier);
    wait_for(&seen.flushed, 2);
    assert_int_equal(seen.flushed, 2);
    assert_int_equal(ns.flushes, 1);
}

static void after_a_failure_nothing_is_applied_and_callers_are_told(void **state)
{
    struct meta_req r[2] = { { .done = on_answer }, { .done = on_answer } };

    (void)state;
    journal_applier_add(applier, 1, &entries[0], NULL);
    wait_for(&seen.applied, 1);
    ns.is_broken = true;
    journal_applier_add(applier, 2, &entries[1], &r[0]);
    wait_for(&seen.answers, 1);
    ns.is_broken = false; /* too late */
    journal_applier_add(applier, 3, &entries[1], &r[1]);
    wait_for(&seen.answers, 2);
    journal_applier_flush(applier);
    assert_int_equal(r[0].status, -EIO);
    assert_int_equal(r[1].status, -EIO);
    assert_int_equal(seen.applied, 1);
    assert_int_equal(seen.failures, 1); /* told once */
    assert_int_equal(seen.flushed, 0);
}

static void a_feed_is_told_and_begins_anew_with_another_namespace(void **state)
{
    struct meta_req r = { .op = META_CHANGES, .done = on_answer };
    struct vs_exec *exec;
    struct feed *feed;

    (void)state;
    assert_int_equal(vs_exec_serial_new(&exec), 0);
    assert_int_equal(feed_new(&feed, exec, FEED_BYTES_MAX), 0);
    start_with(feed, NULL);
    journal_applier_add(applier, 1, &entries[0], NULL);
    wait_for(&seen.applied, 1);
    feed_answer(feed, &r);
    assert_false(r.reset);
    assert_true(r.bytes.len > 0);
    assert_int_equal(journal_applier_reload(applier), 0);
    feed_answer(feed, &r);
    assert_true(r.reset);
    assert_int_equal(r.slot, 1);
    vs_buf_close(&r.bytes);
    (void)teardown(NULL);
    feed_stop(feed);
    vs_exec_stop(exec);
    feed_free(feed);
}

/* Also those that are refused, and no-ops: every slot, once it is applied. */
static void each_entry_is_told_as_it_is_in_the_journal(void **state)
{
    struct meta_req r = { .op = META_ENTRIES };
    struct tail_entry e;
    struct vs_exec *exec;
    struct feed *told;
    struct vs_rd rd;

    (void)state;
    assert_int_equal(vs_exec_serial_new(&exec), 0);
    assert_int_equal(feed_new(&told, exec, FEED_ENTRIES_BYTES_MAX), 0);
    start_with(NULL, told);
    journal_applier_add(applier, 1, &entries[0], NULL);
    journal_applier_add(applier, 2, NULL, NULL);
    journal_applier_add(applier, 3, &entries[1], NULL);
    wait_for(&seen.applied, 3);
    feed_answer(told, &r);
    assert_false(r.reset);
    assert_int_equal(r.slot, 3);
    rd = vs_rd_init(r.bytes.data, r.bytes.len);
    for (uint64_t slot = 1; slot <= 3; slot++) {
        const struct journal_entry *was = &entries[slot / 2];

        assert_int_equal(tail_entry_next(&rd, &e), 1);
        assert_int_equal(e.slot, slot);
        assert_int_equal(e.len, slot == 2 ? 0 : was->len);
        if (slot != 2)
            assert_memory_equal(e.bytes, was->bytes, was->len);
    }
    assert_int_equal(tail_entry_next(&rd, &e), 0);
    assert_int_equal(journal_applier_reload(applier), 0); /* another namespace */
    feed_answer(told, &r);
    assert_true(r.reset);
    assert_int_equal(r.slot, 3);
    vs_buf_close(&r.bytes);
    (void)teardown(NULL);
    feed_stop(told);
    vs_exec_stop(exec);
    feed_free(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_applied_in_order_and_their_callers_answered,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_flush_says_up_to_which_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_failure_nothing_is_applied_and_callers_are_told,
                                        setup, teardown),
        cmocka_unit_test(a_feed_is_told_and_begins_anew_with_another_namespace),
        cmocka_unit_test(each_entry_is_told_as_it_is_in_the_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
