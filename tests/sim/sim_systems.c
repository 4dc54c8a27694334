/* sim_systems: what is simulated, and the mutants (docs/CHUNKPAXOS.md, "How it is proven"). */
#include "tests/sim/sim_system.h"

const struct sim_system *const sim_systems[] = {};
const unsigned sim_systems_count = sizeof(sim_systems) / sizeof(sim_systems[0]);

const struct sim_mutant sim_mutants[] = {};
const unsigned sim_mutants_count = sizeof(sim_mutants) / sizeof(sim_mutants[0]);
