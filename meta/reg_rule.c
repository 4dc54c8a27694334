/* reg_rule: see the header. */
#include "meta/reg_rule.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "meta/px.h"
#include <string.h>

int reg_value_generation(const uint8_t *value, size_t len, uint32_t *ret_generation, bool *ret_tomb)
{
    struct place_value v;
    int r;

    *ret_tomb = false;
    *ret_generation = 0;
    if (value == NULL)
        return 0;
    if (len > 0 && value[0] == PLACE_SEGMENT) {
        *ret_generation = 1;
        return 0;
    }
    r = place_value_decode(value, len, &v);
    if (r < 0)
        return r;
    *ret_generation = v.generation;
    *ret_tomb = v.state == PLACE_TOMB;
    return 0;
}

static int rule_check(const struct meta_reg *reg, uint32_t *ret_generation, bool *ret_tomb)
{
    const uint8_t *value = reg->value;
    bool is_segment;

    if (value == NULL || reg->value_len == 0)
        return -EINVAL;
    if (reg->value_len > PX_VALUE_BYTES_MAX)
        return -EMSGSIZE;
    if (reg_value_generation(value, reg->value_len, ret_generation, ret_tomb) < 0)
        return -EINVAL;
    is_segment = value[0] == PLACE_SEGMENT;
    if (!*ret_tomb && is_segment != (vs_id_type(&reg->id) == VS_ID_SEGMENT))
        return -EINVAL;
    return 0;
}

int reg_rule_fits(const struct meta_reg *reg)
{
    uint32_t generation;
    bool tomb;

    return rule_check(reg, &generation, &tomb);
}

int reg_rule_create(const struct meta_reg *reg)
{
    uint32_t generation;
    bool tomb;
    int r = rule_check(reg, &generation, &tomb);

    return r == 0 && tomb ? -EINVAL : r;
}

int reg_rule_change(const struct meta_reg *reg, const uint8_t *cur, size_t cur_len)
{
    uint32_t generation, new_generation;
    bool tomb, new_tomb;
    int r = reg_value_generation(cur, cur_len, &generation, &tomb);

    if (r == 0)
        r = rule_check(reg, &new_generation, &new_tomb);
    if (r < 0)
        return r;
    if (cur != NULL && cur_len == reg->value_len && memcmp(cur, reg->value, cur_len) == 0)
        return 1;
    if (tomb || generation != reg->expect_generation)
        return -ESTALE;
    if (!new_tomb && (cur == NULL || new_generation <= generation))
        return -EINVAL; /* only its owner makes a register live, with CREATE */
    return 0;
}
