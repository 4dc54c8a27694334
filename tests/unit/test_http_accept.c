/* Accepting connections, and handing them over by their first bytes. */
#include "common/clock.h"
#include "common/err.h"
#include "common/http_accept.h"
#include "common/http_listen.h"
#include "tests/support/raw_http.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct http_conns conns;
    struct http_accept *a;
    uint16_t port;
    sem_t handed;
    int fd; /* the last one handed over */
    bool quick;
};

static bool is_quick(void *arg, const char *first, size_t len)
{
    (void)arg;
    return len >= 9 && memcmp(first, "GET /ping", 9) == 0;
}

static bool hand(void *arg, int fd, bool quick)
{
    struct fixture *x = arg;

    x->fd = fd;
    x->quick = quick;
    sem_post(&x->handed);
    return true;
}

static void start(struct fixture *x, unsigned connections, int64_t idle_ns)
{
    struct http_accept_config config = {
        .conns = &x->conns,
        .idle_ns = idle_ns,
        .head_ns = VS_NS_PER_S,
        .arg = x,
        .is_quick = is_quick,
        .hand = hand,
    };
    char why[256];

    assert_int_equal(http_conns_init(&x->conns, connections, VS_NS_PER_S), 0);
    assert_int_equal(
        http_listen("127.0.0.1:0", false, &config.listen_fd, &x->port, why, sizeof(why)), 0);
    assert_int_equal(http_accept_start(&x->a, &config), 0);
}

static int set_up(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));

    sem_init(&x->handed, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    http_accept_stop(x->a);
    http_accept_stop(NULL);
    http_conns_close(&x->conns);
    free(x);
    return 0;
}

static void silence_is_not_handed_over(void **state)
{
    struct fixture *x = *state;
    int fd;

    start(x, 10, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    while (http_conns_count(&x->conns) == 0)
        usleep(1000);
    assert_int_equal(sem_trywait(&x->handed), -1);
    raw_say(fd, "GET /chunk");
    sem_wait(&x->handed);
    assert_false(x->quick);
    assert_int_equal(atomic_load(&http_conns_find(&x->conns, x->fd)->phase), HTTP_HEAD_READ);
    close(x->fd);
    close(fd);
}

static void quick_requests_go_to_the_quick_threads(void **state)
{
    struct fixture *x = *state;
    char first[32] = "";
    int fd;

    start(x, 10, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    raw_say(fd, "GET /ping HTTP/1.1\r\n");
    sem_wait(&x->handed);
    assert_true(x->quick);
    assert_int_equal(read(x->fd, first, sizeof(first) - 1), 20); /* nothing was taken */
    assert_string_equal(first, "GET /ping HTTP/1.1\r\n");
    close(x->fd);
    close(fd);
}

/* Also while more comes behind it than anybody reads. */
static void what_is_no_request_is_answered_here(void **state)
{
    static const char garbage[200000] = "\x16\x03\x01";
    struct fixture *x = *state;
    struct raw_answer a;
    int fd;

    start(x, 10, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    (void)raw_send(fd, garbage, sizeof(garbage));
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 400);
    assert_true(a.whole);
    assert_string_equal(a.body, "{\"error\":\"This is no HTTP request; plain HTTP/1.1 is spoken "
                                "here.\",\"code\":\"http\"}\n");
    raw_answer_close(&a);
    assert_true(raw_is_closed(fd));
    assert_int_equal(sem_trywait(&x->handed), -1);
    close(fd);
    while (http_conns_count(&x->conns) > 0)
        usleep(1000);
}

static void a_client_that_leaves_without_a_word_is_forgotten(void **state)
{
    struct fixture *x = *state;
    int fd;

    start(x, 10, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    while (http_conns_count(&x->conns) == 0)
        usleep(1000);
    close(fd);
    while (http_conns_count(&x->conns) == 1)
        usleep(1000);
}

static void silence_ends_in_time(void **state)
{
    struct fixture *x = *state;
    int fd;

    start(x, 10, VS_NS_PER_S / 20);
    fd = raw_connect(x->port, 0);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void above_the_limit_it_is_503(void **state)
{
    struct fixture *x = *state;
    uint64_t accepted, refused;
    struct raw_answer a;
    int fd, over;

    start(x, 1, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    while (http_conns_count(&x->conns) == 0)
        usleep(1000);
    over = raw_connect(x->port, 0);
    raw_read(over, false, &a);
    assert_int_equal(a.status, 503);
    assert_true(a.whole);
    raw_answer_close(&a);
    http_accept_counts(x->a, &accepted, &refused);
    assert_int_equal(accepted, 2);
    assert_int_equal(refused, 1);
    close(over);
    close(fd);
}

/* The reserve descriptor tells the client; afterwards all is as before. */
static void without_descriptors_it_is_503_too(void **state)
{
    struct fixture *x = *state;
    struct rlimit before, low;
    struct raw_answer a;
    int top, fd;

    start(x, 10, 60 * VS_NS_PER_S);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fd = raw_connect(x->port, 0); /* the lowest free number is taken by it or its other end */
    while (http_conns_count(&x->conns) == 0)
        usleep(1000);
    top = dup(0);
    close(top);
    low = before;
    low.rlim_cur = (rlim_t)top + 1; /* room for one: the client's own end */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    top = raw_connect(x->port, 0);
    raw_read(top, false, &a);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(a.status, 503);
    raw_answer_close(&a);
    close(top);
    raw_say(fd, "GET /ping");
    sem_wait(&x->handed);
    close(x->fd);
    close(fd);
}

static void after_quiesce_nobody_gets_in_and_silence_is_closed(void **state)
{
    struct fixture *x = *state;
    int fd;

    start(x, 10, 60 * VS_NS_PER_S);
    fd = raw_connect(x->port, 0);
    while (http_conns_count(&x->conns) == 0)
        usleep(1000);
    http_accept_quiesce(x->a);
    assert_true(raw_is_closed(fd));
    assert_int_equal(http_conns_count(&x->conns), 0);
    close(fd);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(silence_is_not_handed_over),
        T(quick_requests_go_to_the_quick_threads),
        T(what_is_no_request_is_answered_here),
        T(a_client_that_leaves_without_a_word_is_forgotten),
        T(silence_ends_in_time),
        T(above_the_limit_it_is_503),
        T(without_descriptors_it_is_503_too),
        T(after_quiesce_nobody_gets_in_and_silence_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
