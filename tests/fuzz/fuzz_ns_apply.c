/* Fuzz target: a journal, entry by entry (u32 length, bytes), applied to a new cluster. Entries may
 * be refused, but none may leave a namespace that cannot be read any more. */
#include "common/assert.h"
#include "common/codec.h"
#include "meta/ns_apply.h"
#include "meta/ns_entry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply_all(struct ns_apply *apply, struct vs_rd *r)
{
    struct ns_answer answer;
    struct ns_entry e = { .kind = NS_E_CLUSTER, .cluster = { { 1 } } };

    VS_ASSERT(ns_apply_entry(apply, 1, &e, &answer) == 0);
    while (vs_rd_left(r) > 0) {
        size_t len;
        const uint8_t *bytes = vs_rd_blob(r, NS_ENTRY_BYTES_MAX, &len);
        void *ids;

        if (bytes == NULL)
            return;
        if (ns_entry_decode(bytes, len, &e, &ids) < 0)
            continue;
        VS_ASSERT(ns_apply_entry(apply, ns_apply_slot(apply) + 1, &e, &answer) == 0);
        free(ids);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_rd r = vs_rd_init(data, size);
    struct ns_apply *apply;
    struct kv *kv;

    VS_ASSERT(kv_mem_new(&kv) == 0);
    VS_ASSERT(ns_apply_new(&apply, kv) == 0);
    apply_all(apply, &r);
    ns_apply_free(apply);
    kv_close(kv);
    return 0;
}
