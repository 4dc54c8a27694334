/* meta_server: what the parts of the metadata daemon share: its metadata, its name, its counters.
 * For meta/meta_routes.c, meta_serve.c, meta_report.c, meta_api*.c, meta_open.c, meta_main.c. */
#ifndef VS_META_META_SERVER_H
#define VS_META_META_SERVER_H

#include "common/http_server.h"
#include "common/json.h"
#include "common/metrics.h"
#include "meta/meta_client.h"
#include "meta/meta_peers.h"
#include "meta/place_value.h"

#define META_PATH               "/meta"
#define META_SERVER_IN_FLIGHT   4096 /* questions */
#define META_SERVER_API_THREADS 2
#define META_SERVER_API_MAX     64          /* requests of people and scripts, in flight */
#define META_SERVER_BODY_MAX    (64u << 10) /* what people and scripts send */

struct meta_server {
    unsigned id;    /* of this replica: its proposer id */
    char data[256]; /* its directory, for sentences */
    struct meta_client *meta;
    struct meta_peers peers;  /* the other replicas */
    struct meta_nodes *nodes; /* who of the storage nodes is there */
    struct http_server *http; /* set before the first request is answered */
    struct vs_exec *api;      /* for requests that wait: those of people and scripts */
    int64_t started_ns;       /* monotonic */
    atomic_bool is_late;      /* it ends, to be started again (meta_rejoin) */
    atomic_bool is_ending;    /* what this replica cannot answer any more, others may */
    atomic_uint in_flight, api_in_flight;
    struct {
        struct vs_histogram latency; /* from the headers to the last byte of the answer */
        struct vs_counter failed;    /* answered with an error of the metadata */
    } op[META_OPS];
    struct vs_counter refused; /* questions that were none, or too many, or for another cluster */
};

/* The routes of a replica, served by http_server with the struct as its argument. */
extern const struct http_route meta_routes[];
extern const unsigned meta_routes_count;

/* ---- meta_serve.c: POST /meta ---- */

void meta_serve_run(struct http_req *q);
void meta_serve_end(struct http_req *q);

/* ---- meta_report.c: all from memory ---- */

void meta_ping_run(struct http_req *q);
void meta_health_run(struct http_req *q);
void meta_metrics_run(struct http_req *q);

/* ---- meta_api.c: requests that ask the metadata and wait, on threads of their own ---- */

/* Answers `q`, once. May call meta_call(). */
typedef void meta_api_fn(struct meta_server *m, struct http_req *q);
/* Run it there; too many: answered with 503. */
void meta_api_start(struct http_req *q, meta_api_fn *fn);
/* An error of the metadata about `what` ("file 17"), as a sentence. */
void meta_api_error(struct http_req *q, int err, const char *what);
/* A number of the query, up to max; without one *ret stays. False: answered. */
bool meta_api_number(struct http_req *q, const char *name, uint64_t max, uint64_t *ret);
/* limit and offset of the query. False: answered. */
bool meta_api_page(struct http_req *q, uint64_t *ret_limit, uint64_t *ret_offset);
/* The value of one register; the caller closes it. */
int meta_api_register(struct meta_server *m, const struct vs_id *id, struct vs_buf *ret);

/* The id at the beginning of the path, and behind it exactly `behind`. False: answered. */
bool meta_api_chunk_path(struct http_req *q, const char *behind, char text[VS_ID_TEXT_BYTES],
                         struct vs_id *ret);
/* The body as JSON; the caller frees. NULL: answered. */
struct vs_json *meta_api_body(struct http_req *q);

void meta_stats_run(struct http_req *q);
void meta_videos_run(struct http_req *q);
void meta_manifest_run(struct http_req *q); /* meta_api_manifest.c */
void meta_api_set_place(struct vs_json *j, const struct place_value *v);
void meta_consensus_run(struct http_req *q); /* meta_api_consensus.c */
void meta_chunk_run(struct http_req *q);     /* GET /chunk/... */
void meta_commit_run(struct http_req *q);    /* POST /chunk/{id}/commit, meta_api_commit.c */
/* Is a chunk's placement decided? On a thread that may wait. */
void meta_commit_look(struct meta_server *m, struct http_req *q, const struct vs_id *id);
void meta_popularity_run(struct http_req *q); /* meta_api_views.c */
void meta_view_run(struct http_req *q);
void meta_changes_run(struct http_req *q); /* meta_api_changes.c */
void meta_changes_end(struct http_req *q);

/* ---- meta_api_nodes.c ---- */

void meta_nodes_run(struct http_req *q);         /* GET /nodes/... */
void meta_node_register_run(struct http_req *q); /* POST /nodes/register */
void meta_node_post_run(struct http_req *q);     /* POST /nodes/{id}/... */

#endif
