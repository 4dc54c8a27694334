/* meta_options: the command line of vstack-meta. */
#ifndef VS_META_META_OPTIONS_H
#define VS_META_META_OPTIONS_H

#include "common/conf.h"

#define META_REPLICAS_MAX  5
#define META_URL_BYTES_MAX 256

struct meta_options {
    const char *listen, *data; /* borrowed from argv */
    const char *cluster;       /* uuid as text; "" when not said */
    const char *peers;         /* "" when not said */
    unsigned peer_count;       /* the other replicas; with this one 1, 3 or 5 */
    struct meta_peer {
        uint16_t id;
        char url[META_URL_BYTES_MAX]; /* "http://HOST:PORT" */
    } peer[META_REPLICAS_MAX - 1];
    char url[META_URL_BYTES_MAX]; /* of this one, if --peers says it */
    uint64_t id;                  /* of this replica, from 1 */
    uint64_t replace;             /* the lost replica whose place it takes; 0: none */
    uint64_t connections_max, timeout_s, drain_s, session_idle_s;
    bool existing, is_new, insecure_lan, help;
};

/* argv without the program's name. -EINVAL: `why` is a sentence. */
int meta_options_parse(struct meta_options *o, int argc, char **argv, char why[CONF_WHY_BYTES]);

/* The text of --help. */
extern const char meta_options_help[];

#endif
