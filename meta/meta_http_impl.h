/* What the files of the metadata over HTTP share: the client, one question on its way. */
#ifndef VS_META_META_HTTP_IMPL_H
#define VS_META_META_HTTP_IMPL_H

#include "meta/meta_http.h"
#include "meta/meta_wire.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#define META_HTTP_PATH     "/meta"
#define META_HTTP_PROBE_MS 200 /* between two hellos to a replica that is silent */
#define META_HTTP_LOOK_MS  500 /* between two looks for the leader */
#define META_HTTP_NONE     UINT_MAX

/* One replica, watched (meta_http_watch.c). */
struct meta_http_probe {
    struct http_request req;
    uint8_t answer[META_WIRE_HELLO_BYTES_MAX];
    struct meta_http *m;
    unsigned replica;
    struct vs_job job;
    atomic_bool silent; /* its last answer did not come */
    bool running;       /* under lock; counted as in flight */
};

/* The look for the leader (meta_http_watch.c). */
struct meta_http_look {
    struct http_request req;
    uint8_t answer[META_WIRE_HELLO_BYTES_MAX];
    struct meta_http *m;
    unsigned replica; /* that is asked */
    unsigned asked;   /* bits of replicas */
    struct vs_job job;
    bool running;      /* under lock; counted as in flight */
    int64_t before_ns; /* under lock: when the last one began */
};

/* Which replicas there are, asked now and then (meta_http_follow.c). */
struct meta_http_follow {
    struct http_request req;
    uint8_t answer[META_WIRE_HELLO_BYTES_MAX];
    unsigned replica; /* that is asked */
    unsigned tried;   /* bits of those that had nothing to say */
    bool running;     /* under lock; counted as in flight */
    uint64_t epoch;   /* under lock; whose replicas are used; 1: those of the caller */
    _Atomic int64_t due_ns;
};

struct meta_http {
    struct meta_client base;
    struct meta_http_config config; /* defaults filled in; origins not kept */
    struct http_host *hosts[META_HTTP_HOSTS_MAX];
    char origin[META_HTTP_HOSTS_MAX][HTTP_ORIGIN_BYTES_MAX];
    atomic_uint host_count; /* grows; those below it stay */
    atomic_uint listed;     /* bits of those that are replicas now; the others were replaced */
    struct meta_http_probe probes[META_HTTP_HOSTS_MAX];
    struct meta_http_follow follow;
    struct vs_buf hello; /* the question who it is */
    struct meta_http_look look;
    atomic_uint preferred; /* the replica that is asked first */
    /* pid << 32 | incarnation of each, as it last said; 0: not yet */
    _Atomic uint64_t owner[META_HTTP_HOSTS_MAX];
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

/* One more, at the end. -EINVAL: no origin, or no room; as http_host_open(). */
int meta_http_add(struct meta_http *m, const char *origin);

/* Ask who answers, at each replica in turn, until open_ms have passed. */
int meta_http_hello(struct meta_http *m, struct meta_wire_hello *ret);

/* A replica has said who it is. */
void meta_http_heard(struct meta_http *m, unsigned replica, const struct meta_wire_hello *hello);

/* ---- meta_http_watch.c ---- */

/* It did not answer in time, or its connection failed. */
void meta_http_silent(struct meta_http *m, unsigned replica);
/* Whom to ask next, of those that are not silent (or all, if all are) and not among the bits of
 * `tried`: the preferred one or the next behind it. META_HTTP_NONE: there is none left. */
unsigned meta_http_choose(struct meta_http *m, unsigned tried);
/* The one that is asked first does not lead, or has not said yet who it is: look for the leader,
 * unless that was done a moment ago. */
void meta_http_look(struct meta_http *m);

/* ---- meta_http_follow.c ---- */

/* A replica has said that these are all. */
void meta_http_listed(struct meta_http *m, const struct member_set *set);
/* Ask for it, if it is time to. */
void meta_http_follow(struct meta_http *m, int64_t now_ns);

#endif
