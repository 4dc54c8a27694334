/* raw_http: requests to an HTTP server as bytes, so that a test can send what no client would.
 * Blocking; every wait ends after RAW_HTTP_WAIT_S at the latest. */
#ifndef VS_TESTS_RAW_HTTP_H
#define VS_TESTS_RAW_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAW_HTTP_HEAD_MAX 16384
#define RAW_HTTP_WAIT_S   20

struct raw_answer {
    int status;                   /* 0: the connection ended without an answer */
    char head[RAW_HTTP_HEAD_MAX]; /* status line and headers */
    char *body;                   /* NUL-terminated, on the heap; raw_answer_close() */
    size_t body_bytes;
    bool whole; /* the body is as long as its Content-Length says */
};

/* A connection to 127.0.0.1; `receive_bytes` 0, or how small its receive buffer is. */
int raw_connect(uint16_t port, int receive_bytes);
void raw_say(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* False when the peer has closed. */
bool raw_send(int fd, const void *bytes, size_t len);
/* Read one answer (behind any "100 Continue"); `head`: it answers a HEAD, no body follows. */
void raw_read(int fd, bool head, struct raw_answer *a);
void raw_answer_close(struct raw_answer *a);
/* The value of a header, or NULL; lives as long as the next call. */
const char *raw_header(const struct raw_answer *a, const char *name);
/* True when the peer has closed the connection, or does within the wait. */
bool raw_is_closed(int fd);

/* One request on a connection of its own: what to say, its status; `a` may be NULL. */
int raw_ask(uint16_t port, struct raw_answer *a, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
