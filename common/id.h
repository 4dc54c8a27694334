/* vs_id: 128-bit identifiers of chunks and manifest segments, and random uuids.
 *
 * A fresh id is  pid u16 | incarnation u32 | sequence u64 | type u8 | 0 u8,  each big-endian, so
 * that ids sort by age of their owner; ids are never reused. The owner (pid, incarnation) alone may
 * propose round 0 of the register with that id (docs/CHUNKPAXOS.md).
 *
 * Pure. Threads: any. */
#ifndef VS_COMMON_ID_H
#define VS_COMMON_ID_H

#include <stdbool.h>
#include <stdint.h>

#define VS_ID_BYTES      16
#define VS_ID_TEXT_BYTES 33 /* 32 hex digits and NUL */

enum vs_id_type {
    VS_ID_CHUNK = 1,   /* register value: placement of a chunk's fragments */
    VS_ID_SEGMENT = 2, /* register value: up to 256 chunk entries of a manifest */
};

struct vs_id {
    uint8_t b[VS_ID_BYTES];
};

struct vs_id vs_id_make(uint16_t pid, uint32_t inc, uint64_t seq, enum vs_id_type type);
uint16_t vs_id_pid(const struct vs_id *id);
uint32_t vs_id_inc(const struct vs_id *id);
uint64_t vs_id_seq(const struct vs_id *id);
uint8_t vs_id_type(const struct vs_id *id);
bool vs_id_is_zero(const struct vs_id *id);
int vs_id_cmp(const struct vs_id *a, const struct vs_id *b);
void vs_id_to_text(const struct vs_id *id, char text[VS_ID_TEXT_BYTES]);
/* Exactly 32 lower- or upper-case hex digits and NUL; else -EINVAL. */
int vs_id_from_text(const char *text, struct vs_id *ret_id);

/* A uuid of version 7 (RFC 9562, 5.7): when it was made, in milliseconds since 1970, and chance. */
#define VS_UUID_CHANCE_BYTES 10
struct vs_id vs_uuid_make(int64_t real_ns, const uint8_t chance[VS_UUID_CHANCE_BYTES]);
/* When it was made, in nanoseconds since 1970; -EINVAL: it is of another version, or that does
 * not fit. */
int vs_uuid_born_ns(const struct vs_id *uuid, int64_t *ret_ns);

#endif
