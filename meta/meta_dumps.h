/* meta_dumps: the namespace as it is at one slot, handed out a piece at a time (META_DUMP): what a
 * backup, and the copy that a mount keeps on the stores, are made of.
 *
 * Happy path: the first piece takes a view of the store, which stays as it is while changes go on;
 * each next piece continues; the last one ends the dump. Failure: a dump that nobody asked about
 * for META_DUMP_IDLE_S gives way to another one; the one who comes back hears -ESTALE and begins
 * again.
 *
 * Threads: any. */
#ifndef VS_META_META_DUMPS_H
#define VS_META_META_DUMPS_H

#include "meta/kv.h"
#include "meta/meta_client.h"
#include <pthread.h>

#define META_DUMPS_MAX        4
#define META_DUMP_IDLE_S      30
#define META_DUMP_PIECE_BYTES (1u << 20) /* one pair may be more */

struct meta_dump_open;

struct meta_dumps {
    pthread_mutex_t lock;
    struct meta_dump_open *open[META_DUMPS_MAX];
    uint64_t last; /* handle given out last */
};

void meta_dumps_init(struct meta_dumps *d);
void meta_dumps_close(struct meta_dumps *d); /* before the store; nobody reads any more */

/* META_DUMP: fills r->bytes, r->dump, r->dump_ended; what r->status should be. -EAGAIN: too many at
 * once; -ESTALE: unknown, or given up; -ENOENT: there is no namespace yet. */
int meta_dumps_read(struct meta_dumps *d, struct kv *ns, struct meta_req *r);

#endif
