/* meta_local: the metadata in this process: one acceptor, one journal, one namespace, on two
 * RocksDB directories below `dir`: acceptor/ (every write synced before the answer) and namespace/
 * (what the journal has applied, replayed from the applied slot at start).
 *
 * Happy path: changes queue up; one thread takes all that wait, gives each a slot, writes entries
 * and slots in one synced batch to acceptor/, applies them in order to namespace/ (one unsynced
 * batch each), answers. Register writes join the same synced batch. Failure: any error of a write
 * or sync of acceptor/ ends the process: it could forget a promise. A namespace/ that cannot be
 * written any more answers changes with -EIO until the next start, which replays them.
 *
 * Threads: `done` of changes and register writes runs on the journal's one thread: keep it short,
 * never wait in it for another request (meta_call). */
#ifndef VS_META_META_LOCAL_H
#define VS_META_META_LOCAL_H

#include "common/clock.h"
#include "meta/meta_client.h"

struct meta_local_config {
    const char *dir;             /* holds acceptor/ and namespace/ */
    bool create;                 /* make a new cluster: dir must hold neither */
    struct vs_id cluster;        /* create: its uuid */
    uint32_t root_uid, root_gid; /* create: owner of root and inbox */
    uint16_t pid;                /* create: number of the replica; 0: 1 */
    unsigned read_threads;       /* 0: 2 */
    bool in_memory;              /* tests: kv_mem instead of RocksDB, dir unused */
    const struct vs_clock *clock;
};

/* Open (recover, replay) or create. The incarnation is raised and synced before it returns.
 * -ENOENT no metadata here; -EEXIST create, and there is some; -VS_ENEWER; -VS_ECORRUPT;
 * -VS_EFORGOT acceptor/ is gone beside a namespace/, or behind what it acknowledged; -VS_ECORRUPT
 * also when namespace/ is older than the first slot that acceptor/ keeps; -EAGAIN locked by another
 * process. */
int meta_local_open(struct meta_client **ret, const struct meta_local_config *config);

#endif
