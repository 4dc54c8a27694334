/* node_rig: the routes of a storage node on a free port of the loopback, in this process, in front
 * of a store in memory, of a superblock store, or of one that answers what a test says. */
#ifndef VS_TESTS_NODE_RIG_H
#define VS_TESTS_NODE_RIG_H

#include "node/node.h"
#include "tests/support/raw_http.h"
#include "tests/support/store_sync.h"
#include "tests/support/temp_dir.h"

struct node_rig {
    struct node node; /* "n1" */
    uint16_t port;
    struct vs_exec *exec;
    char dir[TEMP_DIR_BYTES]; /* or "" */
    int answer;               /* of the refusing store: the status of every request */
};

/* CMocka fixtures: *state is a struct node_rig that serves. */
int node_rig_setup_mem(void **state);
int node_rig_setup_disk(void **state);
/* Every request of the store is answered with rig->answer. */
int node_rig_setup_refusing(void **state);
int node_rig_teardown(void **state);

/* Fragment number n of `bytes` bytes: sync_bytes(n, bytes) under sync_key(n). */
int node_rig_put(struct node_rig *rig, uint64_t n, size_t bytes);
void node_rig_key(uint64_t n, char text[FRAG_KEY_TEXT_BYTES]);
/* GET or HEAD of it with more headers ("" or whole lines); the status. */
int node_rig_get(struct node_rig *rig, uint64_t n, const char *headers, struct raw_answer *a);

#endif
