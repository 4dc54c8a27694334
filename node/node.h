/* node: what the parts of the storage daemon share: its store, its name, its counters. For
 * node/node_*.c only. */
#ifndef VS_NODE_NODE_H
#define VS_NODE_NODE_H

#include "common/http_server.h"
#include "common/metrics.h"
#include "node/chunk_store.h"
#include "node/frag_text.h"
#include "node/node_wire.h"

#define NODE_NAME_BYTES_MAX   63
#define NODE_DOMAIN_BYTES_MAX 127

enum node_op { NODE_OP_PUT, NODE_OP_GET, NODE_OP_HEAD, NODE_OP_DELETE, NODE_OP_LIST, NODE_OPS };

struct node_metrics {
    struct {
        struct vs_histogram latency; /* from the headers to the last byte of the answer */
        struct vs_counter failed;    /* answered 4xx or 5xx */
        struct vs_counter lost;      /* the client was gone, or cut off */
    } op[NODE_OPS];
    struct vs_counter put_bytes, get_bytes; /* payload taken and given */
};

struct node {
    char name[NODE_NAME_BYTES_MAX + 1];
    char domain[NODE_DOMAIN_BYTES_MAX + 1]; /* HOST/RACK, "" when not said */
    char data[256];                         /* its directory, for sentences */
    struct vs_id cluster, uuid;
    unsigned reserve_percent;
    struct chunk_store *store;
    bool superblocks;         /* the store is a superblock store: its scrub can be asked */
    struct http_server *http; /* set before the first request is answered */
    int64_t started_ns;       /* monotonic */
    struct node_metrics metrics;
};

/* One request on its way: route state, freed at its end. The requests of the store follow it. */
struct node_req {
    struct node *node;
    struct http_req *q;
    struct frag_key key;
    enum node_op op;
    uint64_t bytes; /* of payload, given or taken */
};

/* The routes of a node, served by http_server with the struct node as its argument. */
extern const struct http_route node_routes[];
extern const unsigned node_routes_count;

/* ---- node_routes.c ---- */

/* Make the state of a request, `bytes` in all with a struct node_req first, all zero, and take the
 * key from its path if `keyed`. Is it meant for this node? NULL: replied. */
void *node_req_new(struct http_req *q, size_t bytes, enum node_op op, bool keyed);
/* Count it and free its state. */
void node_req_end(struct http_req *q);
/* Answer with an error of the store: status, word, and a sentence about the fragment. */
void node_reply_err(struct node_req *r, int err);
/* Answer with an error and a sentence. */
void node_reply_error(struct http_req *q, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The headers that describe a payload: the checksum of its table; the table, too. */
void node_reply_table_crc(struct http_req *q, uint32_t table_crc);
void node_reply_table(struct http_req *q, const uint32_t crc[], uint32_t payload_bytes);

/* ---- node_put.c, node_get.c, node_list.c, node_report.c ---- */

void node_put_begin(struct http_req *q);
void node_put_body(struct http_req *q, const void *bytes, size_t len);
void node_put_run(struct http_req *q);
void node_put_end(struct http_req *q);
void node_get_run(struct http_req *q); /* GET and HEAD */
void node_get_end(struct http_req *q);
void node_delete_run(struct http_req *q);
void node_list_run(struct http_req *q);
void node_ping_run(struct http_req *q);
/* A file system as a number that is another one on another machine. */
uint64_t node_device(const char *host, uint64_t device);
void node_health_run(struct http_req *q);
void node_metrics_run(struct http_req *q);

#endif
