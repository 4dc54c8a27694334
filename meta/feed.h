/* feed: what changed in the namespace, slot by slot, for whoever keeps copies of it: the last
 * changes in memory, and those who wait for the next one.
 *
 * Happy path: each applied entry is noted; a question says up to which slot its asker knows all
 * (`after`), and gets what is newer, or waits for it at most wait_ms. Failure: what was asked for
 * is not kept any more (too old, the namespace was replaced or just opened, no memory): the answer
 * is "reset": forget everything, go on from `slot`. Too many wait: the question is answered at
 * once.
 *
 * Of the same kind, and another one: the entries themselves (META_ENTRIES), for the tail of the
 * copy that stores keep (fs/meta_tail.h).
 *
 * A replica answers from what it has applied, whoever leads; slots are the same everywhere, so the
 * next question may go to another one. Whoever must know that nothing newer was acknowledged asks
 * strictly (meta_req.hint false).
 *
 * Threads: any; notes come from one, the applier's. Callbacks run on the executor, one at a time
 * per request; no thread waits. */
#ifndef VS_META_FEED_H
#define VS_META_FEED_H

#include "meta/feed_change.h"
#include "meta/meta_client.h"

#define FEED_RECORDS_MAX       65536
#define FEED_BYTES_MAX         (8u << 20)
#define FEED_ENTRIES_BYTES_MAX (32u << 20) /* of a feed of entries */
#define FEED_WAITERS_MAX       1024

struct feed;

/* exec: runs answers and waits; lent until feed_free(); bytes_max: of records kept. */
int feed_new(struct feed **ret, struct vs_exec *exec, size_t bytes_max);
/* Answers whoever waits, as if its time were over. Nobody may ask any more. Forgives NULL, twice.
 */
void feed_stop(struct feed *f);
/* After feed_stop(), and when exec has stopped. Forgives NULL. */
void feed_free(struct feed *f);

/* The namespace is what slot `slot` left, from wherever it came: earlier changes are not known. */
void feed_begin(struct feed *f, uint64_t slot);
/* An entry was applied, and can be read: what its batch changed. Forgives NULL. */
void feed_note(struct feed *f, uint64_t slot, uint64_t client, const struct kv_batch *batch);

/* In a feed of entries: the entry of a slot, applied, as bytes (none: a no-op). Forgives NULL. */
void feed_note_entry(struct feed *f, uint64_t slot, const void *bytes, size_t len);

/* META_CHANGES, META_ENTRIES: what is there now. */
void feed_answer(struct feed *f, struct meta_req *r);
/* The same, or what comes in r->wait_ms. r->done runs on exec, or inside the call: call it on a
 * thread of the client. */
void feed_ask(struct feed *f, struct meta_req *r);

struct feed_state {
    uint64_t oldest, newest; /* slots: what is behind `oldest` is known, up to `newest` */
    unsigned records, waiters;
    size_t bytes;
};
void feed_state(struct feed *f, struct feed_state *ret);

#endif
