/* manifest_plan: which segments a new manifest is made of: those of the old one that still say the
 * truth, and new ones for the chunks between. Pure but for the array it returns. */
#ifndef VS_INGEST_MANIFEST_PLAN_H
#define VS_INGEST_MANIFEST_PLAN_H

#include "meta/manifest.h"

/* A segment with fewer chunks is merged with what follows it, so that a file that grows by small
 * appends does not end as a long row of tiny segments. */
#define MANIFEST_SMALL_CHUNKS (MF_SEGMENT_CHUNKS / 2)
#define MANIFEST_FRESH        UINT32_MAX

struct manifest_run {
    size_t first;   /* index of its first chunk */
    uint32_t count; /* 1 .. MF_SEGMENT_CHUNKS */
    uint32_t base;  /* index of the segment of the base that is used again, or MANIFEST_FRESH */
};

/* chunks    the whole file, consecutive
 * base      may be NULL; base_chunks are then all of its chunks
 * ret_runs  on the heap, the caller frees; NULL when there are no chunks
 * Errors    -EFBIG too many segments; -ENOMEM */
int manifest_plan(const struct mf_chunk *chunks, size_t chunk_count, const struct mf_head *base,
                  const struct mf_chunk *base_chunks, struct manifest_run **ret_runs,
                  size_t *ret_count);

#endif
