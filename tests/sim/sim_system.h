/* sim_system: the systems that are simulated, and the mutants each of them must find. */
#ifndef VS_TESTS_SIM_SIM_SYSTEM_H
#define VS_TESTS_SIM_SIM_SYSTEM_H

#include "tests/sim/sim_world.h"
#include <stdio.h>

/* A seed belongs to the system at seed % SIM_SYSTEMS. */
extern const struct sim_system *const sim_systems[];
extern const unsigned sim_systems_count;

struct sim_mutant {
    int number;
    const char *system; /* that finds it */
    const char *what;
};

extern const struct sim_mutant sim_mutants[];
extern const unsigned sim_mutants_count;

struct sim_run {
    uint64_t seed, count;
    const struct sim_system *only; /* NULL: all, by seed */
    bool trace;
    unsigned tell; /* so many violations are printed */
};

struct sim_sum {
    uint64_t schedules, violations, events, hash;
    uint64_t first_seed; /* that was violated */
    char first_text[WORLD_TEXT_MAX];
};

/* Run seeds from run->seed on; stop_first: no further than to the first violation.
 * 0; -ENOMEM. */
int sim_run(const struct sim_run *run, bool stop_first, FILE *out, struct sim_sum *ret);

#endif
