/* Running replicas of the journal in one process, on stores in memory: what a caller sees. */
#include "common/err.h"
#include "meta/journal_member.h"
#include "meta/ns_entry.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define NODES       3
#define DEADLINE_NS (20 * VS_NS_PER_S)
#define POLL_NS     (2 * VS_NS_PER_MS)

struct node {
    struct journal_link link;
    uint32_t pid;
    struct kv *acceptor, *ns;
    struct acceptor_store *store;
    struct acceptor_writer *writer;
    struct journal_member *member; /* NULL: down */
};

static struct node nodes[NODES];
static pthread_rwlock_t nodes_lock = PTHREAD_RWLOCK_INITIALIZER; /* member pointers */

static void deliver(struct journal_link *l, uint32_t to, const void *frame, size_t len)
{
    struct node *from = vs_container_of(l, struct node, link);

    pthread_rwlock_rdlock(&nodes_lock);
    if (from->member != NULL && nodes[to - 1].member != NULL)
        assert_true(journal_member_receive(nodes[to - 1].member, from->pid, frame, len) !=
                    -VS_ECORRUPT);
    pthread_rwlock_unlock(&nodes_lock);
}

static void node_up(struct node *n)
{
    struct journal_member_config config = { .ns = n->ns,
                                            .clock = &vs_clock_system,
                                            .link = &n->link,
                                            .epoch = 1,
                                            .members = NODES,
                                            .pid = { 1, 2, 3 } };
    struct journal_member *m;

    assert_int_equal(acceptor_store_open_member(&n->store, n->acceptor, NULL), 0);
    assert_int_equal(acceptor_writer_new(&n->writer, n->store, &vs_clock_system), 0);
    config.store = n->store;
    config.writer = n->writer;
    assert_int_equal(journal_member_open(&m, &config), 0);
    pthread_rwlock_wrlock(&nodes_lock);
    n->member = m;
    pthread_rwlock_unlock(&nodes_lock);
}

static void node_down(struct node *n)
{
    struct journal_member *m = n->member;

    pthread_rwlock_wrlock(&nodes_lock);
    n->member = NULL;
    pthread_rwlock_unlock(&nodes_lock);
    journal_member_stop(m);
    acceptor_writer_free(n->writer);
    acceptor_store_close(n->store);
}

static int setup(void **state)
{
    struct ns_entry entry = { .kind = NS_E_CLUSTER, .attr = { .mode = S_IFDIR | 0755 } };
    struct vs_buf bytes = { 0 };

    (void)state;
    memset(entry.cluster.b, 5, VS_ID_BYTES);
    assert_int_equal(ns_entry_encode(&entry, &bytes), 0);
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *n = &nodes[i];

        *n = (struct node){ .link = { .send = deliver }, .pid = i + 1 };
        assert_int_equal(kv_mem_new(&n->acceptor), 0);
        assert_int_equal(kv_mem_new(&n->ns), 0);
        assert_int_equal(
            acceptor_store_create(n->acceptor, &entry.cluster, n->pid, bytes.data, bytes.len), 0);
    }
    for (unsigned i = 0; i < NODES; i++) /* the first one sends to the others at once */
        node_up(&nodes[i]);
    vs_buf_close(&bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NODES; i++) {
        if (nodes[i].member != NULL)
            node_down(&nodes[i]);
        kv_close(nodes[i].acceptor);
        kv_close(nodes[i].ns);
    }
    return 0;
}

/* ---- callers ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
    int status;
};

static void waiter_end(struct waiter *w, int status)
{
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    w->status = status;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static int waiter_wait(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return w->status;
}

static void change_done(struct meta_req *r)
{
    waiter_end(r->waiter, r->status);
}

struct strict {
    struct journal_member_read read;
    struct waiter w;
};

static void read_done(struct journal_member_read *r, int status)
{
    waiter_end(&vs_container_of(r, struct strict, read)->w, status);
}

static void pause_short(void)
{
    struct timespec t = { 0, POLL_NS };

    nanosleep(&t, NULL);
}

/* Where to ask next: who is said to lead, else anybody that is up. */
static struct node *somebody(unsigned attempt)
{
    for (unsigned i = 0; i < NODES; i++) {
        uint32_t leader = nodes[i].member != NULL ? journal_member_leader(nodes[i].member) : 0;

        if (leader != 0 && nodes[leader - 1].member != NULL && attempt % 4 != 3)
            return &nodes[leader - 1];
    }
    for (unsigned i = 0;; i++)
        if (nodes[(attempt + i) % NODES].member != NULL)
            return &nodes[(attempt + i) % NODES];
}

/* One number, reserved under this request id; asked again until there is an answer. */
static uint64_t reserve(uint64_t client, uint64_t request)
{
    struct ns_entry entry = {
        .kind = NS_E_RESERVE, .count = 1, .client = client, .request = request
    };
    int64_t end = vs_now_ns(&vs_clock_system) + DEADLINE_NS;

    for (unsigned attempt = 0; vs_now_ns(&vs_clock_system) < end; attempt++) {
        struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
        struct meta_req r = {
            .op = META_CHANGE, .entry = &entry, .done = change_done, .waiter = &w
        };

        journal_member_change(somebody(attempt)->member, &r);
        if (waiter_wait(&w) == 0)
            return r.answer.first;
        assert_true(w.status == -EREMOTE || w.status == -EAGAIN || w.status == -ETIMEDOUT);
        pause_short();
    }
    fail_msg("no answer within %d s", (int)(DEADLINE_NS / VS_NS_PER_S));
    return 0;
}

/* A strict read; the slot applied where it was served. */
static uint64_t strict_slot(void)
{
    int64_t end = vs_now_ns(&vs_clock_system) + DEADLINE_NS;

    for (unsigned attempt = 0; vs_now_ns(&vs_clock_system) < end; attempt++) {
        struct strict s = { .read = { .done = read_done },
                            .w = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                   .wake = PTHREAD_COND_INITIALIZER } };
        struct node *n = somebody(attempt);

        journal_member_read(n->member, &s.read);
        if (waiter_wait(&s.w) == 0)
            return journal_member_applied(n->member);
        pause_short();
    }
    fail_msg("no strict read within %d s", (int)(DEADLINE_NS / VS_NS_PER_S));
    return 0;
}

static void wait_applied(struct node *n, uint64_t slot)
{
    int64_t end = vs_now_ns(&vs_clock_system) + DEADLINE_NS;

    while (journal_member_applied(n->member) < slot) {
        assert_true(vs_now_ns(&vs_clock_system) < end);
        pause_short();
    }
}

/* ---- tests ---- */

static void a_change_is_applied_on_all_replicas(void **state)
{
    uint64_t slot, first;

    (void)state;
    first = reserve(1, 1);
    assert_int_equal(reserve(1, 2), first + 1);
    slot = strict_slot();
    assert_true(slot >= 3); /* the cluster's entry and two reservations at least */
    for (unsigned i = 0; i < NODES; i++)
        wait_applied(&nodes[i], slot);
}

static void a_change_asked_twice_is_applied_once(void **state)
{
    uint64_t first;

    (void)state;
    first = reserve(9, 1);
    assert_int_equal(reserve(9, 1), first);
    assert_int_equal(reserve(9, 2), first + 1);
}

static void without_its_leader_the_rest_goes_on(void **state)
{
    uint64_t first, request = 1;

    (void)state;
    first = reserve(1, request++);
    for (unsigned round = 0; round < 3; round++) {
        struct node *leader = somebody(0);

        node_down(leader);
        assert_int_equal(reserve(1, request++), ++first);
        node_up(leader);
        assert_int_equal(reserve(1, request++), ++first);
        wait_applied(leader, strict_slot());
    }
}

static void a_replica_that_was_away_comes_to_the_same(void **state)
{
    struct node *away;

    (void)state;
    reserve(1, 1);
    away = somebody(0) == &nodes[0] ? &nodes[1] : &nodes[0];
    node_down(away);
    for (uint64_t n = 2; n < 60; n++)
        reserve(1, n);
    node_up(away);
    wait_applied(away, strict_slot());
}

static void without_a_majority_nothing_is_confirmed(void **state)
{
    struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 1 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry, .done = change_done, .waiter = &w };
    struct node *leader;

    (void)state;
    reserve(1, 1);
    leader = somebody(0);
    for (unsigned i = 0; i < NODES; i++)
        if (&nodes[i] != leader)
            node_down(&nodes[i]);
    journal_member_change(leader->member, &r);
    assert_true(waiter_wait(&w) < 0); /* in bounded time: it steps down */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_applied_on_all_replicas, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_asked_twice_is_applied_once, setup, teardown),
        cmocka_unit_test_setup_teardown(without_its_leader_the_rest_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replica_that_was_away_comes_to_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_majority_nothing_is_confirmed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
