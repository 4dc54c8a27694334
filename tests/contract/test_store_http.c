/* A store over HTTP and the fate of its node: killed, frozen, started again, another one in its
 * place. The node is a real process. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "node/sb_store.h"
#include "node/store_http.h"
#include "tests/support/node_proc.h"
#include "tests/support/store_sync.h"
#include "tests/support/temp_dir.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES      200000
#define TIMEOUT_MS 300 /* of gets; a node that is not frozen is faster even under a sanitizer */
#define WAIT_MS    60000

struct fixture {
    struct sync_store ss;
    struct vs_exec *exec;
    struct http_client *client;
    struct node_proc node;
    char dir[TEMP_DIR_BYTES], data[TEMP_DIR_BYTES + 8], other[TEMP_DIR_BYTES + 8];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct store_http_config config = { .name = "n1", .health_ms = 20, .get_timeout_ms = 20000 };

    VS_ASSERT(f != NULL);
    temp_dir_make(f->dir);
    snprintf(f->data, sizeof(f->data), "%s/n1", f->dir);
    snprintf(f->other, sizeof(f->other), "%s/n2", f->dir);
    VS_ASSERT(node_proc_start(&f->node, "n1", f->data, 0, NULL) == 0);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    config.client = f->client;
    config.exec = f->exec;
    config.origin = f->node.origin;
    VS_ASSERT(store_http_new(&f->ss.s, &config) == 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    chunk_store_stop(f->ss.s);
    http_client_stop(f->client);
    vs_exec_stop(f->exec);
    VS_ASSERT(node_proc_stop(&f->node) == 0);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void put(struct fixture *f, uint64_t n)
{
    struct frag_key key = sync_key(n);
    uint8_t *data = sync_bytes(n, BYTES);

    assert_int_equal(sync_put(&f->ss, &key, NULL, data, BYTES), 0);
    free(data);
}

static int check(struct fixture *f, uint64_t n)
{
    struct frag_key key = sync_key(n);

    return sync_check(&f->ss, &key, n, BYTES);
}

static void wait_state(struct fixture *f, enum store_state state)
{
    struct store_health h;

    for (unsigned i = 0; i < WAIT_MS; i++) {
        chunk_store_health(f->ss.s, &h);
        if (h.state == state)
            return;
        usleep(1000);
    }
    fail_msg("health still says %d: %s", (int)h.state, h.why);
}

static void start_again(struct fixture *f, const char *id, const char *data)
{
    uint16_t port = f->node.port;

    node_proc_kill(&f->node);
    assert_int_equal(node_proc_start(&f->node, id, data, port, NULL), 0);
}

static void what_was_acknowledged_survives_a_kill_and_the_store_finds_its_node_again(void **state)
{
    struct fixture *f = *state;

    put(f, 1);
    wait_state(f, STORE_UP);
    start_again(f, "n1", f->data);
    wait_state(f, STORE_UP);
    assert_int_equal(check(f, 1), 0);
    put(f, 2);
    assert_int_equal(check(f, 2), 0);
}

static void a_killed_node_is_down_at_once(void **state)
{
    struct fixture *f = *state;
    int64_t began_ns;
    uint16_t port = f->node.port;

    put(f, 1);
    wait_state(f, STORE_UP);
    node_proc_kill(&f->node);
    began_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(check(f, 1), -VS_EDOWN);
    assert_in_range((vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS, 0, 5000);
    wait_state(f, STORE_DOWN);
    assert_int_equal(node_proc_start(&f->node, "n1", f->data, port, NULL), 0);
}

static void a_frozen_node_is_down_at_the_deadline_and_well_when_it_thaws(void **state)
{
    struct fixture *f = *state;
    struct store_http_config config = { .client = f->client,
                                        .exec = f->exec,
                                        .origin = f->node.origin,
                                        .get_timeout_ms = TIMEOUT_MS,
                                        .health_ms = 20,
                                        .health_timeout_ms = TIMEOUT_MS };
    struct sync_store patient = f->ss, lister = f->ss;
    struct frag_key keys[3];
    int64_t began_ns;
    uint32_t n;

    put(f, 1);
    assert_int_equal(store_http_new(&f->ss.s, &config), 0);
    node_proc_freeze(&f->node);
    config.get_timeout_ms = 60000; /* a listing is as quick as a report, or does not come */
    assert_int_equal(store_http_new(&lister.s, &config), 0);
    began_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(sync_list(&lister, NULL, keys, 3, &n), -VS_EDOWN);
    assert_in_range((vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS, TIMEOUT_MS, 10000);
    chunk_store_stop(lister.s);
    began_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(check(f, 1), -VS_EDOWN);
    assert_in_range((vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS, TIMEOUT_MS, 10000);
    wait_state(f, STORE_DOWN);
    node_proc_thaw(&f->node);
    wait_state(f, STORE_UP);
    chunk_store_stop(f->ss.s);
    f->ss = patient;
    assert_int_equal(check(f, 1), 0);
}

static void another_node_behind_the_address_is_not_taken_for_this_one(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(2);

    put(f, 1);
    wait_state(f, STORE_UP);
    start_again(f, "n2", f->other);
    wait_state(f, STORE_DOWN);
    assert_int_equal(check(f, 1), -VS_EDOWN); /* and not "no such fragment" */
    assert_int_equal(sync_put(&f->ss, &key, NULL, "x", 1), -VS_EDOWN);
    start_again(f, "n1", f->data);
    wait_state(f, STORE_UP);
    assert_int_equal(check(f, 1), 0);
    assert_int_equal(check(f, 2), -ENOENT);
}

/* The same name, an empty disk: its "no such fragment" must not be believed. */
static void a_node_with_another_disk_is_not_taken_for_this_one(void **state)
{
    struct fixture *f = *state;
    struct vs_id cluster, uuid;
    struct store_http_config config = { .client = f->client,
                                        .exec = f->exec,
                                        .origin = f->node.origin,
                                        .name = "n1",
                                        .store = &uuid,
                                        .health_ms = 20 };
    struct sync_store careless = f->ss;
    struct vs_io *io;

    put(f, 1);
    assert_int_equal(vs_io_posix_new(&io, f->data), 0);
    assert_int_equal(sb_store_identify(io, &cluster, &uuid), 0);
    vs_io_free(io);
    assert_int_equal(store_http_new(&f->ss.s, &config), 0);
    wait_state(f, STORE_UP);
    assert_int_equal(check(f, 1), 0);
    start_again(f, "n1", f->other);
    assert_int_equal(check(f, 1), -VS_EDOWN);
    wait_state(f, STORE_DOWN);
    chunk_store_stop(f->ss.s);
    f->ss = careless;
    assert_int_equal(check(f, 1), -ENOENT);
}

static uint64_t fragments_now(struct chunk_store *store, int64_t timeout_ns)
{
    struct store_health h;

    chunk_store_health_wait(store, chunk_store_health_ask(store),
                            vs_now_ns(&vs_clock_system) + timeout_ns);
    chunk_store_health(store, &h);
    return h.fragments;
}

/* The interval is an hour: nothing is known that was not asked for. */
static void who_asks_how_a_node_is_now_is_not_told_how_it_was(void **state)
{
    struct fixture *f = *state;
    struct store_http_config config = { .client = f->client,
                                        .exec = f->exec,
                                        .origin = f->node.origin,
                                        .health_ms = 3600 * 1000,
                                        .health_timeout_ms = TIMEOUT_MS };
    struct store_health before;
    struct chunk_store *rare;

    assert_int_equal(store_http_new(&rare, &config), 0);
    for (uint64_t n = 1; n <= 5; n++) {
        put(f, n);
        assert_int_equal(fragments_now(rare, 60 * VS_NS_PER_S), n);
    }
    put(f, 6);
    chunk_store_health(rare, &before);
    assert_int_equal(before.fragments, 5);
    node_proc_freeze(&f->node);
    assert_int_equal(fragments_now(rare, VS_NS_PER_MS), 5); /* its last word */
    node_proc_thaw(&f->node);
    chunk_store_stop(rare);
}

struct burst {
    struct store_put put;
    sem_t *done;
};

static void burst_done(struct store_put *p)
{
    sem_post(vs_container_of(p, struct burst, put)->done);
}

/* More bodies at once than the node has memory for: each is stored or told to come again, none is
 * a broken connection, and what was acknowledged is there. */
static void an_overloaded_node_says_come_again(void **state)
{
    enum { PUTS = 32, PUT_BYTES = 4 << 20 };
    static const char *const args[] = { "--body-memory", "16M", NULL };
    static const struct frag_note note;
    struct fixture *f = *state;
    struct store_http_config config = { .client = f->client,
                                        .exec = f->exec,
                                        .connections_max = PUTS,
                                        .get_timeout_ms = WAIT_MS,
                                        .put_timeout_ms = WAIT_MS };
    struct sync_store few = f->ss;
    struct burst *puts = calloc(PUTS, sizeof(*puts));
    uint8_t *data = sync_bytes(1, PUT_BYTES);
    unsigned stored = 0;
    sem_t done;

    node_proc_kill(&f->node);
    assert_int_equal(node_proc_start(&f->node, "n1", f->data, 0, args), 0);
    config.origin = f->node.origin;
    assert_int_equal(store_http_new(&f->ss.s, &config), 0);
    sem_init(&done, 0, 0);
    for (unsigned i = 0; i < PUTS; i++) {
        puts[i].done = &done;
        puts[i].put = (struct store_put){
            .key = sync_key(i), .note = &note, .data = data, .bytes = PUT_BYTES, .done = burst_done
        };
        vs_sha256(data, PUT_BYTES, puts[i].put.sha256);
        chunk_store_put(f->ss.s, &puts[i].put);
    }
    for (unsigned i = 0; i < PUTS; i++)
        while (sem_wait(&done) < 0)
            ;
    for (unsigned i = 0; i < PUTS; i++) {
        struct frag_key key = sync_key(i);

        assert_true(puts[i].put.status == 0 || puts[i].put.status == -EAGAIN);
        stored += puts[i].put.status == 0;
        if (puts[i].put.status == 0)
            assert_int_equal(sync_check(&f->ss, &key, 1, PUT_BYTES), 0);
    }
    assert_true(stored > 0);
    sem_destroy(&done);
    chunk_store_stop(f->ss.s);
    f->ss = few;
    free(data);
    free(puts);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(what_was_acknowledged_survives_a_kill_and_the_store_finds_its_node_again),
        RULE(a_killed_node_is_down_at_once),
        RULE(a_frozen_node_is_down_at_the_deadline_and_well_when_it_thaws),
        RULE(another_node_behind_the_address_is_not_taken_for_this_one),
        RULE(a_node_with_another_disk_is_not_taken_for_this_one),
        RULE(who_asks_how_a_node_is_now_is_not_told_how_it_was),
        RULE(an_overloaded_node_says_come_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
