/* http_accept: the thread that accepts connections, waits for their first bytes, and hands them to
 * one of two pools by what they begin with. For common/http_*.c only.
 *
 * What cannot be the head of a request (http_head.h) is answered here.
 *
 * A connection that says nothing costs a descriptor and forty bytes here, nothing in a pool.
 *
 * Threads: one of its own. `hand` and `is_quick` run on it. */
#ifndef VS_COMMON_HTTP_ACCEPT_H
#define VS_COMMON_HTTP_ACCEPT_H

#include "common/http_conns.h"

#define HTTP_PEEK_BYTES 4096 /* looked at; what is longer is judged by these */

struct http_accept;

struct http_accept_config {
    int listen_fd; /* owned from start on, also on failure */
    struct http_conns *conns;
    int64_t idle_ns, head_ns;
    void *arg;
    /* Does a request that begins so belong to the quick threads? */
    bool (*is_quick)(void *arg, const char *first, size_t len);
    /* Take the connection over; false: it was closed and is not known any more. */
    bool (*hand)(void *arg, int fd, bool quick);
};

int http_accept_start(struct http_accept **ret, const struct http_accept_config *config);
/* No more connections; those that have not begun are closed. The sweep goes on. */
void http_accept_quiesce(struct http_accept *a);
/* Forgives NULL. */
void http_accept_stop(struct http_accept *a);
void http_accept_counts(struct http_accept *a, uint64_t *ret_accepted, uint64_t *ret_refused);

#endif
