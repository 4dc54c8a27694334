/* px: the acceptor rules of docs/CHUNKPAXOS.md section 3.
 *
 * Happy path: a fresh id takes round 0 at once; everything later is phase 1 and phase 2 of a higher
 * round. Failure: a refusal changes nothing, and the register says what was in the way. */
#include "meta/px.h"
#include "common/assert.h"
#include "meta/px_mutant.h"
#include <string.h>

int px_ballot_cmp(const struct px_ballot *a, const struct px_ballot *b)
{
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    if (PX_MUTANT == 6)
        return 0;
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    if (a->inc != b->inc)
        return a->inc < b->inc ? -1 : 1;
    return 0;
}

bool px_ballot_is_none(const struct px_ballot *b)
{
    return b->round == 0 && b->pid == 0 && b->inc == 0;
}

bool px_op_is_none(const struct px_op *op)
{
    return op->pid == 0 && op->inc == 0 && op->seq == 0;
}

bool px_same_value(const struct px_accepted *a, const struct px_accepted *b)
{
    return a->value_len == b->value_len &&
           (a->value_len == 0 || memcmp(a->value, b->value, a->value_len) == 0);
}

/* Invariant I3: promised never falls, accepted <= promised. */
static enum px_verdict px_take(struct px_reg *reg, const struct px_ballot *b,
                               const struct px_accepted *a)
{
    if (px_ballot_cmp(b, &reg->promised) > 0)
        reg->promised = *b;
    VS_ASSERT(px_ballot_cmp(b, &reg->ballot) > 0);
    reg->ballot = *b;
    reg->accepted = *a;
    return PX_STORE;
}

enum px_verdict px_accept0(struct px_reg *reg, const struct vs_id *id, const struct px_ballot *b,
                           const struct px_accepted *a)
{
    if (b->round != 0 || b->pid == 0 || b->pid != vs_id_pid(id) || b->inc != vs_id_inc(id))
        return PX_NACK;
    if ((px_ballot_is_none(&reg->promised) || PX_MUTANT == 1) && px_ballot_is_none(&reg->ballot))
        return px_take(reg, b, a);
    if (px_ballot_cmp(b, &reg->ballot) == 0 && px_same_value(a, &reg->accepted))
        return PX_OK;
    return PX_NACK;
}

enum px_verdict px_prepare(struct px_reg *reg, const struct px_ballot *b)
{
    int order = px_ballot_cmp(b, &reg->promised);

    /* M6: without pid a proposer that asks twice looks like two that ask once. */
    if (b->round == 0 || b->pid == 0 || order < 0 || (order == 0 && PX_MUTANT != 6))
        return PX_NACK;
    reg->promised = *b;
    return PX_STORE;
}

enum px_verdict px_accept(struct px_reg *reg, const struct px_ballot *b, bool create,
                          const struct px_accepted *a)
{
    if (b->round == 0 || b->pid == 0)
        return PX_NACK;
    if (px_ballot_cmp(b, &reg->promised) < 0 && PX_MUTANT != 2)
        return PX_NACK;
    if (px_ballot_cmp(b, &reg->ballot) == 0)
        return px_same_value(a, &reg->accepted) ? PX_OK : PX_NACK;
    if (px_ballot_cmp(b, &reg->ballot) < 0)
        return PX_NACK;
    if (create && !px_ballot_is_none(&reg->ballot) && PX_MUTANT != 10)
        return PX_NACK;
    return px_take(reg, b, a);
}

struct px_accepted px_follow(const struct px_accepted *cur, const struct px_op *op,
                             const void *value, size_t value_len)
{
    struct px_accepted next = { .version = cur->version + 1,
                                .value = value,
                                .value_len = value_len };

    memcpy(&next.last_op[1], &cur->last_op[0], (PX_OPS_KEPT - 1) * sizeof(cur->last_op[0]));
    next.last_op[0] = (struct px_op_done){ .op = *op, .version = next.version };
    return next;
}

uint64_t px_op_version(const struct px_accepted *a, const struct px_op *op)
{
    if (px_op_is_none(op))
        return 0;
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        const struct px_op *o = &a->last_op[i].op;

        if (o->pid == op->pid && o->inc == op->inc && o->seq == op->seq)
            return a->last_op[i].version;
    }
    return 0;
}
