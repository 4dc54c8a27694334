/* A way that can be cut: bytes arrive, or wait, each direction on its own. */
#include "tests/support/tcp_cut.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SILENCE_MS 50

struct fixture {
    struct tcp_cut *cut;
    int listener, here, there; /* here: who connected */
};

static int loopback(uint16_t port, bool listens, uint16_t *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(port) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (listens)
        assert_true(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0);
    else
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint16_t port, ignored;

    f->listener = loopback(0, true, &port);
    f->cut = tcp_cut_start(port);
    f->here = loopback(tcp_cut_port(f->cut), false, &ignored);
    f->there = accept(f->listener, NULL, NULL);
    assert_true(f->there >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tcp_cut_stop(f->cut);
    close(f->here);
    close(f->there);
    close(f->listener);
    free(f);
    return 0;
}

static void says(int fd, char c)
{
    assert_int_equal(send(fd, &c, 1, 0), 1);
}

static void hears(int fd, char c)
{
    char got = 0;

    assert_int_equal(recv(fd, &got, 1, 0), 1);
    assert_int_equal(got, c);
}

static void hears_nothing(int fd)
{
    struct timeval soon = { 0, SILENCE_MS * 1000 }, never = { 0, 0 };
    char got;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
    assert_int_equal(recv(fd, &got, 1, 0), -1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never)), 0);
}

static void bytes_arrive_both_ways(void **state)
{
    struct fixture *f = *state;

    says(f->here, 'a');
    hears(f->there, 'a');
    says(f->there, 'b');
    hears(f->here, 'b');
}

static void a_cut_direction_is_silent_and_the_other_is_not(void **state)
{
    struct fixture *f = *state;

    tcp_cut_set(f->cut, true, false);
    says(f->here, 'a');
    says(f->there, 'b');
    hears(f->here, 'b');
    hears_nothing(f->there);
    tcp_cut_set(f->cut, false, true);
    hears(f->there, 'a');
    says(f->there, 'c');
    hears_nothing(f->here);
}

static void what_was_sent_arrives_after_the_healing(void **state)
{
    struct fixture *f = *state;

    tcp_cut_set(f->cut, true, true);
    says(f->here, 'a');
    says(f->there, 'b');
    hears_nothing(f->there);
    hears_nothing(f->here);
    tcp_cut_set(f->cut, false, false);
    hears(f->there, 'a');
    hears(f->here, 'b');
}

static void an_end_is_passed_on(void **state)
{
    struct fixture *f = *state;
    char got;

    says(f->here, 'a');
    shutdown(f->here, SHUT_WR);
    hears(f->there, 'a');
    assert_int_equal(recv(f->there, &got, 1, 0), 0);
    says(f->there, 'b');
    hears(f->here, 'b');
}

static void a_target_that_is_not_there_closes_the_connection(void **state)
{
    struct fixture *f = *state;
    uint16_t ignored;
    char got;
    int fd;

    close(f->listener);
    fd = loopback(tcp_cut_port(f->cut), false, &ignored);
    assert_true(recv(fd, &got, 1, 0) <= 0);
    close(fd);
}

#define WITH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(bytes_arrive_both_ways),
        WITH(a_cut_direction_is_silent_and_the_other_is_not),
        WITH(what_was_sent_arrives_after_the_healing),
        WITH(an_end_is_passed_on),
        WITH(a_target_that_is_not_there_closes_the_connection),
    };

    return cmocka_run_group_tests_name("tcp_cut", tests, NULL, NULL);
}
