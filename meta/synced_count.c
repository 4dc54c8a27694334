/* synced_count: see the header. A slot is one block: magic, format version, cluster, count, CRC.
 *
 * Happy path: the two slots are read, the higher valid count wins, later counts go to the other
 * slot. Failure: a slot that cannot be read is as good as an empty one. */
#include "meta/synced_count.h"
#include "common/codec.h"
#include "common/crc.h"
#include "common/err.h"
#include <string.h>

#define SLOT_BYTES  VS_IO_BLOCK_BYTES
#define SLOT_COUNT  2
#define FORMAT      1
#define RECORD_SIZE (4 + 2 + VS_ID_BYTES + 8 + 4)

static const uint8_t magic[4] = { 'V', 'S', 'S', 'N' };

static int slot_decode(const uint8_t *bytes, struct vs_id *ret_cluster, uint64_t *ret_count)
{
    struct vs_rd r = vs_rd_init(bytes, RECORD_SIZE);
    uint8_t seen[sizeof(magic)];
    uint16_t format;

    vs_rd_bytes(&r, seen, sizeof(seen));
    format = vs_rd_u16(&r);
    vs_rd_bytes(&r, ret_cluster->b, VS_ID_BYTES);
    *ret_count = vs_rd_u64(&r);
    if (memcmp(seen, magic, sizeof(magic)) != 0 ||
        vs_rd_u32(&r) != vs_crc32c(0, bytes, RECORD_SIZE - 4))
        return -VS_ECORRUPT;
    return format > FORMAT ? -VS_ENEWER : 0;
}

static int slots_read(struct synced_count *s)
{
    uint8_t bytes[RECORD_SIZE];

    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct vs_id cluster;
        uint64_t count;
        int r = vs_file_pread_full(s->file, bytes, sizeof(bytes), (uint64_t)i * SLOT_BYTES);

        if (r < 0)
            continue;
        r = slot_decode(bytes, &cluster, &count);
        if (r == -VS_ENEWER)
            return r;
        if (r < 0)
            continue;
        if (vs_id_cmp(&cluster, &s->cluster) != 0)
            return -VS_EFORGOT;
        if (count > s->recorded) {
            s->recorded = count;
            s->slot = (i + 1) % SLOT_COUNT;
        }
    }
    return 0;
}

int synced_count_open(struct synced_count *s, struct vs_io *io, const struct vs_id *cluster)
{
    int r;

    *s = (struct synced_count){ .cluster = *cluster };
    r = vs_io_open(io, SYNCED_COUNT_NAME, VS_IO_WRITE, &s->file);
    if (r == -ENOENT) {
        r = vs_io_open(io, SYNCED_COUNT_NAME, VS_IO_WRITE | VS_IO_CREATE, &s->file);
        if (r == 0)
            r = vs_io_sync_dir(io);
    }
    if (r == 0)
        r = slots_read(s);
    if (r < 0)
        synced_count_close(s);
    return r;
}

int synced_count_record(struct synced_count *s, uint64_t count)
{
    struct vs_buf bytes = { 0 };
    struct vs_wr w = vs_wr_init(&bytes, SLOT_BYTES);
    int r;

    vs_wr_bytes(&w, magic, sizeof(magic));
    vs_wr_u16(&w, FORMAT);
    vs_wr_bytes(&w, s->cluster.b, VS_ID_BYTES);
    vs_wr_u64(&w, count);
    if (w.err == 0)
        vs_wr_u32(&w, vs_crc32c(0, bytes.data, bytes.len));
    r = w.err;
    if (r == 0)
        r = vs_file_pwrite(s->file, bytes.data, bytes.len, (uint64_t)s->slot * SLOT_BYTES);
    if (r == 0)
        r = vs_file_fdatasync(s->file);
    vs_buf_close(&bytes);
    if (r < 0)
        return r;
    s->recorded = count;
    s->slot = (s->slot + 1) % SLOT_COUNT;
    return 0;
}

void synced_count_close(struct synced_count *s)
{
    vs_file_close(s->file);
    s->file = NULL;
}
