/* Identity file, superblock header and record header: encode and decode.
 *
 * Happy path: fields in a row into a block of zeros, the block's checksum last.
 * Failure modes: a block that does not check is -VS_ECORRUPT whatever is wrong with it; one that
 * checks and was written by a newer format is -VS_ENEWER; one that checks and breaks a rule of the
 * format is -VS_ECORRUPT, because only a bug can have written it. */
#include "node/sb_format.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_block.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRC_OFFSET   8
#define BODY_OFFSET  12 /* behind magic, version, two own bytes, checksum */
#define CRC_BYTES    4
#define NAME_HEX     16
#define RECORD_FIXED 160 /* bytes of a record header before the name */
#define RECORD_TABLE (RECORD_FIXED + FRAG_NAME_BYTES_MAX + 1)
#define RECORD_CRCS  ((SB_BLOCK_BYTES - RECORD_TABLE) / CRC_BYTES)

_Static_assert(RECORD_CRCS >= FRAG_BLOCKS_MAX, "the CRC table of the largest fragment fits");

static const char ident_magic[4] = { 'V', 'S', 'I', 'D' };
static const char super_magic[4] = { 'V', 'S', 'S', 'B' };
static const char record_magic[4] = { 'V', 'S', 'R', 'C' };

/* ---- a block with a checksum ------------------------------------------------------------------
 */

uint32_t sb_block_crc(const uint8_t block[SB_BLOCK_BYTES])
{
    uint32_t crc;

    memcpy(&crc, block + CRC_OFFSET, sizeof(crc));
    return le32toh(crc);
}

static uint32_t block_crc(const uint8_t block[SB_BLOCK_BYTES], uint32_t seed)
{
    static const uint8_t zero[CRC_BYTES];
    uint32_t crc;

    crc = vs_crc32c(seed, block, CRC_OFFSET);
    crc = vs_crc32c(crc, zero, sizeof(zero));
    return vs_crc32c(crc, block + BODY_OFFSET, SB_BLOCK_BYTES - BODY_OFFSET);
}

static uint32_t salt_seed(uint64_t salt)
{
    uint64_t le = htole64(salt);

    return vs_crc32c(0, &le, sizeof(le));
}

void sb_block_begin(struct vs_buf *b, uint8_t block[SB_BLOCK_BYTES], const char magic[4],
                    uint16_t own)
{
    struct vs_wr w;

    /* The writer stays inside the block: its buffer is as large as its limit and never grows. */
    memset(block, 0, SB_BLOCK_BYTES);
    *b = (struct vs_buf){ .data = block, .cap = SB_BLOCK_BYTES };
    w = vs_wr_init(b, SB_BLOCK_BYTES);
    vs_wr_bytes(&w, magic, 4);
    vs_wr_u16(&w, SB_FORMAT_VERSION);
    vs_wr_u16(&w, own);
    vs_wr_u32(&w, 0);
}

uint32_t sb_block_end(uint8_t block[SB_BLOCK_BYTES], uint32_t seed)
{
    uint32_t crc = block_crc(block, seed), le = htole32(crc);

    memcpy(block + CRC_OFFSET, &le, sizeof(le));
    return crc;
}

int sb_block_open(struct vs_rd *r, const uint8_t block[SB_BLOCK_BYTES], const char magic[4],
                  uint32_t seed, uint16_t *ret_own)
{
    uint16_t version;

    if (memcmp(block, magic, 4) != 0 || sb_block_crc(block) != block_crc(block, seed))
        return -VS_ECORRUPT;
    *r = vs_rd_init(block + 4, SB_BLOCK_BYTES - 4);
    version = vs_rd_u16(r);
    *ret_own = vs_rd_u16(r);
    (void)vs_rd_u32(r);
    if (version > SB_FORMAT_VERSION)
        return -VS_ENEWER;
    return version == 0 ? -VS_ECORRUPT : 0;
}

bool sb_all_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

int sb_block_close(const struct vs_rd *r)
{
    return r->err == 0 && sb_all_zero(r->pos, vs_rd_left(r)) ? 0 : -VS_ECORRUPT;
}

/* "PREFIX" + 16 hex digits + "SUFFIX" -> the number, or 0. */
uint64_t sb_name_number(const char *name, const char *prefix, const char *suffix)
{
    size_t before = strlen(prefix);
    uint64_t v = 0;

    if (strlen(name) != before + NAME_HEX + strlen(suffix) || strncmp(name, prefix, before) != 0 ||
        strcmp(name + before + NAME_HEX, suffix) != 0)
        return 0;
    for (size_t i = before; i < before + NAME_HEX; i++) {
        const char *digits = "0123456789abcdef", *d = strchr(digits, name[i]);

        if (d == NULL)
            return 0;
        v = v << 4 | (uint64_t)(d - digits);
    }
    return v;
}

void sb_name(uint64_t sb, char name[SB_NAME_BYTES])
{
    snprintf(name, SB_NAME_BYTES, "sb-%016" PRIx64 ".dat", sb);
}

uint64_t sb_name_parse(const char *name)
{
    uint64_t sb = sb_name_number(name, "sb-", ".dat");

    return sb <= SB_ID_MAX ? sb : 0;
}

/* ---- identity, superblock header --------------------------------------------------------------
 */

void sb_ident_encode(const struct sb_ident *id, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    sb_block_begin(&b, block, ident_magic, 0);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_bytes(&w, id->cluster.b, VS_ID_BYTES);
    vs_wr_bytes(&w, id->node.b, VS_ID_BYTES);
    vs_wr_u64(&w, id->created_ns);
    VS_ASSERT(w.err == 0);
    sb_block_end(block, 0);
}

int sb_ident_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_ident *ret)
{
    struct sb_ident id;
    struct vs_rd r;
    uint16_t own;
    int rc;

    rc = sb_block_open(&r, block, ident_magic, 0, &own);
    if (rc < 0)
        return rc;
    vs_rd_bytes(&r, id.cluster.b, VS_ID_BYTES);
    vs_rd_bytes(&r, id.node.b, VS_ID_BYTES);
    id.created_ns = vs_rd_u64(&r);
    if (sb_block_close(&r) < 0 || own != 0)
        return -VS_ECORRUPT;
    *ret = id;
    return 0;
}

void sb_super_encode(const struct sb_super *s, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    sb_block_begin(&b, block, super_magic, 0);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_u32(&w, SB_BLOCK_BYTES);
    vs_wr_bytes(&w, s->cluster.b, VS_ID_BYTES);
    vs_wr_bytes(&w, s->node.b, VS_ID_BYTES);
    vs_wr_u64(&w, s->sb);
    vs_wr_u64(&w, s->salt);
    vs_wr_u64(&w, s->created_ns);
    vs_wr_u64(&w, s->run_seq);
    vs_wr_u64(&w, s->prev_sb);
    vs_wr_u64(&w, s->prev_seq);
    VS_ASSERT(w.err == 0);
    sb_block_end(block, 0);
}

int sb_super_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_super *ret)
{
    struct sb_super s;
    struct vs_rd r;
    uint32_t block_bytes;
    uint16_t own;
    int rc;

    rc = sb_block_open(&r, block, super_magic, 0, &own);
    if (rc < 0)
        return rc;
    block_bytes = vs_rd_u32(&r);
    vs_rd_bytes(&r, s.cluster.b, VS_ID_BYTES);
    vs_rd_bytes(&r, s.node.b, VS_ID_BYTES);
    s.sb = vs_rd_u64(&r);
    s.salt = vs_rd_u64(&r);
    s.created_ns = vs_rd_u64(&r);
    s.run_seq = vs_rd_u64(&r);
    s.prev_sb = vs_rd_u64(&r);
    s.prev_seq = vs_rd_u64(&r);
    if (sb_block_close(&r) < 0 || own != 0 || block_bytes != SB_BLOCK_BYTES || s.sb == 0 ||
        s.sb > SB_ID_MAX)
        return -VS_ECORRUPT;
    *ret = s;
    return 0;
}

/* ---- record header ----------------------------------------------------------------------------
 */

static void put_note(struct vs_wr *w, const struct frag_note *n)
{
    char name[FRAG_NAME_BYTES_MAX + 1] = { 0 };

    vs_wr_u32(w, n->chunk_bytes);
    vs_wr_u32(w, n->chunk_seq);
    vs_wr_u64(w, n->inode);
    vs_wr_u64(w, n->file_offset);
    vs_wr_u64(w, n->session);
    vs_wr_u16(w, n->name_bytes);
    vs_wr_u16(w, 0);
    memcpy(name, n->name, n->name_bytes);
    vs_wr_bytes(w, name, sizeof(name));
}

static void get_note(struct vs_rd *r, struct frag_note *n)
{
    uint16_t zero;
    uint8_t last;

    n->chunk_bytes = vs_rd_u32(r);
    n->chunk_seq = vs_rd_u32(r);
    n->inode = vs_rd_u64(r);
    n->file_offset = vs_rd_u64(r);
    n->session = vs_rd_u64(r);
    n->name_bytes = vs_rd_u16(r);
    zero = vs_rd_u16(r);
    vs_rd_bytes(r, n->name, FRAG_NAME_BYTES_MAX);
    last = vs_rd_u8(r);
    if (zero != 0 || last != 0 || n->name_bytes > FRAG_NAME_BYTES_MAX ||
        !sb_all_zero((const uint8_t *)n->name + n->name_bytes, FRAG_NAME_BYTES_MAX - n->name_bytes))
        r->err = -VS_ECORRUPT;
}

uint32_t sb_record_encode(const struct sb_record *rec, uint64_t salt, uint8_t block[SB_BLOCK_BYTES])
{
    struct vs_buf b;
    struct vs_wr w;

    VS_ASSERT(rec->payload_bytes <= FRAG_BYTES_MAX);
    VS_ASSERT(rec->note.name_bytes <= FRAG_NAME_BYTES_MAX);
    sb_block_begin(&b, block, record_magic, rec->type);
    w = vs_wr_init(&b, SB_BLOCK_BYTES);
    vs_wr_u32(&w, sb_record_blocks(rec->payload_bytes));
    vs_wr_u64(&w, rec->seq);
    vs_wr_u64(&w, rec->synced_seq);
    vs_wr_u64(&w, rec->sb);
    vs_wr_u64(&w, rec->offset);
    vs_wr_u64(&w, rec->birth);
    vs_wr_bytes(&w, rec->key.chunk.b, VS_ID_BYTES);
    vs_wr_u8(&w, rec->key.fragment);
    vs_wr_u8(&w, rec->note.red.kind);
    vs_wr_u8(&w, rec->note.red.k);
    vs_wr_u8(&w, rec->note.red.m);
    vs_wr_u32(&w, rec->key.generation);
    vs_wr_u64(&w, rec->payload_bytes);
    vs_wr_bytes(&w, rec->sha256, sizeof(rec->sha256));
    vs_wr_u32(&w, rec->table_crc);
    put_note(&w, &rec->note);
    VS_ASSERT(b.len == RECORD_TABLE);
    for (unsigned i = 0; i < frag_blocks(rec->payload_bytes); i++)
        vs_wr_u32(&w, rec->crc[i]);
    VS_ASSERT(w.err == 0);
    return sb_block_end(block, salt_seed(salt));
}

/* Rules that hold for what a valid block says. */
static int record_check(const struct sb_record *rec, uint64_t payload_bytes, uint32_t total_blocks)
{
    if (rec->type < SB_DATA || rec->type > SB_SEAL || payload_bytes > FRAG_BYTES_MAX ||
        total_blocks != sb_record_blocks(payload_bytes) || rec->sb == 0 || rec->sb > SB_ID_MAX ||
        rec->offset % SB_BLOCK_BYTES != 0 || rec->offset < SB_RECORDS_OFFSET ||
        rec->offset / SB_BLOCK_BYTES > UINT32_MAX - total_blocks || rec->seq == 0 ||
        rec->seq > SB_SEQ_MAX || rec->birth > rec->seq)
        return -VS_ECORRUPT;
    if (rec->type == SB_DATA && frag_check(&rec->key, &rec->note, payload_bytes) < 0)
        return -VS_ECORRUPT;
    return 0;
}

int sb_record_decode(const uint8_t block[SB_BLOCK_BYTES], uint64_t salt, struct sb_record *ret)
{
    uint64_t payload_bytes;
    uint16_t own;
    struct vs_rd r;
    int rc;

    rc = sb_block_open(&r, block, record_magic, salt_seed(salt), &own);
    if (rc < 0)
        return rc;
    *ret = (struct sb_record){ .type = (uint8_t)own };
    ret->total_blocks = vs_rd_u32(&r);
    ret->seq = vs_rd_u64(&r);
    ret->synced_seq = vs_rd_u64(&r);
    ret->sb = vs_rd_u64(&r);
    ret->offset = vs_rd_u64(&r);
    ret->birth = vs_rd_u64(&r);
    vs_rd_bytes(&r, ret->key.chunk.b, VS_ID_BYTES);
    ret->key.fragment = vs_rd_u8(&r);
    ret->note.red.kind = vs_rd_u8(&r);
    ret->note.red.k = vs_rd_u8(&r);
    ret->note.red.m = vs_rd_u8(&r);
    ret->key.generation = vs_rd_u32(&r);
    payload_bytes = vs_rd_u64(&r);
    vs_rd_bytes(&r, ret->sha256, sizeof(ret->sha256));
    ret->table_crc = vs_rd_u32(&r);
    get_note(&r, &ret->note);
    if (r.err < 0 || own > UINT8_MAX || record_check(ret, payload_bytes, ret->total_blocks) < 0)
        return -VS_ECORRUPT;
    ret->payload_bytes = (uint32_t)payload_bytes;
    for (unsigned i = 0; i < frag_blocks(payload_bytes); i++)
        ret->crc[i] = vs_rd_u32(&r);
    if (sb_block_close(&r) < 0 ||
        frag_table_crc(ret->crc, frag_blocks(payload_bytes)) != ret->table_crc)
        return -VS_ECORRUPT;
    return 0;
}

bool sb_record_maybe(const uint8_t block[SB_BLOCK_BYTES])
{
    return memcmp(block, record_magic, sizeof(record_magic)) == 0;
}
