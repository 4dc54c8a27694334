/* Lines and pieces of an answer into bounded memory. */
#include "common/http_answer.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct http_request r;
    struct http_pick pick;
    struct http_answer a;
    char text[8];
    uint8_t body[10];
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->pick = (struct http_pick){ .name = "X-A", .text = f->text, .cap = sizeof(f->text) };
    f->r = (struct http_request){
        .body = f->body, .body_cap = sizeof(f->body), .picks = &f->pick, .picks_count = 1
    };
    http_answer_start(&f->a, &f->r);
    return f;
}

/* From the heap and of exactly its length, so that a sanitizer sees a byte too far. */
static int line(struct fixture *f, const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len > 0 ? len : 1);
    int e;

    memcpy(copy, text, len);
    e = http_answer_header(&f->a, copy, len);
    free(copy);
    return e;
}

static void a_header_is_picked_whatever_its_case_and_blanks(void **state)
{
    static const char *const lines[] = { "X-A: b c\r\n", "x-a:b c\n", "X-a:\t b c \t\r\n",
                                         "X-A:b c" };

    (void)state;
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct fixture *f = fixture_new();

        assert_int_equal(line(f, "HTTP/1.1 200 OK\r\n"), 0);
        assert_int_equal(line(f, lines[i]), 0);
        assert_true(f->pick.present);
        assert_string_equal(f->text, "b c");
        assert_int_equal(f->pick.len, 3);
        free(f);
    }
}

static void odd_lines_pick_nothing(void **state)
{
    static const char *const lines[] = {
        "", "X-A", ":", "X-A : b\r\n", "X-AB: b\r\n", " X-A: b\r\n"
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct fixture *f = fixture_new();

        assert_int_equal(line(f, lines[i]), 0);
        assert_false(f->pick.present);
        free(f);
    }
}

static void a_value_fits_or_is_refused(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(line(f, "X-A: 1234567\r\n"), 0);
    assert_string_equal(f->text, "1234567");
    free(f);
    f = fixture_new();
    assert_int_equal(line(f, "X-A: 12345678\r\n"), -EBADMSG);
    free(f);
    f = fixture_new();
    assert_int_equal(line(f, "X-A:\r\n"), 0); /* empty, but there */
    assert_true(f->pick.present);
    assert_int_equal(line(f, "X-A: 2\r\n"), -EBADMSG);
    free(f);
}

static void a_status_line_begins_anew(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(line(f, "HTTP/1.1 100 Continue\r\n"), 0);
    assert_int_equal(line(f, "X-A: 1\r\n"), 0);
    assert_int_equal(line(f, "\r\n"), 0);
    assert_int_equal(http_answer_body(&f->a, 200, "abc", 3), 0);
    assert_int_equal(line(f, "HTTP/1.1 200 OK\r\n"), 0);
    assert_false(f->pick.present);
    assert_int_equal(f->r.body_bytes, 0);
    assert_int_equal(line(f, "X-A: 2\r\n"), 0);
    assert_string_equal(f->text, "2");
    free(f);
}

static void trailers_are_not_headers(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(line(f, "HTTP/1.1 200 OK\r\n"), 0);
    assert_int_equal(line(f, "\r\n"), 0);
    assert_int_equal(line(f, "X-A: 1\r\n"), 0);
    assert_false(f->pick.present);
    free(f);
}

static void a_body_fills_its_room_and_not_a_byte_more(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(http_answer_body(&f->a, 200, "0123456789", 10), 0);
    assert_int_equal(http_answer_body(&f->a, 200, "", 0), 0);
    assert_int_equal(http_answer_body(&f->a, 200, "x", 1), -EMSGSIZE);
    assert_int_equal(f->r.body_bytes, 10);
    assert_memory_equal(f->body, "0123456789", 10);
    free(f);
}

static void a_body_nobody_wants_is_bounded_too(void **state)
{
    struct fixture *f = fixture_new();
    uint8_t *much = calloc(1, HTTP_ANSWER_OTHER_BYTES_MAX + 1);

    (void)state;
    f->r.body = NULL;
    f->r.body_cap = 0;
    assert_int_equal(http_answer_body(&f->a, 200, much, HTTP_ANSWER_OTHER_BYTES_MAX), 0);
    assert_int_equal(http_answer_body(&f->a, 200, much, 1), -EBADMSG);
    assert_string_equal(f->r.error, "");
    free(much);
    free(f);
}

static void the_text_of_an_error_is_cut_and_clean(void **state)
{
    struct fixture *f = fixture_new();
    char more[2 * HTTP_ERROR_BODY_BYTES];

    (void)state;
    memset(more, 'e', sizeof(more));
    assert_int_equal(http_answer_body(&f->a, 500, "a\n\0b", 4), 0);
    assert_int_equal(http_answer_body(&f->a, 500, more, sizeof(more)), 0);
    assert_int_equal(strlen(f->r.error), HTTP_ERROR_BODY_BYTES - 1);
    assert_memory_equal(f->r.error, "a  bee", 6);
    assert_int_equal(f->r.body_bytes, 0);
    free(f);
}

static void an_answer_is_whole_only_if_it_would_show_a_cut(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    f->r.method = HTTP_GET;
    assert_int_equal(http_answer_whole(&f->a, 200), -ECONNRESET);
    assert_int_equal(line(f, "HTTP/1.1 200 OK\r\n"), 0);
    assert_int_equal(http_answer_whole(&f->a, 200), -ECONNRESET);
    assert_int_equal(line(f, "\r\n"), 0);
    assert_int_equal(http_answer_whole(&f->a, 200), -EBADMSG);
    assert_int_equal(http_answer_whole(&f->a, 204), 0);
    f->r.method = HTTP_HEAD;
    assert_int_equal(http_answer_whole(&f->a, 200), 0);
    f->r.method = HTTP_GET;
    assert_int_equal(line(f, "HTTP/1.1 200 OK\r\n"), 0);
    assert_int_equal(line(f, "content-LENGTH: 0\r\n"), 0);
    assert_int_equal(line(f, "\r\n"), 0);
    assert_int_equal(http_answer_whole(&f->a, 200), 0);
    free(f);
}

static void headers_are_bounded_over_the_whole_exchange(void **state)
{
    struct fixture *f = fixture_new();
    unsigned lines = 0;

    (void)state;
    while (line(f, "HTTP/1.1 100 Continue\r\n") == 0)
        assert_true(++lines < HTTP_ANSWER_HEADERS_BYTES_MAX);
    assert_int_equal(lines, HTTP_ANSWER_HEADERS_BYTES_MAX / strlen("HTTP/1.1 100 Continue\r\n"));
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_picked_whatever_its_case_and_blanks),
        cmocka_unit_test(odd_lines_pick_nothing),
        cmocka_unit_test(a_value_fits_or_is_refused),
        cmocka_unit_test(a_status_line_begins_anew),
        cmocka_unit_test(trailers_are_not_headers),
        cmocka_unit_test(a_body_fills_its_room_and_not_a_byte_more),
        cmocka_unit_test(a_body_nobody_wants_is_bounded_too),
        cmocka_unit_test(the_text_of_an_error_is_cut_and_clean),
        cmocka_unit_test(an_answer_is_whole_only_if_it_would_show_a_cut),
        cmocka_unit_test(headers_are_bounded_over_the_whole_exchange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
