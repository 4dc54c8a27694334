/* Ports for processes that are about to start. */
#include "fs/cluster_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What a daemon of ours does with its port. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 8) == 0)
        return fd;
    close(fd);
    return -1;
}

static void a_held_port_is_given_to_nobody_else_but_can_be_listened_on(void **state)
{
    uint16_t port = 0, other = 0;
    int held = cluster_port_hold(0, &port), fd;

    (void)state;
    assert_true(held >= 0);
    assert_in_range(port, CLUSTER_PORT_FIRST, CLUSTER_PORT_LAST);
    for (int i = 0; i < 64; i++) { /* each other draw is another port */
        fd = cluster_port_hold(0, &other);
        assert_true(fd >= 0);
        assert_int_not_equal(other, port);
        close(fd);
    }
    fd = listen_on(port);
    assert_true(fd >= 0);
    close(held);
    assert_int_equal(cluster_port_hold(port, &other), -EADDRINUSE);
    close(fd);
}

static void the_port_of_the_last_time_is_held_again(void **state)
{
    uint16_t port = 0, again = 0;
    int fd = cluster_port_hold(0, &port);

    (void)state;
    close(fd);
    fd = cluster_port_hold(port, &again);
    assert_true(fd >= 0);
    assert_int_equal(again, port);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_port_is_given_to_nobody_else_but_can_be_listened_on),
        cmocka_unit_test(the_port_of_the_last_time_is_held_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
