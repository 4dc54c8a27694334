/* meta_restore: a metadata directory from a backup (meta/meta_backup.h).
 *
 * Happy path: the file is read once to know that all of it is whole, and once to fill the
 * directory. The proposer id is a new one, and inode numbers, sessions and ids go on far behind
 * those of the backup: what was given out after it was made is never given out again. The brake is
 * on, since the stores hold what is newer than the backup. Failure: nothing is made.
 *
 * Blocks. */
#ifndef VS_META_META_RESTORE_H
#define VS_META_META_RESTORE_H

#include "common/id.h"

#define META_RESTORE_WHY_BYTES 1024

struct meta_restored {
    struct vs_id cluster;
    uint64_t slot, pairs, registers;
    int64_t made_ns; /* when the backup was made, since 1970 */
};

/* path: the backup; into: not there, or empty; id: of the replica it is for, 0: the only one.
 * Negative: `why` says it in a sentence. */
int meta_restore(const char *path, const char *into, uint16_t id, struct meta_restored *ret,
                 char why[META_RESTORE_WHY_BYTES]);

#endif
