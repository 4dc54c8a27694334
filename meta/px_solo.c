/* px_solo: see the header.
 *
 * Happy path: what the operation asks is answered on the spot, until it is done. Failure modes:
 * none of its own. An operation that leaves the register's value as it was leaves the register as
 * it was: its promise was made to nobody but itself. */
#include "meta/px_solo.h"
#include "common/err.h"
#include "meta/px_propose.h"

#define SOLO_STEPS_MAX 3 /* round 0 in vain, two phases */

static int solo_run(struct px_solo *p, const struct px_wish *wish, struct px_reg *reg,
                    bool *ret_store)
{
    struct px_acceptor acceptor = { .votes = true };
    struct px_proposer proposer = { .pid = p->pid, .inc = p->inc, .acceptors = 1 };
    struct px_head head = { .pid = p->pid, .inc = p->inc };
    struct px_reg before = *reg;
    struct px_actions todo;
    struct px_propose op;

    px_propose_start(&op, &proposer, wish, &todo);
    for (unsigned n = 0; !todo.done; n++) {
        struct px_answer answer;

        if (n == SOLO_STEPS_MAX || todo.send_to == 0) { /* no round is above the promised one */
            *reg = before;
            *ret_store = false;
            return -VS_ECORRUPT;
        }
        px_answer(&acceptor, &head, reg, &todo.ask, &answer);
        px_propose_answer(&op, 0, &head, &answer, 0, &todo);
    }
    *ret_store = px_ballot_cmp(&reg->ballot, &before.ballot) != 0;
    if (!*ret_store)
        *reg = before;
    return todo.status;
}

static struct px_op solo_op(struct px_solo *p)
{
    return (struct px_op){ .pid = p->pid, .inc = p->inc, .seq = ++p->op_seq };
}

int px_solo_create(struct px_solo *p, const struct vs_id *id, struct px_reg *reg, const void *value,
                   size_t value_len, bool *ret_store)
{
    struct px_wish wish = { .goal = PX_CREATE,
                            .id = *id,
                            .round = reg->promised.round,
                            .fresh = true,
                            .value = value,
                            .value_len = value_len };

    *ret_store = false;
    wish.op = solo_op(p);
    return solo_run(p, &wish, reg, ret_store);
}

int px_solo_change(struct px_solo *p, struct px_reg *reg, px_change_fn *fn, void *arg,
                   bool *ret_store)
{
    struct px_wish wish = {
        .goal = PX_CHANGE, .op = solo_op(p), .round = reg->promised.round, .fn = fn, .arg = arg
    };

    return solo_run(p, &wish, reg, ret_store);
}
