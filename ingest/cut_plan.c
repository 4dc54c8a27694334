/* cut_plan: see cut_plan.h.
 *
 * Happy path: keyframes enter a ring as they are reported; cut_plan_next() looks at those 1 .. 8
 * MiB behind the last cut. How far a keyframe is along its chunk is its reach: the larger of bytes
 * / 4 MiB and time / 10 s, so reach 1 is exactly min(10 s, 4 MiB), and the nearest keyframe is the
 * one whose reach is nearest to 1. Reach never falls from one keyframe to the next: once one has
 * reached 1, no later one is nearer, and one that is short of 1 by d is safe once the demuxer has
 * passed (1 + d) * 4 MiB. Failure modes: reports come from a process that may talk nonsense; those
 * that are not ascending or lie behind the last cut are dropped, and so is what exceeds the ring.
 */
#include "ingest/cut_plan.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>

/* Reach in units of 1 / (4 MiB * 10 s), so that neither division loses anything. */
#define REACH_ONE ((uint64_t)CUT_TARGET_BYTES * CUT_TARGET_MS)

int cut_plan_init(struct cut_plan *p, uint64_t offset, bool expects_keyframes)
{
    *p = (struct cut_plan){ .last_cut = offset,
                            .last_time_ms = UINT32_MAX,
                            .parsed = offset,
                            .expects_keyframes = expects_keyframes,
                            .over = !expects_keyframes };
    if (!expects_keyframes)
        return 0;
    p->keyframes = malloc(CUT_KEYFRAMES_MAX * sizeof(*p->keyframes));
    return p->keyframes != NULL ? 0 : -ENOMEM;
}

void cut_plan_close(struct cut_plan *p)
{
    free(p->keyframes);
    *p = (struct cut_plan){ .over = true };
}

static const struct cut_keyframe *keyframe_at(const struct cut_plan *p, unsigned i)
{
    return &p->keyframes[(p->head + i) % CUT_KEYFRAMES_MAX];
}

static void keyframe_drop_first(struct cut_plan *p)
{
    p->head = (p->head + 1) % CUT_KEYFRAMES_MAX;
    p->count--;
}

void cut_plan_keyframe(struct cut_plan *p, uint64_t offset, uint32_t time_ms, uint64_t parsed)
{
    if (p->over)
        return;
    if (offset == UINT64_MAX) {
        p->over = true;
        return;
    }
    if (parsed > p->parsed)
        p->parsed = parsed;
    if (offset == CUT_NO_KEYFRAME)
        return;
    if (offset > p->parsed) /* they ascend: nothing is left to be reported below this one */
        p->parsed = offset;
    if (offset < p->last_cut || p->count == CUT_KEYFRAMES_MAX)
        return;
    if (p->count > 0 && offset <= keyframe_at(p, p->count - 1)->offset)
        return;
    p->keyframes[(p->head + p->count) % CUT_KEYFRAMES_MAX] =
        (struct cut_keyframe){ offset, time_ms };
    p->count++;
}

/* Forget keyframes too near to the last cut to be the next one. The first of them tells about when
 * the chunk begins, where the cut itself does not. */
static void drop_passed(struct cut_plan *p)
{
    while (p->count > 0) {
        const struct cut_keyframe *k = keyframe_at(p, 0);

        if (k->offset >= p->last_cut + CUT_MIN_BYTES)
            break;
        if (k->offset >= p->last_cut && p->last_time_ms == UINT32_MAX)
            p->last_time_ms = k->time_ms;
        keyframe_drop_first(p);
    }
}

static uint64_t reach_of(const struct cut_plan *p, const struct cut_keyframe *k)
{
    uint64_t by_bytes = (k->offset - p->last_cut) * CUT_TARGET_MS;
    uint64_t by_time = 0;

    if (p->last_time_ms != UINT32_MAX && k->time_ms != UINT32_MAX && k->time_ms > p->last_time_ms)
        by_time = (uint64_t)(k->time_ms - p->last_time_ms) * CUT_TARGET_BYTES;
    return by_bytes > by_time ? by_bytes : by_time;
}

static uint64_t distance(uint64_t reach)
{
    return reach > REACH_ONE ? reach - REACH_ONE : REACH_ONE - reach;
}

/* The known keyframe in the window and below `limit` that is nearest to reach 1; NULL: none.
 * *ret_passed: a farther one behind it is known, so no later one is nearer. */
static const struct cut_keyframe *nearest(const struct cut_plan *p, uint64_t limit,
                                          bool *ret_passed)
{
    const struct cut_keyframe *best = NULL;

    *ret_passed = false;
    for (unsigned i = 0; i < p->count; i++) {
        const struct cut_keyframe *k = keyframe_at(p, i);

        if (k->offset > p->last_cut + CUT_MAX_BYTES || k->offset >= limit)
            break;
        if (best != NULL && distance(reach_of(p, k)) >= distance(reach_of(p, best))) {
            *ret_passed = true;
            break;
        }
        best = k;
    }
    return best;
}

/* No keyframe that is still unknown can be nearer than `best` (NULL: none is known). */
static bool is_settled(const struct cut_plan *p, const struct cut_keyframe *best, uint64_t end)
{
    uint64_t seen, needed;

    if (p->over || end >= p->last_cut + CUT_MAX_BYTES || p->parsed >= p->last_cut + CUT_MAX_BYTES)
        return true;
    if (best == NULL)
        return false;
    if (reach_of(p, best) >= REACH_ONE)
        return true;
    needed = REACH_ONE + (REACH_ONE - reach_of(p, best));
    seen = p->parsed > p->last_cut ? (p->parsed - p->last_cut) * CUT_TARGET_MS : 0;
    return seen >= needed;
}

/* With the end of the data in sight: ending the chunk there is nearer than cutting at `k`. */
static bool end_is_nearer(const struct cut_plan *p, const struct cut_keyframe *k, uint64_t end)
{
    if (end - p->last_cut > CUT_MAX_BYTES)
        return false;
    return distance((end - p->last_cut) * CUT_TARGET_MS) < distance(reach_of(p, k));
}

static int take(struct cut_plan *p, struct cut cut, struct cut *ret)
{
    VS_ASSERT(cut.offset > p->last_cut);
    p->last_cut = cut.offset;
    p->last_time_ms = cut.time_ms;
    *ret = cut;
    return 1;
}

int cut_plan_next(struct cut_plan *p, uint64_t end, bool must, bool final, struct cut *ret)
{
    const struct cut_keyframe *k;
    bool passed;

    VS_ASSERT(end >= p->last_cut);
    drop_passed(p);
    k = nearest(p, final ? end : end + 1, &passed);
    if (!final && !must && !passed && !is_settled(p, k, end))
        return 0;
    if (k != NULL && !(final && end_is_nearer(p, k, end)))
        return take(p, (struct cut){ k->offset, MF_CUT_KEYFRAME, k->time_ms }, ret);
    if (k == NULL && end - p->last_cut >= CUT_TARGET_BYTES + (final ? 1u : 0u)) {
        uint8_t why = p->expects_keyframes ? MF_CUT_SIZE : MF_CUT_EXEMPT;

        return take(p, (struct cut){ p->last_cut + CUT_TARGET_BYTES, why, UINT32_MAX }, ret);
    }
    if (final && end > p->last_cut)
        return take(p, (struct cut){ end, MF_CUT_END, UINT32_MAX }, ret);
    return 0;
}

void cut_plan_reset(struct cut_plan *p, uint64_t offset)
{
    VS_ASSERT(offset >= p->last_cut);
    p->last_cut = offset;
    p->last_time_ms = UINT32_MAX;
    if (p->parsed < offset)
        p->parsed = offset;
}
