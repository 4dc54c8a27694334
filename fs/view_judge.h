/* view_judge: was an open file watched, copied, or only looked at?
 *
 * Watched is who read on in order for as long as 30 s or a tenth of the film take, whichever is
 * less, kept the file open for that long, and read at no more than VIEW_PACE_MAX times the pace of
 * watching on the whole: players fill their own buffers fast and then wait, copies do not wait.
 *
 * Pure. */
#ifndef VS_FS_VIEW_JUDGE_H
#define VS_FS_VIEW_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#define VIEW_MS_MIN      30000
#define VIEW_PACE_MAX    4
#define VIEW_BYTES_PER_S (1u << 20) /* of a film whose length in time is not known */
#define VIEW_NEAR_BYTES  (4u << 20) /* read-ahead comes a little out of order */

struct view_facts {
    uint64_t held_ms;    /* open for so long */
    uint64_t read_bytes; /* in order */
    uint64_t file_bytes;
    uint64_t duration_ms; /* 0: not known */
};

bool view_judge(const struct view_facts *f);

/* Does a read at `offset` go on where the last one ended? */
bool view_goes_on(uint64_t next, uint64_t offset);

#endif
