/* px_link: the way of a metadata replica to the others, as a vtable: over HTTP between processes,
 * in one process for tests.
 *
 * Two things can be done with a frame (meta/px_frame.h): tell it, which may be lost and brings
 * nothing back (the journal), or ask it, which ends exactly once, with the frames that came back or
 * an error (registers, membership). A question of a client (meta/meta_wire.h) that only the leader
 * can answer is asked the same way. Whoever is asked by a frame proves who it is by the link, not
 * by the frame.
 *
 * Threads: every call from any, none blocks; `done` runs on a thread of the link, never inside
 * px_link_ask(), holds no lock, and is short. */
#ifndef VS_META_PX_LINK_H
#define VS_META_PX_LINK_H

#include "common/buf.h"
#include "common/list.h"
#include <stddef.h>
#include <stdint.h>

enum px_link_kind {
    PX_LINK_FRAME = 1,    /* frames between replicas */
    PX_LINK_QUESTION = 2, /* a client's question, passed on to the leader */
};

/* One ask; the caller's memory until `done` has run. */
struct px_link_ask {
    enum px_link_kind kind;
    const void *bytes; /* lent until done */
    size_t len;
    size_t answer_max;   /* no answer is longer, or it is -EMSGSIZE */
    unsigned timeout_ms; /* 1 .. */
    void (*done)(struct px_link_ask *a);
    int status;           /* out: 0; -ETIMEDOUT and -ECONNRESET: it may have arrived or not;
                             -ECONNREFUSED, -EAGAIN: it has not; -ENOENT: no such replica */
    struct vs_buf answer; /* out; the caller closes it */
    void *state;          /* private from here */
    struct vs_list link;
};

struct px_link;

struct px_link_ops {
    void (*tell)(struct px_link *l, uint32_t to, const void *frame, size_t len);
    void (*ask)(struct px_link *l, uint32_t to, struct px_link_ask *a);
    /* Where a replica is reached from now on; copied. NULL: it knows without being told. */
    void (*learn)(struct px_link *l, uint32_t pid, const char *url);
};

struct px_link {
    const struct px_link_ops *ops;
};

/* A frame for the replica `to` (a pid); copied. It may be lost. */
static inline void px_link_tell(struct px_link *l, uint32_t to, const void *frame, size_t len)
{
    l->ops->tell(l, to, frame, len);
}

static inline void px_link_ask(struct px_link *l, uint32_t to, struct px_link_ask *a)
{
    l->ops->ask(l, to, a);
}

static inline void px_link_learn(struct px_link *l, uint32_t pid, const char *url)
{
    if (l->ops->learn != NULL)
        l->ops->learn(l, pid, url);
}

#endif
