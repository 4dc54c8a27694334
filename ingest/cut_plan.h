/* cut_plan: where chunks end. Pure.
 *
 * Rule: the next cut is the keyframe 1 .. 8 MiB after the last cut that is nearest to
 * min(10 s, 4 MiB) behind it; where there is none: exactly 4 MiB. One table of constants, below.
 * Cuts are advisory: the plan never waits for the demuxer longer than the bytes in its window.
 *
 * Bytes are counted from the start of the file. */
#ifndef VS_INGEST_CUT_PLAN_H
#define VS_INGEST_CUT_PLAN_H

#include "meta/manifest.h"

#define CUT_MIN_BYTES     (1u << 20)
#define CUT_TARGET_BYTES  (4u << 20)
#define CUT_MAX_BYTES     (8u << 20)
#define CUT_TARGET_MS     10000u
#define CUT_KEYFRAMES_MAX 65536            /* known and not yet passed */
#define CUT_NO_KEYFRAME   (UINT64_MAX - 1) /* offset of a report that only moves `parsed` on */

struct cut_keyframe {
    uint64_t offset;
    uint32_t time_ms;
};

struct cut_plan {
    uint64_t last_cut;              /* offset of the last cut */
    uint32_t last_time_ms;          /* of the keyframe there; UINT32_MAX unknown */
    uint64_t parsed;                /* no keyframe below this will still be reported */
    bool expects_keyframes;         /* false: cut by size, exempt */
    bool over;                      /* no more keyframes will come */
    struct cut_keyframe *keyframes; /* ring; the plan's memory, made by init */
    unsigned head, count;
};

struct cut {
    uint64_t offset;  /* where the chunk ends */
    uint8_t cut;      /* enum mf_cut */
    uint32_t time_ms; /* of the keyframe at the cut, UINT32_MAX unknown */
};

int cut_plan_init(struct cut_plan *p, uint64_t offset, bool expects_keyframes);
void cut_plan_close(struct cut_plan *p);
/* Report of the live cutter; offset UINT64_MAX: no more will come; CUT_NO_KEYFRAME: only `parsed`
 * moved on. Nonsense (offsets that do not ascend) is dropped. */
void cut_plan_keyframe(struct cut_plan *p, uint64_t offset, uint32_t time_ms, uint64_t parsed);
/* The next cut with bytes up to `end` in memory: 1 and *ret, or 0: more bytes or reports are
 * needed. `must`: the owner cannot hold more (memory, lag): decide with what is known. `final`: the
 * data ends at `end`, which becomes the last cut (MF_CUT_END) when no earlier one is due. */
int cut_plan_next(struct cut_plan *p, uint64_t end, bool must, bool final, struct cut *ret);
/* A hole or a flush ended the chunk at `offset`. */
void cut_plan_reset(struct cut_plan *p, uint64_t offset);

#endif
