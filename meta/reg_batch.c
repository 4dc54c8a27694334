/* reg_batch: see the header.
 *
 * Happy path: load, step, store. Failure: each register has a status of its own; a value that may
 * not follow the current one is refused with the current one. Invariant I7: nothing follows a TOMB.
 */
#include "meta/reg_batch.h"
#include "common/assert.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "meta/reg_rule.h"
#include <string.h>

void reg_batch_init(struct reg_batch *rb, struct acceptor_store *store)
{
    const struct acceptor_identity *id = acceptor_identity(store);

    *rb = (struct reg_batch){ .store = store, .solo = { .pid = id->pid, .inc = id->inc } };
}

void reg_batch_close(struct reg_batch *rb)
{
    vs_buf_close(&rb->storage);
}

static int reg_create(struct reg_batch *rb, struct meta_reg *reg)
{
    struct px_reg state;
    bool store;
    int r = reg_rule_create(reg);

    if (r < 0)
        return r;
    r = acceptor_reg_load(rb->store, &reg->id, &state, &rb->storage);
    if (r < 0)
        return r;
    r = px_solo_create(&rb->solo, &reg->id, &state, reg->value, reg->value_len, &store);
    return store ? acceptor_reg_store(rb->store, &reg->id, &state) : r;
}

/* What a compare-and-set on the generation makes of the current value. */
static int reg_change_value(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
                            size_t *ret_new_len)
{
    const struct meta_reg *reg = arg;
    int r = reg_rule_change(reg, cur, cur_len);

    if (r != 0)
        return r;
    VS_ASSERT(cur == NULL || cur[0] != PLACE_TOMB); /* I7 */
    *ret_new = reg->value;
    *ret_new_len = reg->value_len;
    return 0;
}

static int reg_give_current(struct meta_reg *reg, const struct px_reg *state)
{
    reg->current.len = 0;
    return vs_buf_append(&reg->current, state->accepted.value, state->accepted.value_len,
                         PX_VALUE_BYTES_MAX);
}

static int reg_change(struct reg_batch *rb, struct meta_reg *reg)
{
    struct px_reg state;
    bool store;
    int r = acceptor_reg_load(rb->store, &reg->id, &state, &rb->storage);

    if (r < 0)
        return r;
    r = px_solo_change(&rb->solo, &state, reg_change_value, reg, &store);
    if (r == -ESTALE) {
        int err = reg_give_current(reg, &state);

        return err < 0 ? err : r;
    }
    return store ? acceptor_reg_store(rb->store, &reg->id, &state) : r;
}

void reg_batch_run(struct reg_batch *rb, struct meta_req *r)
{
    r->status = 0;
    if (r->reg_count > META_REGISTER_BATCH_MAX) {
        r->status = -EINVAL;
        return;
    }
    for (uint32_t i = 0; i < r->reg_count; i++) {
        struct meta_reg *reg = &r->regs[i];

        reg->status = r->op == META_REG_CREATE ? reg_create(rb, reg) : reg_change(rb, reg);
        if (r->op == META_REG_CREATE && reg->status < 0 && r->status == 0)
            r->status = reg->status;
    }
}

static int reg_read(struct acceptor_store *store, struct meta_reg *reg, struct vs_buf *storage)
{
    struct px_reg state;
    int r = acceptor_reg_read(store, &reg->id, &state, storage);

    if (r < 0)
        return r;
    if (px_ballot_is_none(&state.ballot))
        return -ENOENT;
    return reg_give_current(reg, &state);
}

void reg_batch_read(struct acceptor_store *store, struct meta_req *r)
{
    struct vs_buf storage = { 0 };

    r->status = r->reg_count > META_REGISTER_BATCH_MAX ? -EINVAL : 0;
    for (uint32_t i = 0; r->status == 0 && i < r->reg_count; i++)
        r->regs[i].status = reg_read(store, &r->regs[i], &storage);
    vs_buf_close(&storage);
}
