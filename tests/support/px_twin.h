/* px_twin: a replica that only notes what it is told and asked: an HTTP server with the routes of
 * px_serve in front of it, and frames to send to it.
 *
 * An ask is answered by a frame of the same size. Held: nothing ends until px_twin_release(). */
#ifndef VS_TESTS_PX_TWIN_H
#define VS_TESTS_PX_TWIN_H

#include "meta/px_serve.h"

#define PX_TWIN_FRAMES_MAX 4096

struct px_twin {
    struct px_serve serve;
    struct px_count count;
    struct http_server *http;
    char origin[64];
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    unsigned frames;                    /* received */
    uint64_t epoch[PX_TWIN_FRAMES_MAX]; /* of each: the test's number for it */
    uint32_t from;                      /* of the last */
    uint8_t kind;                       /* of the last */
    unsigned questions;                 /* POST /meta, answered with their own bytes */
    bool hold;                          /* keep asks */
    int status;                         /* what frames end with */
    struct meta_replica_frame *held[PX_TWIN_FRAMES_MAX]; /* in order */
    unsigned held_count;
};

/* Replica `pid` of cluster 7, whose others are 1, 2 and 3; on a free port. */
void px_twin_start(struct px_twin *t, uint32_t pid);
void px_twin_stop(struct px_twin *t);
/* Wait until so many frames were received. */
void px_twin_await(struct px_twin *t, unsigned frames);
/* No more is held, and what was ends. */
void px_twin_release(struct px_twin *t);

/* Append a frame of cluster 7 from (pid, 1) with `number` as its epoch and so many bytes. */
void px_twin_frame(struct vs_buf *buf, unsigned kind, uint32_t pid, uint64_t number, size_t bytes);

#endif
