/* sb_model: a workload on a superblock store over the simulated disk, and what was acknowledged of
 * it. The store is serial, its files are tiny, so that a short workload rolls over, seals, removes
 * and checkpoints.
 *
 *     sb_model_format(&m, sim);            // on an empty disk
 *     sb_model_open(&m, sim) == 0          // 0 or what sb_store_open() gave
 *     sb_model_workload(&m, seed, steps);  // until the store refuses; remembers every answer
 *     sb_model_close(&m);
 *     ... power, faults ...
 *     sb_model_open(&m, sim);
 *     sb_model_check(&m);                  // asserts that nothing acknowledged is lost */
#ifndef VS_TESTS_SB_MODEL_H
#define VS_TESTS_SB_MODEL_H

#include "node/sb_store.h"
#include "tests/support/sim_io.h"
#include "tests/support/store_sync.h"

#define SB_MODEL_KEYS  24
#define SB_MODEL_BATCH 6 /* requests in flight at most */

enum sb_model_state {
    SB_MODEL_ABSENT,  /* never put, or its delete was acknowledged */
    SB_MODEL_STORED,  /* its put was acknowledged */
    SB_MODEL_PUTTING, /* a put was answered with an error: there or not, but never other bytes */
    SB_MODEL_DELETING /* a delete of a stored one was answered with an error: all or nothing */
};

struct sb_model_key {
    enum sb_model_state state;
    uint64_t seed;
    size_t bytes;
};

struct sb_model {
    struct sync_store ss; /* s is NULL while closed */
    struct sb_recovery recovery;
    struct sb_model_key keys[SB_MODEL_KEYS];
    uint64_t file_bytes;
    struct vs_clock clock; /* turned by the workload, so that the same seed makes the same calls */
    int64_t now_ns;
    unsigned operations; /* requests, checkpoints, scrub steps, restarts that were begun */
    unsigned puts_acked, dels_acked;
    unsigned refused; /* requests answered with -ENOSPC */
};

void sb_model_init(struct sb_model *m);
int sb_model_format(struct sb_model *m, struct sim_io *sim);
int sb_model_open(struct sb_model *m, struct sim_io *sim);
/* `steps` steps of puts, deletes, checkpoints, scrub, stops with a new start; by seed. Ends when
 * the store answers -VS_EDOWN, or cannot be opened again. */
void sb_model_workload(struct sb_model *m, struct sim_io *sim, uint64_t seed, unsigned steps);
/* Everything acknowledged is there, byte for byte, nothing deleted is, nothing wrong is served. */
void sb_model_check(struct sb_model *m);
void sb_model_close(struct sb_model *m);

#endif
