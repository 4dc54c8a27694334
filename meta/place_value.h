/* place_value: the value of a chunk's register: where its fragments are. Its codec.
 *
 * LIVE names every fragment with its node, its generation, the SHA-256 of its payload and the
 * CRC-32C of its CRC table. TOMB means the chunk is gone, for ever. A manifest segment's register
 * holds the encoded segment itself (meta/manifest.h) behind the same state byte.
 *
 * Pure. docs/FORMAT.md has every byte. */
#ifndef VS_META_PLACE_VALUE_H
#define VS_META_PLACE_VALUE_H

#include "common/buf.h"
#include "common/ec.h"
#include "common/id.h"
#include "common/sha.h"

enum place_state { PLACE_LIVE = 1, PLACE_TOMB = 2, PLACE_SEGMENT = 3 };

#define PLACE_VALUE_BYTES_MAX (64u << 10)

struct place_frag {
    uint32_t node;
    uint32_t generation; /* of the placement it was written for: repair leaves the others alone */
    uint32_t table_crc;  /* frag_table_crc() */
    uint8_t sha256[VS_SHA256_BYTES];
};

struct place_value {
    uint8_t state; /* PLACE_LIVE or PLACE_TOMB */
    uint64_t session;
    uint32_t generation; /* of the placement, from 1; not below that of a fragment */
    uint32_t chunk_bytes;
    struct vs_redundancy red;
    struct place_frag frag[VS_EC_N_MAX]; /* k+m of them */
};

/* Appended to `ret`. A TOMB is written without redundancy and fragments. -EINVAL, -ENOMEM. */
int place_value_encode(const struct place_value *v, struct vs_buf *ret);
/* -VS_ECORRUPT, -VS_ENEWER; also when the value is a segment's. */
int place_value_decode(const void *bytes, size_t len, struct place_value *ret);

#endif
