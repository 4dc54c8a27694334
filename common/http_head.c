/* The head of a request.
 *
 * Happy path: a request line and fields, line by line, as many of them as are whole. Failure modes:
 * the first thing that cannot be the head of an HTTP/1 request is told; a line that has not ended
 * yet, or is folded, is not judged. */
#include "common/http_head.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18 /* of a Content-Length that any number holds */

/* A part of the input. */
struct text {
    const char *pos;
    size_t len;
};

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_len(struct text t)
{
    size_t n = 0;

    while (n < t.len && is_token(t.pos[n]))
        n++;
    return n;
}

/* The next whole line without its end; false when it has not ended. */
static bool next_line(struct text *rest, struct text *ret)
{
    const char *end = memchr(rest->pos, '\n', rest->len);

    if (end == NULL)
        return false;
    *ret = (struct text){ rest->pos, (size_t)(end - rest->pos) };
    rest->len -= ret->len + 1;
    rest->pos = end + 1;
    if (ret->len > 0 && ret->pos[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

static bool is_word(struct text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.pos, word, t.len) == 0;
}

/* ---- the request line -------------------------------------------------------------------------
 */

static int check_version(struct text version, const char **ret_why)
{
    if (is_word(version, "HTTP/1.1") || is_word(version, "HTTP/1.0"))
        return 0;
    if (version.len >= 5 && memcmp(version.pos, "HTTP/", 5) == 0) {
        *ret_why = "Only HTTP/1.1 and HTTP/1.0 are spoken here; ask in one of them.";
        return 505;
    }
    *ret_why = "The request line must read METHOD PATH HTTP/1.1; this one does not.";
    return 400;
}

static int check_request_line(struct text line, const char **ret_why)
{
    size_t method = token_len(line), end = line.len;

    while (end > 0 && line.pos[end - 1] != ' ')
        end--;
    if (method == 0 || method == line.len || line.pos[method] != ' ' || end < method + 3) {
        *ret_why = "The request line must read METHOD PATH HTTP/1.1; this one does not.";
        return 400;
    }
    return check_version((struct text){ line.pos + end, line.len - end }, ret_why);
}

/* A line that has not ended: does it begin like a request at all? */
static int check_beginning(struct text begun, const char **ret_why)
{
    size_t method = token_len(begun);

    if (method == begun.len || (method > 0 && begun.pos[method] == ' '))
        return 0;
    *ret_why = "This is no HTTP request; plain HTTP/1.1 is spoken here.";
    return 400;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static int check_length(struct text value, const char **ret_why)
{
    size_t digits = 0;

    while (value.len > 0 && (*value.pos == ' ' || *value.pos == '\t')) {
        value.pos++;
        value.len--;
    }
    while (value.len > 0 && (value.pos[value.len - 1] == ' ' || value.pos[value.len - 1] == '\t'))
        value.len--;
    while (digits < value.len && value.pos[digits] >= '0' && value.pos[digits] <= '9')
        digits++;
    if (digits == 0 || digits != value.len) {
        *ret_why = "Content-Length must be the number of bytes of the body, in digits only.";
        return 400;
    }
    if (digits > LENGTH_DIGITS_MAX) {
        *ret_why = "Content-Length is a number that no body reaches; send less.";
        return 413;
    }
    return 0;
}

/* One field; *has_host is set when it is that. */
static int check_field(struct text line, bool *has_host, const char **ret_why)
{
    size_t name = token_len(line);

    if (name == 0 || name == line.len || line.pos[name] != ':') {
        *ret_why = "A header must read Name: value, without a blank before the colon.";
        return 400;
    }
    line.len = name;
    if (is_word(line, "Host"))
        *has_host = true;
    return 0;
}

static int check_fields(struct text rest, bool need_host, const char **ret_why)
{
    bool has_host = false;
    struct text line;

    while (next_line(&rest, &line)) {
        struct text name = { line.pos, token_len(line) };
        int r;

        if (line.len == 0 && need_host && !has_host) {
            *ret_why = "A request in HTTP/1.1 must have a header Host; send one.";
            return 400;
        }
        if (line.len == 0 || line.pos[0] == ' ' || line.pos[0] == '\t')
            return 0;
        r = check_field(line, &has_host, ret_why);
        if (r == 0 && is_word(name, "Content-Length"))
            r = check_length((struct text){ line.pos + name.len + 1, line.len - name.len - 1 },
                             ret_why);
        if (r != 0)
            return r;
    }
    return 0;
}

int http_head_check(const char *bytes, size_t len, const char **ret_why)
{
    struct text rest = { bytes, len }, line;
    int r;

    while (rest.len > 0 && (rest.pos[0] == '\r' || rest.pos[0] == '\n')) { /* RFC 9112, 2.2 */
        rest.pos++;
        rest.len--;
    }
    if (!next_line(&rest, &line))
        return check_beginning(rest, ret_why);
    r = check_request_line(line, ret_why);
    if (r != 0)
        return r;
    return check_fields(rest, line.pos[line.len - 1] == '1', ret_why);
}
