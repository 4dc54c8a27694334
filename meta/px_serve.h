/* px_serve: POST /px and POST /px/tell: frames of the other replicas, received and answered.
 *
 * Happy path: the body is split, its sender judged (meta/px_post.h), each frame handed to the
 * replica; when all have ended, the frames they were answered with go back: 200, or 204 when there
 * are none. Failure: a body that is refused is refused as a whole, with a status and a sentence;
 * frames that the replica refuses give the status of the last one, if none was answered.
 *
 * Threads: px_serve_run, px_serve_end as routes of the HTTP server; the replica answers from any.
 */
#ifndef VS_META_PX_SERVE_H
#define VS_META_PX_SERVE_H

#include "common/http_server.h"
#include "meta/meta_replica.h"
#include "meta/px_count.h"
#include "meta/px_http.h"
#include "meta/px_post.h"

#include <pthread.h>

#define PX_SERVE_IN_FLIGHT        1024 /* bodies */
#define PX_SERVE_ANSWER_BYTES_MAX (20u << 20)
#define PX_SERVE_TELL_BYTES_MAX   (64u << 10) /* of a body of short frames */

struct px_serve {
    /* As meta_replica_receive(). */
    void (*receive)(struct meta_replica *m, struct meta_replica_frame *f);
    struct meta_replica *replica;
    struct px_count *count; /* lent */
    pthread_mutex_t lock;   /* under it: gate */
    struct px_post_gate gate;
    struct px_http *http; /* lent; NULL, or whom it knows is known here */
    atomic_uint in_flight;
    _Atomic int64_t heard_ns[PX_MEMBERS_MAX]; /* as gate.peer: the last body of each */
};

/* peers: pids of the others. */
void px_serve_init(struct px_serve *s, const struct vs_id *cluster, const uint32_t *peers,
                   unsigned count, struct px_count *counted);
void px_serve_close(struct px_serve *s);

/* Answer one request. tells: only frames that bring nothing back are taken. */
void px_serve_run(struct px_serve *s, struct http_req *q, bool tells);
void px_serve_end(struct http_req *q);

#endif
