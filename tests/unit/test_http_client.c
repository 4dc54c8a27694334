/* The HTTP client against servers that behave, lie, stall and break off. */
#include "common/http_client.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/support/http_script.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY_CAP   1000
#define GUARD      0xA5
#define LONG_MS    20000 /* a deadline no test reaches */
#define BODY_BYTES (3u << 20)

struct fixture {
    struct http_client *client;
    struct vs_exec *exec;
    struct http_script *script;
    struct http_host *host;
};

/* One request with room for an answer, and a guard behind the room. */
struct call {
    struct http_request r;
    struct http_pick picks[2];
    char etag[16], length[16];
    uint8_t body[BODY_CAP + 16];
    sem_t done;
    atomic_uint done_count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL && vs_exec_start(&f->exec, "http-test", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_stop(f->client);
    if (f->script != NULL)
        http_script_stop(f->script);
    vs_exec_stop(f->exec);
    free(f);
    return 0;
}

static void serve_with(struct fixture *f, http_script_fn *fn, void *arg, unsigned connections,
                       unsigned queue)
{
    struct http_host_config config = {
        .connections_max = connections,
        .queue_max = queue,
        .connect_timeout_ms = 2000,
    };

    f->script = http_script_start(fn, arg);
    config.origin = http_script_origin(f->script);
    assert_int_equal(http_host_open(&f->host, f->client, &config), 0);
}

static void serve(struct fixture *f, http_script_fn *fn, void *arg)
{
    serve_with(f, fn, arg, 4, 100);
}

static void on_done(struct http_request *r)
{
    struct call *c = vs_container_of(r, struct call, r);

    atomic_fetch_add(&c->done_count, 1);
    sem_post(&c->done);
}

static struct call *call_new(void)
{
    struct call *c = calloc(1, sizeof(*c));

    VS_ASSERT(c != NULL);
    sem_init(&c->done, 0, 0);
    memset(c->body, GUARD, sizeof(c->body));
    c->picks[0] = (struct http_pick){ .name = "ETag", .text = c->etag, .cap = sizeof(c->etag) };
    c->picks[1] =
        (struct http_pick){ .name = "content-length", .text = c->length, .cap = sizeof(c->length) };
    c->r = (struct http_request){
        .method = HTTP_GET,
        .path = "/a?b=c",
        .body = c->body,
        .body_cap = BODY_CAP,
        .picks = c->picks,
        .picks_count = 2,
        .timeout_ms = LONG_MS,
        .done = on_done,
    };
    return c;
}

static void call_wait(struct call *c)
{
    while (sem_wait(&c->done) < 0)
        ;
    for (size_t i = BODY_CAP; i < sizeof(c->body); i++)
        assert_int_equal(c->body[i], GUARD);
}

static int call_run(struct fixture *f, struct call *c)
{
    http_client_submit(f->host, &c->r);
    call_wait(c);
    return c->r.status;
}

static void call_free(struct call *c)
{
    assert_int_equal(c->done_count, 1);
    sem_destroy(&c->done);
    free(c);
}

/* ---- servers ----------------------------------------------------------------------------------
 */

/* Says the text in `arg` to every request and closes. */
static void say_and_close(struct script_conn *c)
{
    if (script_read(c))
        script_say(c, "%s", (const char *)c->arg);
}

static void say_and_reset(struct script_conn *c)
{
    say_and_close(c);
    script_reset(c);
}

static void say_and_stall(struct script_conn *c)
{
    say_and_close(c);
    script_stall(c);
}

/* Keeps the connection and answers "ok" to everything. */
static void answer_ok(struct script_conn *c)
{
    while (script_read(c))
        script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* The first answer closes the connection, without having said so. */
static void answer_once(struct script_conn *c)
{
    if (script_read(c))
        script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void answer_nothing(struct script_conn *c)
{
    if (script_read(c))
        script_stall(c);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void an_answer_comes_with_status_body_and_the_headers_asked_for(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();

    serve(f, say_and_close,
          "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\netAG:  \"x\" \r\nOther: 1\r\n\r\nhello");
    assert_int_equal(call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 206);
    assert_int_equal(c->r.body_bytes, 5);
    assert_memory_equal(c->body, "hello", 5);
    assert_true(c->picks[0].present && c->picks[1].present);
    assert_string_equal(c->etag, "\"x\"");
    assert_string_equal(c->length, "5");
    call_free(c);
}

static void the_body_of_an_error_is_kept_as_text_and_not_as_body(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();

    serve(f, say_and_close, "HTTP/1.1 507 Full\r\nContent-Length: 9\r\n\r\nnot\nroom\x01");
    assert_int_equal(call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 507);
    assert_int_equal(c->r.body_bytes, 0);
    assert_int_equal(c->body[0], GUARD);
    assert_string_equal(c->r.error, "not room ");
    call_free(c);
}

static void redirects_are_answers_and_not_followed(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();

    serve(f, say_and_close,
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 302);
    call_free(c);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    serve(f, answer_ok, NULL);
    assert_int_equal(call_run(f, c), 0);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    call_free(c);
}

/* ---- requests ---------------------------------------------------------------------------------
 */

struct seen {
    char head[HTTP_SCRIPT_HEAD_MAX];
    uint8_t *body;
    size_t body_bytes;
};

static void remember(struct script_conn *c)
{
    struct seen *s = c->arg;

    if (!script_read(c))
        return;
    memcpy(s->head, c->head, sizeof(s->head));
    s->body = c->body;
    s->body_bytes = c->body_bytes;
    c->body = NULL;
    script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void a_put_sends_its_body_and_headers_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();
    struct seen *s = calloc(1, sizeof(*s));
    const struct http_header headers[] = { { "X-One", "1" }, { "X-Two", "a b;c" } };
    uint8_t *bytes = malloc(BODY_BYTES);

    for (size_t i = 0; i < BODY_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    serve(f, remember, s);
    c->r.method = HTTP_PUT;
    c->r.headers = headers;
    c->r.headers_count = 2;
    c->r.send = bytes;
    c->r.send_bytes = BODY_BYTES;
    assert_int_equal(call_run(f, c), 0);
    assert_int_equal(strncmp(s->head, "PUT /a?b=c HTTP/1.1\r\n", 21), 0);
    assert_non_null(strstr(s->head, "X-One: 1\r\n"));
    assert_non_null(strstr(s->head, "X-Two: a b;c\r\n"));
    assert_null(strstr(s->head, "Expect:"));
    assert_int_equal(s->body_bytes, BODY_BYTES);
    assert_memory_equal(s->body, bytes, BODY_BYTES);
    free(s->body);
    free(s);
    free(bytes);
    call_free(c);
}

static void methods_are_said_as_asked_also_after_one_another(void **state)
{
    static const struct {
        enum http_method method;
        const char *word;
    } methods[] = { { HTTP_PUT, "PUT" },       { HTTP_GET, "GET" },   { HTTP_DELETE, "DELETE" },
                    { HTTP_HEAD, "HEAD" },     { HTTP_GET, "GET" },   { HTTP_POST, "POST" },
                    { HTTP_DELETE, "DELETE" }, { HTTP_HEAD, "HEAD" }, { HTTP_PUT, "PUT" } };
    struct fixture *f = *state;
    struct seen *s = calloc(1, sizeof(*s));

    serve_with(f, remember, s, 1, 10);
    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct call *c = call_new();

        c->r.method = methods[i].method;
        assert_int_equal(call_run(f, c), 0);
        assert_int_equal(strncmp(s->head, methods[i].word, strlen(methods[i].word)), 0);
        assert_int_equal(s->body_bytes, 0);
        free(s->body);
        call_free(c);
    }
    free(s);
}

static void a_head_has_a_length_and_no_body(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();

    serve(f, say_and_stall, "HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n");
    c->r.method = HTTP_HEAD;
    assert_int_equal(call_run(f, c), 0);
    assert_string_equal(c->length, "123456789");
    assert_int_equal(c->r.body_bytes, 0);
    call_free(c);
}

/* ---- lies -------------------------------------------------------------------------------------
 */

static void a_body_that_is_too_long_is_refused_and_never_written_beyond_its_room(void **state)
{
    static const char heads[][64] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", /* until the end of the connection */
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        struct call *c = call_new();
        char text[2000];

        snprintf(text, sizeof(text), "%s%01001d", heads[i], 7);
        serve(f, say_and_close, text);
        assert_true(call_run(f, c) == -EMSGSIZE || (i == 1 && c->r.status == -EBADMSG));
        call_free(c);
        http_host_close(f->host);
        http_script_stop(f->script);
        f->script = NULL;
    }
}

static void a_chunked_body_is_bounded_too(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();
    char text[3000];

    snprintf(
        text, sizeof(text),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n%0600d\r\n258\r\n%0600d\r\n"
        "0\r\n\r\n",
        1, 2);
    serve(f, say_and_close, text);
    assert_int_equal(call_run(f, c), -EMSGSIZE);
    call_free(c);
}

static void bytes_behind_an_answer_do_not_reach_the_next_one(void **state)
{
    struct fixture *f = *state;

    serve_with(f, say_and_stall,
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 Lie\r\nContent-Length: "
               "3\r\n\r\nlie",
               1, 10);
    for (unsigned i = 0; i < 3; i++) {
        struct call *c = call_new();

        assert_int_equal(call_run(f, c), 0);
        assert_int_equal(c->r.http_status, 200);
        assert_memory_equal(c->body, "ok", 2);
        call_free(c);
    }
}

static void what_is_not_an_answer_is_refused(void **state)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\n\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nETag: 1\r\nETag: 2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nETag: 1234567890123456\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/7.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct call *c = call_new();

        serve(f, say_and_close, (void *)texts[i]);
        call_run(f, c);
        if (c->r.status != -EBADMSG && c->r.status != -ECONNRESET)
            print_error("text %u: %d\n", i, c->r.status);
        assert_true(c->r.status == -EBADMSG || c->r.status == -ECONNRESET);
        call_free(c);
        http_host_close(f->host);
        http_script_stop(f->script);
        f->script = NULL;
    }
}

static void half_an_answer_is_a_broken_connection(void **state)
{
    static const char *const texts[] = {
        "",
        "HT",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
        struct call *c = call_new();

        serve(f, i % 2 ? say_and_close : say_and_reset, (void *)texts[i / 2]);
        call_run(f, c);
        if (c->r.status != -ECONNRESET)
            print_error("text %u: %d\n", i, c->r.status);
        /* "HT" may be the beginning of anything. */
        assert_true(c->r.status == -ECONNRESET || (i / 2 == 1 && c->r.status == -EBADMSG));
        call_free(c);
        http_host_close(f->host);
        http_script_stop(f->script);
        f->script = NULL;
    }
}

static void headers_without_end(struct script_conn *c)
{
    const char *line = c->arg;

    if (script_read(c) && script_say(c, "HTTP/1.1 200 OK\r\n"))
        while (script_say(c, "%s", line))
            ;
}

static void headers_without_end_are_cut_off(void **state)
{
    static const char *const lines[] = { "X-Filler: 0123456789\r\n",
                                         "HTTP/1.1 100 Continue\r\n\r\n", "0123456789" };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct call *c = call_new();

        serve(f, headers_without_end, (void *)lines[i]);
        call_run(f, c);
        assert_int_equal(c->r.status, -EBADMSG);
        call_free(c);
        http_host_close(f->host);
        http_script_stop(f->script);
        f->script = NULL;
    }
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void drip(struct script_conn *c)
{
    if (!script_read(c) || !script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"))
        return;
    while (script_say(c, "x"))
        usleep(5000);
}

static void a_deadline_ends_what_stalls_and_what_drips(void **state)
{
    http_script_fn *const servers[] = { answer_nothing, drip };
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct call *c = call_new();
        int64_t began_ns = vs_now_ns(&vs_clock_system), took_ms;

        serve(f, servers[i], NULL);
        c->r.timeout_ms = 150;
        assert_int_equal(call_run(f, c), -ETIMEDOUT);
        took_ms = (vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS;
        assert_in_range(took_ms, 150, 5000);
        call_free(c);
        http_host_close(f->host);
        http_script_stop(f->script);
        f->script = NULL;
    }
}

static void a_deadline_counts_while_a_request_waits_for_a_connection(void **state)
{
    struct fixture *f = *state;
    struct call *first = call_new(), *second = call_new();

    serve_with(f, answer_nothing, NULL, 1, 10);
    http_client_submit(f->host, &first->r);
    second->r.timeout_ms = 50;
    assert_int_equal(call_run(f, second), -ETIMEDOUT);
    assert_int_equal(first->done_count, 0);
    http_client_cancel(&first->r);
    call_wait(first);
    assert_int_equal(first->r.status, -ECANCELED);
    call_free(first);
    call_free(second);
}

static void nobody_there_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct call *c = call_new();
    char origin[64];
    struct http_host_config config = {
        .origin = origin, .connections_max = 1, .queue_max = 1, .connect_timeout_ms = 1000
    };

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)http_script_dead_port());
    assert_int_equal(http_host_open(&f->host, f->client, &config), 0);
    assert_int_equal(call_run(f, c), -ECONNREFUSED);
    call_free(c);
}

/* ---- connections and queues -------------------------------------------------------------------
 */

static void a_connection_is_used_again(void **state)
{
    struct fixture *f = *state;

    serve(f, answer_ok, NULL);
    for (unsigned i = 0; i < 20; i++) {
        struct call *c = call_new();

        assert_int_equal(call_run(f, c), 0);
        call_free(c);
    }
    assert_int_equal(http_script_accepted(f->script), 1);
}

static void many_requests_share_the_connections_of_their_host(void **state)
{
    enum { COUNT = 200, CONNECTIONS = 3 };
    struct fixture *f = *state;
    struct call *c[COUNT];

    serve_with(f, answer_ok, NULL, CONNECTIONS, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = call_new();
        http_client_submit(f->host, &c[i]->r);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        call_wait(c[i]);
        assert_int_equal(c[i]->r.status, 0);
        call_free(c[i]);
    }
    assert_in_range(http_script_accepted(f->script), 1, CONNECTIONS);
}

static void a_connection_that_was_closed_while_idle_is_replaced(void **state)
{
    struct fixture *f = *state;

    serve(f, answer_once, NULL);
    for (unsigned i = 0; i < 20; i++) {
        struct call *c = call_new();

        c->r.method = i % 2 ? HTTP_PUT : HTTP_GET;
        c->r.send = "abc";
        c->r.send_bytes = i % 2 ? 3 : 0;
        assert_int_equal(call_run(f, c), 0);
        call_free(c);
    }
    assert_int_equal(http_script_accepted(f->script), 20);
}

static void above_the_queue_is_told_to_come_again(void **state)
{
    enum { QUEUE = 5, COUNT = 12 };
    struct fixture *f = *state;
    struct call *c[COUNT];

    serve_with(f, answer_nothing, NULL, 2, QUEUE);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = call_new();
        http_client_submit(f->host, &c[i]->r);
        if (i >= QUEUE) {
            call_wait(c[i]);
            assert_int_equal(c[i]->r.status, -EAGAIN);
        }
    }
    http_host_close(f->host);
    for (unsigned i = 0; i < COUNT; i++) {
        if (i < QUEUE)
            assert_int_equal(c[i]->r.status, -ECANCELED);
        call_free(c[i]);
    }
}

/* ---- the callback -----------------------------------------------------------------------------
 */

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_done_locked(struct http_request *r)
{
    pthread_mutex_lock(&held_lock);
    pthread_mutex_unlock(&held_lock);
    on_done(r);
}

static void a_callback_runs_once_and_never_inside_the_call(void **state)
{
    enum { COUNT = 100 };
    struct fixture *f = *state;
    struct call *c[COUNT];

    serve_with(f, answer_ok, NULL, 4, COUNT / 2); /* half of them are refused */
    pthread_mutex_lock(&held_lock);               /* a callback inside the call would hang here */
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = call_new();
        c[i]->r.done = on_done_locked;
        http_client_submit(f->host, &c[i]->r);
    }
    for (unsigned i = 0; i < COUNT; i += 3)
        http_client_cancel(&c[i]->r);
    pthread_mutex_unlock(&held_lock);
    for (unsigned i = 0; i < COUNT; i++) {
        call_wait(c[i]);
        assert_true(c[i]->r.status == 0 || c[i]->r.status == -EAGAIN ||
                    (i % 3 == 0 && c[i]->r.status == -ECANCELED));
        call_free(c[i]);
    }
}

static void a_cancelled_request_leaves_its_memory_alone(void **state)
{
    struct fixture *f = *state;

    serve_with(f, drip, NULL, 2, 50);
    for (unsigned i = 0; i < 10; i++) {
        struct call *c = call_new();

        http_client_submit(f->host, &c->r);
        if (i % 2)
            usleep(3000 * i); /* in different states */
        http_client_cancel(&c->r);
        http_client_cancel(&c->r);
        call_wait(c);
        assert_int_equal(c->r.status, -ECANCELED);
        call_free(c); /* a late byte would be found by the sanitizer */
    }
}

static void stop_answers_everything_that_is_open(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state;
    struct call *c[COUNT];

    serve_with(f, answer_nothing, NULL, 3, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = call_new();
        http_client_submit(f->host, &c[i]->r);
    }
    http_client_stop(f->client);
    f->client = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(c[i]->r.status, -ECANCELED);
        call_free(c[i]);
    }
}

/* ---- the I/O thread as executor ---------------------------------------------------------------
 */

struct chain {
    struct http_request r;
    struct http_host *host;
    unsigned left;
    sem_t end;
};

static void chain_done(struct http_request *r)
{
    struct chain *c = vs_container_of(r, struct chain, r);

    if (r->status == 0 && --c->left > 0)
        http_client_submit(c->host, r);
    else
        sem_post(&c->end);
}

static void a_callback_may_send_the_next_request(void **state)
{
    struct fixture *f = *state;
    struct chain c = {
        .r = { .method = HTTP_GET, .path = "/", .timeout_ms = LONG_MS, .done = chain_done },
        .left = 50,
    };
    char ok[2];

    http_client_stop(f->client);
    assert_int_equal(http_client_start(&f->client, NULL), 0);
    serve(f, answer_ok, NULL);
    c.host = f->host;
    c.r.body = ok;
    c.r.body_cap = sizeof(ok);
    sem_init(&c.end, 0, 0);
    http_client_submit(f->host, &c.r);
    while (sem_wait(&c.end) < 0)
        ;
    assert_int_equal(c.left, 0);
    assert_memory_equal(ok, "ok", 2);
    sem_destroy(&c.end);
}

/* ---- hosts ------------------------------------------------------------------------------------
 */

static void bad_hosts_are_refused(void **state)
{
    static const char *const origins[] = { "",           "127.0.0.1:80",
                                           "http://",    "file:///etc/passwd",
                                           "http://a/b", "http://u@a",
                                           "http://a b", "http://a\r\nX: y" };
    struct fixture *f = *state;
    struct http_host_config good = { .origin = "http://127.0.0.1:1",
                                     .connections_max = 1,
                                     .queue_max = 1,
                                     .connect_timeout_ms = 1 };
    struct http_host_config bad;
    struct http_host *h;

    for (unsigned i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        bad = good;
        bad.origin = origins[i];
        assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    }
    bad = good;
    bad.connections_max = 0;
    assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    bad = good;
    bad.queue_max = HTTP_CLIENT_QUEUE_MAX + 1;
    assert_int_equal(http_host_open(&h, f->client, &bad), -EINVAL);
    for (unsigned i = 0; i < HTTP_CLIENT_HOSTS_MAX; i++)
        assert_int_equal(http_host_open(&h, f->client, &good), 0);
    assert_int_equal(http_host_open(&h, f->client, &good), -ENOBUFS);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(an_answer_comes_with_status_body_and_the_headers_asked_for),
        RULE(the_body_of_an_error_is_kept_as_text_and_not_as_body),
        RULE(redirects_are_answers_and_not_followed),
        RULE(proxies_of_the_environment_are_not_asked),
        RULE(a_put_sends_its_body_and_headers_as_they_are),
        RULE(methods_are_said_as_asked_also_after_one_another),
        RULE(a_head_has_a_length_and_no_body),
        RULE(a_body_that_is_too_long_is_refused_and_never_written_beyond_its_room),
        RULE(a_chunked_body_is_bounded_too),
        RULE(bytes_behind_an_answer_do_not_reach_the_next_one),
        RULE(what_is_not_an_answer_is_refused),
        RULE(half_an_answer_is_a_broken_connection),
        RULE(headers_without_end_are_cut_off),
        RULE(a_deadline_ends_what_stalls_and_what_drips),
        RULE(a_deadline_counts_while_a_request_waits_for_a_connection),
        RULE(nobody_there_is_refused_at_once),
        RULE(a_connection_is_used_again),
        RULE(many_requests_share_the_connections_of_their_host),
        RULE(a_connection_that_was_closed_while_idle_is_replaced),
        RULE(above_the_queue_is_told_to_come_again),
        RULE(a_callback_runs_once_and_never_inside_the_call),
        RULE(a_cancelled_request_leaves_its_memory_alone),
        RULE(stop_answers_everything_that_is_open),
        RULE(a_callback_may_send_the_next_request),
        RULE(bad_hosts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
