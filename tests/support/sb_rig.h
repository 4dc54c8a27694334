/* sb_rig: a superblock store for one test, on the simulated disk (serial) or in a directory below
 * /tmp (threads), opened and closed as often as the test likes. Fragment `n` of `bytes` bytes is
 * always sync_bytes(n, bytes) under sync_key(n). */
#ifndef VS_TESTS_SB_RIG_H
#define VS_TESTS_SB_RIG_H

#include "node/sb_store.h"
#include "tests/support/sim_io.h"
#include "tests/support/store_sync.h"

struct sb_rig {
    struct sync_store ss;          /* s is NULL while closed */
    struct sb_store_config config; /* change it before sb_rig_open() */
    struct sb_recovery recovery;   /* of the last open */
    struct sim_io *sim;            /* or NULL */
    char dir[64];                  /* or "" */
};

/* CMocka fixtures: *state is a struct sb_rig with a formatted, closed store. */
int sb_rig_setup_sim(void **state);
int sb_rig_setup_disk(void **state);
int sb_rig_teardown(void **state);

/* The directory, to be freed by the caller. */
struct vs_io *sb_rig_io(const struct sb_rig *rig);
int sb_rig_open(struct sb_rig *rig);
void sb_rig_close(struct sb_rig *rig);
/* Simulated disk: the process dies without a stop. What was not synced stays in the cache. */
void sb_rig_crash(struct sb_rig *rig);

int sb_rig_put(struct sb_rig *rig, uint64_t n, size_t bytes);
int sb_rig_check(struct sb_rig *rig, uint64_t n, size_t bytes);
int sb_rig_del(struct sb_rig *rig, uint64_t n);

/* Files in the directory whose name begins with `prefix`, and the bytes allocated to them. */
unsigned sb_rig_files(const struct sb_rig *rig, const char *prefix, uint64_t *ret_allocated);
/* Flip one bit of a file. */
void sb_rig_flip(const struct sb_rig *rig, const char *name, uint64_t offset, unsigned bit);

#endif
