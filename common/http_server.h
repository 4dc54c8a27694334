/* http_server: HTTP/1.1 requests, found by a table of routes, answered from any thread.
 *
 * Happy path: one thread accepts, looks at the first bytes of a connection and hands it to one of
 * two thread pools: "quick" routes have threads of their own, so that a ping is answered while
 * every other thread is busy. The headers of a request choose its route: begin(); the body is
 * copied once, to memory that the request keeps, and shown to body() on its way; run() has the
 * whole request and replies, at once or later from any thread; end() forgets it.
 * Failure: what is wrong with a request is answered by a JSON sentence, {"error": ..., "code":
 * ...}; a client that is slow beyond its time is told so (408) where that is possible and cut off;
 * too many connections or bodies are refused with 503 and Retry-After.
 *
 * Limits, all in the configuration: connections, header, body and idle time, body size (before
 * memory is taken), memory of all bodies together.
 *
 * Threads: begin, body, run and end run on the server's threads, one after the other for one
 * request, and must not block. http_reply*() from any thread, once per request: in begin (refuse),
 * in run, or between run and end. Plain HTTP: listening beyond loopback needs to be asked for. */
#ifndef VS_COMMON_HTTP_SERVER_H
#define VS_COMMON_HTTP_SERVER_H

#include "common/http_method.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_DEFAULT 12000
#define HTTP_CONNECTIONS_MAX     60000
#define HTTP_THREADS_MAX         32
#define HTTP_BODY_BYTES_MAX      (64u << 20) /* of one request body, whatever a route says */
#define HTTP_WHY_BYTES           256
#define HTTP_RETRY_AFTER_S       1

struct http_server;
struct http_req; /* one request; valid from begin until end has returned */
struct vs_json;

typedef void http_req_fn(struct http_req *q);
typedef void http_body_fn(struct http_req *q, const void *bytes, size_t len);

struct http_route {
    const char *path;        /* whole path; a prefix when it ends in '/' */
    unsigned methods;        /* HTTP_ bits */
    bool quick;              /* connections that begin with it go to the quick threads */
    uint32_t body_bytes_max; /* 0: no body allowed; else Content-Length is required */
    http_req_fn *begin;      /* or NULL: headers are here; reply only to refuse */
    http_body_fn *body;      /* or NULL: the next bytes of the body, where they stay */
    http_req_fn *run;
    http_req_fn *end; /* or NULL; runs exactly once after begin, answered or not */
};

struct http_server_config {
    const char *listen;   /* "HOST:PORT", "[::1]:PORT"; port 0: any */
    bool beyond_loopback; /* allow addresses that other machines can reach */
    const struct http_route *routes;
    unsigned route_count;
    void *arg;
    /* 0: the default */
    unsigned threads;               /* of the pool; default: processors, 2 .. 16 */
    unsigned quick_threads;         /* default 2, the least */
    unsigned connections_max;       /* HTTP_CONNECTIONS_DEFAULT */
    unsigned idle_ms;               /* a connection without a request; 120000 */
    unsigned head_ms;               /* from the first byte to the end of the headers; 10000 */
    unsigned grace_ms;              /* between two pieces of a body; and for all of a body or an */
    unsigned rate_bytes_per_s_min;  /* answer beside its bytes at this rate; 10000, 262144 */
    uint64_t body_memory_bytes_max; /* all bodies together; 256 MiB */
};

/* Start. -EINVAL bad address or limits; -EACCES beyond loopback; -EADDRINUSE, ...: `why` is a
 * sentence. The routes and `arg` are lent until http_server_stop() returns. */
int http_server_start(struct http_server **ret, const struct http_server_config *config,
                      char why[HTTP_WHY_BYTES]);

/* The port it listens on. */
uint16_t http_server_port(const struct http_server *s);

/* Take no more connections, answer what is being worked on (requests still on the wire at most
 * `drain_ms`), close, free. Forgives NULL. */
void http_server_stop(struct http_server *s, unsigned drain_ms);

struct http_server_stats {
    uint64_t accepted, refused; /* connections; refused: above the limit */
    uint64_t timeouts;          /* connections cut off for being slow */
    uint64_t requests;          /* begun */
    uint64_t out_of_memory;     /* bodies refused with 503 */
    unsigned connections;       /* now */
    unsigned in_flight;         /* requests now */
    uint64_t body_memory_bytes; /* lent to requests now */
    uint64_t body_memory_spare; /* kept warm for the next ones */
    uint64_t body_memory_bytes_max;
};
void http_server_stats(struct http_server *s, struct http_server_stats *ret);
/* The same as families of a Prometheus text. */
struct vs_metrics_text;
void http_server_metrics(struct http_server *s, struct vs_metrics_text *t);

/* ---- a request --------------------------------------------------------------------------------
 */

void *http_req_arg(const struct http_req *q); /* of the configuration */
void http_req_set_state(struct http_req *q, void *state);
void *http_req_state(const struct http_req *q);
enum http_method http_req_method(const struct http_req *q);
/* The path behind the route's prefix ("" for a whole path). */
const char *http_req_tail(const struct http_req *q);
/* A header or an argument of the query, NULL when it is not there; borrowed. Until
 * the reply. */
const char *http_req_header(const struct http_req *q, const char *name);
const char *http_req_query(const struct http_req *q, const char *name);
/* The whole body, from run on. */
const void *http_req_body(const struct http_req *q, size_t *ret_bytes);
/* Length of the body that the headers announce. */
size_t http_req_body_bytes(const struct http_req *q);
/* On the quick threads: those never block, so a file reply is not allowed. */
bool http_req_quick(const struct http_req *q);
/* Memory from the same budget as bodies, given back after end. NULL: none left, answer 503. One
 * per request, and only for requests without a body. */
void *http_req_memory(struct http_req *q, size_t bytes);
/* For end: monotonic time of begin, and the status that was sent, 0: the client was gone or cut
 * off before the answer was complete. */
int64_t http_req_started_ns(const struct http_req *q);
int http_req_sent_status(const struct http_req *q);

/* ---- the answer -------------------------------------------------------------------------------
 */

/* A header of the answer; before the reply. */
void http_reply_header(struct http_req *q, const char *name, const char *value);
/* Bytes: copied; or lent until end. `type` NULL: no Content-Type. */
void http_reply(struct http_req *q, int status, const char *type, const void *bytes, size_t len);
void http_reply_lent(struct http_req *q, int status, const char *type, const void *bytes,
                     size_t len);
/* A range of a file, by sendfile. Ownership of `fd` moves, whatever happens. `done` (or NULL) runs
 * exactly once, on any thread, maybe long after end: from then on the bytes may change. */
typedef void http_file_done_fn(void *arg);
void http_reply_file(struct http_req *q, int status, const char *type, int fd, uint64_t offset,
                     uint64_t len, http_file_done_fn *done, void *arg);
/* Bytes made when they are needed: fill up to `max` bytes from `pos` on; the number (at least 1),
 * or negative: the connection is cut. Called on the server's threads until end, must not block. */
typedef int64_t http_fill_fn(struct http_req *q, uint64_t pos, void *dst, size_t max);
void http_reply_fill(struct http_req *q, int status, const char *type, http_fill_fn *fill,
                     uint64_t len);
/* The answer to a HEAD: no bytes, but their number. */
void http_reply_head(struct http_req *q, int status, const char *type, uint64_t len);
void http_reply_json(struct http_req *q, int status, struct vs_json *j); /* frees j */
/* {"error": sentence, "code": word}. 503 carries Retry-After. */
void http_reply_error(struct http_req *q, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
