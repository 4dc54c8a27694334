/* sim_replica: a replica of the simulated registers: its disk, its acceptor, its coordinator. */
#ifndef VS_TESTS_SIM_SIM_REPLICA_H
#define VS_TESTS_SIM_SIM_REPLICA_H

#include "meta/px_coord.h"
#include "meta/px_fence.h"
#include "tests/sim/sim_reg_msg.h"

#define REG_OPS_MAX 96 /* in flight at one coordinator */

struct reg_config {
    uint64_t epoch;
    uint8_t n;
    uint8_t member[PX_ACCEPTORS_MAX]; /* replicas, ascending; pid is the number plus 1 */
};

struct reg_cell {
    struct px_reg reg;
    struct reg_value value; /* reg.accepted.value */
    uint64_t batch;         /* that stored it */
};

/* acceptor/ of a replica. */
struct reg_disk {
    bool identity; /* false: an empty disk */
    bool votes;
    bool whole;    /* voted in the epoch before this one until it left that */
    bool newcomer; /* this epoch begins with what it has collected */
    uint8_t fence; /* newcomer that votes: F, a mask of replicas */
    uint32_t pid, inc;
    uint64_t batches;
    struct reg_config config;
    struct reg_cell cell[REG_KEYS_MAX];
    struct reg_cell start[REG_KEYS_MAX]; /* newcomer: what the epoch began with */
};

/* What a newcomer has collected, or a late member: then in copy[0]; in memory. */
struct reg_join {
    bool active, gathering;
    uint8_t gathered; /* from these replicas */
    unsigned ticks;
    struct px_fence fence;
    struct reg_config from;
    struct reg_cell copy[PX_ACCEPTORS_MAX][REG_KEYS_MAX];
};

struct reg_op {
    struct px_coord_op coord;
    bool used;
    uint8_t key, what, reply_to, i;
    uint32_t client_op;
    struct px_ballot floor; /* no result may lie below */
    struct reg_value value, expect, space, made;
};

struct reg_replica {
    struct reg_disk disk;
    struct px_acceptor acceptor;
    struct px_coord coord;
    struct px_coord_op *coord_memory[PX_COORD_MEMORY(REG_OPS_MAX)];
    uint64_t id_seq;   /* ids given out in this life */
    uint64_t awake_at; /* its incarnation is durable then */
    uint64_t sync_at;  /* all that is in memory is durable then */
    uint64_t wake_at;  /* the coordinator's timer */
    uint32_t wake_timer;
    bool asking;  /* what its epoch began with */
    unsigned ops; /* op[0 .. ops) may be used */
    struct reg_op op[REG_OPS_MAX];
};

#endif
