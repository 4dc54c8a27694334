/* journal_applier: applies chosen entries to the namespace, in order, on a thread of its own, so
 * that neither heartbeats nor syncs wait for it; and flushes the namespace when told to.
 *
 * Happy path: an entry is decoded, validated and written as one batch with its slot (ns_apply);
 * whoever proposed it here is answered; the journal is told how far it is. Failure: an entry that
 * cannot be decoded, or a namespace that cannot be read or written: nothing is applied any more,
 * callers get -EIO, and the journal is told once.
 *
 * Threads: add and flush from the journal's, reload from any; the callbacks run on the applier's.
 */
#ifndef VS_META_JOURNAL_APPLIER_H
#define VS_META_JOURNAL_APPLIER_H

#include "meta/journal.h"
#include "meta/kv.h"
#include "meta/meta_client.h"

struct feed;
struct journal_applier;

struct journal_applier_calls {
    void (*applied)(void *arg, uint64_t slot); /* entries up to it; they may be put */
    void (*flushed)(void *arg, uint64_t slot); /* the namespace is durable up to it */
    void (*failed)(void *arg, int err);
    void *arg;
    struct feed *feed;    /* told of every change; lent until free; NULL: none */
    struct feed *entries; /* the same, of every entry */
};

/* ns: lent until free. -ENOMEM, -EAGAIN, or what reading the namespace says. */
int journal_applier_new(struct journal_applier **ret, struct kv *ns,
                        const struct journal_applier_calls *calls);
uint64_t journal_applier_slot(const struct journal_applier *a); /* at new: what was applied */

/* At most JOURNAL_APPLIES_MAX may wait. The entry (NULL: no-op) is lent until `applied`; req, if
 * any, gets its answer, status and done. */
void journal_applier_add(struct journal_applier *a, uint64_t slot, struct journal_entry *entry,
                         struct meta_req *req);
void journal_applier_flush(struct journal_applier *a);
/* The namespace was replaced by a newer one: go on from there. Nothing waits; it may take as long
 * as a flush. What reading it says. */
int journal_applier_reload(struct journal_applier *a);
/* Finishes what was added. Forgives NULL. */
void journal_applier_free(struct journal_applier *a);

#endif
