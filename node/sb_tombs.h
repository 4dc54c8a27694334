/* sb_tombs: a growing array of TOMB entries on their way, with what to punch once they are durable.
 * For node/sb_*.c. No lock: the owner serialises calls. */
#ifndef VS_NODE_SB_TOMBS_H
#define VS_NODE_SB_TOMBS_H

#include "node/chunk_store.h"
#include "node/sb_format.h"

struct sb_tomb_work {
    struct sb_tomb tomb;
    uint32_t payload_bytes; /* of the dead record; 0: nothing to punch */
    struct store_del *del;  /* to be answered, or NULL; tomb.birth is set when it is written */
};
struct sb_tombs {
    struct sb_tomb_work *v;
    uint32_t count, cap;
};

/* -ENOMEM: as it was. */
int sb_tombs_add(struct sb_tombs *t, const struct sb_tomb_work *w);
void sb_tombs_close(struct sb_tombs *t);

#endif
