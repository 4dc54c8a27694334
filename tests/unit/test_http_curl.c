/* One exchange of the HTTP client: what is said, what is understood, and what is refused. */
#include "common/http_client.h"

#include "common/err.h"
#include "tests/support/http_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_BYTES (3u << 20)

/* ---- answers ----------------------------------------------------------------------------------
 */

static void an_answer_comes_with_status_body_and_the_headers_asked_for(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();

    http_rig_serve(
        f, http_say_and_close,
        "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\netAG:  \"x\" \r\nOther: 1\r\n\r\nhello");
    assert_int_equal(http_call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 206);
    assert_int_equal(c->r.body_bytes, 5);
    assert_memory_equal(c->body, "hello", 5);
    assert_true(c->picks[0].present && c->picks[1].present);
    assert_string_equal(c->etag, "\"x\"");
    assert_string_equal(c->length, "5");
    http_call_free(c);
}

static void the_body_of_an_error_is_kept_as_text_and_not_as_body(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();

    http_rig_serve(f, http_say_and_close,
                   "HTTP/1.1 507 Full\r\nContent-Length: 9\r\n\r\nnot\nroom\x01");
    assert_int_equal(http_call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 507);
    assert_int_equal(c->r.body_bytes, 0);
    assert_int_equal(c->body[0], HTTP_RIG_GUARD);
    assert_string_equal(c->r.error, "not room ");
    http_call_free(c);
}

static void redirects_are_answers_and_not_followed(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();

    http_rig_serve(
        f, http_say_and_close,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(http_call_run(f, c), 0);
    assert_int_equal(c->r.http_status, 302);
    http_call_free(c);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    http_rig_serve(f, http_answer_ok, NULL);
    assert_int_equal(http_call_run(f, c), 0);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    http_call_free(c);
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
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();
    struct seen *s = calloc(1, sizeof(*s));
    const struct http_header headers[] = { { "X-One", "1" }, { "X-Two", "a b;c" } };
    uint8_t *bytes = malloc(BODY_BYTES);

    for (size_t i = 0; i < BODY_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    http_rig_serve(f, remember, s);
    c->r.method = HTTP_PUT;
    c->r.headers = headers;
    c->r.headers_count = 2;
    c->r.send = bytes;
    c->r.send_bytes = BODY_BYTES;
    assert_int_equal(http_call_run(f, c), 0);
    assert_int_equal(strncmp(s->head, "PUT /a?b=c HTTP/1.1\r\n", 21), 0);
    assert_non_null(strstr(s->head, "X-One: 1\r\n"));
    assert_non_null(strstr(s->head, "X-Two: a b;c\r\n"));
    assert_null(strstr(s->head, "Expect:"));
    assert_int_equal(s->body_bytes, BODY_BYTES);
    assert_memory_equal(s->body, bytes, BODY_BYTES);
    free(s->body);
    free(s);
    free(bytes);
    http_call_free(c);
}

static void methods_are_said_as_asked_also_after_one_another(void **state)
{
    static const struct {
        enum http_method method;
        const char *word;
    } methods[] = { { HTTP_PUT, "PUT" },       { HTTP_GET, "GET" },   { HTTP_DELETE, "DELETE" },
                    { HTTP_HEAD, "HEAD" },     { HTTP_GET, "GET" },   { HTTP_POST, "POST" },
                    { HTTP_DELETE, "DELETE" }, { HTTP_HEAD, "HEAD" }, { HTTP_PUT, "PUT" } };
    struct http_rig *f = *state;
    struct seen *s = calloc(1, sizeof(*s));

    http_rig_serve_with(f, remember, s, 1, 10);
    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct http_call *c = http_call_new();

        c->r.method = methods[i].method;
        assert_int_equal(http_call_run(f, c), 0);
        assert_int_equal(strncmp(s->head, methods[i].word, strlen(methods[i].word)), 0);
        assert_int_equal(s->body_bytes, 0);
        free(s->body);
        http_call_free(c);
    }
    free(s);
}

static void a_head_has_a_length_and_no_body(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();

    http_rig_serve(f, http_say_and_stall, "HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n");
    c->r.method = HTTP_HEAD;
    assert_int_equal(http_call_run(f, c), 0);
    assert_string_equal(c->length, "123456789");
    assert_int_equal(c->r.body_bytes, 0);
    http_call_free(c);
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
    struct http_rig *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        struct http_call *c = http_call_new();
        char text[2000];

        snprintf(text, sizeof(text), "%s%01001d", heads[i], 7);
        http_rig_serve(f, http_say_and_close, text);
        assert_true(http_call_run(f, c) == -EMSGSIZE || (i == 1 && c->r.status == -EBADMSG));
        http_call_free(c);
        http_rig_leave(f);
    }
}

static void a_chunked_body_is_bounded_too(void **state)
{
    struct http_rig *f = *state;
    struct http_call *c = http_call_new();
    char text[3000];

    snprintf(
        text, sizeof(text),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n%0600d\r\n258\r\n%0600d\r\n"
        "0\r\n\r\n",
        1, 2);
    http_rig_serve(f, http_say_and_close, text);
    assert_int_equal(http_call_run(f, c), -EMSGSIZE);
    http_call_free(c);
}

static void bytes_behind_an_answer_do_not_reach_the_next_one(void **state)
{
    struct http_rig *f = *state;

    http_rig_serve_with(
        f, http_say_and_stall,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 Lie\r\nContent-Length: "
        "3\r\n\r\nlie",
        1, 10);
    for (unsigned i = 0; i < 3; i++) {
        struct http_call *c = http_call_new();

        assert_int_equal(http_call_run(f, c), 0);
        assert_int_equal(c->r.http_status, 200);
        assert_memory_equal(c->body, "ok", 2);
        http_call_free(c);
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
    struct http_rig *f = *state;

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct http_call *c = http_call_new();

        http_rig_serve(f, http_say_and_close, (void *)texts[i]);
        http_call_run(f, c);
        if (c->r.status != -EBADMSG && c->r.status != -ECONNRESET)
            print_error("text %u: %d\n", i, c->r.status);
        assert_true(c->r.status == -EBADMSG || c->r.status == -ECONNRESET);
        http_call_free(c);
        http_rig_leave(f);
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
    struct http_rig *f = *state;

    for (unsigned i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
        struct http_call *c = http_call_new();

        http_rig_serve(f, i % 2 ? http_say_and_close : http_say_and_reset, (void *)texts[i / 2]);
        http_call_run(f, c);
        if (c->r.status != -ECONNRESET)
            print_error("text %u: %d\n", i, c->r.status);
        /* "HT" may be the beginning of anything. */
        assert_true(c->r.status == -ECONNRESET || (i / 2 == 1 && c->r.status == -EBADMSG));
        http_call_free(c);
        http_rig_leave(f);
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
    struct http_rig *f = *state;

    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct http_call *c = http_call_new();

        http_rig_serve(f, headers_without_end, (void *)lines[i]);
        http_call_run(f, c);
        assert_int_equal(c->r.status, -EBADMSG);
        http_call_free(c);
        http_rig_leave(f);
    }
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_rig_setup, http_rig_teardown)

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
