/* Fuzz target: the reader never leaves its input, and what the writer wrote it reads back.
 *
 * The input is a program for both: each byte names a field, the reader takes that field from the
 * rest, the writer writes it again; as long as the reader has not failed both texts are the same.
 */
#include "common/assert.h"
#include "common/codec.h"

#include <string.h>

#define FUZZ_BLOB_BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_field(uint8_t kind, struct vs_rd *r, struct vs_wr *w)
{
    uint8_t bytes[8];
    const uint8_t *blob;
    size_t len;

    switch (kind % 8) {
    case 0:
        vs_wr_u8(w, vs_rd_u8(r));
        break;
    case 1:
        vs_wr_u16(w, vs_rd_u16(r));
        break;
    case 2:
        vs_wr_u32(w, vs_rd_u32(r));
        break;
    case 3:
        vs_wr_u64(w, vs_rd_u64(r));
        break;
    case 4:
        vs_wr_be32(w, vs_rd_be32(r));
        break;
    case 5:
        vs_wr_be64(w, vs_rd_be64(r));
        break;
    case 6:
        len = kind / 8 % sizeof(bytes);
        vs_rd_bytes(r, bytes, len);
        vs_wr_bytes(w, bytes, len);
        break;
    default:
        blob = vs_rd_blob(r, FUZZ_BLOB_BYTES_MAX, &len);
        VS_ASSERT(len <= FUZZ_BLOB_BYTES_MAX && (blob != NULL || len == 0));
        vs_wr_blob(w, blob, len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_rd program = vs_rd_init(data, size / 4);
    struct vs_rd r = vs_rd_init(data + size / 4, size - size / 4);
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, 2 * size + 64);
    const uint8_t *first = r.pos;

    while (vs_rd_left(&program) > 0) {
        one_field(vs_rd_u8(&program), &r, &w);
        VS_ASSERT(r.pos >= first && r.pos <= r.end);
        if (r.err < 0)
            break;
        VS_ASSERT(w.err == 0 && b.len == (size_t)(r.pos - first));
        VS_ASSERT(b.len == 0 || memcmp(b.data, first, b.len) == 0);
    }
    vs_buf_close(&b);
    return 0;
}
