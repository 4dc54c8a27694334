/* The time each connection has. */
#include "common/clock.h"
#include "common/err.h"
#include "common/http_conns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct http_conns t;
    int server, client; /* a connected pair */
    struct http_conn *c;
    unsigned peeks_closed;
};

static int set_up(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));
    int pair[2];

    assert_int_equal(http_conns_init(&x->t, 2, VS_NS_PER_S), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    x->server = pair[0];
    x->client = pair[1];
    assert_int_equal(http_conns_add(&x->t, x->server, 100, &x->c), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    http_conns_close(&x->t);
    http_conns_close(&x->t);
    close(x->server);
    close(x->client);
    free(x);
    return 0;
}

static void close_peek(void *arg, struct http_conn *c)
{
    struct fixture *x = arg;

    x->peeks_closed++;
    http_conns_remove(&x->t, c);
}

/* What the client gets until the end; "" nothing. -1 still open. */
static int heard(struct fixture *x, char text[1024])
{
    ssize_t n = recv(x->client, text, 1023, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? -1 : (int)n;
}

static void a_connection_is_found_by_its_descriptor(void **state)
{
    struct fixture *x = *state;

    assert_ptr_equal(http_conns_find(&x->t, x->server), x->c);
    assert_null(http_conns_find(&x->t, x->client));
    assert_null(http_conns_find(&x->t, -1));
    assert_null(http_conns_find(&x->t, 1 << 30));
    assert_int_equal(http_conns_count(&x->t), 1);
    http_conns_remove(&x->t, x->c);
    http_conns_remove(&x->t, NULL);
    assert_null(http_conns_find(&x->t, x->server));
    assert_int_equal(http_conns_count(&x->t), 0);
}

static void there_are_at_most_so_many(void **state)
{
    struct fixture *x = *state;
    struct http_conn *c;
    int fd = dup(x->client), more = dup(x->client);

    assert_int_equal(http_conns_add(&x->t, fd, 100, &c), 0);
    assert_int_equal(http_conns_add(&x->t, more, 100, &c), -EMFILE);
    assert_int_equal(http_conns_add(&x->t, 1 << 30, 100, &c), -EMFILE);
    /* A number that comes again means that the former one was closed. */
    assert_int_equal(http_conns_add(&x->t, fd, 100, &c), 0);
    assert_int_equal(http_conns_count(&x->t), 2);
    close(fd);
    close(more);
}

static void one_that_never_spoke_is_closed_in_silence(void **state)
{
    struct fixture *x = *state;

    http_conns_sweep(&x->t, 99, close_peek, x);
    assert_int_equal(x->peeks_closed, 0);
    http_conns_sweep(&x->t, 100, close_peek, x);
    assert_int_equal(x->peeks_closed, 1);
    assert_int_equal(http_conns_count(&x->t), 0);
}

static void cut_in(struct fixture *x, enum http_phase phase, const char *want, bool is_cut)
{
    char text[1024];

    assert_true(http_conn_enter(x->c, phase, 500));
    http_conns_sweep(&x->t, 499, close_peek, x);
    assert_int_equal(heard(x, text), -1);
    http_conns_sweep(&x->t, 500, close_peek, x);
    if (!is_cut) {
        assert_int_equal(heard(x, text), -1);
        return;
    }
    heard(x, text);
    if (want[0] == '\0')
        assert_string_equal(text, "");
    else
        assert_non_null(strstr(text, want));
    assert_int_equal(atomic_load(&x->t.timeouts), 1);
    assert_false(http_conn_enter(x->c, HTTP_WORK, INT64_MAX)); /* too late */
    http_conns_sweep(&x->t, 600, close_peek, x);               /* and once only */
    assert_int_equal(atomic_load(&x->t.timeouts), 1);
}

static void slow_headers_are_told(void **state)
{
    cut_in(*state, HTTP_HEAD_READ, "408 Request Timeout", true);
}

static void a_slow_body_is_told(void **state)
{
    cut_in(*state, HTTP_BODY, "\"code\":\"timeout\"", true);
}

static void a_slow_reader_is_cut_in_the_middle_of_its_answer(void **state)
{
    cut_in(*state, HTTP_SEND, "", true);
}

static void an_idle_one_is_closed_in_silence(void **state)
{
    cut_in(*state, HTTP_IDLE, "", true);
}

static void what_is_being_worked_on_is_never_cut(void **state)
{
    struct fixture *x = *state;
    char text[1024];

    cut_in(x, HTTP_WORK, "", false);
    http_conns_cut(&x->t, true, close_peek, x);
    assert_int_equal(heard(x, text), -1);
}

static void the_end_closes_what_does_not_work(void **state)
{
    struct fixture *x = *state;
    char text[1024];

    http_conns_cut(&x->t, true, NULL, NULL); /* not those that never spoke: their thread does */
    assert_int_equal(atomic_load(&x->c->phase), HTTP_PEEK);
    assert_true(http_conn_enter(x->c, HTTP_SEND, INT64_MAX));
    http_conns_cut(&x->t, false, close_peek, x);
    assert_int_equal(heard(x, text), -1);
    http_conns_cut(&x->t, true, close_peek, x);
    assert_int_equal(heard(x, text), 0);
    assert_int_equal(atomic_load(&x->t.timeouts), 0);
}

static void nobody_knows_a_connection_that_is_null(void **state)
{
    (void)state;
    assert_true(http_conn_enter(NULL, HTTP_BODY, 1));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_connection_is_found_by_its_descriptor),
        T(there_are_at_most_so_many),
        T(one_that_never_spoke_is_closed_in_silence),
        T(slow_headers_are_told),
        T(a_slow_body_is_told),
        T(a_slow_reader_is_cut_in_the_middle_of_its_answer),
        T(an_idle_one_is_closed_in_silence),
        T(what_is_being_worked_on_is_never_cut),
        T(the_end_closes_what_does_not_work),
        T(nobody_knows_a_connection_that_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
