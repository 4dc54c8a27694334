/* cluster_json: what cluster.json says: which processes are one cluster, and where they are.
 *
 *   { "version": 1, "cluster": 32 hex digits,
 *     "metas":  [{"id","url","data","pid"}],           replicas of the metadata; none: the mount
 *                                                      holds the metadata itself. "replaces" ID:
 *                                                      it is about to take a lost one's place
 *     "nodes":  [{"id","url","data","domain","pid"}],  storage nodes
 *     "mounts": [{"path","pid"}] }
 *
 * url is "http://HOST:PORT", or "" for a process that was never started; data and path are
 * absolute; pid only of processes that `vstackfs up` started. Strict: a member of another name, a
 * value beyond its limit, an id, URL or directory that is there twice is refused with a sentence.
 *
 * No I/O: common/cluster_file.h reads and writes the file. Threads: any. */
#ifndef VS_COMMON_CLUSTER_JSON_H
#define VS_COMMON_CLUSTER_JSON_H

#include "common/id.h"
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_JSON_VERSION   1
#define CLUSTER_METAS_MAX      7
#define CLUSTER_NODES_MAX      64
#define CLUSTER_MOUNTS_MAX     16
#define CLUSTER_ID_BYTES       64
#define CLUSTER_URL_BYTES      256
#define CLUSTER_DATA_BYTES     256
#define CLUSTER_PATH_BYTES     4096
#define CLUSTER_PID_MAX        4194304 /* PID_MAX_LIMIT of Linux */
#define CLUSTER_JSON_BYTES_MAX (1u << 20)
#define CLUSTER_WHY_BYTES      512

struct cluster_member {
    char id[CLUSTER_ID_BYTES];       /* letters, digits, '.', '_', '-' */
    char url[CLUSTER_URL_BYTES];     /* "" unknown */
    char data[CLUSTER_DATA_BYTES];   /* its directory on its machine; "" unknown */
    char domain[CLUSTER_ID_BYTES];   /* what fails together with it; nodes only, "" not said */
    char replaces[CLUSTER_ID_BYTES]; /* metas only: id of the lost one; "" it is a member */
    int32_t pid;                     /* 0: not started by `up` */
};

struct cluster_mount {
    char path[CLUSTER_PATH_BYTES];
    int32_t pid; /* 0: unknown */
};

struct cluster_json {
    struct vs_id cluster;
    unsigned metas_count, nodes_count, mounts_count;
    struct cluster_member metas[CLUSTER_METAS_MAX];
    struct cluster_member nodes[CLUSTER_NODES_MAX];
    struct cluster_mount mounts[CLUSTER_MOUNTS_MAX];
};

/* -EINVAL what it says cannot be; -VS_ENEWER another version; -VS_ECORRUPT no JSON; -EMSGSIZE;
 * -ENOMEM: `why` is a sentence. `ret` is written only on success. */
int cluster_json_parse(struct cluster_json *ret, const char *text, size_t len,
                       char why[CLUSTER_WHY_BYTES]);

/* The text, on the heap (caller frees). The same rules: -EINVAL with a sentence, -ENOMEM. */
int cluster_json_print(const struct cluster_json *c, char **ret, char why[CLUSTER_WHY_BYTES]);

/* The node of this id, or NULL. Borrowed. */
struct cluster_member *cluster_json_node(struct cluster_json *c, const char *id);

/* The port of "http://HOST:PORT"; 0 when it is none. */
uint16_t cluster_url_port(const char *url);

#endif
