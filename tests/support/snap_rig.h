/* snap_rig: replicas of the journal in one process that can give each other snapshots, for tests:
 * frames go from one to the other by function calls; a test may lose, change or refuse them. */
#ifndef VS_TESTS_SNAP_RIG_H
#define VS_TESTS_SNAP_RIG_H

#include "meta/journal_member.h"
#include "meta/ns_store.h"
#include "meta/snap.h"

#define SNAP_RIG_NODES 3
#define SNAP_RIG_RING  64 /* slots: a replica is soon away for too long */
#define SNAP_RIG_KEPT  4

struct snap_node {
    struct journal_link link;
    struct px_link asks;
    uint32_t pid;
    struct kv *acceptor;
    struct ns_store ns;
    struct acceptor_store *store;
    struct acceptor_writer *writer;
    struct snap *snap;
    struct journal_member *member; /* NULL: down */
    _Atomic unsigned installed;    /* snapshots that took the place */
};

/* What becomes of an ask: 0: it is answered; else its status, without being asked. It may change
 * the answer afterwards. `count`: asks before this one. */
typedef int snap_rig_ask_fn(void *arg, unsigned count, uint32_t from, uint32_t to);
typedef void snap_rig_answer_fn(void *arg, unsigned count, struct vs_buf *answer);

struct snap_rig {
    struct snap_node node[SNAP_RIG_NODES];
    snap_rig_ask_fn *on_ask; /* may be NULL, as the next */
    snap_rig_answer_fn *on_answer;
    void *arg;
    _Atomic unsigned asks;
};

/* dir: holds a directory for each replica; NULL: namespaces in memory. All are up. */
void snap_rig_start(struct snap_rig *r, const char *dir);
void snap_rig_stop(struct snap_rig *r);
void snap_rig_up(struct snap_rig *r, unsigned node);
void snap_rig_down(struct snap_rig *r, unsigned node);

/* One change by whoever leads, asked until it is answered. */
void snap_rig_change(struct snap_rig *r);
/* Until all that are up have applied what the leader has, and a strict read was served. */
void snap_rig_settle(struct snap_rig *r);
void snap_rig_pause(void);               /* between two looks */
int snap_rig_leader(struct snap_rig *r); /* index; -1: nobody is said to lead */
/* Their namespaces hold the same, pair by pair, but for what they grew from. */
void snap_rig_equal(struct snap_rig *r, unsigned a, unsigned b);

#endif
