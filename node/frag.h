/* frag: what a fragment is called, what its record says about it, and the checksums of its payload.
 *
 * Pure. Threads: any. */
#ifndef VS_NODE_FRAG_H
#define VS_NODE_FRAG_H

#include "common/ec.h"
#include "common/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAG_BLOCK_BYTES    65536u      /* unit of the CRC table, from the start of the payload */
#define FRAG_BYTES_MAX      (16u << 20) /* payload of one fragment */
#define FRAG_BLOCKS_MAX     (FRAG_BYTES_MAX / FRAG_BLOCK_BYTES)
#define FRAG_NAME_BYTES_MAX 255
#define FRAG_SHA256_BYTES   32

struct frag_key {
    struct vs_id chunk;
    uint8_t fragment;    /* 0 .. k+m-1 */
    uint32_t generation; /* of the placement it was written for; from 1 */
};

/* What a record says about itself beside its key: enough to rebuild the namespace from the stores
 * alone. */
struct frag_note {
    struct vs_redundancy red; /* all zero: the writer did not say */
    uint32_t chunk_bytes;     /* of the whole chunk, unpadded */
    uint64_t session;         /* upload session that wrote it */
    uint64_t inode;
    uint32_t chunk_seq;             /* position of the chunk in its file */
    uint64_t file_offset;           /* of the chunk's first byte */
    uint16_t name_bytes;            /* <= FRAG_NAME_BYTES_MAX */
    char name[FRAG_NAME_BYTES_MAX]; /* file name at the time, a hint; not NUL-terminated */
};

/* Order of keys: chunk, fragment, generation. */
int frag_key_cmp(const struct frag_key *a, const struct frag_key *b);

/* -EINVAL unless the limits above hold: generation from 1, name and payload not too long, and the
 * redundancy either unsaid or one that has such a fragment. */
int frag_check(const struct frag_key *key, const struct frag_note *note, size_t bytes);

/* Blocks of a payload. */
static inline unsigned frag_blocks(size_t bytes)
{
    return (unsigned)((bytes + FRAG_BLOCK_BYTES - 1) / FRAG_BLOCK_BYTES);
}

/* The payload's CRC table: one CRC-32C per block; the number of blocks. */
unsigned frag_crc_table(const void *payload, size_t bytes, uint32_t crc[FRAG_BLOCKS_MAX]);
/* CRC-32C over the little-endian table: what the register keeps of a fragment. */
uint32_t frag_table_crc(const uint32_t crc[], unsigned blocks);

#endif
