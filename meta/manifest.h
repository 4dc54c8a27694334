/* Manifest: what a file consists of. A head in the inode's content, chunk entries in segments of
 * 256 (each segment a register of its own, written once), and a media description made at or soon
 * after commit. So a 100 GB file opens by reading one small head.
 *
 * Encodings carry a format version and are refused when newer (-VS_ENEWER). All decoders are
 * bounded and total: any bytes give a valid object or -VS_ECORRUPT.
 *
 * Pure, except that decoded arrays are on the heap (x_close). Threads: none. docs/FORMAT.md has
 * every byte. */
#ifndef VS_META_MANIFEST_H
#define VS_META_MANIFEST_H

#include "common/buf.h"
#include "common/ec.h"
#include "common/id.h"
#include "common/sha.h"
#include <stdbool.h>

#define MF_SEGMENT_CHUNKS  256
#define MF_SEGMENTS_MAX    65536      /* 256 * 65536 chunks: 64 TiB at 4 MiB */
#define MF_CHUNK_BYTES_MAX (8u << 20) /* data chunk; holes may be of any size */
#define MF_STREAMS_MAX     64
#define MF_RANGES_MAX      1024
#define MF_TEXT_BYTES_MAX  32
#define MF_MEDIA_BYTES_MAX ((4u << 20) - 4096) /* encoded; travels in a journal entry */

enum mf_cut {                 /* why the chunk ends where it does */
              MF_CUT_END = 0, /* end of the file, a flush, or a hole follows: not an interior cut */
              MF_CUT_KEYFRAME = 1, /* at a keyframe */
              MF_CUT_SIZE = 2, /* by size, a video was expected and no keyframe was known in time */
              MF_CUT_EXEMPT = 3, /* by size, and that is right: no video, or its index comes last */
};

struct mf_chunk {
    struct vs_id id; /* of type VS_ID_CHUNK. All zero: a hole, nothing is stored, crc 0, red zero */
    uint64_t offset; /* in the file */
    uint64_t bytes;
    uint32_t crc;             /* CRC-32C of the chunk's bytes */
    uint8_t cut;              /* enum mf_cut */
    struct vs_redundancy red; /* as written; the register has the last word */
};

struct mf_segment_ref {
    struct vs_id id;
    uint64_t offset; /* file offset of its first chunk */
    uint32_t count;  /* chunks in it, 1 .. MF_SEGMENT_CHUNKS */
};

struct mf_head {
    uint64_t size;        /* of the file */
    uint64_t chunk_count; /* holes included */
    uint64_t hole_count;  /* of them holes */
    bool has_sha;         /* sha256 of the whole file: known when it was written in one pass */
    uint8_t sha256[VS_SHA256_BYTES];
    uint8_t root[VS_SHA256_BYTES]; /* mf_root_add() over all chunks: always there */
    uint32_t cuts_interior, cuts_at_keyframe, cuts_by_size; /* enum mf_cut 1+2+3, 1, 2+3 */
    struct mf_segment_ref *segments;                        /* owned; sorted by offset */
    uint32_t segment_count;
};

struct mf_range {
    uint64_t offset, bytes;
};

struct mf_stream {
    uint8_t type; /* 'v' video, 'a' audio, 's' subtitle, 'd' other */
    char codec[MF_TEXT_BYTES_MAX];
    uint32_t width, height;         /* video */
    uint32_t sample_rate, channels; /* audio */
    char language[8];
};

/* What libavformat said of a video, kept so that players and scanners are served from it. */
struct mf_media {
    char container[MF_TEXT_BYTES_MAX]; /* libavformat's short name, "" when it is no video */
    uint64_t duration_ms;
    uint64_t bitrate_bps;
    struct mf_stream *streams; /* owned */
    uint32_t stream_count;
    struct mf_range *index_ranges; /* moov, Cues, sidx: owned */
    uint32_t index_range_count;
    struct mf_range *probe_pack; /* what opening and probing touched: owned */
    uint32_t probe_pack_count;
    uint32_t *chunk_start_ms;   /* time map: start of each chunk in file order, UINT32_MAX unknown;
                                   chunk i ends where i+1 begins; owned */
    uint32_t chunk_start_count; /* 0 or chunk_count */
};

/* Root hash: SHA-256 over (offset u64, bytes u64, crc u32, id) of all chunks in order,
 * little-endian; a hole's crc counts as 0. */
void mf_root_add(struct vs_sha *root, const struct mf_chunk *chunk);

/* Appended to `ret`. Segments must be of type VS_ID_SEGMENT, begin at 0, ascend and hold
 * chunk_count chunks together; a file of size 0 has none. -EINVAL, -ENOMEM. */
int mf_head_encode(const struct mf_head *head, struct vs_buf *ret);
/* -VS_ECORRUPT, -VS_ENEWER, -ENOMEM. `ret` is written on success only. */
int mf_head_decode(const void *bytes, size_t len, struct mf_head *ret);
void mf_head_close(struct mf_head *head);
/* Index of the segment that holds file offset `offset`, or -ENOENT at or beyond the end. */
int mf_head_find(const struct mf_head *head, uint64_t offset);

/* Appended to `ret`: the value of the segment's register as it is (it begins with the state byte
 * PLACE_SEGMENT of meta/place_value.h). Chunks must be consecutive and 1 .. MF_SEGMENT_CHUNKS.
 * -EINVAL, -ENOMEM. */
int mf_segment_encode(const struct mf_chunk *chunks, uint32_t count, struct vs_buf *ret);
/* Of a register's value. chunks: room for MF_SEGMENT_CHUNKS. The number of chunks, or -ENOENT: the
 * register says TOMB; -VS_ECORRUPT, -VS_ENEWER. */
int mf_segment_decode(const void *bytes, size_t len, struct mf_chunk *chunks);
/* Index of the chunk that holds `offset`, or -ENOENT. */
int mf_segment_find(const struct mf_chunk *chunks, uint32_t count, uint64_t offset);

/* Appended to `ret`. -EINVAL; -EMSGSIZE beyond MF_MEDIA_BYTES_MAX (leave out the time map);
 * -ENOMEM. */
int mf_media_encode(const struct mf_media *media, struct vs_buf *ret);
/* -VS_ECORRUPT, -VS_ENEWER, -ENOMEM. `ret` is written on success only. */
int mf_media_decode(const void *bytes, size_t len, struct mf_media *ret);
void mf_media_close(struct mf_media *media);

#endif
