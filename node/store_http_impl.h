/* What the files of the store over HTTP share: the store, one operation on its way. */
#ifndef VS_NODE_STORE_HTTP_IMPL_H
#define VS_NODE_STORE_HTTP_IMPL_H

#include "node/frag_text.h"
#include "node/node_wire.h"
#include "node/store_http.h"

#include <pthread.h>

#define STORE_HTTP_HEALTH_BYTES_MAX 65536u
#define STORE_HTTP_NUMBER_BYTES     24
#define STORE_HTTP_RANGE_BYTES      64
#define STORE_HTTP_WORD_BYTES       32

struct store_http {
    struct chunk_store base;
    struct store_http_config config; /* defaults filled in */
    struct http_host *host;
    struct http_host *health_host; /* the same node; a question for its health does not queue */
    char origin[HTTP_ORIGIN_BYTES_MAX];
    char name[STORE_HTTP_NAME_BYTES]; /* "": not known */
    char store[VS_ID_TEXT_BYTES];     /* "": not known */
    /* Lock order: this one, then the HTTP client's. */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    struct store_health health;
    bool stopping;
    bool polling;    /* a report is asked for, or the timer for it runs */
    bool poll_sent;  /* ... asked for */
    bool poll_again; /* ... and is to be asked for once more at once */
    uint64_t polls_sent, polls_done;
    pthread_cond_t reported; /* polls_done rose, or nothing is asked any more */
    unsigned refused;        /* operations that are answered without a request */
    struct vs_job timer;     /* of health */
    struct http_request poll;
    char poll_body[STORE_HTTP_HEALTH_BYTES_MAX];
};

/* One HTTP request of an operation; the operations embed it first and are on the heap. */
struct http_op {
    struct http_request req;
    struct store_http *store;
    char path[HTTP_PATH_BYTES_MAX];
    char error_word[STORE_HTTP_WORD_BYTES];
    struct http_header headers[4];
    struct http_pick picks[5];
};

static inline struct store_http *store_http_of(struct chunk_store *s)
{
    return vs_container_of(s, struct store_http, base);
}

/* An operation of `bytes` in all, with its error word picked and the node named. NULL: no memory.
 */
void *http_op_new(struct store_http *s, size_t bytes, enum http_method method, http_done_fn *done);
void http_op_path(struct http_op *op, const struct frag_key *key);
void http_op_header(struct http_op *op, const char *name, const char *value);
/* Returns where the answer's header will be: `text` of `cap` bytes, which belongs to `op`. */
struct http_pick *http_op_pick(struct http_op *op, const char *name, char *text, size_t cap);
void http_op_send(struct http_op *op);
/* What a finished request says: 0 for 2xx, else a code of the chunk store. A node out of reach is
 * asked for its health at once. */
int http_op_status(struct http_op *op);

/* Answer an operation without a request: `fn` runs as a job. Pair with refuse_done(). */
void store_http_refuse(struct store_http *s, struct vs_job *job, vs_job_fn *fn);
void store_http_refuse_done(struct store_http *s);

/* store_http_read.c */
void store_http_get(struct chunk_store *s, struct store_get *g);
void store_http_cancel(struct chunk_store *s, struct store_get *g);
void store_http_stat(struct chunk_store *s, struct store_stat *st);
/* store_http_list.c */
void store_http_list(struct chunk_store *s, struct store_list *l);

/* store_http_health.c */
void store_http_health_start(struct store_http *s);
void store_http_health_stop(struct store_http *s); /* before the host is closed */
void store_http_health_wait(struct store_http *s); /* after it is */
void store_http_health(struct chunk_store *s, struct store_health *ret);
uint64_t store_http_health_ask(struct chunk_store *s);
void store_http_health_await(struct chunk_store *s, uint64_t asked, int64_t until_ns);
/* A request found the node out of reach: ask it now. */
void store_http_doubt(struct store_http *s);

#endif
