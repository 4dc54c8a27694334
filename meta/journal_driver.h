/* journal_driver: carries changes from the callers through the journal to the namespace.
 *
 * One thread takes all requests that wait, gives each change a slot, puts entries and register
 * writes into one synced batch of the acceptor, applies the entries in order to the namespace
 * (unsynced: they can be replayed), answers. So one change alone costs one sync, and many that come
 * together share one. From time to time it flushes the namespace and drops the slots below.
 *
 * Failure: the acceptor's write ends the process (acceptor_store.h). A namespace that cannot be
 * read or written is not touched any more: all changes answer -EIO until the next start, which
 * replays them.
 *
 * Threads: submit from any; `done` of a request runs on the journal's thread, so it must be short
 * and must not wait for another change. Requests in flight are bounded by the callers. */
#ifndef VS_META_JOURNAL_DRIVER_H
#define VS_META_JOURNAL_DRIVER_H

#include "common/clock.h"
#include "meta/acceptor_store.h"
#include "meta/meta_client.h"

#define JOURNAL_BATCH_REQUESTS_MAX 512
#define JOURNAL_BATCH_BYTES_MAX    (4u << 20) /* one request may go over it */
#define JOURNAL_SLOTS_MAX          4096       /* kept before the namespace is flushed */
#define JOURNAL_SLOT_BYTES_MAX     (8u << 20) /* same, by bytes since then */
#define JOURNAL_SLOTS_KEPT         16         /* below the applied one, behind a flush */

struct feed;
struct journal_driver;

/* Replay what the namespace has not applied. store, ns and clock are lent until stop.
 *
 * -VS_EFORGOT    the acceptor does not hold what the namespace has applied
 * -VS_ECORRUPT   a slot is missing or cannot be decoded */
int journal_driver_open(struct journal_driver **ret, struct acceptor_store *store, struct kv *ns,
                        const struct vs_clock *clock);

/* Before the start: tell this feed of every change. Lent until stop. */
void journal_driver_set_feed(struct journal_driver *d, struct feed *feed);

/* Start the thread. -EAGAIN, -ENOMEM. */
int journal_driver_start(struct journal_driver *d);

/* META_CHANGE, META_REG_CREATE, META_REG_CHANGE. */
void journal_driver_submit(struct journal_driver *d, struct meta_req *r);

uint64_t journal_driver_replayed(const struct journal_driver *d); /* slots, at open */

/* Finish what is queued, flush the namespace, drop slots, free. Forgives NULL and one that was
 * never started. */
void journal_driver_stop(struct journal_driver *d);

#endif
