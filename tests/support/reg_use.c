/* reg_use: see the header. */
#include "tests/support/reg_use.h"
#include "common/assert.h"
#include "meta/place_value.h"

struct vs_buf reg_value(uint8_t state, uint32_t generation)
{
    struct place_value v = {
        .state = state,
        .session = 1,
        .generation = generation,
        .chunk_bytes = 1000,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 9, .generation = 1 } },
    };
    struct vs_buf b = { 0 };

    VS_ASSERT(place_value_encode(&v, &b) == 0);
    return b;
}

static int put(struct meta_client *c, enum meta_op op, const struct vs_id *id, uint32_t generation)
{
    struct vs_buf value = reg_value(PLACE_LIVE, generation);
    struct meta_reg reg = {
        .id = *id, .value = value.data, .value_len = value.len, .expect_generation = generation - 1
    };
    struct meta_req r = { .op = op, .regs = &reg, .reg_count = 1 };
    int status = meta_call(c, &r);

    vs_buf_close(&value);
    vs_buf_close(&reg.current);
    return status < 0 ? status : reg.status;
}

int reg_create(struct meta_client *c, const struct vs_id *id, uint32_t generation)
{
    return put(c, META_REG_CREATE, id, generation);
}

int reg_raise(struct meta_client *c, const struct vs_id *id, uint32_t generation)
{
    return put(c, META_REG_CHANGE, id, generation);
}

int reg_generation(struct meta_client *c, const struct vs_id *id, bool hint)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1, .hint = hint };
    struct place_value v = { 0 };
    int status = meta_call(c, &r);

    if (status == 0)
        status = reg.status;
    if (status == 0)
        VS_ASSERT(place_value_decode(reg.current.data, reg.current.len, &v) == 0);
    vs_buf_close(&reg.current);
    return status < 0 ? status : (int)v.generation;
}
