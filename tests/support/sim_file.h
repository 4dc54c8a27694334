/* One file of the simulated disk (sim_io.h): what programs see (cache), what the platter holds
 * (disk), and the changes between them, in order.
 *
 * Invariant while nothing was lost: cache == disk with the pending changes applied in order.
 * Threads: none; the owner serialises calls. */
#ifndef VS_TESTS_SIM_FILE_H
#define VS_TESTS_SIM_FILE_H

#include "common/list.h"
#include "common/rand.h"
#include "tests/support/sim_image.h"

#define SIM_SECTOR_BYTES 512u /* a disk writes one of these whole or not at all */

enum sim_change { SIM_CHANGE_WRITE, SIM_CHANGE_TRUNCATE, SIM_CHANGE_ALLOCATE, SIM_CHANGE_PUNCH };

struct sim_file {
    struct vs_list link;    /* the owner's */
    struct sim_image cache; /* what buffered reads give */
    struct sim_image disk;  /* what a power cut leaves, apart from the pending changes */
    struct vs_list pending; /* struct sim_op, oldest first */
    bool diverged;          /* sim_file_lose() has taken something */
    unsigned open_count;    /* handles */
};

struct sim_file *sim_file_new(void);
void sim_file_free(struct sim_file *f);

/* Make a change, pending until synced. data: SIM_CHANGE_WRITE only. direct: the write went around
 * the page cache: direct reads see it, but it is no more durable than another. */
void sim_file_change(struct sim_file *f, enum sim_change kind, const void *data, uint64_t len,
                     uint64_t offset, bool direct);
/* What a direct read gives: the platter and direct writes, not what is only in the cache. */
void sim_file_read_direct(const struct sim_file *f, void *dst, size_t len, uint64_t offset);

/* All pending changes reach the disk. */
void sim_file_sync(struct sim_file *f);
/* All pending changes are forgotten, but the cache goes on showing them (fsyncgate). */
void sim_file_lose(struct sim_file *f);
/* Blocks in the range without pending change are dropped from the cache: they read as the disk. */
void sim_file_drop_cache(struct sim_file *f, uint64_t len, uint64_t offset);
/* Power cut: choose for each pending change what of it reached the disk; the cache is gone. */
void sim_file_settle(struct sim_file *f, struct vs_rand *rand);

#endif
