/* reg_rule: which values a register may hold, and which value may follow which.
 *
 * The protocol (px) does not know what a value means; this does. Invariant I7: nothing follows a
 * TOMB.
 *
 * No I/O, no memory. Threads: any. */
#ifndef VS_META_REG_RULE_H
#define VS_META_REG_RULE_H

#include "meta/meta_client.h"

/* Generation of a register's value: a placement's own; a segment counts as 1; absent (NULL) 0.
 * *ret_tomb: it is a TOMB. -VS_ECORRUPT, -VS_ENEWER. */
int reg_value_generation(const uint8_t *value, size_t len, uint32_t *ret_generation,
                         bool *ret_tomb);

/* Does the value fit its id: placements for chunks, segments for segments, TOMBs for both? -EINVAL;
 * -EMSGSIZE. */
int reg_rule_fits(const struct meta_reg *reg);
/* May it be the first value of its id? Besides, -EINVAL: a TOMB. */
int reg_rule_create(const struct meta_reg *reg);
/* May it follow `cur` (NULL: absent), as META_REG_CHANGE says? 0: yes; 1: it is there already;
 * -ESTALE: another generation, or a TOMB; -EINVAL; -VS_ECORRUPT, -VS_ENEWER: of `cur`. */
int reg_rule_change(const struct meta_reg *reg, const uint8_t *cur, size_t cur_len);

#endif
