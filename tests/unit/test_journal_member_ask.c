/* One replica alone, from a change to the journal to the namespace: order, shared syncs, replay,
 * truncation, what a stop and a failing namespace answer. */
#include "common/err.h"
#include "common/log.h"
#include "meta/ns_entry.h"
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

/* Its first entry, then one of its own at each start. */
static void a_replica_alone_leads_at_once(void **state)
{
    struct journal_rig *f = *state;

    assert_int_equal(journal_rig_last_slot(f), 2);
    assert_true(journal_rig_reserve(f, 10) >= NS_INO_FIRST);
    assert_int_equal(journal_rig_last_slot(f), 3);
    journal_rig_close(f);
    journal_rig_open(f);
    assert_int_equal(journal_rig_last_slot(f), 4);
    assert_int_equal(journal_member_applied(f->journal), 4);
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
    journal_member_change(f->journal, &p.req);
    journal_waiter_wait(&p.w);
    assert_int_equal(p.slot_seen, 3);
}

static void changes_that_come_together_share_syncs_and_keep_their_order(void **state)
{
    enum { COUNT = 1000 };
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 10 };
    struct meta_req *reqs = calloc(COUNT, sizeof(*reqs));
    struct journal_waiter w = JOURNAL_WAITER(COUNT);
    uint64_t synced = acceptor_synced(f->store);

    for (unsigned i = 0; i < COUNT; i++) { /* more than there is room for at a time */
        reqs[i] = (struct meta_req){
            .op = META_CHANGE, .entry = &entry, .done = journal_waiter_done, .waiter = &w
        };
        journal_member_change(f->journal, &reqs[i]);
    }
    journal_waiter_wait(&w);
    assert_true(acceptor_synced(f->store) < synced + COUNT / 2);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(reqs[i].status, 0);
        if (i > 0)
            assert_int_equal(reqs[i].answer.first, reqs[i - 1].answer.first + 10);
    }
    free(reqs);
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
        struct kv *acceptor = f->acceptor;

        f->acceptor = kv_copy(acceptor);
        f->ns.below = old[i];
        journal_rig_open(f);
        assert_int_equal(journal_rig_reserve(f, 1), next);
        journal_rig_close(f);
        kv_close(old[i]);
        kv_close(f->acceptor);
        f->acceptor = acceptor;
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
    assert_int_equal(journal_rig_try(f), -VS_EFORGOT);
    kv_close(old);
    f->acceptor = newer;
    journal_rig_open(f);
}

/* Nobody else has what one replica alone has lost: no no-op may take its place. */
static void a_missing_slot_is_corrupt(void **state)
{
    struct journal_rig *f = *state;
    struct kv *old = kv_copy(f->ns.below), *full = f->ns.below, *whole;
    struct kv_batch *b;
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];

    for (unsigned i = 0; i < 3; i++)
        journal_rig_reserve(f, 1);
    journal_rig_close(f);
    whole = kv_copy(f->acceptor);
    assert_int_equal(kv_batch_new(&b), 0);
    acceptor_slot_key(4, key);
    kv_batch_del(b, key, sizeof(key));
    assert_int_equal(kv_write(f->acceptor, b, true), 0);
    kv_batch_free(b);
    f->ns.below = old;
    assert_int_equal(journal_rig_try(f), -VS_ECORRUPT);
    kv_close(old);
    kv_close(f->acceptor);
    f->acceptor = whole;
    f->ns.below = full;
    journal_rig_open(f);
}

static void slots_are_dropped_only_behind_a_flush_of_the_namespace(void **state)
{
    enum { COUNT = 200, RING = 64, KEPT = 4 };
    struct journal_rig *f = *state;
    struct kv *ancient = kv_copy(f->ns.below), *full = f->ns.below;
    unsigned flushes = f->ns.flushes;

    journal_rig_close(f);
    f->ring = RING;
    f->kept = KEPT;
    journal_rig_open(f);
    for (unsigned i = 0; i < COUNT; i++)
        journal_rig_reserve(f, 1);
    assert_true(f->ns.flushes > flushes);
    assert_true(acceptor_first_slot(f->store) + RING > COUNT);
    assert_true(journal_rig_last_slot(f) - acceptor_first_slot(f->store) >= KEPT);
    journal_rig_close(f);
    /* A namespace older than the first kept slot cannot be brought up to date any more. */
    f->ns.below = ancient;
    assert_int_equal(journal_rig_try(f), -VS_EFORGOT);
    kv_close(ancient);
    f->ns.below = full;
    journal_rig_open(f);
}

static void a_namespace_that_fails_is_left_alone_and_replayed_later(void **state)
{
    struct journal_rig *f = *state;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 10 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    uint64_t first = journal_rig_reserve(f, 10);
    int quiet = open("/dev/null", O_WRONLY);

    vs_log_to_fd(quiet);
    f->ns.fail_writes = true;
    assert_int_equal(journal_rig_run(f, &r), -EIO);
    assert_int_equal(journal_member_failed(f->journal), -ENOSPC);
    f->ns.fail_writes = false;
    assert_true(journal_rig_run(f, &r) < 0); /* still: nothing may be applied any more */
    vs_log_to_fd(2);
    close(quiet);
    journal_rig_close(f);
    journal_rig_open(f);
    assert_in_range(journal_rig_reserve(f, 10), first + 20, first + 30); /* known or not */
}

static void a_stop_answers_whoever_waits(void **state)
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
        journal_member_change(f->journal, &reqs[i]);
    }
    journal_rig_close(f);
    assert_int_equal(w.left, 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(reqs[i].status == 0 || reqs[i].status == -EREMOTE ||
                    reqs[i].status == -ETIMEDOUT);
    free(reqs);
    journal_rig_open(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_replica_alone_leads_at_once),
        TEST(a_change_is_in_the_log_before_it_is_answered),
        TEST(changes_that_come_together_share_syncs_and_keep_their_order),
        TEST(an_entry_that_cannot_be_encoded_takes_no_slot),
        TEST(a_refused_change_answers_its_errno_and_is_replayed_as_refused),
        TEST(a_session_is_of_this_incarnation),
        TEST(a_namespace_that_lost_its_tail_is_replayed_to_the_same_state),
        TEST(a_journal_behind_its_namespace_is_refused),
        TEST(a_missing_slot_is_corrupt),
        TEST(slots_are_dropped_only_behind_a_flush_of_the_namespace),
        TEST(a_namespace_that_fails_is_left_alone_and_replayed_later),
        TEST(a_stop_answers_whoever_waits),
    };

    return cmocka_run_group_tests_name("journal_member_ask", tests, NULL, NULL);
}
