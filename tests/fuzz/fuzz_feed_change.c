/* Fuzz target: records of the change feed. Slots rise, a name is inside the bytes, and what was
 * refused stays refused. */
#include "common/assert.h"
#include "meta/feed_change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed_walk w = feed_walk_init(data, size);
    struct feed_change c;
    uint64_t slot = 0;
    int r;

    while ((r = feed_walk_next(&w, &c)) == 1) {
        VS_ASSERT(c.slot >= slot && c.slot > 0);
        slot = c.slot;
        if (c.what == FEED_NAME)
            VS_ASSERT((const uint8_t *)c.name >= data &&
                      (const uint8_t *)c.name + c.name_len <= data + size);
    }
    VS_ASSERT(feed_walk_next(&w, &c) == r);
    return 0;
}
