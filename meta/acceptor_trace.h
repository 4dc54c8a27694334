/* acceptor_trace: which registers of an acceptor were changed since a mark, while one is held: what
 * a newcomer still has to take once the acceptor has left its epoch (docs/CHUNKPAXOS.md,
 * "Membership").
 *
 * Happy path: each register that is put into a batch is noted; when the batch is durable, the notes
 * are kept with its number, if a mark is held. Failure: no memory, more than ACCEPTOR_TRACE_MAX
 * changes, a start: the mark is lost, which is said, and everything has to be taken.
 *
 * Threads: any. */
#ifndef VS_META_ACCEPTOR_TRACE_H
#define VS_META_ACCEPTOR_TRACE_H

#include "common/id.h"
#include <pthread.h>
#include <stdbool.h>

#define ACCEPTOR_TRACE_MAX 1000000 /* changes, of 24 bytes */

struct acceptor_trace {
    pthread_mutex_t lock;
    /* under lock */
    struct acceptor_change {
        struct vs_id id;
        uint64_t batch; /* 0: not durable yet */
    } * change;
    uint32_t count, cap;
    uint32_t durable;        /* of them; the rest is of the batch that is being filled */
    uint64_t batches;        /* durable ones, ever */
    uint64_t since;          /* changes of later batches are here, if is_held */
    bool is_held, is_sorted; /* the durable ones, by id */
    bool is_lost;            /* of the batch that is being filled, not all is here */
};

void acceptor_trace_init(struct acceptor_trace *t, uint64_t batches);
void acceptor_trace_close(struct acceptor_trace *t);

/* Put into the batch. */
void acceptor_trace_put(struct acceptor_trace *t, const struct vs_id *id);
/* That batch is durable: the next number. */
void acceptor_trace_durable(struct acceptor_trace *t);

/* Hold a mark from now on, in the place of a former one: what is read from now on holds all batches
 * up to this number, and what they change later will be known. */
uint64_t acceptor_trace_mark(struct acceptor_trace *t);
void acceptor_trace_drop(struct acceptor_trace *t);

/* Ids changed by batches above `mark`, behind `after`, ascending; how many, at most max. -ENODATA:
 * that is not known. */
int acceptor_trace_list(struct acceptor_trace *t, uint64_t mark, const struct vs_id *after,
                        struct vs_id *ids, uint32_t max);

#endif
