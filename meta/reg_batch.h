/* reg_batch: carries out the register requests of meta_client.h on an acceptor store: what a value
 * may follow, put between the protocol (px) and its durable state (acceptor_store).
 *
 * The results stand in the store's batch; they hold, and may be told, once it is committed.
 * Threads: the store's one writer. */
#ifndef VS_META_REG_BATCH_H
#define VS_META_REG_BATCH_H

#include "meta/acceptor_store.h"
#include "meta/meta_client.h"
#include "meta/px_solo.h"

struct reg_batch {
    struct acceptor_store *store; /* lent */
    struct px_solo solo;
    struct vs_buf storage; /* register being worked on */
};

void reg_batch_init(struct reg_batch *rb, struct acceptor_store *store);
void reg_batch_close(struct reg_batch *rb);

/* META_REG_CREATE, META_REG_CHANGE: fills regs[].status, regs[].current and r->status as
 * meta_client.h says. */
void reg_batch_run(struct reg_batch *rb, struct meta_req *r);

/* META_REG_READ, of what is durable. Threads: any. */
void reg_batch_read(struct acceptor_store *store, struct meta_req *r);

#endif
