/* px_solo: a coordinator with a single acceptor, in one process: operations run to their end on a
 * register in memory, by the same code as between replicas (px_propose, px_acceptor).
 *
 * Nothing can come between the phases of an operation, so all it changes is made durable at once.
 *
 * Pure. Threads: none. */
#ifndef VS_META_PX_SOLO_H
#define VS_META_PX_SOLO_H

#include "meta/px.h"

struct px_solo {
    uint32_t pid, inc;
    uint64_t op_seq; /* last op id used */
};

/* Fix the value of a fresh id: in round 0 if it was made in this life of the owner, by both phases
 * if not. 0 decided with this value; -VS_EEXISTS_OTHER another value is there, and stays;
 * -VS_ECORRUPT the register cannot be one. *ret_store:
 * the register changed and must be made durable before the answer. */
int px_solo_create(struct px_solo *p, const struct vs_id *id, struct px_reg *reg, const void *value,
                   size_t value_len, bool *ret_store);

/* Classic path. 0 decided; a negative code is the change's own refusal: then reg->accepted is the
 * decided current value. */
int px_solo_change(struct px_solo *p, struct px_reg *reg, px_change_fn *fn, void *arg,
                   bool *ret_store);

#endif
