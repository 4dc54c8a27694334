/* What the files of the HTTP server share: the server, a request. For common/http_*.c only.
 *
 *   accept thread -> hand -> pool -> begin -> body ... -> run -> (suspended) -> reply -> send ->
 * end
 *
 * A request is worked on by the one thread of its connection, except for what is under its lock:
 * a reply may come from any thread. While no reply is there after run, the connection is
 * suspended, so that nothing else can happen to it. */
#ifndef VS_COMMON_HTTP_IMPL_H
#define VS_COMMON_HTTP_IMPL_H

#include "common/buf.h"
#include "common/http_accept.h"
#include "common/http_linger.h"
#include "common/http_memory.h"
#include "common/http_server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

#define HTTP_DISCARD_BYTES_MAX                                                                     \
    (64ull << 20)                    /* of a refused body; a longer one ends the connection */
#define HTTP_HEADERS_BYTES_MAX 8192u /* of an answer */

struct http_server {
    struct http_server_config config; /* every default filled in */
    uint16_t port;
    struct http_conns conns;
    struct http_memory memory;
    struct http_accept *accept;
    struct MHD_Daemon *pool, *quick;
    struct MHD_Response *no_memory; /* the answer when there is none for another one */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    unsigned in_flight;
    uint64_t requests;
    _Atomic bool draining;
};

struct http_req {
    struct http_server *server;
    struct http_conn *conn; /* NULL: unknown to the table */
    struct MHD_Connection *mhd;
    const struct http_route *route; /* NULL: refused before one was found */
    enum http_method method;
    const char *tail;
    void *state;
    bool quick;
    bool begun; /* route->begin was due: end is, too */
    bool ran;
    bool sent; /* the answer went out whole */
    int64_t started_ns;
    int64_t body_until_ns;   /* the whole body, at the least rate */
    struct http_block block; /* of the body, or http_req_memory() */
    size_t body_bytes, got;  /* announced; arrived */
    uint64_t discarded;
    struct vs_buf headers; /* of the answer: name NUL value NUL ... */
    http_fill_fn *fill;
    struct http_linger *linger; /* of a file that is sent */
    pthread_mutex_t lock;
    /* under lock */
    struct MHD_Response *response; /* the reply; NULL: none yet */
    int status;
    uint64_t reply_bytes;
    bool suspended;
};

/* ---- http_mhd_req.c ---- */

/* A new request from its headers; NULL without memory. It may be refused already. */
struct http_req *http_req_new(struct http_server *s, struct MHD_Connection *mhd, bool quick,
                              const char *url, const char *method);
/* The next bytes of the body. */
void http_req_take(struct http_req *q, const void *bytes, size_t len);
/* The body is complete: run it. */
void http_req_run(struct http_req *q);
/* Answered or lost. */
void http_req_free(struct http_req *q);

/* ---- http_mhd_reply.c ---- */

/* Hand the reply to the connection; false: close it. */
bool http_reply_send(struct http_req *q);
bool http_req_replied(struct http_req *q);
/* Prepare and drop the answer of last resort. */
int http_reply_init(struct http_server *s);
void http_reply_close(struct http_server *s);

/* Deadline for `bytes` more on the wire. */
int64_t http_deadline_ns(const struct http_server *s, uint64_t bytes);

#endif
