/* Queues, deadlines, connections and callbacks of the HTTP client. */
#include "common/http_client.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/http_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- time -------------------------------------------------------------------------------------
 */

static void a_deadline_ends_what_stalls_and_what_drips(void **state)
{
    http_script_fn *const servers[] = { http_answer_nothing, http_drip };
    struct http_rig *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct http_call *c = http_call_new();
        int64_t began_ns = vs_now_ns(&vs_clock_system), took_ms;

        http_rig_serve(f, servers[i], NULL);
        c->r.timeout_ms = 150;
        assert_int_equal(http_call_run(f, c), -ETIMEDOUT);
        took_ms = (vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS;
        assert_in_range(took_ms, 150, 5000);
        http_call_free(c);
        http_rig_leave(f);
    }
}

static void a_deadline_counts_while_a_request_waits_for_a_connection(void **state)
{
    struct http_rig *f = *state;
    struct http_call *first = http_call_new(), *second = http_call_new();

    http_rig_serve_with(f, http_answer_nothing, NULL, 1, 10);
    http_client_submit(f->host, &first->r);
    second->r.timeout_ms = 50;
    assert_int_equal(http_call_run(f, second), -ETIMEDOUT);
    assert_int_equal(first->done_count, 0);
    http_client_cancel(&first->r);
    http_call_wait(first);
    assert_int_equal(first->r.status, -ECANCELED);
    http_call_free(first);
    http_call_free(second);
}

static void nobody_there_is_refused_at_once(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();
    char origin[64];
    struct http_host_config config = {
        .origin = origin, .connections_max = 1, .queue_max = 1, .connect_timeout_ms = 1000
    };

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)http_script_dead_port());
    assert_int_equal(http_host_open(&f->host, f->client, &config), 0);
    assert_int_equal(http_call_run(f, c), -ECONNREFUSED);
    http_call_free(c);
}

/* ---- connections and queues -------------------------------------------------------------------
 */

static void a_connection_is_used_again(void **state)
{
    struct http_rig *f = *state;

    http_rig_serve(f, http_answer_ok, NULL);
    for (unsigned i = 0; i < 20; i++) {
        struct http_call *c = http_call_new();

        assert_int_equal(http_call_run(f, c), 0);
        http_call_free(c);
    }
    assert_int_equal(http_script_accepted(f->script), 1);
}

static void a_request_may_have_a_connection_of_its_own(void **state)
{
    struct http_rig *f = *state;

    http_rig_serve(f, http_answer_ok, NULL);
    for (unsigned i = 0; i < 9; i++) { /* shared, own, shared, ... */
        struct http_call *c = http_call_new();

        c->r.own_connection = i % 2 == 1;
        assert_int_equal(http_call_run(f, c), 0);
        http_call_free(c);
    }
    assert_int_equal(http_script_accepted(f->script), 1 + 4);
}

static void many_requests_share_the_connections_of_their_host(void **state)
{
    enum { COUNT = 200, CONNECTIONS = 3 };
    struct http_rig *f = *state;
    struct http_call *c[COUNT];

    http_rig_serve_with(f, http_answer_ok, NULL, CONNECTIONS, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = http_call_new();
        http_client_submit(f->host, &c[i]->r);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        http_call_wait(c[i]);
        assert_int_equal(c[i]->r.status, 0);
        http_call_free(c[i]);
    }
    assert_in_range(http_script_accepted(f->script), 1, CONNECTIONS);
}

static void a_connection_that_was_closed_while_idle_is_replaced(void **state)
{
    struct http_rig *f = *state;

    http_rig_serve(f, http_answer_once, NULL);
    for (unsigned i = 0; i < 20; i++) {
        struct http_call *c = http_call_new();

        c->r.method = i % 2 ? HTTP_PUT : HTTP_GET;
        c->r.send = "abc";
        c->r.send_bytes = i % 2 ? 3 : 0;
        assert_int_equal(http_call_run(f, c), 0);
        http_call_free(c);
    }
    assert_int_equal(http_script_accepted(f->script), 20);
}

static void above_the_queue_is_told_to_come_again(void **state)
{
    enum { QUEUE = 5, COUNT = 12 };
    struct http_rig *f = *state;
    struct http_call *c[COUNT];

    http_rig_serve_with(f, http_answer_nothing, NULL, 2, QUEUE);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = http_call_new();
        http_client_submit(f->host, &c[i]->r);
        if (i >= QUEUE) {
            http_call_wait(c[i]);
            assert_int_equal(c[i]->r.status, -EAGAIN);
        }
    }
    http_host_close(f->host);
    for (unsigned i = 0; i < COUNT; i++) {
        if (i < QUEUE)
            assert_int_equal(c[i]->r.status, -ECANCELED);
        http_call_free(c[i]);
    }
}

/* ---- the callback -----------------------------------------------------------------------------
 */

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_done_locked(struct http_request *r)
{
    pthread_mutex_lock(&held_lock);
    pthread_mutex_unlock(&held_lock);
    http_call_done(r);
}

static void a_callback_runs_once_and_never_inside_the_call(void **state)
{
    enum { COUNT = 100 };
    struct http_rig *f = *state;
    struct http_call *c[COUNT];

    http_rig_serve_with(f, http_answer_ok, NULL, 4, COUNT / 2); /* half of them are refused */
    pthread_mutex_lock(&held_lock); /* a callback inside the call would hang here */
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = http_call_new();
        c[i]->r.done = on_done_locked;
        http_client_submit(f->host, &c[i]->r);
    }
    for (unsigned i = 0; i < COUNT; i += 3)
        http_client_cancel(&c[i]->r);
    pthread_mutex_unlock(&held_lock);
    for (unsigned i = 0; i < COUNT; i++) {
        http_call_wait(c[i]);
        assert_true(c[i]->r.status == 0 || c[i]->r.status == -EAGAIN ||
                    (i % 3 == 0 && c[i]->r.status == -ECANCELED));
        http_call_free(c[i]);
    }
}

static void a_cancelled_request_leaves_its_memory_alone(void **state)
{
    struct http_rig *f = *state;

    http_rig_serve_with(f, http_drip, NULL, 2, 50);
    for (unsigned i = 0; i < 10; i++) {
        struct http_call *c = http_call_new();

        http_client_submit(f->host, &c->r);
        if (i % 2)
            usleep(3000 * i); /* in different states */
        http_client_cancel(&c->r);
        http_client_cancel(&c->r);
        http_call_wait(c);
        assert_int_equal(c->r.status, -ECANCELED);
        http_call_free(c); /* a late byte would be found by the sanitizer */
    }
}

static void stop_answers_everything_that_is_open(void **state)
{
    enum { COUNT = 20 };
    struct http_rig *f = *state;
    struct http_call *c[COUNT];

    http_rig_serve_with(f, http_answer_nothing, NULL, 3, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = http_call_new();
        http_client_submit(f->host, &c[i]->r);
    }
    http_client_stop(f->client);
    f->client = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(c[i]->r.status, -ECANCELED);
        http_call_free(c[i]);
    }
}

/* ---- the I/O thread as executor ---------------------------------------------------------------
 */

struct chain {
    struct http_request r;
    struct http_host *host;
    unsigned left;
    sem_t end;
};

static void chain_done(struct http_request *r)
{
    struct chain *c = vs_container_of(r, struct chain, r);

    if (r->status == 0 && --c->left > 0)
        http_client_submit(c->host, r);
    else
        sem_post(&c->end);
}

static void a_callback_may_send_the_next_request(void **state)
{
    struct http_rig *f = *state;
    struct chain c = {
        .r = { .method = HTTP_GET,
               .path = "/",
               .timeout_ms = HTTP_RIG_LONG_MS,
               .done = chain_done },
        .left = 50,
    };
    char ok[2];

    http_client_stop(f->client);
    assert_int_equal(http_client_start(&f->client, NULL), 0);
    http_rig_serve(f, http_answer_ok, NULL);
    c.host = f->host;
    c.r.body = ok;
    c.r.body_cap = sizeof(ok);
    sem_init(&c.end, 0, 0);
    http_client_submit(f->host, &c.r);
    while (sem_wait(&c.end) < 0)
        ;
    assert_int_equal(c.left, 0);
    assert_memory_equal(ok, "ok", 2);
    sem_destroy(&c.end);
}

/* ---- hosts ------------------------------------------------------------------------------------
 */

static void bad_hosts_are_refused(void **state)
{
    static const char *const origins[] = { "",           "127.0.0.1:80",
                                           "http://",    "file:///etc/passwd",
                                           "http://a/b", "http://u@a",
                                           "http://a b", "http://a\r\nX: y" };
    struct http_rig *f = *state;
    struct http_host_config good = { .origin = "http://127.0.0.1:1",
                                     .connections_max = 1,
                                     .queue_max = 1,
                                     .connect_timeout_ms = 1 };
    struct http_host_config bad;
    struct http_host *h;

    for (unsigned i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        bad = good;
        bad.origin = origins[i];
        assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    }
    bad = good;
    bad.connections_max = 0;
    assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    bad = good;
    bad.queue_max = HTTP_CLIENT_QUEUE_MAX + 1;
    assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    for (unsigned i = 0; i < HTTP_CLIENT_HOSTS_MAX; i++)
        assert_int_equal(http_host_open(&h, f->client, &good), 0);
    assert_int_equal(http_host_open(&h, f->client, &good), -ENOBUFS);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_rig_setup, http_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_deadline_ends_what_stalls_and_what_drips),
        RULE(a_deadline_counts_while_a_request_waits_for_a_connection),
        RULE(nobody_there_is_refused_at_once),
        RULE(a_connection_is_used_again),
        RULE(a_request_may_have_a_connection_of_its_own),
        RULE(many_requests_share_the_connections_of_their_host),
        RULE(a_connection_that_was_closed_while_idle_is_replaced),
        RULE(above_the_queue_is_told_to_come_again),
        RULE(a_callback_runs_once_and_never_inside_the_call),
        RULE(a_cancelled_request_leaves_its_memory_alone),
        RULE(stop_answers_everything_that_is_open),
        RULE(a_callback_may_send_the_next_request),
        RULE(bad_hosts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
