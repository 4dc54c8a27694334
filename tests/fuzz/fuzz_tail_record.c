/* Fuzz target: records of the metadata's tail (without their checksum, which is made here). What
 * decodes encodes to the same bytes, and each of its entries can be judged. */
#include "common/assert.h"
#include "common/crc.h"
#include "meta/tail_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_buf whole = { 0 }, again = { 0 };
    struct vs_wr w = vs_wr_init(&whole, TAIL_RECORD_BYTES_MAX);
    struct tail_record t;

    vs_wr_bytes(&w, data, size);
    vs_wr_u32(&w, vs_crc32c(0, data, size));
    if (w.err == 0 && tail_record_decode(whole.data, whole.len, &t) == 0) {
        struct vs_rd rd = vs_rd_init(t.entries, t.entries_len);
        struct tail_entry e;

        VS_ASSERT(tail_record_encode(&t, &again) == 0);
        VS_ASSERT(again.len == whole.len && memcmp(again.data, whole.data, again.len) == 0);
        while (tail_entry_next(&rd, &e) > 0)
            VS_ASSERT(tail_entry_ns(&e) >= 0 && (tail_is_quiet(&e) || e.len > 0));
    }
    vs_buf_close(&whole);
    vs_buf_close(&again);
    return 0;
}
