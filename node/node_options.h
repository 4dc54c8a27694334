/* node_options: the command line of vstack-node. */
#ifndef VS_NODE_NODE_OPTIONS_H
#define VS_NODE_NODE_OPTIONS_H

#include "common/conf.h"
#include "node/node_metas.h"

struct node_options {
    const char *id, *listen, *data, *domain; /* borrowed from argv; domain "" when not said */
    const char *cluster;                     /* uuid as text; "" when not said */
    const char *metas, *url;                 /* "" when not said */
    uint64_t superblock_bytes;               /* 0: by the size of the file system */
    uint64_t reserve_percent;
    uint64_t timeout_s; /* for headers; for a body or an answer beside the time of its bytes */
    uint64_t drain_s;   /* at the end, for requests that are still on the wire */
    uint64_t connections_max;
    uint64_t body_memory_bytes;
    uint64_t scrub_bytes_s; /* 0: no scrub by itself */
    bool insecure_lan, existing, help;
    unsigned metas_count; /* of the replicas that --metas names */
    char meta_urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES];
};

/* argv without the program's name. -EINVAL: `why` is a sentence. */
int node_options_parse(struct node_options *o, int argc, char **argv, char why[CONF_WHY_BYTES]);

/* The text of --help. */
extern const char node_options_help[];

#endif
