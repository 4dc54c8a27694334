/* media_map: interpolation between keyframes. See the header. */
#include "fs/media_map.h"

struct map_point {
    uint64_t offset;
    uint64_t ms;
};

static uint32_t map_between(struct map_point a, struct map_point b, uint64_t offset)
{
    uint64_t ms = a.ms;

    if (b.offset > a.offset && b.ms > a.ms) /* double: the product may exceed 64 bits */
        ms += (uint64_t)((double)(b.ms - a.ms) * (double)(offset - a.offset) /
                         (double)(b.offset - a.offset));
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
}

void media_map_build(const struct mf_chunk *chunks, size_t count, const uint32_t *known,
                     const struct cutter_keyframe *keyframes, size_t keyframe_count,
                     uint64_t duration_ms, uint64_t file_bytes, uint32_t *ret_ms)
{
    struct map_point before = { 0, 0 };
    size_t next = 0;
    uint32_t last = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t at = chunks[i].offset;
        struct map_point after = { file_bytes, duration_ms };

        while (next < keyframe_count && keyframes[next].offset <= at) {
            before = (struct map_point){ keyframes[next].offset, keyframes[next].time_ms };
            next++;
        }
        if (next < keyframe_count)
            after = (struct map_point){ keyframes[next].offset, keyframes[next].time_ms };
        if (known != NULL && known[i] != UINT32_MAX)
            ret_ms[i] = known[i];
        else if (keyframe_count == 0 && duration_ms == 0)
            ret_ms[i] = UINT32_MAX;
        else
            ret_ms[i] = map_between(before, after, at);
        if (ret_ms[i] == UINT32_MAX)
            continue;
        if (ret_ms[i] < last)
            ret_ms[i] = last;
        last = ret_ms[i];
    }
}
