/* Answers of the HTTP server: of every kind, at once or later. */
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

/* ---- requests and answers ---------------------------------------------------------------------
 */

static void head_says_the_length_and_sends_nothing(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd = raw_connect(x->port, 0);

    raw_say(fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(fd, true, &a);
    assert_string_equal(raw_header(&a, "Content-Length"), "12345");
    raw_answer_close(&a);
    raw_say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"); /* the same connection goes on */
    raw_read(fd, false, &a);
    assert_string_equal(a.body, "hello");
    raw_answer_close(&a);
    close(fd);
}

static void an_answer_may_come_later_from_another_thread(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd = raw_connect(x->port, 0);

    for (unsigned i = 0; i < 200; i++) {
        raw_say(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        raw_read(fd, false, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "later");
        raw_answer_close(&a);
    }
    server_rig_await(&x->ends, 200);
    close(fd);
}

static void a_file_is_sent_and_given_back(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_int_equal(a.body_bytes, SERVER_RIG_FILE_BYTES - 1);
    for (unsigned i = 1; i < SERVER_RIG_FILE_BYTES; i++) {
        unsigned word = i / 4;

        if ((uint8_t)a.body[i - 1] != (uint8_t)(word >> 8 * (i % 4)))
            fail_msg("byte %u", i);
    }
    raw_answer_close(&a);
    server_rig_await(&x->files_done, 1);
}

/* What waits in the socket is still the file's: it is not given back while the client is slow. */
static void a_file_is_not_given_back_while_its_bytes_wait_in_the_socket(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd = raw_connect(x->port, 4096);

    raw_say(fd, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
    usleep(400000); /* several sweeps; nothing to await: what is proved is that nothing happens */
    assert_int_equal(atomic_load(&x->files_done), 0);
    raw_read(fd, false, &a);
    assert_true(a.whole);
    raw_answer_close(&a);
    server_rig_await(&x->files_done, 1);
    close(fd);
}

static void an_answer_may_be_made_on_its_way(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a, "GET /fill HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_int_equal(a.body_bytes, 200000);
    assert_int_equal(a.body[0], 'a');
    assert_int_equal(a.body[199999], 'b');
    raw_answer_close(&a);
    raw_ask(x->port, &a, "GET /fill?break=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(a.whole);
    raw_answer_close(&a);
}

#define RUNNING(t) cmocka_unit_test_setup_teardown(t, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNNING(head_says_the_length_and_sends_nothing),
        RUNNING(an_answer_may_come_later_from_another_thread),
        RUNNING(a_file_is_sent_and_given_back),
        RUNNING(a_file_is_not_given_back_while_its_bytes_wait_in_the_socket),
        RUNNING(an_answer_may_be_made_on_its_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
