/* http_head: is what a connection begins with the head of an HTTP/1 request? For what is not, as
 * far as that can be told from the first bytes, a status and a sentence, so that people who mistype
 * a header read what is wrong with it. Everything else is the HTTP library's to judge.
 *
 * RFC 9112, 3 (request line) and 5 (fields); RFC 9110, 8.6 (Content-Length). Pure. Threads: any. */
#ifndef VS_COMMON_HTTP_HEAD_H
#define VS_COMMON_HTTP_HEAD_H

#include <stddef.h>

/* 0: nothing wrong with these bytes, which may be only the beginning. Else 400, 413 or 505, and
 * *ret_why a sentence (static storage). */
int http_head_check(const char *bytes, size_t len, const char **ret_why);

#endif
