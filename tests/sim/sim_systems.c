/* sim_systems: what is simulated, and the mutants (docs/CHUNKPAXOS.md, "How it is proven"). */
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_reg.h"
#include "tests/sim/sim_system.h"

const struct sim_system *const sim_systems[] = { &sim_reg_system, &sim_journal_system };
const unsigned sim_systems_count = sizeof(sim_systems) / sizeof(sim_systems[0]);

const struct sim_mutant sim_mutants[] = {
    { 1, "registers", "ACCEPT0 admitted although a promise exists" },
    { 2, "registers", "ACCEPT ignores the promise" },
    { 3, "registers", "a wiped acceptor rejoins" },
    { 4, "registers", "reply before the sync" },
    { 5, "registers", "a read returns the highest value without agreement" },
    { 6, "registers", "ballots without pid" },
    { 7, "registers", "acknowledgements counted over epochs and phases" },
    { 8, "registers", "a refused compare-and-set is not written back" },
    { 9, "registers", "round 0 used again after a restart" },
    { 10, "registers", "CREATE where something was accepted" },
    { 11, "registers", "fence skipped" },
    { 12, "registers", "the newcomer copies from one acceptor only" },
    { 13, "journal", "a journal entry applied twice on a retry" },
    { 14, "journal", "a deposed leader answers a strict read" },
    { 15, "journal", "truncated slots answered as empty" },
    { 16, "journal", "no phase 1 after an epoch change" },
    { 17, "journal", "a strict read before recovered slots are chosen" },
    { 18, "registers", "TOMB before ABORTED is committed" },
    { 19, "registers", "a member outside the fence keeps its records" },
    { 20, "registers", "background copy and delta from different majorities" },
    { 21, "registers", "an absent register of a closed session is dropped without a TOMB" },
    { 22, "registers", "the loser of a repair deletes" },
    { 23, "journal", "a follower applies a record of another ballot" },
    { 24, "journal", "the leader counts itself unasked" },
};
const unsigned sim_mutants_count = sizeof(sim_mutants) / sizeof(sim_mutants[0]);
