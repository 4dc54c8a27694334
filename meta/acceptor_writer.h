/* acceptor_writer: the one thread that writes an acceptor's store: what waits goes into one synced
 * batch.
 *
 * Happy path: jobs queue up; the thread lets all that wait fill the batch, makes it durable with
 * one sync, then tells each. Those who were told together often ask together again, so a batch
 * waits for as much as the last one carried, but no longer than a small part of what a sync takes:
 * otherwise half of the callers would always wait for the sync of the other half. Whoever must not
 * wait for a disk (heartbeats) is on another thread. From time to time the count of synced batches
 * is recorded. Failure: an error of the write ends the process (acceptor_store.h); a job that could
 * not fill the batch is told so.
 *
 * Threads: submit from any. `fill` and `done` run on the writer's thread, `fill` as the store's one
 * writer; both are short. Jobs are done in the order in which they were submitted. */
#ifndef VS_META_ACCEPTOR_WRITER_H
#define VS_META_ACCEPTOR_WRITER_H

#include "common/clock.h"
#include "common/list.h"
#include "meta/acceptor_store.h"

#define ACCEPTOR_WRITER_BATCH_JOBS_MAX  512
#define ACCEPTOR_WRITER_BATCH_BYTES_MAX (4u << 20) /* one job may go over it */
#define ACCEPTOR_WRITER_GATHER_PART     8          /* of a sync, at most */
#define ACCEPTOR_WRITER_GATHER_NS_MAX   (2 * VS_NS_PER_MS)

struct acceptor_writer;
struct acceptor_job;
/* Put into the batch. An error must leave the batch as it was. */
typedef int acceptor_fill_fn(struct acceptor_job *job, struct acceptor_store *store);
/* err 0: what it put is durable. Exactly once; the job may be freed in it. */
typedef void acceptor_written_fn(struct acceptor_job *job, int err);

struct acceptor_job {
    acceptor_fill_fn *fill;
    acceptor_written_fn *done;
    unsigned weight;     /* how many are told by it, as far as is known; 0: 1 */
    struct vs_list link; /* private from here */
    int err;
};

/* Starts the thread. store and clock are lent until free. -ENOMEM, -EAGAIN. */
int acceptor_writer_new(struct acceptor_writer **ret, struct acceptor_store *store,
                        const struct vs_clock *clock);
void acceptor_writer_submit(struct acceptor_writer *w, struct acceptor_job *job);
/* Finishes what was submitted. Forgives NULL. */
void acceptor_writer_free(struct acceptor_writer *w);

#endif
