/* sb_format: every byte of a superblock store: the identity file, superblock files with their
 * records (DATA, TOMB, SEAL), checkpoints. docs/FORMAT.md has the same as tables.
 *
 * All numbers are little-endian. Everything that describes something is a 4 KiB block that begins
 * with  magic[4] | format version u16 | two bytes of its own | crc32c u32 of the whole block with
 * this field zero. Unused bytes are zero, and covered by that checksum.
 *
 * Decoders trust nothing: -VS_ECORRUPT for what does not check, -VS_ENEWER for a block that checks
 * but was written by a newer format. `ret_` is written only on success.
 *
 * Pure, no allocation but by the caller's vs_buf. Threads: any. */
#ifndef VS_NODE_SB_FORMAT_H
#define VS_NODE_SB_FORMAT_H

#include "common/buf.h"
#include "common/codec.h"
#include "node/frag.h"

#define SB_FORMAT_VERSION      1
#define SB_BLOCK_BYTES         4096u
#define SB_RECORDS_OFFSET      (2 * SB_BLOCK_BYTES)      /* behind both copies of the header */
#define SB_ID_MAX              UINT32_MAX                /* of a superblock file; ids begin at 1 */
#define SB_SEQ_MAX             ((UINT64_C(1) << 48) - 1) /* of a sequence number */
#define SB_NAME_BYTES          24                        /* "sb-0123456789abcdef.dat" and NUL */
#define SB_IDENT_NAME          "store.id"
#define SB_BALLAST_NAME        "ballast"
#define SB_TOMB_ENTRY_BYTES    48u
#define SB_TOMB_ENTRIES_MAX    4096u
#define SB_SEAL_ENTRY_BYTES    56u
#define SB_SEAL_ENTRIES_MAX    262144u
#define SB_CKPT_NAME_BYTES     26 /* "idx-0123456789abcdef.ckpt" and NUL */
#define SB_CKPT_FILE_BYTES     64u
#define SB_CKPT_ENTRY_BYTES    48u
#define SB_CKPT_DEAD_BYTES     24u
#define SB_CKPT_FILES_MAX      (1u << 20)
#define SB_CKPT_ENTRIES_MAX    (UINT64_C(1) << 30)
#define SB_CKPT_DEAD_MAX       (1u << 20)
#define SB_CKPT_CRC_UNIT_BYTES 65536u

/* File store.id: two equal blocks. */
struct sb_ident {
    struct vs_id cluster, node;
    uint64_t created_ns; /* since 1970 */
};
void sb_ident_encode(const struct sb_ident *id, uint8_t block[SB_BLOCK_BYTES]);
int sb_ident_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_ident *ret);

/* Header of a superblock file, blocks 0 and 1 (equal). */
struct sb_super {
    struct vs_id cluster, node;
    uint64_t sb;   /* id; also in the file's name */
    uint64_t salt; /* seeds the checksums of the record headers in this file */
    uint64_t created_ns;
    uint64_t run_seq;  /* first sequence number of its run: files of one run share it, and what
                          headers of a run say about durability holds for that run only */
    uint64_t prev_sb;  /* the file that took records before this one, 0: none */
    uint64_t prev_seq; /* last sequence number before this file: tells a lost tail in prev_sb */
};
void sb_super_encode(const struct sb_super *s, uint8_t block[SB_BLOCK_BYTES]);
int sb_super_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_super *ret);
void sb_name(uint64_t sb, char name[SB_NAME_BYTES]);
/* Id in a superblock's file name, or 0. */
uint64_t sb_name_parse(const char *name);

enum sb_type { SB_DATA = 1, SB_TOMB = 2, SB_SEAL = 3 };

/* Record header: one block; the payload follows, padded with zeros to a whole block. */
struct sb_record {
    uint8_t type;          /* enum sb_type */
    uint32_t total_blocks; /* header included; the encoder computes it */
    uint64_t seq, synced_seq;
    uint64_t sb, offset; /* where it was written to */
    uint64_t birth;      /* seq of the first copy of this record */
    struct frag_key key; /* DATA */
    uint32_t payload_bytes;
    uint32_t table_crc;
    uint8_t sha256[FRAG_SHA256_BYTES]; /* of the payload */
    struct frag_note note;             /* DATA */
    uint32_t crc[FRAG_BLOCKS_MAX];     /* of the payload, by 64 KiB */
};

static inline uint32_t sb_record_blocks(uint64_t payload_bytes)
{
    return (uint32_t)(1 + (payload_bytes + SB_BLOCK_BYTES - 1) / SB_BLOCK_BYTES);
}
/* Encode; returns the header's checksum. */
uint32_t sb_record_encode(const struct sb_record *r, uint64_t salt, uint8_t block[SB_BLOCK_BYTES]);
/* The caller compares sb and offset with where the block was read. */
int sb_record_decode(const uint8_t block[SB_BLOCK_BYTES], uint64_t salt, struct sb_record *ret);
/* The checksum of a block that decodes. */
uint32_t sb_block_crc(const uint8_t block[SB_BLOCK_BYTES]);
/* True when every byte is zero. */
bool sb_all_zero(const uint8_t *bytes, size_t len);
/* False for most blocks that are not record headers, at the price of one comparison. */
bool sb_record_maybe(const uint8_t block[SB_BLOCK_BYTES]);

/* One entry of a TOMB's payload: kills the record of its key at that place, and every other record
 * of the key with a lower birth. */
struct sb_tomb {
    struct frag_key key;
    uint64_t sb, offset;
    uint64_t birth;
};
int sb_tomb_append(struct vs_buf *payload, const struct sb_tomb *t);
/* Number of entries, or -VS_ECORRUPT. */
int sb_tomb_count(size_t payload_bytes);
int sb_tomb_decode(const uint8_t *payload, unsigned i, struct sb_tomb *ret);

/* Payload of a SEAL: counts, one entry per record before it in the file, zeros, and a trailer in
 * its last 24 bytes, which are the last ones of the file. */
struct sb_seal_entry {
    struct frag_key key; /* DATA */
    uint8_t type;
    uint32_t offset_block; /* place in the file / SB_BLOCK_BYTES */
    uint32_t payload_bytes;
    uint32_t hdr_crc; /* of the record's header */
    uint64_t seq, birth;
};
struct sb_seal_head {
    uint32_t count;
    uint64_t data_bytes; /* payloads of the DATA records, dead ones included */
};
static inline uint32_t sb_seal_bytes(uint32_t count)
{
    return (uint32_t)((16 + (uint64_t)count * SB_SEAL_ENTRY_BYTES + 24 + SB_BLOCK_BYTES - 1) /
                      SB_BLOCK_BYTES * SB_BLOCK_BYTES);
}
int sb_seal_begin(struct vs_buf *payload, const struct sb_seal_head *head);
int sb_seal_append(struct vs_buf *payload, const struct sb_seal_entry *e);
/* Padding and trailer; `seal_offset` is where the SEAL's header goes. */
int sb_seal_end(struct vs_buf *payload, uint64_t seal_offset);
int sb_seal_decode_head(const uint8_t *payload, size_t bytes, struct sb_seal_head *ret);
int sb_seal_decode(const uint8_t *payload, uint32_t i, struct sb_seal_entry *ret);
/* Offset of the SEAL's header from the last block of a file; -VS_ECORRUPT when it is no SEAL. */
int sb_seal_trailer(const uint8_t last_block[SB_BLOCK_BYTES], uint64_t *ret_offset);

enum sb_state {
    SB_STATE_OPEN = 1,   /* takes records */
    SB_STATE_CLOSED = 2, /* left behind by an unclean stop, or full and not sealed yet */
    SB_STATE_SEALED = 3,
    SB_STATE_DOOMED = 4, /* nothing in it is live: removed on sight */
};
#define SB_CKPT_CLEAN 1u /* flag: written by a clean stop, every file ends at its scanned_to */

/* Checkpoint: one header block, files, dead ranges, entries in key order; then one crc32c per 64
 * KiB of all before it, the number of entries u64, and the sha256 of all before that. */
struct sb_ckpt_head {
    uint16_t flags;
    uint64_t number; /* also in the file's name; counts up */
    struct vs_id cluster, node;
    uint64_t created_ns;
    uint64_t synced_seq; /* every record of the run up to it was durable */
    uint64_t run_seq, next_seq, next_sb;
    uint32_t file_count, dead_count;
};
struct sb_ckpt_file {
    uint64_t sb, salt;
    uint64_t scanned_to;                 /* records before it are in the entries */
    uint64_t run_seq, prev_sb, prev_seq; /* as in its header */
    uint64_t last_seq;
    uint32_t state; /* enum sb_state */
    uint32_t records;
};
#define SB_ENTRY_BAD 1u /* flag: known to be damaged */
struct sb_ckpt_entry {
    struct frag_key key;
    uint8_t flags;
    uint64_t sb, birth;
    uint32_t offset_block, payload_bytes;
};
/* A payload whose TOMB is durable and whose blocks were not yet given back. */
struct sb_ckpt_dead {
    uint64_t sb, offset, bytes;
};
#define SB_CKPT_TAIL_BYTES (8 + FRAG_SHA256_BYTES) /* number of entries, sha256 */
/* What the checksums per 64 KiB cover, the header included; and the whole file. */
uint64_t sb_ckpt_body_bytes(const struct sb_ckpt_head *h, uint64_t entry_count);
uint64_t sb_ckpt_total_bytes(const struct sb_ckpt_head *h, uint64_t entry_count);
void sb_ckpt_encode_head(const struct sb_ckpt_head *h, uint8_t block[SB_BLOCK_BYTES]);
int sb_ckpt_decode_head(const uint8_t block[SB_BLOCK_BYTES], struct sb_ckpt_head *ret);
void sb_ckpt_put_file(struct vs_wr *w, const struct sb_ckpt_file *f);
int sb_ckpt_get_file(struct vs_rd *r, struct sb_ckpt_file *ret);
void sb_ckpt_put_entry(struct vs_wr *w, const struct sb_ckpt_entry *e);
int sb_ckpt_get_entry(struct vs_rd *r, struct sb_ckpt_entry *ret);
void sb_ckpt_put_dead(struct vs_wr *w, const struct sb_ckpt_dead *d);
int sb_ckpt_get_dead(struct vs_rd *r, struct sb_ckpt_dead *ret);
void sb_ckpt_name(uint64_t number, char name[SB_CKPT_NAME_BYTES]);
/* Number in a checkpoint's file name, or 0. */
uint64_t sb_ckpt_name_parse(const char *name);

#endif
