/* The HTTP server: its threads, the time that clients have, its end, its start. */
#include "common/err.h"
#include "tests/support/raw_http.h"
#include "tests/support/server_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- time -------------------------------------------------------------------------------------
 */

static void start_impatient(struct server_rig *x)
{
    x->config.head_ms = 300;
    x->config.grace_ms = 300;
    x->config.idle_ms = 700;
    x->config.rate_bytes_per_s_min = 1 << 30;
    server_rig_start(x);
}

static void headers_that_do_not_come_are_408(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd;

    start_impatient(x);
    fd = raw_connect(x->port, 0);
    raw_say(fd, "GET /hello HTTP/1.1\r\nHos");
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 408);
    assert_non_null(strstr(a.body, "\"error\""));
    raw_answer_close(&a);
    assert_true(raw_is_closed(fd));
    close(fd);
    assert_int_equal(server_rig_stats(x).timeouts, 1);
}

/* Each byte is activity: only a limit of the whole ends this. */
static void a_body_of_one_byte_at_a_time_is_408(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd;

    start_impatient(x);
    fd = raw_connect(x->port, 0);
    raw_say(fd, "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    for (unsigned i = 0; i < 2000 && server_rig_stats(x).timeouts == 0; i++) {
        (void)raw_send(fd, "x", 1);
        usleep(10000);
    }
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 408);
    raw_answer_close(&a);
    close(fd);
    server_rig_await(&x->ends, 1);
    assert_int_equal(atomic_load(&x->sent_status), 0);
    assert_int_equal(server_rig_stats(x).body_memory_bytes, 0);
}

static void a_reader_that_does_not_read_is_cut_off(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;
    int fd;

    start_impatient(x);
    fd = raw_connect(x->port, 4096);
    for (unsigned i = 0; i < 8; i++) /* more than the kernel queues */
        raw_say(fd, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
    for (unsigned i = 0; i < 2000 && server_rig_stats(x).timeouts == 0; i++)
        usleep(10000);
    assert_int_equal(server_rig_stats(x).timeouts, 1);
    do {
        raw_read(fd, false, &a);
        if (a.status == 0 || !a.whole)
            break;
        raw_answer_close(&a);
    } while (true);
    raw_answer_close(&a);
    close(fd);
    server_rig_await(&x->files_done, atomic_load(&x->begins));
}

static void an_idle_connection_is_closed_in_silence(void **state)
{
    struct server_rig *x = *state;
    int fresh, used;
    struct raw_answer a;

    start_impatient(x);
    fresh = raw_connect(x->port, 0);
    used = raw_connect(x->port, 0);
    raw_say(used, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(used, false, &a);
    assert_int_equal(a.status, 200);
    raw_answer_close(&a);
    assert_true(raw_is_closed(fresh));
    assert_true(raw_is_closed(used));
    for (unsigned i = 0; i < 2000 && server_rig_stats(x).connections > 0; i++)
        usleep(5000);
    assert_int_equal(server_rig_stats(x).connections, 0);
    close(fresh);
    close(used);
}

/* While every thread of the pool is stuck in a handler, quick routes are answered. */
static void quick_routes_have_threads_of_their_own(void **state)
{
    struct server_rig *x = *state;
    struct raw_answer a;

    assert_int_equal(raw_ask(x->port, &a, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_string_equal(raw_header(&a, "X-Quick"), "yes");
    raw_answer_close(&a);
    assert_int_equal(raw_ask(x->port, &a, "GET /hello?name=n HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_string_equal(raw_header(&a, "X-Quick"), "yes");
    raw_answer_close(&a);
    assert_int_equal(raw_ask(x->port, &a, "GET /slowhello HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_string_equal(raw_header(&a, "X-Quick"), "no");
    raw_answer_close(&a);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void *stop_main(void *arg)
{
    struct server_rig *x = arg;

    http_server_stop(x->s, 5000);
    return NULL;
}

static void stop_answers_what_is_being_worked_on(void **state)
{
    struct server_rig *x = *state;
    int fd = raw_connect(x->port, 0), idle = raw_connect(x->port, 0);
    struct raw_answer a;
    pthread_t stopper;

    raw_say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    sem_wait(&x->begun);
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, x), 0);
    assert_true(raw_is_closed(idle)); /* the stop has begun */
    sem_post(&x->release);
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "later");
    assert_string_equal(raw_header(&a, "Connection"), "close");
    raw_answer_close(&a);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    x->s = NULL;
    assert_int_equal(atomic_load(&x->ends), 1);
    close(fd);
    close(idle);
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void stop_leaves_no_descriptor_behind(void **state)
{
    struct server_rig *x = *state;
    unsigned before = open_descriptors();
    int fds[20];

    for (unsigned round = 0; round < 5; round++) {
        server_rig_start(x);
        for (unsigned i = 0; i < 20; i++) {
            fds[i] = raw_connect(x->port, 0);
            if (i % 3 == 0)
                raw_say(fds[i], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
            if (i % 3 == 1)
                raw_say(fds[i], "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
        }
        http_server_stop(x->s, 10);
        x->s = NULL;
        for (unsigned i = 0; i < 20; i++)
            close(fds[i]);
        assert_int_equal(open_descriptors(), before);
    }
}

static void stop_does_not_wait_for_a_client_that_has_stalled(void **state)
{
    struct server_rig *x = *state;
    int fd = raw_connect(x->port, 0);

    raw_say(fd, "PUT /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc");
    server_rig_await(&x->begins, 1);
    http_server_stop(x->s, 100);
    x->s = NULL;
    assert_int_equal(atomic_load(&x->ends), 1);
    assert_true(raw_is_closed(fd));
    close(fd);
}

/* ---- starting ---------------------------------------------------------------------------------
 */

static void a_start_that_fails_says_why(void **state)
{
    struct server_rig *x = *state, *other;
    char why[HTTP_WHY_BYTES], taken[32];
    struct http_server *s = NULL;

    x->config.listen = "0.0.0.0:0";
    assert_int_equal(http_server_start(&s, &x->config, why), -EACCES);
    assert_non_null(strstr(why, "--insecure-lan"));
    x->config.listen = "nonsense";
    assert_int_equal(http_server_start(&s, &x->config, why), -EINVAL);
    assert_non_null(strstr(why, "HOST:PORT"));
    server_rig_setup((void **)&other);
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", (unsigned)other->port);
    x->config.listen = taken;
    assert_int_equal(http_server_start(&s, &x->config, why), -EADDRINUSE);
    assert_non_null(strstr(why, taken));
    x->config.listen = "127.0.0.1:0";
    x->config.threads = HTTP_THREADS_MAX + 1;
    assert_int_equal(http_server_start(&s, &x->config, why), -EINVAL);
    assert_true(why[0] != '\0');
    assert_null(s);
    server_rig_teardown((void **)&other);
}

static void an_address_beyond_loopback_can_be_asked_for(void **state)
{
    struct server_rig *x = *state;

    x->config.listen = "0.0.0.0:0";
    x->config.beyond_loopback = true;
    server_rig_start(x);
    assert_int_equal(raw_ask(x->port, NULL, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

#define STOPPED(t) cmocka_unit_test_setup_teardown(t, server_rig_setup_stopped, server_rig_teardown)
#define RUNNING(t) cmocka_unit_test_setup_teardown(t, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(headers_that_do_not_come_are_408),
        STOPPED(a_body_of_one_byte_at_a_time_is_408),
        STOPPED(a_reader_that_does_not_read_is_cut_off),
        STOPPED(an_idle_connection_is_closed_in_silence),
        RUNNING(quick_routes_have_threads_of_their_own),
        RUNNING(stop_answers_what_is_being_worked_on),
        RUNNING(stop_does_not_wait_for_a_client_that_has_stalled),
        STOPPED(stop_leaves_no_descriptor_behind),
        STOPPED(a_start_that_fails_says_why),
        STOPPED(an_address_beyond_loopback_can_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
