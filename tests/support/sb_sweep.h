/* sb_sweep: every power cut and every fault of recorded workloads on a superblock store
 * (sb_model.h), counted. A workload is a seed; the same seed makes the same calls until something
 * strikes.
 *
 * Each of these asserts that nothing acknowledged is lost, nothing deleted is back, nothing wrong
 * is served, nothing is called corrupt, and that the store goes on working. */
#ifndef VS_TESTS_SB_SWEEP_H
#define VS_TESTS_SB_SWEEP_H

#include "tests/support/sb_model.h"

struct sb_sweep {
    struct sim_io *sim;
    unsigned steps;          /* of a workload */
    unsigned stride;         /* 1: exhaustive; n: every n-th place */
    unsigned outcomes;       /* of each power cut: what of the unsynced writes survived */
    uint64_t capacity_bytes; /* of the disk until it was recovered; 0: plenty */
    /* counted */
    uint64_t workloads;
    uint64_t operations; /* requests, checkpoints, restarts, scrub steps of the workloads */
    uint64_t refused;    /* of them, for want of room */
    uint64_t calls;      /* that change the disk, in the workloads */
    uint64_t runs;       /* of a workload into a cut or a fault, with all that follows */
};

/* Run the workload once, undisturbed, and count it. What it must contain so that a sweep means
 * something (roll-over, removal, TOMBs, a checkpoint) is asserted when `steps` are enough. */
void sb_sweep_record(struct sb_sweep *sw, uint64_t workload);

/* Cut the power in every call of the workload, `outcomes` times each. */
void sb_sweep_cuts(struct sb_sweep *sw, uint64_t workload);
/* The same, and no checkpoint survives, of either run. */
void sb_sweep_cuts_without_checkpoints(struct sb_sweep *sw, uint64_t workload);
/* Cut it after `first` calls, and then in every call of the recovery. */
void sb_sweep_recovery(struct sb_sweep *sw, uint64_t workload, uint64_t first);

struct sb_sweep_fault {
    enum sim_io_kind kind;
    int err;
    bool sticky; /* see sim_io_fail_at() */
};
/* The fault at every call of its kind; `power` cuts the power afterwards, else only the process is
 * started again, and the page cache goes on showing what was lost. */
void sb_sweep_faults(struct sb_sweep *sw, uint64_t workload, const struct sb_sweep_fault *fault,
                     bool power);

/* One line: "NAME: 3 workloads, 310 operations, ..." */
void sb_sweep_print(const struct sb_sweep *sw, const char *name);

#endif
