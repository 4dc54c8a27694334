/* metas_rig: three (one, five) real vstack-meta that are one metadata, and a client of them. The
 * way from each replica to each other one can be cut.
 *
 * Replicas are numbered from 0; their ids from 1. */
#ifndef VS_TESTS_METAS_RIG_H
#define VS_TESTS_METAS_RIG_H

#include "meta/meta_http.h"
#include "tests/support/node_proc.h"
#include "tests/support/tcp_cut.h"
#include "tests/support/temp_dir.h"

#define METAS_RIG_MAX 5

struct metas_rig {
    unsigned count;
    struct node_proc proc[METAS_RIG_MAX];
    uint16_t port[METAS_RIG_MAX];
    struct tcp_cut *way[METAS_RIG_MAX][METAS_RIG_MAX]; /* from, to */
    char dir[TEMP_DIR_BYTES];
    char origin[METAS_RIG_MAX][64];
    const char *origins[METAS_RIG_MAX];
    struct vs_exec *exec;
    struct http_client *client;
};

/* Make and start new ones; returns when one leads. Aborts when that cannot be. */
void metas_rig_start(struct metas_rig *f, unsigned count);
/* End all (politely: a leak in a daemon is an exit code) and remove the directories. */
void metas_rig_stop(struct metas_rig *f);

/* A replica that was killed, where it was. */
void metas_rig_restart(struct metas_rig *f, unsigned i);
/* Deliver nothing that `from` sends to `to`, or everything. What `to` answers to it likewise. */
void metas_rig_cut(struct metas_rig *f, unsigned from, unsigned to, bool is_cut);
/* All ways from and to it. */
void metas_rig_isolate(struct metas_rig *f, unsigned i, bool is_cut);

/* Who leads, as a majority of those that answer says; waits for that. */
unsigned metas_rig_leader(struct metas_rig *f);
/* A number or word of /health of one replica as it stands there ("true", "3"); false: it does not
 * answer. */
bool metas_rig_health(struct metas_rig *f, unsigned i, const char *name, char *ret, size_t cap);
/* The sum of all counters of one replica's /metrics that begin so; it must answer. */
uint64_t metas_rig_count(struct metas_rig *f, unsigned i, const char *begin);

/* A client of all of them. deadline_ms 0: the default. */
struct meta_client *metas_rig_open(struct metas_rig *f, unsigned deadline_ms);
/* Ask until it is the leader that the client asks, and no other replica. */
void metas_rig_settle(struct meta_client *meta);

#endif
