/* Files on their way through sockets. */
#include "common/clock.h"
#include "common/err.h"
#include "common/http_linger.h"
#include "tests/support/raw_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define QUEUED_BYTES (8u << 20) /* more than two sockets hold */

struct fixture {
    struct http_conns t;
    int server, client;
    struct http_conn *c;
    unsigned done;
};

/* A TCP connection with a client that has not read: the server's queue is full. */
static int set_up(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char *bytes = calloc(1, QUEUED_BYTES);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    x->client = raw_connect(ntohs(at.sin_port), 4096);
    x->server = accept(listener, NULL, NULL);
    close(listener);
    assert_true(send(x->server, bytes, QUEUED_BYTES, MSG_DONTWAIT) > 0);
    free(bytes);
    assert_int_equal(http_conns_init(&x->t, 4, VS_NS_PER_S), 0);
    assert_int_equal(http_conns_add(&x->t, x->server, INT64_MAX, &x->c), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    http_linger_close(&x->t);
    http_conns_close(&x->t);
    close(x->client);
    if (x->server >= 0)
        close(x->server);
    free(x);
    return 0;
}

static void count(void *arg)
{
    struct fixture *x = arg;

    x->done++;
}

static void add(struct fixture *x, struct http_conn *c)
{
    struct http_linger *l = malloc(sizeof(*l));

    *l = (struct http_linger){ .done = count, .arg = x };
    http_linger_add(&x->t, c, l);
}

/* Read until the server's queue is empty. */
static void drain(struct fixture *x)
{
    char *bytes = malloc(1 << 20);

    while (!http_linger_is_sent(x->server))
        assert_true(recv(x->client, bytes, 1 << 20, 0) > 0);
    free(bytes);
}

static void a_file_waits_for_its_queue_to_empty(void **state)
{
    struct fixture *x = *state;

    add(x, x->c);
    http_linger_sweep(&x->t, INT64_MAX);
    assert_int_equal(x->done, 0);
    drain(x);
    http_linger_sweep(&x->t, 0);
    assert_int_equal(x->done, 1);
    add(x, x->c); /* with an empty queue there is nothing to wait for */
    assert_int_equal(x->done, 2);
}

static void the_next_request_says_that_the_client_has_it(void **state)
{
    struct fixture *x = *state;

    add(x, x->c);
    add(x, x->c);
    http_linger_heard(&x->t, NULL);
    assert_int_equal(x->done, 0);
    http_linger_heard(&x->t, x->c);
    assert_int_equal(x->done, 2);
}

static void after_a_close_only_time_helps(void **state)
{
    struct fixture *x = *state;
    int64_t now_ns;

    add(x, x->c);
    http_conns_remove(&x->t, x->c);
    now_ns = vs_now_ns(&vs_clock_system);
    http_linger_sweep(&x->t, now_ns);
    assert_int_equal(x->done, 0);
    http_linger_sweep(&x->t, now_ns + 2 * VS_NS_PER_S);
    assert_int_equal(x->done, 1);
}

static void a_close_after_the_last_byte_is_the_end(void **state)
{
    struct fixture *x = *state;

    add(x, x->c);
    drain(x);
    http_conns_remove(&x->t, x->c);
    http_linger_sweep(&x->t, 0);
    assert_int_equal(x->done, 1);
}

static void without_a_connection_nothing_is_on_its_way(void **state)
{
    struct fixture *x = *state;

    add(x, NULL);
    assert_int_equal(x->done, 1);
    http_linger_add(&x->t, x->c, NULL);
}

static void the_end_gives_all_back(void **state)
{
    struct fixture *x = *state;

    add(x, x->c);
    http_linger_close(&x->t);
    assert_int_equal(x->done, 1);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_file_waits_for_its_queue_to_empty),
        T(the_next_request_says_that_the_client_has_it),
        T(after_a_close_only_time_helps),
        T(a_close_after_the_last_byte_is_the_end),
        T(without_a_connection_nothing_is_on_its_way),
        T(the_end_gives_all_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
