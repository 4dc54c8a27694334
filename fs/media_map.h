/* media_map: when each chunk of a video begins, from what is known of keyframes.
 *
 * Pure. Threads: none. */
#ifndef VS_FS_MEDIA_MAP_H
#define VS_FS_MEDIA_MAP_H

#include "ingest/cutter.h"

/* Fill ret_ms[count]: the presentation time in ms at the first byte of each chunk.
 *
 * known      what the live cutter saw, UINT32_MAX where nothing; NULL: nothing at all
 * keyframes  ascending by offset; may be none
 * Between two keyframes the time follows the bytes; before the first it begins at 0, behind the
 * last it goes on to duration_ms at the end of the file. Never falls from chunk to chunk. All
 * UINT32_MAX (unknown) where neither keyframes nor a duration are known. */
void media_map_build(const struct mf_chunk *chunks, size_t count, const uint32_t *known,
                     const struct cutter_keyframe *keyframes, size_t keyframe_count,
                     uint64_t duration_ms, uint64_t file_bytes, uint32_t *ret_ms);

#endif
