/* ns_apply: one journal entry -> validation -> one atomic batch on the namespace.
 *
 * Deterministic: the same entries in the same order on the same state give the same batches and
 * answers, on every replica. An entry that is not valid (name taken, base version old, session not
 * open, ...) changes nothing but the applied slot and, with a client id, the retry table. Applying
 * a slot at or below the applied one does nothing (-EALREADY).
 *
 * Pure but for reads through the kv vtable. Threads: one applier. */
#ifndef VS_META_NS_APPLY_H
#define VS_META_NS_APPLY_H

#include "meta/kv.h"
#include "meta/ns_types.h"

struct feed;
struct ns_apply; /* scratch memory and counters kept between entries */

/* -ENOMEM, or what reading the namespace's counters says. */
int ns_apply_new(struct ns_apply **ret, struct kv *kv);
void ns_apply_free(struct ns_apply *a);

/* Tell this feed of every entry from now on; it begins at the applied slot. Lent until free. */
void ns_apply_set_feed(struct ns_apply *a, struct feed *feed);

/* Highest slot applied to the namespace; 0: none. */
uint64_t ns_apply_slot(const struct ns_apply *a);

/* Apply `e` as `slot` (the one after the applied one). The batch is written unsynced before it
 * returns. 0 also when the entry was refused: see ret_answer->status. Negative: the namespace could
 * not be read or written; nothing may be applied any more. */
int ns_apply_entry(struct ns_apply *a, uint64_t slot, const struct ns_entry *e,
                   struct ns_answer *ret_answer);

#endif
