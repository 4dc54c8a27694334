/* http_conns: the connections of a server, by descriptor, and the time each has for what it is
 * doing. For common/http_*.c only.
 *
 *   phase    who moves it there                    what ends it in time
 *   PEEK     accepted, no byte yet                 idle_ms, then closed without a word
 *   HEAD     first byte seen, handed over          head_ms, then 408
 *   IDLE     answered, waiting for the next one    idle_ms, then closed without a word
 *   BODY     headers are complete                  grace since the last piece, and grace + bytes at
 *                                                  the least rate for all of it, then 408
 *   WORK     request is complete                   nothing: the answer will come
 *   SEND     answer is being sent                  grace + bytes at the least rate, then cut off
 *   CUT      the sweep has cut it off              its pool closes it
 *
 * Cutting off is shutdown(2): the descriptor belongs to the pool that serves it, which finds the
 * end of the stream and closes it.
 *
 * Threads: any. Phase and deadline are atomic; the table and the list are under one lock. */
#ifndef VS_COMMON_HTTP_CONNS_H
#define VS_COMMON_HTTP_CONNS_H

#include "common/list.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum http_phase {
    HTTP_PEEK,
    HTTP_HEAD_READ,
    HTTP_IDLE,
    HTTP_BODY,
    HTTP_WORK,
    HTTP_SEND,
    HTTP_CUT,
};

struct http_conn {
    struct vs_list link; /* under conns->lock */
    int fd;
    bool answered;    /* in PEEK: only to be closed (http_accept.c) */
    unsigned lingers; /* files that it is sending; under conns->lock (http_linger.h) */
    _Atomic int phase;
    _Atomic int64_t deadline_ns; /* monotonic; INT64_MAX: none */
};

struct http_conns {
    pthread_mutex_t lock;
    struct vs_list all;
    struct http_conn **by_fd; /* fd_max entries */
    unsigned fd_max, count, count_max;
    int64_t linger_ns;      /* of a closed connection's files */
    struct vs_list lingers; /* struct http_linger */
    unsigned lingers_count;
    _Atomic uint64_t timeouts;
};

/* -ENOMEM */
int http_conns_init(struct http_conns *t, unsigned count_max, int64_t linger_ns);
/* Nothing may linger. Forgives zeroed. */
void http_conns_close(struct http_conns *t);

/* Add an accepted descriptor. -EMFILE at the limit, -ENOMEM; then the descriptor is untouched. */
int http_conns_add(struct http_conns *t, int fd, int64_t deadline_ns, struct http_conn **ret);
/* Forget it, before its descriptor is closed. Forgives NULL. */
void http_conns_remove(struct http_conns *t, struct http_conn *c);
struct http_conn *http_conns_find(struct http_conns *t, int fd);
unsigned http_conns_count(struct http_conns *t);

/* Go to a phase; false when it was cut off before. Forgives NULL (true). */
bool http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t deadline_ns);

/* A new deadline in the same phase. Forgives NULL. */
void http_conn_extend(struct http_conn *c, int64_t deadline_ns);

/* Cut off those whose time is over. Connections in PEEK are handed to `close_peek`, which removes
 * and closes them. */
typedef void http_close_fn(void *arg, struct http_conn *c);
void http_conns_sweep(struct http_conns *t, int64_t now_ns, http_close_fn *close_peek, void *arg);
/* Cut off all in HEAD and IDLE, with `hard` also BODY and SEND; and in PEEK, unless `close_peek` is
 * NULL: those are the accept thread's. */
void http_conns_cut(struct http_conns *t, bool hard, http_close_fn *close_peek, void *arg);

/* A whole answer straight to a socket, as far as it takes it at once. For connections that no pool
 * answers. `headers` is "" or lines that end with CRLF. */
#define HTTP_SAY_BYTES_MAX 512
void http_say(int fd, const char *status, const char *headers, const char *body);

#endif
