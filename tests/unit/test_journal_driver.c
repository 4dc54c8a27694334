/* From a change to the journal to the namespace: order, group commit, replay, truncation. */
#include "common/err.h"
#include "common/log.h"
#include "meta/ns_entry.h"
#include "meta/place_value.h"
#include "tests/support/journal_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = journal_rig_new();
    return 0;
}

static int teardown(void **state)
{
    journal_rig_free(*state);
    return 0;
}

/* ---- rules ---- */

static void a_new_cluster_begins_with_its_first_entry(void **state)
{
    struct journal_rig *f = *state;

    assert_int_equal(journal_driver_replayed(f->journal), 1);
    assert_int_equal(journal_rig_last_slot(f), 1);
    assert_true(journal_rig_reserve(f, 10) >= NS_INO_FIRST);
    assert_int_equal(journal_rig_last_slot(f), 2);
}

struct peek {
    struct meta_req req;
    struct journal_rig *f;
    struct journal_waiter w;
    uint64_t slot_seen;
};

static void peek_done(struct meta_req *r)
{
    struct peek *p = vs_container_of(r, struct peek, req);

    p->slot_seen = journal_rig_last_slot(p->f);
    journal_waiter_done(r);
}

static void a_change_is_in_the_log_before_it_is_answered(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 1 };
    struct peek p = { .req = { .op = META_CHANGE, .entry = &entry, .done = peek_done },
                      .f = f,
                      .w = JOURNAL_WAITER(1) };

    p.req.waiter = &p.w;
    journal_driver_submit(f->journal, &p.req);
    journal_waiter_wait(&p.w);
    assert_int_equal(p.slot_seen, 2);
}

/* Holds the journal's thread inside its callback until it is let go. */
struct gate {
    struct meta_req req;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool entered, open; /* under lock */
};

static void gate_done(struct meta_req *r)
{
    struct gate *g = vs_container_of(r, struct gate, req);

    pthread_mutex_lock(&g->lock);
    g->entered = true;
    pthread_cond_broadcast(&g->wake);
    while (!g->open)
        pthread_cond_wait(&g->wake, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_close(struct gate *g, struct journal_rig *f)
{
    static const struct ns_entry nop = { .kind = NS_E_NOP };

    *g = (struct gate){ .req = { .op = META_CHANGE, .entry = &nop, .done = gate_done },
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .wake = PTHREAD_COND_INITIALIZER };
    journal_driver_submit(f->journal, &g->req);
    pthread_mutex_lock(&g->lock);
    while (!g->entered)
        pthread_cond_wait(&g->wake, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->wake);
    pthread_mutex_unlock(&g->lock);
}

static void changes_that_wait_together_share_one_sync_and_keep_their_order(void **state)
{
    enum { COUNT = 100 };
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 10 };
    struct meta_req *reqs = calloc(COUNT, sizeof(*reqs));
    struct journal_waiter w = JOURNAL_WAITER(COUNT);
    struct gate gate;
    uint64_t synced;

    gate_close(&gate, f);
    synced = acceptor_synced(f->store);
    for (unsigned i = 0; i < COUNT; i++) {
        reqs[i] = (struct meta_req){
            .op = META_CHANGE, .entry = &entry, .done = journal_waiter_done, .waiter = &w
        };
        journal_driver_submit(f->journal, &reqs[i]);
    }
    gate_open(&gate);
    journal_waiter_wait(&w);
    assert_int_equal(acceptor_synced(f->store), synced + 1);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(reqs[i].status, 0);
        if (i > 0)
            assert_int_equal(reqs[i].answer.first, reqs[i - 1].answer.first + 10);
    }
    free(reqs);
}

static struct vs_buf live_value(uint32_t generation)
{
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = generation,
        .chunk_bytes = 1000,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 2, .generation = 1 } },
    };
    struct vs_buf b = { 0 };

    assert_int_equal(place_value_encode(&v, &b), 0);
    return b;
}

static void register_writes_share_the_sync_of_changes(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 10 };
    struct vs_buf value = live_value(1);
    struct meta_reg reg = { .id = vs_id_make(1, 1, 7, VS_ID_CHUNK),
                            .value = value.data,
                            .value_len = value.len };
    struct journal_waiter w = JOURNAL_WAITER(2);
    struct meta_req change = {
        .op = META_CHANGE, .entry = &entry, .done = journal_waiter_done, .waiter = &w
    };
    struct meta_req create = { .op = META_REG_CREATE,
                               .regs = &reg,
                               .reg_count = 1,
                               .done = journal_waiter_done,
                               .waiter = &w };
    struct vs_buf storage = { 0 };
    struct px_reg stored;
    struct gate gate;
    uint64_t synced;

    gate_close(&gate, f);
    synced = acceptor_synced(f->store);
    journal_driver_submit(f->journal, &create);
    journal_driver_submit(f->journal, &change);
    gate_open(&gate);
    journal_waiter_wait(&w);
    assert_int_equal(create.status, 0);
    assert_int_equal(reg.status, 0);
    assert_int_equal(change.status, 0);
    assert_int_equal(acceptor_synced(f->store), synced + 1);
    assert_int_equal(acceptor_reg_read(f->store, &reg.id, &stored, &storage), 0);
    assert_int_equal(stored.accepted.value_len, value.len);
    vs_buf_close(&storage);
    vs_buf_close(&value);
}

static void an_entry_that_cannot_be_encoded_takes_no_slot(void **state)
{
    struct journal_rig *f = *state;
    static char name[NS_NAME_BYTES_MAX + 1];
    struct ns_entry entry = {
        .kind = NS_E_UNLINK, .parent = 1, .name = name, .name_len = sizeof(name)
    };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    uint64_t slot = journal_rig_last_slot(f);

    memset(name, 'n', sizeof(name));
    assert_true(journal_rig_run(f, &r) < 0);
    assert_int_equal(journal_rig_last_slot(f), slot);
    journal_rig_reserve(f, 1);
    assert_int_equal(journal_rig_last_slot(f), slot + 1);
}

static void a_refused_change_answers_its_errno_and_is_replayed_as_refused(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_UNLINK, .parent = 1, .name = "none", .name_len = 4 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    uint64_t first;

    assert_int_equal(journal_rig_run(f, &r), -ENOENT);
    first = journal_rig_reserve(f, 5);
    journal_rig_close(f);
    journal_rig_open(f);
    assert_int_equal(journal_driver_replayed(f->journal), 0);
    assert_int_equal(journal_rig_reserve(f, 5), first + 5);
}

static void a_session_is_of_this_incarnation(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_SESSION_OPEN, .count = 4 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    struct vs_buf bytes = { 0 };
    struct ns_entry logged;
    void *ids = NULL;

    journal_rig_close(f);
    journal_rig_open(f);
    assert_int_equal(journal_rig_run(f, &r), 0);
    assert_true(r.answer.session != 0);
    {
        uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
        struct px_ballot ballot;
        const uint8_t *e;
        size_t len;

        acceptor_slot_key(journal_rig_last_slot(f), key);
        assert_int_equal(kv_get(f->acceptor, key, sizeof(key), &bytes), 0);
        assert_int_equal(acceptor_slot_decode(bytes.data, bytes.len, &ballot, &e, &len), 0);
        assert_int_equal(ballot.inc, 2);
        assert_int_equal(ns_entry_decode(e, len, &logged, &ids), 0);
    }
    assert_int_equal(logged.kind, NS_E_SESSION_OPEN);
    assert_int_equal(logged.pid, 1);
    assert_int_equal(logged.inc, 2);
    free(ids);
    vs_buf_close(&bytes);
}

/* The namespace's unsynced tail is lost at every possible place. */
static void a_namespace_that_lost_its_tail_is_replayed_to_the_same_state(void **state)
{
    enum { COUNT = 12 };
    struct journal_rig *f = *state;
    struct kv *old[COUNT], *full;
    uint64_t next = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        old[i] = kv_copy(f->ns.below);
        next = journal_rig_reserve(f, 3 + i) + 3 + i;
    }
    journal_rig_close(f);
    full = f->ns.below;
    for (unsigned i = 0; i < COUNT; i++) {
        f->ns.below = old[i];
        assert_int_equal(acceptor_store_open(&f->store, f->acceptor, NULL), 0);
        assert_int_equal(journal_driver_open(&f->journal, f->store, &f->ns.kv, &vs_clock_system),
                         0);
        assert_int_equal(journal_driver_replayed(f->journal), COUNT - i);
        journal_rig_close(f); /* never started */
        kv_expect_same(full, old[i]);
        kv_close(old[i]);
    }
    f->ns.below = full;
    journal_rig_open(f);
    assert_int_equal(journal_rig_reserve(f, 1), next);
}

static void a_journal_behind_its_namespace_is_refused(void **state)
{
    struct journal_rig *f = *state;
    struct kv *old = kv_copy(f->acceptor), *newer = f->acceptor;

    journal_rig_reserve(f, 1);
    journal_rig_close(f);
    f->acceptor = old;
    assert_int_equal(acceptor_store_open(&f->store, f->acceptor, NULL), 0);
    assert_int_equal(journal_driver_open(&f->journal, f->store, &f->ns.kv, &vs_clock_system),
                     -VS_EFORGOT);
    assert_null(f->journal);
    acceptor_store_close(f->store);
    kv_close(old);
    f->acceptor = newer;
    journal_rig_open(f);
}

static void a_missing_slot_is_corrupt(void **state)
{
    struct journal_rig *f = *state;
    struct kv *old = kv_copy(f->ns.below), *full = f->ns.below;
    struct kv_batch *b;
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];

    for (unsigned i = 0; i < 3; i++)
        journal_rig_reserve(f, 1);
    journal_rig_close(f);
    assert_int_equal(kv_batch_new(&b), 0);
    acceptor_slot_key(3, key);
    kv_batch_del(b, key, sizeof(key));
    assert_int_equal(kv_write(f->acceptor, b, true), 0);
    kv_batch_free(b);
    f->ns.below = old;
    assert_int_equal(acceptor_store_open(&f->store, f->acceptor, NULL), 0);
    assert_int_equal(journal_driver_open(&f->journal, f->store, &f->ns.kv, &vs_clock_system),
                     -VS_ECORRUPT);
    acceptor_store_close(f->store);
    kv_close(old);
    f->ns.below = full;
    journal_rig_open(f);
}

static void slots_are_dropped_only_behind_a_flush_of_the_namespace(void **state)
{
    struct journal_rig *f = *state;
    struct kv *ancient = kv_copy(f->ns.below), *full = f->ns.below;
    struct ns_entry entry = { .kind = NS_E_NOP };
    struct meta_req *reqs = calloc(JOURNAL_SLOTS_MAX, sizeof(*reqs));
    struct journal_waiter w = JOURNAL_WAITER(JOURNAL_SLOTS_MAX);
    unsigned flushes = f->ns.flushes;

    for (unsigned i = 0; i < JOURNAL_SLOTS_MAX; i++) {
        reqs[i] = (struct meta_req){
            .op = META_CHANGE, .entry = &entry, .done = journal_waiter_done, .waiter = &w
        };
        journal_driver_submit(f->journal, &reqs[i]);
    }
    journal_waiter_wait(&w);
    journal_rig_reserve(f, 1);
    assert_true(f->ns.flushes > flushes);
    assert_true(acceptor_first_slot(f->store) > JOURNAL_SLOTS_MAX - JOURNAL_BATCH_REQUESTS_MAX);
    assert_true(journal_rig_last_slot(f) - acceptor_first_slot(f->store) >= JOURNAL_SLOTS_KEPT);
    journal_rig_close(f);
    /* A namespace older than the first kept slot cannot be brought up to date any more. */
    f->ns.below = ancient;
    assert_int_equal(acceptor_store_open(&f->store, f->acceptor, NULL), 0);
    assert_int_equal(journal_driver_open(&f->journal, f->store, &f->ns.kv, &vs_clock_system),
                     -VS_ECORRUPT);
    acceptor_store_close(f->store);
    kv_close(ancient);
    f->ns.below = full;
    journal_rig_open(f);
    free(reqs);
}

static void a_namespace_that_fails_is_left_alone_and_replayed_later(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 10 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    uint64_t first = journal_rig_reserve(f, 10), slot;
    int quiet = open("/dev/null", O_WRONLY);

    vs_log_to_fd(quiet);
    f->ns.fail_writes = true;
    assert_int_equal(journal_rig_run(f, &r), -EIO);
    slot = journal_rig_last_slot(f);
    f->ns.fail_writes = false;
    assert_int_equal(journal_rig_run(f, &r), -EIO); /* still: nothing may be applied any more */
    assert_int_equal(journal_rig_last_slot(f), slot);
    vs_log_to_fd(2);
    close(quiet);
    journal_rig_close(f);
    journal_rig_open(f);
    assert_int_equal(journal_driver_replayed(f->journal), 1);
    assert_int_equal(journal_rig_reserve(f, 10), first + 20);
}

static void a_stop_finishes_what_is_queued(void **state)
{
    enum { COUNT = 50 };
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 1 };
    struct meta_req *reqs = calloc(COUNT, sizeof(*reqs));
    struct journal_waiter w = JOURNAL_WAITER(COUNT);

    for (unsigned i = 0; i < COUNT; i++) {
        reqs[i] = (struct meta_req){
            .op = META_CHANGE, .entry = &entry, .done = journal_waiter_done, .waiter = &w
        };
        journal_driver_submit(f->journal, &reqs[i]);
    }
    journal_rig_close(f);
    assert_int_equal(w.left, 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(reqs[i].status, 0);
    free(reqs);
    journal_rig_open(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_cluster_begins_with_its_first_entry),
        TEST(a_change_is_in_the_log_before_it_is_answered),
        TEST(changes_that_wait_together_share_one_sync_and_keep_their_order),
        TEST(register_writes_share_the_sync_of_changes),
        TEST(an_entry_that_cannot_be_encoded_takes_no_slot),
        TEST(a_refused_change_answers_its_errno_and_is_replayed_as_refused),
        TEST(a_session_is_of_this_incarnation),
        TEST(a_namespace_that_lost_its_tail_is_replayed_to_the_same_state),
        TEST(a_journal_behind_its_namespace_is_refused),
        TEST(a_missing_slot_is_corrupt),
        TEST(slots_are_dropped_only_behind_a_flush_of_the_namespace),
        TEST(a_namespace_that_fails_is_left_alone_and_replayed_later),
        TEST(a_stop_finishes_what_is_queued),
    };

    return cmocka_run_group_tests_name("journal_driver", tests, NULL, NULL);
}
