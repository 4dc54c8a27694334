/* meta_backup: all that the metadata knows, as one checked stream (meta/dump.h), made while changes
 * go on: the namespace as it is at one slot, then the registers as they are after that, so that
 * every chunk of every file of that slot is among them.
 *
 * Asks the metadata through a client, from anywhere. Blocks. Threads: not those of the client. */
#ifndef VS_META_META_BACKUP_H
#define VS_META_META_BACKUP_H

#include "meta/dump.h"
#include "meta/meta_client.h"

/* The next bytes of the stream; non-zero ends it and is the result. */
typedef int meta_backup_fn(void *arg, const void *bytes, size_t len);

struct meta_backup_result {
    uint64_t slot;
    uint64_t pairs, registers, bytes;
};

/* names_only  without the registers: for the copy that stores keep, who know them themselves
 * made_ns     when, since 1970; in its head
 * -VS_EDOWN the metadata cannot be reached; -EAGAIN it is behind, or makes too many backups;
 * -ENOMEM; what `put` said */
int meta_backup(struct meta_client *meta, bool names_only, int64_t made_ns, meta_backup_fn *put,
                void *arg, struct meta_backup_result *ret);

#endif
