/* tail_owner: which of several mounts keeps the tail of the copy (fs/meta_tail.h), by what the
 * metadata say: the sessions of tails, and which mounts live.
 *
 * Happy path: the mount of the newest session keeps it, as long as it gives signs of life; how far
 * it is, is an attribute of inode NS_INO_COPY. Failure: two that begin at the same time both write
 * for a moment, until they look again; each one's records are whole for themselves.
 *
 * All of it waits for the metadata. Threads: any. */
#ifndef VS_FS_TAIL_OWNER_H
#define VS_FS_TAIL_OWNER_H

#include "fs/vsfs.h"

/* 1: it is `owner`'s to keep, whose session is `session` (0: none); 0: another mount's. */
int tail_owner_judge(struct vsfs *fs, uint64_t owner, uint64_t session);
/* All sessions of tails but one are aborted; 0: all. */
void tail_owner_end_others(struct vsfs *fs, uint64_t but);

/* The tail of this session has everything up to this slot. */
void tail_owner_tell(struct vsfs *fs, uint64_t session, uint64_t slot);
/* How far the newest one is. -ENODATA: it has not said yet. */
int tail_owner_hear(struct vsfs *fs, uint64_t *ret_slot);

#endif
