/* What the files sb_format*.c share: a 4 KiB block with magic, version and checksum.
 *
 * Pure. For sb_format*.c only. */
#ifndef VS_NODE_SB_BLOCK_H
#define VS_NODE_SB_BLOCK_H

#include "node/sb_format.h"

/* Zero the block, make `b` a buffer over it that never grows, and write magic, version, the two
 * own bytes and room for the checksum. */
void sb_block_begin(struct vs_buf *b, uint8_t block[SB_BLOCK_BYTES], const char magic[4],
                    uint16_t own);
/* Put the checksum in; returns it. `seed` is 0 or made of a salt. */
uint32_t sb_block_end(uint8_t block[SB_BLOCK_BYTES], uint32_t seed);

/* Check magic, checksum and version; `r` is placed behind them. -VS_ECORRUPT, -VS_ENEWER. */
int sb_block_open(struct vs_rd *r, const uint8_t block[SB_BLOCK_BYTES], const char magic[4],
                  uint32_t seed, uint16_t *ret_own);
/* Nothing failed, and what was not read is zero. -VS_ECORRUPT */
int sb_block_close(const struct vs_rd *r);

/* Number in a file name of the form PREFIX, 16 hex digits, SUFFIX; 0 for any other name. */
uint64_t sb_name_number(const char *name, const char *prefix, const char *suffix);

#endif
