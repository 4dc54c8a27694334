/* collect: removes what nothing refers to any more.
 *
 * Released chunks and segments get a TOMB in their register, then their fragments are deleted on
 * the stores that are up, then the journal forgets them. A store that was down keeps its fragments
 * until it is asked about (collect_audit): a fragment goes only if its register says TOMB, or is of
 * a generation not lower and does not name it, or is absent with its session closed (then a TOMB is
 * written first). Brake: when more than 1 % of a store's fragments (and more than 1000) would go in
 * one audit, and after a restore or a salvage, nothing is removed at all until a person has said so
 * (collect_let_go); the reason is in the metadata, and in its figures (META_STATS).
 *
 * Driver with one job at a time on `exec`, whose jobs block: neither the stores nor the metadata
 * may need its threads. Woken by collect_wake(). */
#ifndef VS_META_COLLECT_H
#define VS_META_COLLECT_H

#include "meta/meta_client.h"
#include "node/store_set.h"

struct collect;

int collect_start(struct collect **ret, struct meta_client *meta, struct store_set *stores,
                  struct vs_exec *exec);
/* Something was released; soon. Threads: any. */
void collect_wake(struct collect *c);
/* Abort the sessions that are open and belong to `mount`, which has just started and drives none of
 * them; 0: nobody else uses the metadata, so all of them, and orphaned inodes are forgotten. But
 * those of a tail (meta/tail_record.h) stay: the next copy ends them. What they reserved gets
 * TOMBs. Blocks; call before the first upload of a start. */
int collect_at_start(struct collect *c, uint64_t mount);
/* Ask about every fragment on entry `i` of the set. Runs in the background. */
void collect_audit(struct collect *c, unsigned i);
/* A person has said that what should go may go: the brake is let go, and every store is asked about
 * all its fragments, also those of a former life of the metadata. */
int collect_let_go(struct collect *c);
/* Fragments on entry `i`, and how many of them collect_let_go() would remove. Blocks. */
int collect_look(struct collect *c, unsigned i, uint64_t *ret_seen, uint64_t *ret_doomed);
/* Bit i: entry i may hold fragments that should have gone: an audit of it was asked for and has not
 * ended well, or something could not be removed there. Threads: any. */
uint64_t collect_unaudited(struct collect *c);
/* Wait until all that was released, and that no other mount may still be reading, is collected.
 * Tests, clean stops. -ETIMEDOUT; or what a pass failed with; -EBUSY the brake is on. */
int collect_drain(struct collect *c, int64_t timeout_ns);
void collect_stop(struct collect *c);

#endif
