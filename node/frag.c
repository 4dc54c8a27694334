/* Keys, limits and checksums of fragments. Happy path: arithmetic. Failure modes: frag_check()
 * refuses what the format has no room for; everything else cannot fail. */
#include "node/frag.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"

#include <endian.h>

int frag_key_cmp(const struct frag_key *a, const struct frag_key *b)
{
    int r = vs_id_cmp(&a->chunk, &b->chunk);

    if (r != 0)
        return r;
    if (a->fragment != b->fragment)
        return a->fragment < b->fragment ? -1 : 1;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return 0;
}

int frag_check(const struct frag_key *key, const struct frag_note *note, size_t bytes)
{
    const struct vs_redundancy *red = &note->red;
    bool unsaid = red->kind == VS_RED_NONE && red->k == 0 && red->m == 0;

    if (key->generation == 0 || bytes > FRAG_BYTES_MAX || note->name_bytes > FRAG_NAME_BYTES_MAX)
        return -EINVAL;
    if (unsaid)
        return 0;
    if (vs_redundancy_check(red) < 0 || key->fragment >= red->k + red->m)
        return -EINVAL;
    return 0;
}

unsigned frag_crc_table(const void *payload, size_t bytes, uint32_t crc[FRAG_BLOCKS_MAX])
{
    const uint8_t *pos = payload;
    unsigned blocks = frag_blocks(bytes);

    VS_ASSERT(bytes <= FRAG_BYTES_MAX);
    for (unsigned i = 0; i < blocks; i++) {
        size_t left = bytes - (size_t)i * FRAG_BLOCK_BYTES;

        crc[i] = vs_crc32c(0, pos + (size_t)i * FRAG_BLOCK_BYTES,
                           left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES);
    }
    return blocks;
}

uint32_t frag_table_crc(const uint32_t crc[], unsigned blocks)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < blocks; i++) {
        uint32_t le = htole32(crc[i]);

        sum = vs_crc32c(sum, &le, sizeof(le));
    }
    return sum;
}
