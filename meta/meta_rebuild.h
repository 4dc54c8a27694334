/* meta_rebuild: a metadata directory made from what is known otherwise (a backup, the records of
 * the stores) instead of by a cluster's life: what restore and salvage have in common.
 *
 * Happy path: begin makes DIR.part; the caller fills the namespace (a kv, as it likes) and gives
 * every register; end adds identity, journal and the brake (docs/CHUNKPAXOS.md section 8), makes
 * all of it durable, and gives it its name. Failure: DIR.part is removed, DIR was never there.
 *
 * The proposer id is a new one, or that of a replica with an incarnation far behind all it had: ids
 * and ballots of the former life are never given out again. Directories made of the same for all
 * replicas of a cluster say the same of every register.
 * Threads: one at a time. */
#ifndef VS_META_META_REBUILD_H
#define VS_META_META_REBUILD_H

#include "common/id.h"
#include "meta/kv.h"

#define META_REBUILD_PATH_MAX 4096
#define META_REBUILD_PIDS     65536

struct meta_rebuild {
    char dir[META_REBUILD_PATH_MAX];
    char part[META_REBUILD_PATH_MAX + 8];
    struct kv *ns;       /* the caller fills it */
    struct kv *acceptor; /* private from here */
    struct kv_batch *batch;
    size_t bytes;
    uint16_t pid;
    uint32_t inc;
    uint64_t registers;
    struct vs_buf record;
};

/* A proposer id that is not in `seen` (one bit each), and not one of a fresh cluster's. */
uint16_t meta_rebuild_pid(const uint8_t seen[META_REBUILD_PIDS / 8]);

/* id: of the replica, 1 .. 255; 0: `fresh`, from meta_rebuild_pid(), is used.
 * -EEXIST: DIR is there and not empty; -ENOMEM; I/O errors. */
int meta_rebuild_begin(struct meta_rebuild *b, const char *dir, uint16_t id, uint16_t fresh);
int meta_rebuild_register(struct meta_rebuild *b, const struct vs_id *id, const void *value,
                          size_t len);
/* The namespace has its state; `why` is the brake's sentence. */
int meta_rebuild_end(struct meta_rebuild *b, const char *why);
/* Throw away what was not ended. Forgives zeroed, ended, twice. */
void meta_rebuild_close(struct meta_rebuild *b);

#endif
