/* meta_rejoin: a member of an epoch that was opened without it (it was slow, frozen, or away when
 * the others were fenced) takes what a majority that votes already has, and votes again
 * (docs/CHUNKPAXOS.md, "Membership").
 *
 * Happy path: called before the directory is opened by meta_replica_open(); others say which epoch
 * is open; each accepted register is replaced by the highest of all of them that vote, at least a
 * majority, absent ones included, and so is each slot of the journal; promises are kept. With that
 * durable it is a member that votes. Failure: until then nothing here counts in the open epoch:
 * after a crash it is done again, from the beginning. Whose place is not in doubt (it votes, or may
 * with the records it has, or its epoch is not open yet, or it was replaced) is left as it is, and
 * so is what cannot be opened or is another replica's: meta_replica_open() knows what to do.
 *
 * Threads: one; it blocks until a majority that votes answers, or it is told to stop. */
#ifndef VS_META_META_REJOIN_H
#define VS_META_META_REJOIN_H

#include "meta/meta_join.h"

/* config: `lost` and `url` are not looked at. 0: it may be opened, also when there is nothing in
 * it. -ECANCELED: told to stop; else what the disk says. */
int meta_rejoin(const struct meta_join_config *config);

#endif
