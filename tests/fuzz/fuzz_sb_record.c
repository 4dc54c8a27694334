/* Fuzz target: what a superblock store reads off a disk. The first byte says what the rest is: one
 * of the 4 KiB blocks, a TOMB or SEAL payload, checkpoint items, or a whole file to walk.
 *
 * Checksums are made right first, or nothing behind them would ever be reached. Whatever decodes
 * encodes to the same bytes: there is one way to write each. */
#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_walk.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SALT       UINT64_C(42)
#define FILE_ID    7
#define FILE_BYTES (96u << 10) /* of a file to walk, at most */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- blocks -----------------------------------------------------------------------------------
 */

/* Make the checksum of a block right. */
static void sign(uint8_t block[SB_BLOCK_BYTES], bool salted)
{
    uint64_t salt = htole64(SALT);
    uint32_t crc = salted ? vs_crc32c(0, &salt, sizeof(salt)) : 0;

    memset(block + 8, 0, 4);
    crc = htole32(vs_crc32c(crc, block, SB_BLOCK_BYTES));
    memcpy(block + 8, &crc, sizeof(crc));
}

/* Make the checksum of the CRC table inside a record header right. */
static void sign_table(uint8_t block[SB_BLOCK_BYTES])
{
    uint64_t payload_bytes;
    uint32_t crc;

    memcpy(&payload_bytes, block + 80, sizeof(payload_bytes));
    payload_bytes = le64toh(payload_bytes);
    if (payload_bytes > FRAG_BYTES_MAX)
        return;
    crc = htole32(vs_crc32c(0, block + 416, 4u * frag_blocks(payload_bytes)));
    memcpy(block + 120, &crc, sizeof(crc));
}

static void block_again(unsigned which, uint8_t block[SB_BLOCK_BYTES])
{
    uint8_t again[SB_BLOCK_BYTES];
    struct sb_record rec;
    struct sb_super super;
    struct sb_ident id;
    struct sb_ckpt_head head;

    if (which == 0)
        sign_table(block);
    sign(block, which == 0);
    if (which == 0 && sb_record_decode(block, SALT, &rec) == 0)
        sb_record_encode(&rec, SALT, again);
    else if (which == 1 && sb_super_decode(block, &super) == 0)
        sb_super_encode(&super, again);
    else if (which == 2 && sb_ident_decode(block, &id) == 0)
        sb_ident_encode(&id, again);
    else if (which == 3 && sb_ckpt_decode_head(block, &head) == 0)
        sb_ckpt_encode_head(&head, again);
    else
        return;
    VS_ASSERT(memcmp(again, block, SB_BLOCK_BYTES) == 0);
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void tombs(const uint8_t *data, size_t size)
{
    int count = sb_tomb_count(size);

    for (int i = 0; i < count; i++) {
        struct vs_buf again = { 0 };
        struct sb_tomb t;

        if (sb_tomb_decode(data, (unsigned)i, &t) < 0)
            continue;
        VS_ASSERT(sb_tomb_append(&again, &t) == 0);
        VS_ASSERT(memcmp(again.data, data + (size_t)i * SB_TOMB_ENTRY_BYTES, again.len) == 0);
        vs_buf_close(&again);
    }
}

static void seal(const uint8_t *data, size_t size)
{
    struct sb_seal_head head;
    struct sb_seal_entry e;
    uint64_t offset;

    if (size >= SB_BLOCK_BYTES)
        (void)sb_seal_trailer(data + size - SB_BLOCK_BYTES, &offset);
    if (sb_seal_decode_head(data, size, &head) < 0)
        return;
    for (uint32_t i = 0; i < head.count; i++)
        (void)sb_seal_decode(data, i, &e);
}

static void items(const uint8_t *data, size_t size)
{
    struct vs_rd r = vs_rd_init(data, size);
    struct vs_buf again = { 0 };
    struct vs_wr w = vs_wr_init(&again, 1u << 20);
    struct sb_ckpt_file file;
    struct sb_ckpt_dead dead;
    struct sb_ckpt_entry entry;
    size_t good = 0;

    while (sb_ckpt_get_file(&r, &file) == 0 && sb_ckpt_get_dead(&r, &dead) == 0 &&
           sb_ckpt_get_entry(&r, &entry) == 0) {
        sb_ckpt_put_file(&w, &file);
        sb_ckpt_put_dead(&w, &dead);
        sb_ckpt_put_entry(&w, &entry);
        good = again.len;
    }
    VS_ASSERT(w.err == 0 && good <= size && (good == 0 || memcmp(again.data, data, good) == 0));
    vs_buf_close(&again);
}

/* ---- a file in memory -------------------------------------------------------------------------
 */

struct memory {
    struct vs_io io;
    struct vs_file file;
    const uint8_t *bytes;
    size_t size;
};

static int64_t memory_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    const struct memory *m = vs_container_of(f, struct memory, file);

    if (offset >= m->size)
        return 0;
    len = len < m->size - offset ? len : m->size - offset;
    memcpy(dst, m->bytes + offset, len);
    return (int64_t)len;
}

static const struct vs_io_ops memory_ops = { .pread = memory_pread };

struct walked {
    uint64_t at, seq;
};

static int on_record(void *arg, const struct sb_walk_record *r)
{
    struct walked *walked = arg;

    VS_ASSERT(r->rec->offset >= walked->at);
    VS_ASSERT(r->rec->seq > walked->seq || r->rec->type == SB_SEAL);
    walked->at = r->rec->offset + SB_BLOCK_BYTES;
    walked->seq = r->rec->seq;
    return 0;
}

static int on_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    struct walked *walked = arg;

    VS_ASSERT(from < to && from >= walked->at && seq == walked->seq);
    walked->at = to;
    return 0;
}

/* Blocks that look like headers are made to check, as if a bug had written them. */
static void walk(const uint8_t *data, size_t size)
{
    uint8_t *bytes = calloc(1, SB_RECORDS_OFFSET + FILE_BYTES);
    struct memory m = { .io.ops = &memory_ops };
    struct walked walked = { .at = SB_RECORDS_OFFSET };
    struct sb_walk w = {
        .f = &m.file,
        .id = FILE_ID,
        .salt = SALT,
        .from = SB_RECORDS_OFFSET,
        .check = SB_WALK_ALL,
        .arg = &walked,
        .record = on_record,
        .gap = on_gap,
    };

    int r;

    VS_ASSERT(bytes != NULL);
    size = size < FILE_BYTES ? size : FILE_BYTES;
    memcpy(bytes + SB_RECORDS_OFFSET, data, size);
    m.bytes = bytes;
    m.size = SB_RECORDS_OFFSET + size;
    m.file.io = &m.io;
    for (uint64_t at = SB_RECORDS_OFFSET; at + SB_BLOCK_BYTES <= m.size; at += SB_BLOCK_BYTES) {
        uint64_t id = htole64(FILE_ID), offset = htole64(at);

        if (!sb_record_maybe(bytes + at))
            continue;
        memcpy(bytes + at + 32, &id, sizeof(id));
        memcpy(bytes + at + 40, &offset, sizeof(offset));
        sign_table(bytes + at);
        sign(bytes + at, true);
    }
    w.to = m.size;
    r = sb_walk_run(&w);
    VS_ASSERT(r == 0 || r == -VS_ENEWER);
    VS_ASSERT(w.end <= m.size && w.nonzero_end >= w.end);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t block[SB_BLOCK_BYTES] = { 0 };
    unsigned which;

    if (size == 0)
        return 0;
    which = data[0] % 8;
    data++;
    size--;
    if (which < 4) {
        memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
        block_again(which, block);
    } else if (which == 4) {
        tombs(data, size);
    } else if (which == 5) {
        seal(data, size);
    } else if (which == 6) {
        items(data, size);
    } else {
        walk(data, size);
    }
    return 0;
}
