/* http_client: HTTP requests to a few hosts, many at a time, on one I/O thread.
 *
 * A request is the caller's memory, embedded in something larger, and stays in place until `done`
 * has run. `done` runs exactly once, on a thread of the executor given at the start (without one:
 * on the I/O thread, which it must not block), never inside http_client_submit(). What the request
 * points to is lent until then. Each host has a bounded number of connections, kept open between
 * requests, and a bounded queue before them; what is above is answered with -EAGAIN.
 *
 * `status` of a finished request:
 *   0              an answer came whole; http_status says which (100 .. 599 are the server's words)
 *   -ETIMEDOUT     no whole answer before the deadline
 *   -ECONNREFUSED  no connection: refused, unreachable, no such host
 *   -ECONNRESET    the connection broke before the answer was whole
 *   -EBADMSG       that is not HTTP, the length of its body is not said (so that half of it would
 *                  pass for the whole), a header that was asked for came twice or does not fit
 *   -EMSGSIZE      the body of a 2xx is longer than body_cap
 *   -ECANCELED     cancelled, or the host was closed
 *   -EAGAIN        too many requests for this host; -ENOMEM
 *
 * A connection that the server closed while it was idle is replaced without a word: the request is
 * sent once more if nothing of an answer had come. Requests must therefore be repeatable.
 *
 * No redirects, no proxy from the environment, no cookies, no compression, HTTP/1.1. The door to
 * libcurl is http_curl.c; TLS settings belong there too.
 *
 * Threads: any. Locks: none held while `done` runs. */
#ifndef VS_COMMON_HTTP_CLIENT_H
#define VS_COMMON_HTTP_CLIENT_H

#include "common/exec.h"
#include "common/http_method.h"
#include <stdbool.h>

#define HTTP_CLIENT_HOSTS_MAX       256
#define HTTP_CLIENT_CONNECTIONS_MAX 1024 /* of one host */
#define HTTP_CLIENT_QUEUE_MAX       8192 /* of one host; in flight and waiting */
#define HTTP_CLIENT_TIMEOUT_MS_MAX  3600000u
#define HTTP_ORIGIN_BYTES_MAX       300 /* "http://host:port", NUL included */
#define HTTP_PATH_BYTES_MAX         512 /* path and query, NUL included */
#define HTTP_REQUEST_HEADERS_MAX    8
#define HTTP_HEADER_BYTES_MAX       8192 /* one request header, name and value */
#define HTTP_ERROR_BODY_BYTES       512  /* kept of the body of an answer that is not 2xx */

struct http_client;
struct http_host;
struct http_request;
typedef void http_done_fn(struct http_request *r);

struct http_header {
    const char *name, *value; /* no CR, LF or NUL: the caller's own texts */
};

/* A header of the answer that the caller wants: copied to `text` (cap > 0), NUL-terminated. One
 * that does not fit or comes twice is -EBADMSG. */
struct http_pick {
    const char *name;
    char *text;
    size_t cap;
    size_t len;   /* out */
    bool present; /* out */
};

struct http_request {
    enum http_method method;
    const char *path; /* begins with '/', already percent-encoded */
    const struct http_header *headers;
    unsigned headers_count;
    const void *send; /* request body (PUT, POST); not copied */
    size_t send_bytes;
    void *body;      /* where the body of a 2xx goes; NULL: thrown away, up to 64 KiB */
    size_t body_cap; /* never more bytes than this are written */
    struct http_pick *picks;
    unsigned picks_count;
    bool own_connection; /* a new one, closed afterwards: this must not wait behind, nor share the
                          * server's thread with, what others send */
    unsigned timeout_ms; /* from submit to the whole answer, waiting included; >= 1 */
    http_done_fn *done;
    int status;                        /* out */
    unsigned http_status;              /* out; 0 when no answer began */
    size_t body_bytes;                 /* out */
    char error[HTTP_ERROR_BODY_BYTES]; /* out: beginning of the body of another answer; text */
    struct vs_job job;                 /* private from here */
    struct http_host *host;
    struct vs_list link;
    struct vs_list by_deadline;
    int64_t deadline_ns;
    int state, drop_status;
    void *slot;
};

/* Start the I/O thread. `exec` runs the callbacks, is lent and must outlive the client; NULL: the
 * I/O thread runs them. -ENOMEM, -EMFILE, -EAGAIN. */
int http_client_start(struct http_client **ret, struct vs_exec *exec);

/* Close all hosts (every request is answered, with -ECANCELED when it is not finished), end the
 * thread, free. Forgives NULL. Not from inside a callback. */
void http_client_stop(struct http_client *c);

struct http_host_config {
    const char *origin;          /* "http://127.0.0.1:8101", no path behind it */
    unsigned connections_max;    /* 1 .. HTTP_CLIENT_CONNECTIONS_MAX */
    unsigned queue_max;          /* 1 .. HTTP_CLIENT_QUEUE_MAX */
    unsigned connect_timeout_ms; /* for TCP to answer; 1 .. HTTP_CLIENT_TIMEOUT_MS_MAX */
};

/* Add a host. -EINVAL limits or origin (only http:// so far), -ENOBUFS too many, -ENOMEM. */
int http_host_open(struct http_host **ret, struct http_client *c,
                   const struct http_host_config *config);

/* Cancel all requests of the host, wait until their callbacks have returned, free. Forgives NULL.
 * A callback may submit until then (-ECANCELED), nobody else. Not from inside a callback. */
void http_host_close(struct http_host *h);

/* Send a request. Never fails; the status says how it went. */
void http_client_submit(struct http_host *h, struct http_request *r);

/* Ask that a request end soon: it is answered with -ECANCELED, or as it went if it was finished
 * already. The caller knows that `done` has not returned yet (its own lock); any thread. */
void http_client_cancel(struct http_request *r);

#endif
