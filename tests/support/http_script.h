/* A server that says what a test tells it to: raw bytes on sockets of the loopback, no HTTP library
 * that would stop it from lying, stalling or breaking off.
 *
 * Each connection is served by the test's function on a thread of its own; stop cuts all of them
 * and joins. At most HTTP_SCRIPT_CONNS_MAX connections at a time. */
#ifndef VS_TESTS_HTTP_SCRIPT_H
#define VS_TESTS_HTTP_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_SCRIPT_CONNS_MAX 256
#define HTTP_SCRIPT_HEAD_MAX  16384

struct http_script;

struct script_conn {
    int fd;
    unsigned number;                 /* 0 is the first connection */
    char head[HTTP_SCRIPT_HEAD_MAX]; /* of the request just read, NUL-terminated */
    uint8_t *body;                   /* of it; owned */
    size_t body_bytes;
    void *arg;
};

typedef void http_script_fn(struct script_conn *c);

/* Listens on a free port. Aborts when it cannot. */
struct http_script *http_script_start(http_script_fn *fn, void *arg);
void http_script_stop(struct http_script *s);
/* "http://127.0.0.1:PORT"; lives as long as the server. */
const char *http_script_origin(const struct http_script *s);
unsigned http_script_accepted(struct http_script *s);

/* The next request with its body, into head and body; false at the end of the stream. */
bool script_read(struct script_conn *c);
/* The request's header, its value only, or "" . Static storage per connection thread. */
const char *script_header(struct script_conn *c, const char *name);
/* False when the peer is gone. */
bool script_say(struct script_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool script_send(struct script_conn *c, const void *bytes, size_t len);
/* Close with RST. */
void script_reset(struct script_conn *c);
/* Until the peer closes, or stop. */
void script_stall(struct script_conn *c);

/* A loopback port that nobody listens on, now. */
uint16_t http_script_dead_port(void);

#endif
