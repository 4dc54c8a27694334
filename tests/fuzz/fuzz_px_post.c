/* Fuzz target: bodies of POST /px. The lengths and checksums of its frames are put right first, or
 * nothing but checksums would be tried. Whoever is heard is a peer, all of the body is its frames,
 * and no incarnation falls. */
#include "common/assert.h"
#include "common/crc.h"
#include "meta/px_post.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A newcomer may ask whatever its number: about membership and for snapshots, before it lives. */
static bool is_newcomers(const struct px_post *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct px_frame f;

        VS_ASSERT(px_frame_open(p->frame[i].bytes, p->frame[i].len, &f) == 0);
        if (f.head.inc != 0 || (f.kind != PX_FRAME_MOVE && f.kind != PX_FRAME_SNAP))
            return false;
    }
    return true;
}

/* As far as the lengths that the frames say lead. */
static void put_right(uint8_t *bytes, size_t size)
{
    int len;

    while ((len = px_frame_length(bytes, size)) > 0 && (size_t)len <= size) {
        uint32_t crc = vs_crc32c(0, bytes, (size_t)len - PX_FRAME_CRC_BYTES);

        for (unsigned i = 0; i < 4; i++)
            bytes[(size_t)len - PX_FRAME_CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
        bytes += len;
        size -= (size_t)len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_post_gate g = { .cluster = { { 7 } },
                              .peers = 2,
                              .peer = { { .pid = 2, .inc = 5 }, { .pid = 3 } } };
    uint8_t *bytes;
    struct px_post *p;
    size_t sum = 0;

    if (size < 1)
        return 0;
    bytes = malloc(size); /* exactly as long, so that a byte too far is seen */
    p = malloc(sizeof(*p));
    VS_ASSERT(bytes != NULL && p != NULL);
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        put_right(bytes, size - 1);
    if (px_post_split(bytes, size - 1, p) > 0) {
        for (unsigned i = 0; i < p->count; i++) {
            VS_ASSERT(p->frame[i].bytes == bytes + sum);
            sum += p->frame[i].len;
        }
        VS_ASSERT(sum == size - 1 && p->count <= PX_POST_FRAMES_MAX);
        if (px_post_judge(&g, p) == 0)
            VS_ASSERT(p->pid == 2 || p->pid == 3 || is_newcomers(p));
    }
    VS_ASSERT(g.peer[0].pid == 2 && g.peer[0].inc >= 5 && g.peer[1].pid == 3 && g.peers == 2);
    free(bytes);
    free(p);
    return 0;
}
