/* nodes_rig: a data directory whose stores are nodes in this process, as a cluster.json beside it
 * says.
 */
#ifndef VS_TESTS_NODES_RIG_H
#define VS_TESTS_NODES_RIG_H

#include "common/cluster_json.h"
#include "tests/support/data_rig.h"
#include "tests/support/node_rig.h"

#define NODES_RIG_NODES 2

struct nodes_rig {
    struct data_rig *data;
    struct node_rig *node[NODES_RIG_NODES]; /* NULL: it has ended */
    struct cluster_json file;               /* without replicas of the metadata */
    char path[DATA_RIG_PATH_BYTES];         /* where it is saved */
};

/* Nodes n1, n2, and the file that names them. */
void nodes_rig_open(struct nodes_rig *r);
void nodes_rig_close(struct nodes_rig *r);
/* r->file, changed, to the disk. */
void nodes_rig_save(struct nodes_rig *r);
/* The node ends; nobody is on its port any more. */
void nodes_rig_end(struct nodes_rig *r, unsigned i);

#endif
