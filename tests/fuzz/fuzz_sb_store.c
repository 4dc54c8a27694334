/* Fuzz target: a whole store that somebody else has written: superblock files with records of any
 * contents, a checkpoint, the small files. It is opened, recovered, listed, read, scrubbed, written
 * to, stopped and opened again.
 *
 * The input is a row of sections: kind u8, blocks u8, bytes u16, so many bytes; with zeros up to
 * `blocks` blocks they are appended to the file that the kind names. Checksums are made right
 * afterwards, or nothing behind them would ever be reached; what is not signed is rot.
 *
 * Whatever is on the disk: no crash, no I/O error made up, the store works, what it acknowledges
 * is there after a stop. */
#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_format.h"
#include "node/sb_format_state.h"
#include "node/sb_store.h"
#include "tests/support/sim_io.h"
#include "tests/support/store_sync.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SALT         UINT64_C(42)
#define FILES        2u
#define FILE_BYTES   (160u << 10) /* of each file, at most */
#define SECTIONS_MAX 64u
#define RECORDS_MAX  64u
#define KEYS_MAX     32u
#define OWN_KEY      UINT64_C(0xeeee)
#define OWN_BYTES    5000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum section {
    SECTION_RAW,    /* 0, 1: bytes of a superblock file as they are */
    SECTION_RECORD, /* 2, 3: the same, beginning with a header that will be signed */
    SECTION_CKPT,   /* 4, 5: bytes of the checkpoint; signed */
    SECTION_SMALL,  /* 6: `faults`, signed; 7: `scrub`, signed */
};

struct image {
    uint8_t *bytes;
    size_t len;
    size_t records[RECORDS_MAX]; /* offsets of headers to be signed */
    unsigned record_count;
};

struct disk {
    struct image files[FILES], ckpt, faults, scrub;
};

static const struct vs_id cluster = { { 0xc1 } }, node = { { 0x0d } };

static int64_t fixed_now(const struct vs_clock *c)
{
    (void)c;
    return 5000 * VS_NS_PER_S;
}

static const struct vs_clock fixed = { fixed_now, fixed_now };

/* ---- the disk ---------------------------------------------------------------------------------
 */

static void image_append(struct image *img, const uint8_t *bytes, size_t len, size_t padded)
{
    if (img->bytes == NULL) {
        img->bytes = calloc(1, FILE_BYTES);
        VS_ASSERT(img->bytes != NULL);
    }
    if (padded > FILE_BYTES - img->len)
        return;
    memcpy(img->bytes + img->len, bytes, len < padded ? len : padded);
    img->len += padded;
}

static void sign(uint8_t *block, bool salted)
{
    uint64_t salt = htole64(SALT);
    uint32_t crc = salted ? vs_crc32c(0, &salt, sizeof(salt)) : 0;

    memset(block + 8, 0, 4);
    crc = htole32(vs_crc32c(crc, block, SB_BLOCK_BYTES));
    memcpy(block + 8, &crc, sizeof(crc));
}

static void put_le(uint8_t *at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

/* Make a record say where it is and what its payload is, as far as there is one. */
static void sign_record(struct image *img, size_t at, uint64_t id)
{
    uint8_t *block = img->bytes + at;
    uint32_t crc[FRAG_BLOCKS_MAX];
    uint64_t payload_bytes;
    unsigned blocks;

    memcpy(&payload_bytes, block + 80, sizeof(payload_bytes));
    payload_bytes = le64toh(payload_bytes);
    put_le(block + 32, id, 8);
    put_le(block + 40, at, 8);
    if (payload_bytes <= img->len - at - SB_BLOCK_BYTES) {
        put_le(block + 12, sb_record_blocks(payload_bytes), 4);
        vs_sha256(block + SB_BLOCK_BYTES, payload_bytes, block + 88);
        blocks = frag_crc_table(block + SB_BLOCK_BYTES, payload_bytes, crc);
        memset(block + 416, 0, SB_BLOCK_BYTES - 416);
        for (unsigned i = 0; i < blocks; i++)
            put_le(block + 416 + 4 * i, crc[i], 4);
        put_le(block + 120, frag_table_crc(crc, blocks), 4);
    }
    sign(block, true);
}

/* A trailer of a SEAL at the end of the file is made to check, too. */
static void sign_file(struct image *img, uint64_t id)
{
    uint8_t *trailer;

    if (img->len >= SB_RECORDS_OFFSET + SB_BLOCK_BYTES) {
        trailer = img->bytes + img->len - 24;
        if (memcmp(trailer, "VSSE", 4) == 0)
            put_le(trailer + 20, vs_crc32c(0, trailer, 20), 4);
    }
    for (unsigned i = 0; i < img->record_count; i++)
        sign_record(img, img->records[i], id);
}

/* Header, checksums per unit, number of entries, SHA-256. */
static void sign_ckpt(struct image *img)
{
    struct vs_buf tail = { 0 };
    struct vs_wr w = vs_wr_init(&tail, 1u << 20);
    uint64_t files, dead, entries;
    struct vs_sha *sha;
    uint8_t digest[VS_SHA256_BYTES];

    memcpy(img->bytes + 24, cluster.b, VS_ID_BYTES);
    memcpy(img->bytes + 40, node.b, VS_ID_BYTES);
    put_le(img->bytes + 16, 1, 8);
    files = img->bytes[12] % 8;
    dead = img->bytes[96] % 8;
    put_le(img->bytes + 12, files, 4);
    put_le(img->bytes + 96, dead, 4);
    sign(img->bytes, false);
    entries = img->len - SB_BLOCK_BYTES;
    entries = entries > files * 64 + dead * 24 ? (entries - files * 64 - dead * 24) / 48 : 0;
    img->len = SB_BLOCK_BYTES + files * 64 + dead * 24 + entries * 48;
    for (size_t at = 0; at < img->len; at += SB_CKPT_CRC_UNIT_BYTES) {
        size_t left = img->len - at;

        vs_wr_u32(&w, vs_crc32c(0, img->bytes + at,
                                left < SB_CKPT_CRC_UNIT_BYTES ? left : SB_CKPT_CRC_UNIT_BYTES));
    }
    vs_wr_u64(&w, entries);
    VS_ASSERT(w.err == 0 && vs_sha_new(&sha) == 0);
    vs_sha_update(sha, img->bytes, img->len);
    vs_sha_update(sha, tail.data, tail.len);
    vs_sha_final(sha, digest);
    vs_sha_free(sha);
    vs_wr_bytes(&w, digest, sizeof(digest));
    if (tail.len <= FILE_BYTES - img->len) {
        memcpy(img->bytes + img->len, tail.data, tail.len);
        img->len += tail.len;
    }
    vs_buf_close(&tail);
}

static void section(struct disk *d, uint8_t kind, const uint8_t *bytes, size_t len, size_t padded)
{
    struct image *img = &d->files[kind % FILES];

    switch ((enum section)(kind % 8 / 2)) {
    case SECTION_RECORD:
        if (img->record_count < RECORDS_MAX && padded >= SB_BLOCK_BYTES &&
            padded <= FILE_BYTES - img->len)
            img->records[img->record_count++] = img->len;
        image_append(img, bytes, len, padded);
        break;
    case SECTION_RAW:
        image_append(img, bytes, len, padded);
        break;
    case SECTION_CKPT:
        image_append(&d->ckpt, bytes, len, len);
        break;
    case SECTION_SMALL:
        image_append(kind % 2 == 0 ? &d->faults : &d->scrub, bytes, len, SB_BLOCK_BYTES);
        break;
    }
}

static void disk_build(struct disk *d, struct vs_rd *r)
{
    for (unsigned i = 0; i < FILES; i++) {
        struct sb_super super = { .cluster = cluster, .node = node, .sb = i + 1, .salt = SALT };
        uint8_t block[SB_BLOCK_BYTES];

        super.run_seq = vs_rd_u16(r);
        super.prev_sb = vs_rd_u8(r);
        super.prev_seq = vs_rd_u16(r);
        sb_super_encode(&super, block);
        image_append(&d->files[i], block, sizeof(block), sizeof(block));
        image_append(&d->files[i], block, sizeof(block), sizeof(block));
    }
    for (unsigned n = 0; n < SECTIONS_MAX && vs_rd_left(r) > 0; n++) {
        uint8_t kind = vs_rd_u8(r), blocks = vs_rd_u8(r);
        size_t len = vs_rd_u16(r);
        const uint8_t *bytes;

        len = len < vs_rd_left(r) ? len : vs_rd_left(r);
        bytes = vs_rd_view(r, len);
        if (bytes != NULL)
            section(d, kind, bytes, len, (size_t)blocks % 33 * SB_BLOCK_BYTES);
    }
    for (unsigned i = 0; i < FILES; i++)
        sign_file(&d->files[i], i + 1);
    if (d->ckpt.len >= SB_BLOCK_BYTES)
        sign_ckpt(&d->ckpt);
    if (d->faults.len > 0)
        sign(d->faults.bytes, false);
    if (d->scrub.len > 0)
        sign(d->scrub.bytes, false);
}

static void disk_write_file(struct vs_io *io, const char *name, struct image *img)
{
    struct vs_file *f;

    if (img->len > 0) {
        VS_ASSERT(vs_io_open(io, name, VS_IO_WRITE | VS_IO_CREATE, &f) == 0);
        VS_ASSERT(vs_file_pwrite(f, img->bytes, img->len, 0) == 0);
        VS_ASSERT(vs_file_fdatasync(f) == 0);
        vs_file_close(f);
    }
    free(img->bytes);
}

static void disk_write(struct disk *d, struct sim_io *sim)
{
    struct vs_io *io = sim_io_boot(sim);
    char name[64];

    VS_ASSERT(sb_store_format(io, &cluster, &node) == 0);
    for (unsigned i = 0; i < FILES; i++) {
        sb_name(i + 1, name);
        if (d->files[i].len == SB_RECORDS_OFFSET)
            d->files[i].len = 0;
        disk_write_file(io, name, &d->files[i]);
    }
    sb_ckpt_name(1, name);
    disk_write_file(io, name, &d->ckpt);
    disk_write_file(io, SB_FAULTS_NAME, &d->faults);
    disk_write_file(io, SB_SCRUB_NAME, &d->scrub);
    VS_ASSERT(vs_io_sync_dir(io) == 0);
    vs_io_free(io);
}

/* ---- the store --------------------------------------------------------------------------------
 */

static int store_open(struct sync_store *ss, struct sim_io *sim, struct sb_recovery *ret)
{
    struct sb_store_config config = { .io = sim_io_boot(sim),
                                      .cluster = cluster,
                                      .node = node,
                                      .file_bytes = FILE_BYTES,
                                      .serial = true,
                                      .clock = &fixed };

    ss->run = sb_store_run;
    return sb_store_open(&ss->s, &config, ret);
}

static void store_is_up(const struct sync_store *ss)
{
    struct store_health h;

    chunk_store_health(ss->s, &h);
    VS_ASSERT(h.state != STORE_DOWN); /* no disk has failed here */
}

/* Everything that can be asked; the answers may be anything that is said in words. */
static void store_use(const struct sync_store *ss)
{
    struct frag_key keys[KEYS_MAX];
    uint32_t count = 0;

    VS_ASSERT(sync_list(ss, NULL, keys, KEYS_MAX, &count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        struct store_stat st = { 0 };
        uint8_t *got = NULL;
        size_t bytes;
        int r = sync_get_all(ss, &keys[i], NULL, &got, &bytes);

        VS_ASSERT(r == 0 || r == -VS_ECORRUPT || r == -ENOENT);
        free(got);
        r = sync_stat(ss, &keys[i], &st);
        VS_ASSERT(r == 0 || r == -VS_ECORRUPT || r == -ENOENT);
    }
    VS_ASSERT(sb_store_known_bad(ss->s, NULL, NULL) >= 0);
    if (count > 0) {
        int r = sync_del(ss, &keys[0]);

        VS_ASSERT(r == 0 || r == -ENOSPC);
        VS_ASSERT(r != 0 || sync_stat(ss, &keys[0], &(struct store_stat){ 0 }) == -ENOENT);
    }
    VS_ASSERT(sb_store_scrub(ss->s, NULL, NULL) >= 0);
    for (unsigned i = 0; i < 2 * FILES; i++)
        VS_ASSERT(sb_store_scrub_step(ss->s) >= 0);
    VS_ASSERT(sb_store_checkpoint(ss->s) == 0);
    store_is_up(ss);
}

static void run_store(struct sim_io *sim)
{
    struct sync_store ss = { 0 };
    struct frag_key own = sync_key(OWN_KEY);
    struct sb_recovery recovery;
    uint8_t *data;
    int r, put;

    r = store_open(&ss, sim, &recovery);
    VS_ASSERT(r == 0 || r == -VS_ENEWER);
    if (r < 0)
        return;
    store_is_up(&ss);
    data = sync_bytes(OWN_KEY, OWN_BYTES);
    put = sync_put(&ss, &own, NULL, data, OWN_BYTES);
    free(data);
    VS_ASSERT(put == 0 || put == -ENOSPC || put == -EROFS || put == -VS_EEXISTS_OTHER ||
              put == -VS_ECORRUPT);
    VS_ASSERT(put != 0 || sync_check(&ss, &own, OWN_KEY, OWN_BYTES) == 0);
    store_use(&ss);
    chunk_store_stop(ss.s);
    VS_ASSERT(store_open(&ss, sim, &recovery) == 0);
    VS_ASSERT(recovery.clean);
    chunk_store_stop(ss.s);
    VS_ASSERT(store_open(&ss, sim, &recovery) == 0);
    store_use(&ss);
    chunk_store_stop(ss.s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_rd r = vs_rd_init(data, size);
    struct sim_io *sim = sim_io_new();
    struct disk *d = calloc(1, sizeof(*d));

    VS_ASSERT(d != NULL);
    disk_build(d, &r);
    disk_write(d, sim);
    run_store(sim);
    free(d);
    sim_io_free(sim);
    return 0;
}
