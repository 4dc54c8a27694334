/* What the files of the way to the other replicas share: peers, their queues. */
#ifndef VS_META_PX_HTTP_IMPL_H
#define VS_META_PX_HTTP_IMPL_H

#include "common/clock.h"
#include "common/http_client.h"
#include "meta/px_http.h"

#include <pthread.h>
#include <stdatomic.h>

struct px_peer;
struct px_lane;

/* One request that carries told frames. */
struct px_post_out {
    struct http_request req;
    struct px_lane *lane;
    struct vs_buf body;
    unsigned frames;
    bool busy; /* under the peer's lock */
};

/* Frames that wait to be told to a peer, and the requests that carry them. */
struct px_lane {
    struct px_peer *peer;
    struct http_host *host;
    const char *path;
    size_t post_bytes_max; /* of one request; one frame may be more */
    unsigned frames_max;
    size_t bytes_max;
    /* under the peer's lock */
    struct vs_list waiting; /* struct px_told.link */
    unsigned frames;
    size_t bytes;
    unsigned under_way;
    bool silent;           /* the last request came to nothing: one at a time */
    int64_t not_before_ns; /* after a refusal */
    struct px_post_out post[PX_HTTP_POSTS];
};

struct px_peer {
    struct px_http *http;
    uint32_t pid;
    char origin[PX_HTTP_ORIGIN_MAX];
    struct http_host *asks, *questions;
    pthread_mutex_t lock;
    struct px_lane brief, bulk;
    struct http_request ping;
    bool pinging;             /* under lock */
    _Atomic int64_t heard_ns; /* the last answer to anything */
};

struct px_http {
    struct px_link link;
    struct px_count *count;
    struct http_client *brief, *bulk; /* their connections are not shared */
    struct vs_exec *exec;             /* callbacks of `bulk`; the pings' clock */
    atomic_uint peer_count;           /* grows; those below it stay */
    struct px_peer peer[PX_HTTP_PEERS_MAX];
    struct vs_job ping_job;
    pthread_mutex_t lock;
    struct vs_list ended; /* under lock: asks whose status is known without a request */
    bool ending;          /* under lock: end_job is under way */
    bool stopping;        /* under lock */
    struct vs_job end_job;
};

struct px_peer *px_http_peer_of(struct px_http *h, uint32_t pid);

/* ---- px_http_tell.c ---- */

void px_lane_init(struct px_lane *lane, struct px_peer *p, const char *path);
void px_lane_close(struct px_lane *lane);
/* Join the queue, and leave if there is room on the way. */
void px_lane_tell(struct px_lane *lane, const void *frame, size_t len);

/* ---- px_http_ask.c ---- */

void px_http_ask(struct px_link *l, uint32_t to, struct px_link_ask *a);
void px_http_ask_end(struct vs_job *job); /* of end_job */

#endif
