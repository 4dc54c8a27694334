/* An answer into a request's memory, see the header.
 *
 * Happy path: headers that somebody asked for are copied to their picks, the body of a 2xx to the
 * caller's memory, the beginning of any other body to the error text. Failure modes: too much of
 * anything, or a header that was asked for twice: an error, and nothing was written beyond its
 * room. */
#include "common/http_answer.h"

#include "common/err.h"

#include <string.h>
#include <strings.h>

/* A new head: the first, the one behind a 1xx, or that of a second try. */
static void answer_begin(struct http_answer *a)
{
    struct http_request *r = a->request;

    for (unsigned i = 0; i < r->picks_count; i++) {
        r->picks[i].present = false;
        r->picks[i].len = 0;
        r->picks[i].text[0] = '\0';
    }
    r->body_bytes = 0;
    r->error[0] = '\0';
    a->other_bytes = 0;
    a->headers_done = a->length_known = false;
}

void http_answer_start(struct http_answer *a, struct http_request *r)
{
    *a = (struct http_answer){ .request = r };
    answer_begin(a);
}

static int pick_take(struct http_pick *p, const char *value, size_t len)
{
    if (p->present || len >= p->cap || memchr(value, '\0', len) != NULL)
        return -EBADMSG;
    memcpy(p->text, value, len);
    p->text[len] = '\0';
    p->len = len;
    p->present = true;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool name_is(const char *name, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(name, word, len) == 0;
}

/* "Name: value", with or without line end. */
static int header_take(struct http_answer *a, const char *line, size_t len)
{
    struct http_request *r = a->request;
    const char *colon = memchr(line, ':', len);
    size_t name_len, begin;

    if (colon == NULL)
        return 0;
    name_len = (size_t)(colon - line);
    if (name_is(line, name_len, "Content-Length") || name_is(line, name_len, "Transfer-Encoding"))
        a->length_known = true;
    while (len > name_len + 1 && is_blank(line[len - 1]))
        len--;
    for (begin = name_len + 1; begin < len && is_blank(line[begin]);)
        begin++;
    for (unsigned i = 0; i < r->picks_count; i++)
        if (name_is(line, name_len, r->picks[i].name))
            return pick_take(&r->picks[i], line + begin, len - begin);
    return 0;
}

int http_answer_header(struct http_answer *a, const char *line, size_t len)
{
    if (len > HTTP_ANSWER_HEADERS_BYTES_MAX - a->headers_bytes)
        return -EBADMSG;
    a->headers_bytes += len;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        answer_begin(a);
        return 0;
    }
    if (a->headers_done) /* trailers of a chunked body are nobody's */
        return 0;
    if (len == 0 || (len <= 2 && is_blank(line[0]))) {
        a->headers_done = true;
        return 0;
    }
    return header_take(a, line, len);
}

/* A body that is not for the caller's memory; the beginning of an error is kept. */
static int other_body_take(struct http_answer *a, bool keep, const char *bytes, size_t len)
{
    struct http_request *r = a->request;
    size_t room = keep ? sizeof(r->error) - 1 : 0;

    if (len > HTTP_ANSWER_OTHER_BYTES_MAX - a->other_bytes)
        return -EBADMSG;
    for (size_t i = 0; i < len && a->other_bytes + i < room; i++) {
        r->error[a->other_bytes + i] = (uint8_t)bytes[i] < ' ' ? ' ' : bytes[i];
        r->error[a->other_bytes + i + 1] = '\0';
    }
    a->other_bytes += len;
    return 0;
}

int http_answer_body(struct http_answer *a, long code, const void *bytes, size_t len)
{
    struct http_request *r = a->request;

    if (code < 200 || code > 299 || r->body == NULL)
        return other_body_take(a, code < 200 || code > 299, bytes, len);
    if (len > r->body_cap - r->body_bytes)
        return -EMSGSIZE;
    if (len > 0)
        memcpy((uint8_t *)r->body + r->body_bytes, bytes, len);
    r->body_bytes += len;
    return 0;
}

int http_answer_whole(const struct http_answer *a, long code)
{
    if (!a->headers_done)
        return -ECONNRESET;
    if (a->request->method == HTTP_HEAD || code == 204 || code == 304 || a->length_known)
        return 0;
    return -EBADMSG;
}
