/* px: ChunkPaxos registers: how one may change at one acceptor.
 *
 * A register holds one value, agreed on by ballots (docs/CHUNKPAXOS.md; Lamport, "Paxos Made
 * Simple", 2001; Rystsov, "CASPaxos", 2018). Steps change a struct px_reg in memory; PX_STORE means
 * that it must be durable before anybody is told. Nothing here knows what a value means.
 *
 * Pure: no memory of its own; values are lent by whoever made them. Threads: none. */
#ifndef VS_META_PX_H
#define VS_META_PX_H

#include "common/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_OPS_KEPT        4
#define PX_VALUE_BYTES_MAX (64u << 10)

/* Compared in this order. pid is never 0, so all zero means none. Round 0 belongs to the owner of a
 * fresh id alone. */
struct px_ballot {
    uint64_t round;
    uint32_t pid, inc; /* proposer and its incarnation */
};

/* Who asked for a change, and its how manyth it was; all zero: none. A retry is recognised by it.
 */
struct px_op {
    uint32_t pid, inc;
    uint64_t seq;
};

struct px_op_done {
    struct px_op op;
    uint64_t version; /* that it made */
};

/* What was accepted; travels and is stored as one. */
struct px_accepted {
    uint64_t version;                       /* of the value, from 1 */
    struct px_op_done last_op[PX_OPS_KEPT]; /* newest first */
    const uint8_t *value;                   /* lent */
    size_t value_len;
};

/* A zeroed register is an absent one: nothing promised, nothing accepted. */
struct px_reg {
    struct px_ballot promised;
    struct px_ballot ballot; /* of what was accepted; all zero: nothing was */
    struct px_accepted accepted;
};

enum px_verdict {
    PX_NACK,  /* refused: reg->promised and reg->ballot say how high to aim */
    PX_OK,    /* as asked, and stored already */
    PX_STORE, /* as asked; make the register durable, then answer */
};

int px_ballot_cmp(const struct px_ballot *a, const struct px_ballot *b);
bool px_ballot_is_none(const struct px_ballot *b);
bool px_op_is_none(const struct px_op *op);
bool px_same_value(const struct px_accepted *a, const struct px_accepted *b);
/* What follows `cur` (absent: all zero) when `op` gives it a new value, which is lent. */
struct px_accepted px_follow(const struct px_accepted *cur, const struct px_op *op,
                             const void *value, size_t value_len);
/* Version that `op` made, if it is among the last; else 0. */
uint64_t px_op_version(const struct px_accepted *a, const struct px_op *op);

/* Owner's first proposal for a fresh id, without phase 1. Refused when the register is present,
 * even by a promise alone, unless it is this very proposal again. */
enum px_verdict px_accept0(struct px_reg *reg, const struct vs_id *id, const struct px_ballot *b,
                           const struct px_accepted *a);

/* Phase 1. Round 0 is refused. */
enum px_verdict px_prepare(struct px_reg *reg, const struct px_ballot *b);

/* Phase 2. create: the proposer saw the register absent, so it must be absent here too. */
enum px_verdict px_accept(struct px_reg *reg, const struct px_ballot *b, bool create,
                          const struct px_accepted *a);

/* What a change makes of the current value (NULL: absent): 0 and the new value (lent until the
 * register is stored), 1 to leave it as it is, which counts as success, or a negative code, which
 * refuses. */
typedef int px_change_fn(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
                         size_t *ret_new_len);

#endif
