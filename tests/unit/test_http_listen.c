/* Listening sockets. */
#include "common/err.h"
#include "common/http_listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int try(const char *address, bool beyond, uint16_t *ret_port, char why[256])
{
    int fd = -1, r = http_listen(address, beyond, &fd, ret_port, why, 256);

    if (r == 0)
        close(fd);
    return r;
}

static void loopback_needs_no_leave(void **state)
{
    static const char *const good[] = { "127.0.0.1:0", "127.1.2.3:0", "localhost:0" };
    uint16_t port;
    char why[256];

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        port = 0;
        assert_int_equal(try(good[i], false, &port, why), 0);
        assert_true(port > 0);
    }
}

static void the_six_of_the_protocol_is_in_brackets(void **state)
{
    uint16_t port;
    char why[256];
    int r = try("[::1]:0", false, &port, why);

    (void)state;
    if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
        skip(); /* this machine has no IPv6 */
    assert_int_equal(r, 0);
    assert_int_equal(try("::1:0", false, &port, why), -EINVAL);
    assert_int_equal(try("[::]:0", false, &port, why), -EACCES);
}

static void beyond_loopback_is_refused_with_a_sentence(void **state)
{
    uint16_t port;
    char why[256];

    (void)state;
    assert_int_equal(try("0.0.0.0:0", false, &port, why), -EACCES);
    assert_string_equal(why, "0.0.0.0:0 can be reached by other machines, and this connection is "
                             "not encrypted; listen on 127.0.0.1, or accept that with "
                             "--insecure-lan");
    assert_int_equal(try("0.0.0.0:0", true, &port, why), 0);
}

static void what_is_no_address_is_told(void **state)
{
    static const char *const bad[] = { "",
                                       "127.0.0.1",
                                       "127.0.0.1:",
                                       ":80",
                                       "127.0.0.1:65536",
                                       "127.0.0.1:http",
                                       "[]:80",
                                       "127.0.0.1:-1",
                                       "127.0.0.1: 1",
                                       "no.such.host.invalid:0" };
    uint16_t port;
    char why[256];

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(try(bad[i], false, &port, why), -EINVAL);
        assert_non_null(strstr(why, " no address "));
    }
}

static void a_port_that_is_taken_is_told(void **state)
{
    char why[256], address[32];
    uint16_t port;
    int fd;

    (void)state;
    assert_int_equal(http_listen("127.0.0.1:0", false, &fd, &port, why, sizeof(why)), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)port);
    assert_int_equal(try(address, false, &port, why), -EADDRINUSE);
    assert_non_null(strstr(why, address));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_needs_no_leave),
        cmocka_unit_test(the_six_of_the_protocol_is_in_brackets),
        cmocka_unit_test(beyond_loopback_is_refused_with_a_sentence),
        cmocka_unit_test(what_is_no_address_is_told),
        cmocka_unit_test(a_port_that_is_taken_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
