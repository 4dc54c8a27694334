/* One superblock file. The order of making one is: room, header, fdatasync, directory; only then
 * may a record go in, so that a record never sits in a file without a name or without a salt. */
#include "node/sb_file.h"

#include "common/err.h"
#include "common/sha.h"

#include <stdlib.h>
#include <string.h>

static int write_headers(struct vs_file *f, const struct sb_super *super)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct iovec iov[2] = { { block, sizeof(block) }, { block, sizeof(block) } };

    sb_super_encode(super, block);
    return vs_file_pwritev(f, iov, 2, 0);
}

int sb_file_create(struct vs_io *io, const struct sb_super *super, struct vs_file **ret)
{
    char name[SB_NAME_BYTES];
    struct vs_file *f;
    int r;

    sb_name(super->sb, name);
    r = vs_io_open(io, name, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0)
        return r;
    r = vs_file_allocate(f, 0, SB_RECORDS_OFFSET);
    if (r == -ENOSPC) {
        vs_file_close(f);
        r = vs_io_unlink(io, name);
        return r < 0 ? r : -ENOSPC;
    }
    if (r == 0)
        r = write_headers(f, super);
    if (r == 0)
        r = vs_file_fdatasync(f);
    if (r == 0)
        r = vs_io_sync_dir(io);
    if (r < 0) {
        vs_file_close(f);
        return r == -ENOSPC ? -EIO : r; /* behind the allocation it is no clean refusal */
    }
    *ret = f;
    return 0;
}

int sb_file_read_super(struct vs_file *f, uint64_t id, struct sb_super *ret, unsigned *ret_bad)
{
    unsigned bad = 0;
    int error = -VS_ECORRUPT;

    for (unsigned copy = 0; copy < 2; copy++) {
        _Alignas(SB_BLOCK_BYTES) uint8_t block[SB_BLOCK_BYTES]; /* the file may be direct */
        struct sb_super super;
        int r;

        r = vs_file_pread_full(f, block, sizeof(block), copy * SB_BLOCK_BYTES);
        if (r == 0)
            r = sb_super_decode(block, &super);
        if (r == 0 && super.sb != id)
            r = -VS_ECORRUPT;
        if (r == -VS_ENEWER)
            return r;
        if (r == 0)
            *ret = super;
        else
            bad++;
        if (r < 0 && r != -VS_ECORRUPT)
            error = r;
    }
    *ret_bad = bad;
    return bad < 2 ? 0 : error;
}

int sb_file_write_super(struct vs_file *f, const struct sb_super *super)
{
    int r;

    r = write_headers(f, super);
    if (r < 0)
        return r;
    return vs_file_fdatasync(f);
}

int sb_record_check_at(const uint8_t block[SB_BLOCK_BYTES], uint64_t id, uint64_t salt,
                       uint64_t offset, struct sb_record *ret)
{
    int r;

    if (!sb_record_maybe(block))
        return -VS_ECORRUPT;
    r = sb_record_decode(block, salt, ret);
    if (r < 0)
        return r;
    return ret->sb == id && ret->offset == offset ? 0 : -VS_ECORRUPT;
}

int sb_file_read_record(struct vs_file *f, uint64_t id, uint64_t salt, uint64_t offset,
                        struct sb_record *ret)
{
    uint8_t block[SB_BLOCK_BYTES];
    int r;

    r = vs_file_pread_full(f, block, sizeof(block), offset);
    if (r < 0)
        return r;
    return sb_record_check_at(block, id, salt, offset, ret);
}

int sb_file_read_payload(struct vs_file *f, const struct sb_record *rec, struct vs_buf *ret)
{
    uint32_t crc[FRAG_BLOCKS_MAX];
    uint8_t sha[FRAG_SHA256_BYTES];
    size_t padded = (size_t)(sb_record_blocks(rec->payload_bytes) - 1) * SB_BLOCK_BYTES;
    struct vs_buf b = { 0 };
    unsigned blocks;
    int r;

    /* Whole blocks, aligned: the file may be open with VS_IO_DIRECT. */
    b.data = aligned_alloc(SB_BLOCK_BYTES, padded + SB_BLOCK_BYTES);
    if (b.data == NULL)
        return -ENOMEM;
    b.cap = padded + SB_BLOCK_BYTES;
    b.len = rec->payload_bytes;
    r = vs_file_pread_full(f, b.data, padded, rec->offset + SB_BLOCK_BYTES);
    if (r < 0)
        goto fail;
    blocks = frag_crc_table(b.data, b.len, crc);
    vs_sha256(b.data, b.len, sha);
    r = -VS_ECORRUPT;
    if (memcmp(crc, rec->crc, blocks * sizeof(crc[0])) != 0 ||
        memcmp(sha, rec->sha256, sizeof(sha)) != 0)
        goto fail;
    *ret = b;
    return 0;

fail:
    vs_buf_close(&b);
    return r;
}
