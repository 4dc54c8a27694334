/* http_linger: files whose bytes were handed to the kernel and have not reached the client yet.
 *
 * sendfile(2) queues the pages of the page cache themselves: what changes in the file while they
 * wait in the socket is what the client gets. So a file that was sent is given back to its owner
 * only when the socket's queue is empty, or the client has sent its next request, or the
 * connection has been closed for a while.
 *
 * For common/http_*.c only. Threads: any; `done` runs without locks. */
#ifndef VS_COMMON_HTTP_LINGER_H
#define VS_COMMON_HTTP_LINGER_H

#include "common/http_conns.h"
#include "common/http_server.h"

struct http_linger {
    struct vs_list link;     /* under conns->lock, as all of it */
    struct http_conn *conn;  /* NULL: closed meanwhile */
    int64_t until_ns;        /* then, when it was closed */
    http_file_done_fn *done; /* NULL: nobody wants to know */
    void *arg;
};

/* The answer went to the kernel (or nowhere). Ownership of `l` (malloc'ed, or NULL) moves. */
void http_linger_add(struct http_conns *t, struct http_conn *c, struct http_linger *l);
/* Does nothing wait in this socket any more? */
bool http_linger_is_sent(int fd);
/* The client speaks again. */
void http_linger_heard(struct http_conns *t, struct http_conn *c);
void http_linger_sweep(struct http_conns *t, int64_t now_ns);
/* At the end: all of them. */
void http_linger_close(struct http_conns *t);

#endif
