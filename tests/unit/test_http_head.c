/* The first bytes of a connection. */
#include "common/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int check(const char *text, const char **why)
{
    *why = NULL;
    return http_head_check(text, strlen(text), why);
}

static void requests_pass_and_so_does_every_beginning_of_one(void **state)
{
    static const char *const good[] = {
        "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.0\r\n\r\n",
        "get / HTTP/1.1\r\nhost:x\r\n\r\n",
        "PUT /chunk/x HTTP/1.1\r\nHost: x\r\nContent-Length:  5 \r\n\r\n\x16\x03 not a header",
        "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999\r\n\r\n",
        "\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.1\nHost: x\n\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", /* the library's to judge */
        "GET /ping HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
    };
    const char *why;

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        for (size_t n = 0; n <= strlen(good[i]); n++)
            if (http_head_check(good[i], n, &why) != 0)
                fail_msg("%zu bytes of %s: %s", n, good[i], why);
}

static void what_is_no_request_is_told(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *said;
    } rows[] = {
        { "\x16\x03\x01", 400, "no HTTP request" },
        { "{\"json\":1}", 400, "no HTTP request" },
        { " GET / HTTP/1.1\r\n", 400, "METHOD PATH" },
        { "SSH-2.0-OpenSSH\r\n", 400, "METHOD PATH" },
        { "GET /ping\r\n", 400, "METHOD PATH" },
        { "GET  HTTP/1.1\r\n", 400, "METHOD PATH" },
        { "GET /ping HTTP/2.0\r\n", 505, "Only HTTP/1.1" },
        { "GET /ping HTTP/1.10\r\n", 505, "Only HTTP/1.1" },
        { "GET /ping FTP/1.1\r\n", 400, "METHOD PATH" },
        { "GET / HTTP/1.1\r\nnonsense\r\n", 400, "Name: value" },
        { "GET / HTTP/1.1\r\nX : y\r\n", 400, "Name: value" },
        { "GET / HTTP/1.1\r\n: y\r\n", 400, "Name: value" },
        { "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, "Host" },
        { "PUT / HTTP/1.1\r\nContent-Length: x\r\n", 400, "digits" },
        { "PUT / HTTP/1.1\r\ncontent-length: -1\r\n", 400, "digits" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1 2\r\n", 400, "digits" },
        { "PUT / HTTP/1.1\r\nContent-Length:\r\n", 400, "digits" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1000000000000000000\r\n", 413, "no body" },
    };
    const char *why;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = check(rows[i].text, &why);

        if (status != rows[i].status || strstr(why, rows[i].said) == NULL)
            fail_msg("%s: %d %s", rows[i].text, status, why != NULL ? why : "");
        assert_null(strpbrk(why, "\"\\")); /* it goes into JSON as it is */
    }
}

static void a_nul_is_a_byte_like_others(void **state)
{
    const char *why;

    (void)state;
    assert_int_equal(http_head_check("GET\0/ HTTP/1.1\r\n", 16, &why), 400);
    assert_int_equal(http_head_check("\0", 1, &why), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_pass_and_so_does_every_beginning_of_one),
        cmocka_unit_test(what_is_no_request_is_told),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
