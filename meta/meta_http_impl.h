/* What the files of the metadata over HTTP share: the client, one question on its way. */
#ifndef VS_META_META_HTTP_IMPL_H
#define VS_META_META_HTTP_IMPL_H

#include "meta/meta_http.h"
#include "meta/meta_wire.h"

#include <pthread.h>
#include <stdatomic.h>

#define META_HTTP_PATH     "/meta"
#define META_HTTP_PROBE_MS 200 /* between two hellos to a replica that is silent */
#define META_HTTP_LOOK_MS  500 /* between two looks for the leader */

/* One replica, watched (meta_http_watch.c). */
struct meta_http_probe {
    struct http_request req;
    uint8_t answer[256];
    struct meta_http *m;
    unsigned replica;
    struct vs_job job;
    atomic_bool silent; /* its last answer did not come */
    bool running;       /* under lock; counted as in flight */
};

/* The look for the leader (meta_http_watch.c). */
struct meta_http_look {
    struct http_request req;
    uint8_t answer[256];
    struct meta_http *m;
    unsigned replica; /* that is asked */
    unsigned asked;   /* bits of replicas */
    struct vs_job job;
    bool running;      /* under lock; counted as in flight */
    int64_t before_ns; /* under lock: when the last one began */
};

struct meta_http {
    struct meta_client base;
    struct meta_http_config config; /* defaults filled in; origins not kept */
    struct http_host *hosts[META_HTTP_REPLICAS_MAX];
    unsigned host_count;
    struct meta_http_probe probes[META_HTTP_REPLICAS_MAX];
    struct vs_buf hello; /* the question who it is */
    struct meta_http_look look;
    atomic_uint preferred; /* the replica that is asked first */
    /* pid << 32 | incarnation of each, as it last said; 0: not yet */
    _Atomic uint64_t owner[META_HTTP_REPLICAS_MAX];
    uint64_t first_client;   /* of the lanes */
    _Atomic int64_t down_ns; /* when a strict question was last given up; 0: not since one was
                                answered */

    /* Lock order: this one, then the HTTP client's. */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    struct meta_http_lane {
        uint64_t request; /* number of its last change */
        bool busy;
    } lanes[META_HTTP_LANES];
    struct vs_list waiting; /* changes without a lane */
    unsigned in_flight;
    bool stopping;
};

/* Ask who answers, at each replica in turn, until open_ms have passed. */
int meta_http_hello(struct meta_http *m, struct meta_wire_hello *ret);

/* A replica has said who it is. */
void meta_http_heard(struct meta_http *m, unsigned replica, const struct meta_wire_hello *hello);

/* ---- meta_http_watch.c ---- */

/* It did not answer in time, or its connection failed. */
void meta_http_silent(struct meta_http *m, unsigned replica);
/* Whom to ask next, of those that are not silent (or all, if all are) and not among the bits of
 * `tried`: the preferred one or the next behind it. host_count: there is none left. */
unsigned meta_http_choose(struct meta_http *m, unsigned tried);
/* The one that is asked first does not lead, or has not said yet who it is: look for the leader,
 * unless that was done a moment ago. */
void meta_http_look(struct meta_http *m);

#endif
