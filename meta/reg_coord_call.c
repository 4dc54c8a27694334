/* Requests of the coordinator: each register an operation, each operation an answer.
 *
 * An operation waits while another one on its register is in flight, and while there is no room;
 * those that wait go on in the order in which they came. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "meta/reg_coord_impl.h"
#include "meta/reg_rule.h"
#include <stdlib.h>
#include <string.h>

/* ---- the end ---- */

static void call_end(struct reg_coord *c, struct reg_call *call)
{
    struct meta_req *r = call->r;

    (void)c;
    r->status = 0;
    for (uint32_t i = 0; i < r->reg_count && r->status == 0; i++) {
        int status = call->op[i].reg->status;

        if (status < 0 && (r->op == META_REG_CREATE || status == -VS_EDOWN))
            r->status = status;
    }
    for (uint32_t i = 0; i < r->reg_count; i++)
        free(call->op[i].large);
    vs_list_del(&call->link);
    free(call);
    r->done(r); /* r may be gone now */
}

static void op_over(struct reg_coord *c, struct reg_op *op, int status)
{
    struct reg_call *call = op->call;

    VS_ASSERT(!op->is_over);
    op->is_over = true;
    op->reg->status = status;
    if (--call->left == 0)
        call_end(c, call);
}

/* ---- the beginning ---- */

static int op_change(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
                     size_t *ret_new_len)
{
    const struct reg_op *op = arg;
    int r = reg_rule_change(op->reg, cur, cur_len);

    if (r != 0)
        return r;
    VS_ASSERT(cur == NULL || cur[0] != PLACE_TOMB); /* I7 */
    *ret_new = op->reg->value;
    *ret_new_len = op->reg->value_len;
    return 0;
}

/* The round that the own acceptor knows, to save a refusal; a guess is enough. */
static uint64_t known_round(struct reg_coord *c, const struct vs_id *id)
{
    struct vs_buf storage = { 0 };
    struct px_reg reg;
    int r = acceptor_reg_read(c->config.store, id, &reg, &storage);

    vs_buf_close(&storage);
    return r < 0 ? 0 : reg.promised.round;
}

static struct px_wish op_wish(struct reg_coord *c, struct reg_op *op)
{
    struct px_wish wish = {
        .goal = PX_LOOK, .id = op->reg->id, .space = op->small, .space_len = sizeof(op->small)
    };

    if (op->large != NULL) {
        wish.space = op->large;
        wish.space_len = PX_VALUE_BYTES_MAX;
    }
    if (op->call->r->op == META_REG_READ)
        return wish;
    wish.op = op->id;
    if (op->call->r->op == META_REG_CREATE) {
        wish.goal = PX_CREATE;
        wish.fresh = op->is_fresh;
        wish.value = op->reg->value;
        wish.value_len = op->reg->value_len;
    } else {
        wish.goal = PX_CHANGE;
        wish.fn = op_change;
        wish.arg = op;
    }
    if (!wish.fresh)
        wish.round = known_round(c, &op->reg->id);
    return wish;
}

static int op_start(struct reg_coord *c, struct reg_op *op)
{
    struct px_wish wish = op_wish(c, op);

    return px_coord_start(&c->coord, &op->coord, &wish, reg_now_us(c));
}

static int op_check(const struct meta_req *r, const struct meta_reg *reg)
{
    switch (r->op) {
    case META_REG_CREATE:
        return reg_rule_create(reg);
    case META_REG_CHANGE:
        return reg_rule_fits(reg);
    default:
        return 0;
    }
}

static void call_refuse(struct meta_req *r, int status)
{
    r->status = status;
    for (uint32_t i = 0; status != -EINVAL && i < r->reg_count; i++)
        r->regs[i].status = status;
    r->done(r);
}

static struct reg_call *call_new(struct reg_coord *c, struct meta_req *r)
{
    struct reg_call *call = calloc(1, sizeof(*call) + r->reg_count * sizeof(call->op[0]));

    if (call == NULL)
        return NULL;
    call->r = r;
    call->left = r->reg_count;
    call->deadline_ns = c->config.patience_ms > 0
                            ? vs_now_ns(c->config.clock) + c->config.patience_ms * VS_NS_PER_MS
                            : INT64_MAX;
    for (uint32_t i = 0; i < r->reg_count; i++) {
        struct reg_op *op = &call->op[i];

        op->call = call;
        op->reg = &r->regs[i];
        op->id = (struct px_op){ .pid = c->head.pid, .inc = c->head.inc, .seq = ++c->op_seq };
        vs_list_init(&op->waiting);
    }
    return call;
}

void reg_call_begin(struct reg_coord *c, struct meta_req *r)
{
    uint32_t count = r->reg_count;
    struct reg_call *call = NULL;

    if (count > 0 && count <= META_REGISTER_BATCH_MAX)
        call = call_new(c, r);
    if (call == NULL) {
        call_refuse(r, count == 0 ? 0 : count > META_REGISTER_BATCH_MAX ? -EINVAL : -ENOMEM);
        return;
    }
    vs_list_add_tail(&c->calls, &call->link);
    for (uint32_t i = 0; i < count; i++) { /* call is gone once the last one is over */
        struct reg_op *op = &call->op[i];
        int err = op_check(r, op->reg);

        if (err < 0) {
            op_over(c, op, err);
            continue;
        }
        op->is_fresh = r->op == META_REG_CREATE && reg_fresh_take(&c->fresh, &op->reg->id);
        vs_list_add_tail(&c->waiting, &op->waiting);
    }
}

void reg_calls_go_on(struct reg_coord *c)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &c->waiting) {
        struct reg_op *op = vs_container_of(pos, struct reg_op, waiting);
        int r = op_start(c, op);

        if (r == -EAGAIN)
            return;
        if (r == 0)
            vs_list_del(&op->waiting);
    }
}

/* ---- between ---- */

static int op_give_current(struct reg_op *op)
{
    const struct px_accepted *cur = &op->coord.propose.cur;

    op->reg->current.len = 0;
    return vs_buf_append(&op->reg->current, cur->value, cur->value_len, PX_VALUE_BYTES_MAX);
}

/* A value did not fit: once more, with room for any. */
static bool op_grow(struct reg_coord *c, struct reg_op *op)
{
    if (op->large == NULL)
        op->large = malloc(PX_VALUE_BYTES_MAX);
    else
        return false;
    if (op->large != NULL)
        vs_list_add(&c->waiting, &op->waiting);
    return op->large != NULL;
}

void reg_op_done(struct reg_coord *c, struct reg_op *op)
{
    enum meta_op what = op->call->r->op;
    const struct px_propose *p = &op->coord.propose;
    int status = op->coord.status;

    if (status == -EMSGSIZE && op_grow(c, op))
        return;
    if (status == -ETIMEDOUT && !op->call->is_expired) {
        vs_list_add_tail(&c->waiting, &op->waiting); /* again: it knows its own success */
        return;
    }
    if (status == -ETIMEDOUT)
        status = -VS_EDOWN;
    if (what == META_REG_READ && status == 0) {
        if (px_ballot_is_none(&p->at))
            status = -ENOENT;
        else
            status = op_give_current(op);
    }
    if (what == META_REG_CHANGE && status == -ESTALE) {
        int err = op_give_current(op);

        status = err < 0 ? err : status;
    }
    op_over(c, op, status);
}

static void call_expire(struct reg_coord *c, struct reg_call *call)
{
    uint32_t count = call->r->reg_count;

    call->is_expired = true;
    for (uint32_t i = 0; i < count; i++) {
        struct reg_op *op = &call->op[i];
        bool is_end = call->left == 1;

        if (op->is_over)
            continue;
        if (!vs_list_empty(&op->waiting))
            vs_list_del(&op->waiting);
        else if (!px_coord_cancel(&c->coord, &op->coord))
            continue; /* it is done, and leaves in a moment */
        op_over(c, op, -VS_EDOWN);
        if (is_end)
            return; /* with the call */
    }
}

void reg_calls_expire(struct reg_coord *c)
{
    struct vs_list *pos, *next;
    int64_t now_ns = vs_now_ns(c->config.clock);

    vs_list_for_each (pos, next, &c->calls) {
        struct reg_call *call = vs_container_of(pos, struct reg_call, link);

        if (call->is_expired)
            continue; /* waits only for what it has to send */
        if (call->deadline_ns > now_ns)
            return;
        call_expire(c, call);
    }
}
