/* cutter_proto: messages between the mount and its cutter children. The child's side is untrusted:
 * it has parsed somebody's file.
 *
 * A message is  type u8 | payload length u32 (little-endian) | payload. Child to parent:
 *   KEYFRAME  offset u64 | time_ms u32 | parsed u64     live: ascending; offset UINT64_MAX:
 * progress only READ      offset u64 | bytes u32                    probe: wants so many bytes of
 * the file PHASE     phase u8                                  probe: what the next reads are for
 *   RESULT    mf_media blob | count u32 | count x (offset u64 | time_ms u32)
 * Parent to child, probe only: DATA, up to the bytes asked for; empty at the end of the file.
 * Parent to child, live: the bytes of the file, plain.
 *
 * Pure. */
#ifndef VS_INGEST_CUTTER_PROTO_H
#define VS_INGEST_CUTTER_PROTO_H

#include "common/codec.h"
#include "ingest/cutter.h"

#define CUTTER_FD_IN  3 /* the child's descriptors */
#define CUTTER_FD_OUT 4

#define CUTTER_HEADER_BYTES         5
#define CUTTER_READ_BYTES_MAX       (256u << 10)
#define CUTTER_PAYLOAD_BYTES_MAX    (16u << 20)
#define CUTTER_RESULT_KEYFRAMES_MAX CUTTER_KEYFRAMES_MAX

enum cutter_message {
    CUTTER_KEYFRAME = 1,
    CUTTER_READ = 2,
    CUTTER_PHASE = 3,
    CUTTER_RESULT = 4,
    CUTTER_DATA = 5,
};

enum cutter_phase {
    CUTTER_PHASE_OPEN = 1,  /* opening: head, and tail where the index is */
    CUTTER_PHASE_INDEX = 2, /* reading the index only */
    CUTTER_PHASE_PROBE = 3, /* stream information and the first packet of every track */
};

struct cutter_header {
    uint8_t type;
    uint32_t bytes;
};

void cutter_header_encode(uint8_t out[CUTTER_HEADER_BYTES], uint8_t type, uint32_t bytes);
/* -VS_ECORRUPT: unknown type or too long. */
int cutter_header_decode(const uint8_t in[CUTTER_HEADER_BYTES], struct cutter_header *ret);

struct cutter_keyframe_message {
    uint64_t offset;
    uint32_t time_ms;
    uint64_t parsed;
};
int cutter_keyframe_decode(const void *bytes, size_t len, struct cutter_keyframe_message *ret);

/* RESULT: keyframes ascending by offset are kept, others dropped. */
int cutter_result_encode(const struct cutter_probe_result *r, struct vs_buf *ret);
int cutter_result_decode(const void *bytes, size_t len, struct cutter_probe_result *ret);

#endif
