/* Fuzz target: journal entries. Whatever decodes encodes to the same bytes. */
#include "common/assert.h"
#include "meta/ns_entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_buf buf = { 0 };
    struct ns_entry e;
    void *ids;

    if (ns_entry_decode(data, size, &e, &ids) < 0)
        return 0;
    VS_ASSERT(ns_entry_encode(&e, &buf) == 0);
    VS_ASSERT(buf.len == size);
    VS_ASSERT(memcmp(buf.data, data, size) == 0);
    free(ids);
    vs_buf_close(&buf);
    return 0;
}
