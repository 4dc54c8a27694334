/* reg_use: what callers do with registers of chunks in tests and measurements: one call each, its
 * status returned. A placement is two copies; those of one generation are the same bytes. */
#ifndef VS_TESTS_REG_USE_H
#define VS_TESTS_REG_USE_H

#include "meta/meta_client.h"

/* A placement, live or a tombstone (enum place_state); the caller closes it. */
struct vs_buf reg_value(uint8_t state, uint32_t generation);

/* A live placement of that generation. */
int reg_create(struct meta_client *c, const struct vs_id *id, uint32_t generation);
/* From the generation before. */
int reg_raise(struct meta_client *c, const struct vs_id *id, uint32_t generation);
/* The generation found; negative: the status. */
int reg_generation(struct meta_client *c, const struct vs_id *id, bool hint);

#endif
