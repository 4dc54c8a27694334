/* sim_history: what has been proposed, acknowledged and decided for each register, known to nobody
 * inside the world, and the invariants of docs/CHUNKPAXOS.md on it.
 *
 * I1 one value per ballot. I2 chosen values form one chain: each descends from all before. I3 what
 * an acceptor has acknowledged is there after a restart. I5, I12: an operation sees at least what
 * was decided before it began, so a register's history is linearizable. I7 nothing follows a TOMB.
 * A violation ends the schedule. */
#ifndef VS_TESTS_SIM_SIM_HISTORY_H
#define VS_TESTS_SIM_SIM_HISTORY_H

#include "meta/px_acceptor.h"
#include "tests/sim/sim_world.h"

#define REG_KEYS_MAX     64
#define HISTORY_MAX      96 /* ballots of one register; more are not checked */
#define HISTORY_REPLICAS 7
#define REG_FRAGS        2

enum reg_state { REG_LIVE = 1, REG_TOMB = 2 };

/* A register's value: a placement in small. */
struct reg_value {
    uint8_t state, generation, session, pad;
    struct {
        uint8_t node, generation;
    } frag[REG_FRAGS];
    uint32_t tag;
};

struct history_ballot {
    struct px_ballot at, parent;
    uint64_t version;
    struct px_op op; /* that made it */
    struct reg_value value;
    bool chosen;
};

struct history_key {
    unsigned count;
    struct px_ballot frontier; /* highest that is known to be chosen */
    struct history_ballot ballot[HISTORY_MAX];
    struct px_ballot promised[HISTORY_REPLICAS], accepted[HISTORY_REPLICAS]; /* acknowledged */
};

struct reg_history {
    struct sim_world *w;
    struct history_key key[REG_KEYS_MAX];
};

void history_key_reset(struct reg_history *h, unsigned key);
/* A proposer asks acceptors to accept: `next`, derived from what was accepted at `parent`. */
void history_proposed(struct reg_history *h, unsigned key, const struct px_ballot *at,
                      const struct px_ballot *parent, const struct px_accepted *next);
/* An acceptor's answer has arrived. */
void history_acknowledged(struct reg_history *h, unsigned key, unsigned replica,
                          const struct px_answer *a);
/* It starts again with this on its disk. */
void history_restarted(struct reg_history *h, unsigned key, unsigned replica,
                       const struct px_reg *reg);
/* Its accepted record was replaced, as a membership change does; promises stay. */
void history_replaced(struct reg_history *h, unsigned key, unsigned replica);
/* An operation has ended: what is accepted at `at` (none: the register is absent) was chosen when
 * it ended. floor: the frontier when it began. */
void history_decided(struct reg_history *h, unsigned key, const struct px_ballot *at,
                     const struct px_ballot *floor);
/* An operation was refused, having seen what is accepted at `at` with this version: it must not
 * have been done before, unless more than PX_OPS_KEPT changes have passed since. */
void history_refused(struct reg_history *h, unsigned key, const struct px_op *op,
                     const struct px_ballot *at, uint64_t version);
/* Value at a chosen ballot; NULL: not known. */
const struct history_ballot *history_find(const struct reg_history *h, unsigned key,
                                          const struct px_ballot *at);

#endif
