/* Requests of the HTTP server: routes, bodies, what is refused. */
#include "common/err.h"
#include "tests/support/raw_http.h"
#include "tests/support/server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_route_is_found_by_path_and_method(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a, "GET /hello?name=b%%20c HTTP/1.1\r\nHost: h\r\n\r\n"),
                     200);
    assert_string_equal(a.body, "b c");
    assert_string_equal(raw_header(&a, "Content-Type"), "text/plain");
    raw_answer_close(&a);
    assert_int_equal(raw_ask(x->port, NULL, "GET /hello%%00more HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_int_equal(raw_ask(x->port, NULL, "GET /h%%65ll%%6F HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_int_equal(raw_ask(x->port, &a, "GET /hellO HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_string_equal(a.body, "{\"error\":\"There is nothing at /hellO.\",\"code\":\"path\"}\n");
    raw_answer_close(&a);
    assert_int_equal(raw_ask(x->port, NULL, "DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
    assert_int_equal(raw_ask(x->port, NULL, "GET /hello/ HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_int_equal(raw_ask(x->port, NULL, "BREW /hello HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
}

static void a_body_arrives_whole_and_is_seen_on_its_way(void **state)
{
    struct server_rig *x = *state;
    uint8_t *body = malloc(SERVER_RIG_BODY_MAX);
    struct raw_answer a;
    int fd = raw_connect(x->port, 0);

    for (unsigned i = 0; i < SERVER_RIG_BODY_MAX; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    raw_say(fd, "PUT /echo/some/tail HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n\r\n",
            SERVER_RIG_BODY_MAX);
    assert_true(raw_send(fd, body, SERVER_RIG_BODY_MAX));
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_bytes, SERVER_RIG_BODY_MAX);
    assert_memory_equal(a.body, body, SERVER_RIG_BODY_MAX);
    assert_string_equal(raw_header(&a, "X-Tail"), "some/tail");
    raw_answer_close(&a);
    server_rig_await(&x->ends, 1);
    assert_int_equal(atomic_load(&x->bodies), SERVER_RIG_BODY_MAX);
    assert_int_equal(atomic_load(&x->sent_status), 200);
    assert_int_equal(server_rig_stats(x).body_memory_bytes, 0);
    close(fd);
    free(body);
}

static void an_empty_body_is_a_body(void **state)
{
    struct server_rig *x = *state;

    assert_int_equal(
        raw_ask(x->port, NULL, "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), 200);
}

static void memory_of_a_request_is_from_the_budget(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a, "GET /memory?bytes=100000 HTTP/1.1\r\nHost: h\r\n\r\n"),
                     200);
    assert_int_equal(a.body_bytes, 100000);
    raw_answer_close(&a);
    assert_int_equal(
        raw_ask(x->port, NULL, "GET /memory?bytes=999999999 HTTP/1.1\r\nHost: h\r\n\r\n"), 503);
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void a_refused_body_is_thrown_away_and_the_connection_lives(void **state)
{
    struct server_rig *x = *state;
    static const char body[50000];
    struct raw_answer a;
    int fd = raw_connect(x->port, 0);

    for (unsigned i = 0; i < 3; i++) {
        raw_say(fd,
                "PUT /echo/ HTTP/1.1\r\nHost: h\r\nX-Refuse: 1\r\nContent-Length: 50000\r\n\r\n");
        assert_true(raw_send(fd, body, sizeof(body)));
        raw_read(fd, false, &a);
        assert_int_equal(a.status, 409);
        assert_string_equal(a.body,
                            "{\"error\":\"refused before the body\",\"code\":\"refused\"}\n");
        raw_answer_close(&a);
    }
    assert_int_equal(atomic_load(&x->bodies), 0);
    server_rig_await(&x->ends, 3);
    close(fd);
}

static void a_client_that_asks_first_is_refused_before_it_sends(void **state)
{
    struct server_rig *x = *state;

    assert_int_equal(raw_ask(x->port, NULL,
                             "PUT /echo/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                             "X-Refuse: 1\r\nContent-Length: 50000\r\n\r\n"),
                     409);
}

static void a_body_over_the_limit_is_413(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a,
                             "PUT /echo/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                             "Content-Length: %u\r\n\r\n",
                             SERVER_RIG_BODY_MAX + 1),
                     413);
    assert_non_null(strstr(a.body, "at most 1048576"));
    raw_answer_close(&a);
    assert_int_equal(raw_ask(x->port, NULL,
                             "PUT /echo/ HTTP/1.1\r\nHost: h\r\n"
                             "Content-Length: 9000000000000000000\r\n\r\n"),
                     413);
    assert_int_equal(atomic_load(&x->begins), 0);
}

static void a_length_must_be_said_once(void **state)
{
    static const char *const heads[] = {
        "",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: x\r\n",
        "Content-Length: -1\r\n",
    };
    struct server_rig *x = *state;

    for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        assert_int_equal(
            raw_ask(x->port, NULL, "PUT /echo/ HTTP/1.1\r\nHost: h\r\n%s\r\n0\r\n\r\n", heads[i]),
            400);
    assert_int_equal(
        raw_ask(x->port, NULL, "GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"),
        400);
    assert_int_equal(atomic_load(&x->begins), 0);
}

static void bodies_beyond_the_memory_are_503_with_retry_after(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int held;

    x->config.body_memory_bytes_max = SERVER_RIG_BODY_MAX;
    server_rig_start(x);
    held = raw_connect(x->port, 0);
    raw_say(held, "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 600000\r\n\r\n");
    server_rig_await(&x->begins, 1);
    assert_int_equal(raw_ask(x->port, &a,
                             "PUT /echo/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                             "Content-Length: 600000\r\n\r\n"),
                     503);
    assert_string_equal(raw_header(&a, "Retry-After"), "1");
    raw_answer_close(&a);
    assert_int_equal(server_rig_stats(x).out_of_memory, 1);
    close(held);
    server_rig_await(&x->ends, 2);
    assert_int_equal(
        raw_ask(x->port, NULL, "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"),
        200);
}

static void connections_beyond_the_limit_are_503(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fds[4];

    x->config.connections_max = 4;
    server_rig_start(x);
    for (unsigned i = 0; i < 4; i++)
        fds[i] = raw_connect(x->port, 0);
    raw_ask(x->port, &a, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(a.status, 503);
    assert_string_equal(raw_header(&a, "Retry-After"), "1");
    assert_true(a.whole);
    raw_answer_close(&a);
    assert_int_equal(server_rig_stats(x).refused, 1);
    for (unsigned i = 0; i < 4; i++) /* the others are served */
    {
        raw_say(fds[i], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        raw_read(fds[i], false, &a);
        assert_int_equal(a.status, 200);
        raw_answer_close(&a);
        close(fds[i]);
    }
}

#define STOPPED(t) cmocka_unit_test_setup_teardown(t, server_rig_setup_stopped, server_rig_teardown)
#define RUNNING(t) cmocka_unit_test_setup_teardown(t, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNNING(memory_of_a_request_is_from_the_budget),
        RUNNING(an_empty_body_is_a_body),
        RUNNING(a_body_arrives_whole_and_is_seen_on_its_way),
        RUNNING(a_route_is_found_by_path_and_method),
        RUNNING(a_refused_body_is_thrown_away_and_the_connection_lives),
        RUNNING(a_client_that_asks_first_is_refused_before_it_sends),
        RUNNING(a_body_over_the_limit_is_413),
        RUNNING(a_length_must_be_said_once),
        STOPPED(bodies_beyond_the_memory_are_503_with_retry_after),
        STOPPED(connections_beyond_the_limit_are_503),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
