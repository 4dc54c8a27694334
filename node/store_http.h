/* store_http: a chunk store that is a storage node somewhere else, over HTTP.
 *
 * Happy path: one request of the vtable is one HTTP request (a listing: one per page); bytes go
 * from and into the caller's memory.
 * Failure: a node that cannot be reached, is late or answers nonsense is -VS_EDOWN: nothing is
 * known about the request, another store may answer. What comes off the wire is bounded by the
 * caller's memory and compared with what was asked for; whether the bytes are right is the reader's
 * check, frag_verify(). An answer about a fragment that contradicts itself is -VS_ECORRUPT.
 *
 * Health comes from the node's own report, asked for at an interval and at once when a request
 * found the node out of reach; so chunk_store_health() answers from memory, and what it says is as
 * old as that.
 *
 * Threads: the calls from any thread; callbacks on the executor of the HTTP client. */
#ifndef VS_NODE_STORE_HTTP_H
#define VS_NODE_STORE_HTTP_H

#include "common/http_client.h"
#include "node/chunk_store.h"

#define STORE_HTTP_NAME_BYTES 64

struct store_http_config {
    struct http_client *client; /* lent; started with `exec` */
    struct vs_exec *exec;       /* lent; callbacks, and the timer of health */
    const char *origin;         /* "http://127.0.0.1:8101" */
    const char *name;           /* the node's id; another node behind this address is refused.
                                 * NULL: not known */
    const struct vs_id *store;  /* the uuid of its store; another one (the disk was emptied or
                                 * replaced) is refused. NULL: not known */
    /* 0: the default */
    unsigned connections_max;    /* 16 */
    unsigned connect_timeout_ms; /* 1000 */
    unsigned get_timeout_ms;     /* get, stat: to the whole answer; 10000 */
    unsigned put_timeout_ms;     /* put, delete: until it is durable; 30000 */
    unsigned health_ms;          /* between reports; 1000 */
    unsigned health_timeout_ms;  /* no report for so long: down; 2000; also for a list page */
};

/* -EINVAL origin, name or limits; -ENOBUFS, -ENOMEM. The node need not be there. */
int store_http_new(struct chunk_store **ret, const struct store_http_config *config);

#endif
