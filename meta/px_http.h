/* px_http: the way to the other replicas over HTTP (POST /px, docs/API.md); a px_link.
 *
 * Happy path: a frame that is told joins the queue of its peer; what waits there leaves together in
 * one request, PX_HTTP_POSTS requests at a time. Short frames (heartbeats, votes, acknowledgements)
 * have queue, connections and thread of their own, so they wait neither behind bulk nor behind the
 * callbacks of asks. A frame that is asked is one request, and its answer what comes back.
 * Failure: a queue that is full drops its oldest frames; a request that fails loses those it
 * carried. A peer that does not answer has at most one request under way per queue, for
 * PX_HTTP_TELL_MS, and costs the others nothing. Each peer of which nothing was heard for
 * PX_HTTP_PING_MS is pinged, for px_http_peer_state() alone.
 *
 * Threads: as px_link. Lock order: one lock per peer, then the HTTP client's. */
#ifndef VS_META_PX_HTTP_H
#define VS_META_PX_HTTP_H

#include "meta/px_count.h"
#include "meta/px_link.h"

#define PX_HTTP_PATH       "/px"      /* frames; 200 with frames, or 204 */
#define PX_HTTP_TELL_PATH  "/px/tell" /* short frames that bring nothing back; 204 */
#define PX_HTTP_META_PATH  "/meta"
#define PX_HTTP_PING_PATH  "/ping"
#define PX_HTTP_PEERS_MAX  PX_MEMBERS_MAX
#define PX_HTTP_POSTS      2 /* under way per queue */
#define PX_HTTP_TELL_MS    1000
#define PX_HTTP_PAUSE_MS   20 /* after a peer refused a connection */
#define PX_HTTP_PING_MS    500
#define PX_HTTP_ORIGIN_MAX 300

#define PX_HTTP_SHORT_BYTES_MAX      4096 /* of a frame that is short */
#define PX_HTTP_SHORT_POST_BYTES_MAX (64u << 10)
#define PX_HTTP_SHORT_FRAMES_MAX     256 /* waiting */
#define PX_HTTP_BULK_FRAMES_MAX      256
#define PX_HTTP_BULK_BYTES_MAX       (16u << 20)
#define PX_HTTP_ASKS_MAX             256 /* under way or waiting, to one peer; more: -EAGAIN */
#define PX_HTTP_QUESTIONS_MAX        4096

struct px_http;

struct px_http_peer {
    uint32_t pid;
    const char *origin; /* "http://127.0.0.1:7102"; copied */
};

struct px_http_config {
    const struct px_http_peer *peers; /* the others */
    unsigned peer_count;
    struct px_count *count; /* lent */
};

/* -EINVAL: an origin that is none, a pid twice or 0, too many; -ENOMEM, -EMFILE, -EAGAIN. */
int px_http_open(struct px_http **ret, const struct px_http_config *config);
/* Ends what is under way: asks with -ECONNRESET. Nothing may be told or asked once this has begun,
 * except by `done`. Forgives NULL. */
void px_http_stop(struct px_http *h);

/* Is that replica one of those it was told of, at open or since (px_link_learn)? */
bool px_http_knows(struct px_http *h, uint32_t pid);

struct px_link *px_http_link(struct px_http *h);

/* How each peer was last heard of. Any thread. */
struct px_http_peer_state {
    uint32_t pid;
    char origin[PX_HTTP_ORIGIN_MAX];
    bool reachable;   /* the last request it could answer was answered, within two pings */
    int64_t heard_ns; /* monotonic; 0: never */
};
unsigned px_http_peers(struct px_http *h, struct px_http_peer_state ret[PX_HTTP_PEERS_MAX]);
/* So many of the others are reachable. */
unsigned px_http_reachable(struct px_http *h);

#endif
