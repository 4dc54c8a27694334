/* acceptor_store: the durable state of one acceptor, in the key-value store acceptor/.
 *
 * It holds the replica's identity and incarnation, the registers, and the slots of the journal.
 * Writes gather in one batch; acceptor_commit() makes the batch durable, and only then may anybody
 * be told of it. Any error of that write ends the process: an acceptor that does not know what it
 * stored could forget a promise (docs/CHUNKPAXOS.md section 3).
 *
 * Threads: one writer; acceptor_reg_read, acceptor_reg_list and the counters from any thread. */
#ifndef VS_META_ACCEPTOR_STORE_H
#define VS_META_ACCEPTOR_STORE_H

#include "common/file_io.h"
#include "meta/acceptor_codec.h"
#include "meta/kv.h"

#define ACCEPTOR_SLOTS_MAX 65536 /* no journal keeps more at a time */

struct acceptor_store;

/* Write identity (incarnation 0) and the journal's first entry (slot 1) into an empty store, in one
 * synced batch: a crash leaves all of it or nothing. -EEXIST there is an identity already. */
int acceptor_store_create(struct kv *kv, const struct vs_id *cluster, uint32_t pid,
                          const void *entry, size_t entry_len);

/* The same for a newcomer that has nothing yet (ACCEPTOR_JOINING): no slot, no promise. */
int acceptor_store_create_joining(struct kv *kv, const struct vs_id *cluster, uint32_t pid,
                                  const struct member_set *set);

/* Open: check, raise the incarnation and the journal's ballot, synced before it returns.
 *
 * kv  lent until close, of kind KV_ACCEPTOR
 * io  directory for the count of synced batches, lent until close; NULL: not kept (tests)
 * -ENOENT no identity; -VS_EFORGOT fewer synced batches than were recorded; -VS_ENEWER;
 * -VS_ECORRUPT. */
int acceptor_store_open(struct acceptor_store **ret, struct kv *kv, struct vs_io *io);

/* Record the count and close. Forgives NULL. */
void acceptor_store_close(struct acceptor_store *s);

/* The same for one of several replicas: the journal's ballot is left as it is, since raising it
 * would end a leader at every start; ballots of this start differ by their incarnation. */
int acceptor_store_open_member(struct acceptor_store **ret, struct kv *kv, struct vs_io *io);

const struct acceptor_identity *acceptor_identity(const struct acceptor_store *s);
uint64_t acceptor_first_slot(const struct acceptor_store *s); /* lowest slot kept */
uint64_t acceptor_synced(const struct acceptor_store *s);     /* batches, ever */

/* The register as the writer sees it, uncommitted writes included; absent: all zero and 0. Its
 * value points into `storage`, which the caller closes. */
int acceptor_reg_load(struct acceptor_store *s, const struct vs_id *id, struct px_reg *ret,
                      struct vs_buf *storage);
/* The register as it is durable. */
int acceptor_reg_read(struct acceptor_store *s, const struct vs_id *id, struct px_reg *ret,
                      struct vs_buf *storage);
/* Ids of registers behind `after` (all zero: from the start), ascending; how many, at most max. */
int acceptor_reg_list(struct acceptor_store *s, const struct vs_id *after, struct vs_id *ids,
                      uint32_t max);

/* A mark: the number of the newest durable batch, from now on until another one is taken, the mark
 * is dropped, or too much changes (meta/acceptor_trace.h). Any thread. */
uint64_t acceptor_mark(struct acceptor_store *s);
void acceptor_mark_drop(struct acceptor_store *s);
/* As acceptor_reg_list(), of registers that batches above `mark` changed; of all, if that mark is
 * not held any more, or is 0. */
int acceptor_reg_list_above(struct acceptor_store *s, uint64_t mark, const struct vs_id *after,
                            struct vs_id *ids, uint32_t max);

/* Where it stands in a change of membership; NULL: it was not said yet. The writer's, and
 * its owner's while there is none. */
const struct acceptor_members *acceptor_members(const struct acceptor_store *s);
int acceptor_members_put(struct acceptor_store *s, const struct acceptor_members *m);

/* Into the batch. -EMSGSIZE, -ENOMEM: nothing was added. */
int acceptor_reg_store(struct acceptor_store *s, const struct vs_id *id, const struct px_reg *reg);
int acceptor_slot_store(struct acceptor_store *s, uint64_t slot, const void *entry,
                        size_t entry_len);
/* Forget the slots below `first`; the caller has made sure that they are applied and flushed. */
int acceptor_slots_drop(struct acceptor_store *s, uint64_t first);

/* Forget all slots that are durable: others take their place. Into the batch. */
int acceptor_slots_clear(struct acceptor_store *s);

/* One of several replicas. The head: the promise (it never falls), and slots below `first` are
 * forgotten. A record: the entry accepted with that ballot. */
int acceptor_head_put(struct acceptor_store *s, const struct px_ballot *promised, uint64_t first);
int acceptor_slot_put(struct acceptor_store *s, uint64_t slot, const struct px_ballot *ballot,
                      const void *entry, size_t entry_len);
struct px_ballot acceptor_promised(const struct acceptor_store *s); /* the writer */

/* An entry put into the batch, still there until the next batch is begun. -ENOENT */
int acceptor_slot_peek(struct acceptor_store *s, uint64_t slot, const uint8_t **ret_entry,
                       size_t *ret_len);

size_t acceptor_batch_bytes(const struct acceptor_store *s); /* put in since it was begun */
bool acceptor_batch_empty(const struct acceptor_store *s);
/* Make the batch durable; returns only on success. */
void acceptor_commit(struct acceptor_store *s);
/* Forget the committed batch. */
void acceptor_batch_begin(struct acceptor_store *s);

/* Durable slots from `from` on, ascending; non-zero from fn ends the scan and is its result. */
typedef int acceptor_slot_fn(void *arg, uint64_t slot, const uint8_t *entry, size_t entry_len);
int acceptor_slots_scan(struct acceptor_store *s, uint64_t from, acceptor_slot_fn *fn, void *arg);
typedef int acceptor_record_fn(void *arg, uint64_t slot, const struct px_ballot *ballot,
                               const uint8_t *entry, size_t entry_len);
int acceptor_records_scan(struct acceptor_store *s, uint64_t from, acceptor_record_fn *fn,
                          void *arg);

/* Bring the recorded count up to date if it is not. An error ends the process. */
void acceptor_record_count(struct acceptor_store *s);

#endif
