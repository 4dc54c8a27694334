/* manifest_plan: see manifest_plan.h. Happy path: both lists ascend, so one walk finds every
 * segment of the base that begins where a new chunk begins and holds the very same chunks. */
#include "ingest/manifest_plan.h"

#include "common/err.h"

#include <stdlib.h>

struct plan {
    const struct mf_chunk *chunks;
    size_t chunk_count;
    const struct mf_head *base; /* NULL: none */
    const struct mf_chunk *base_chunks;
    uint32_t segment;  /* of the base, the next to look at */
    size_t base_first; /* index of its first chunk */
    struct manifest_run *runs;
    size_t count, cap;
};

static bool is_same(const struct mf_chunk *a, const struct mf_chunk *b)
{
    return vs_id_cmp(&a->id, &b->id) == 0 && a->offset == b->offset && a->bytes == b->bytes &&
           a->crc == b->crc && a->cut == b->cut && a->red.kind == b->red.kind &&
           a->red.k == b->red.k && a->red.m == b->red.m;
}

/* The base's current segment holds exactly the chunks from `at` on, and is worth keeping. */
static bool is_reusable(const struct plan *p, size_t at, size_t fresh_before)
{
    uint32_t count = p->base->segments[p->segment].count;

    if (p->chunk_count - at < count)
        return false;
    if (count < MANIFEST_SMALL_CHUNKS) {
        bool last = at + count == p->chunk_count;

        if (!last || (fresh_before > 0 && fresh_before + count <= MF_SEGMENT_CHUNKS))
            return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_same(&p->chunks[at + i], &p->base_chunks[p->base_first + i]))
            return false;
    }
    return true;
}

static void segment_pass(struct plan *p)
{
    p->base_first += p->base->segments[p->segment].count;
    p->segment++;
}

/* A segment of the base for the chunks from `at` on, or MANIFEST_FRESH. */
static uint32_t find_base(struct plan *p, size_t at, size_t fresh_before)
{
    if (p->base == NULL)
        return MANIFEST_FRESH;
    while (p->segment < p->base->segment_count &&
           p->base->segments[p->segment].offset < p->chunks[at].offset)
        segment_pass(p);
    if (p->segment == p->base->segment_count ||
        p->base->segments[p->segment].offset != p->chunks[at].offset ||
        !is_reusable(p, at, fresh_before))
        return MANIFEST_FRESH;
    return p->segment;
}

static int run_add(struct plan *p, size_t first, uint32_t count, uint32_t base)
{
    if (p->count == MF_SEGMENTS_MAX)
        return -EFBIG;
    if (p->count == p->cap) {
        size_t cap = p->cap > 0 ? p->cap * 2 : 16;
        struct manifest_run *runs = realloc(p->runs, cap * sizeof(*runs));

        if (runs == NULL)
            return -ENOMEM;
        p->runs = runs;
        p->cap = cap;
    }
    p->runs[p->count++] = (struct manifest_run){ first, count, base };
    return 0;
}

static int runs_add_fresh(struct plan *p, size_t first, size_t end)
{
    int r = 0;

    while (r == 0 && first < end) {
        size_t count = end - first < MF_SEGMENT_CHUNKS ? end - first : MF_SEGMENT_CHUNKS;

        r = run_add(p, first, (uint32_t)count, MANIFEST_FRESH);
        first += count;
    }
    return r;
}

int manifest_plan(const struct mf_chunk *chunks, size_t chunk_count, const struct mf_head *base,
                  const struct mf_chunk *base_chunks, struct manifest_run **ret_runs,
                  size_t *ret_count)
{
    struct plan p = {
        .chunks = chunks, .chunk_count = chunk_count, .base = base, .base_chunks = base_chunks
    };
    size_t at = 0, fresh = 0; /* chunks [fresh, at) go into new segments */
    int r = 0;

    while (r == 0 && at < chunk_count) {
        uint32_t segment = find_base(&p, at, at - fresh);

        if (segment == MANIFEST_FRESH) {
            at++;
            continue;
        }
        r = runs_add_fresh(&p, fresh, at);
        if (r == 0)
            r = run_add(&p, at, base->segments[segment].count, segment);
        at += base->segments[segment].count;
        fresh = at;
    }
    if (r == 0)
        r = runs_add_fresh(&p, fresh, chunk_count);
    if (r < 0) {
        free(p.runs);
        return r;
    }
    *ret_runs = p.runs;
    *ret_count = p.count;
    return 0;
}
