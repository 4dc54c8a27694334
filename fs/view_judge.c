/* view_judge: see the header. */
#include "fs/view_judge.h"

bool view_goes_on(uint64_t next, uint64_t offset)
{
    return offset + VIEW_NEAR_BYTES >= next && offset <= next + VIEW_NEAR_BYTES;
}

bool view_judge(const struct view_facts *f)
{
    bool timed = f->duration_ms > 0 && f->file_bytes > 0;
    uint64_t least_ms = VIEW_MS_MIN;
    double per_ms =
        timed ? (double)f->file_bytes / (double)f->duration_ms : (double)VIEW_BYTES_PER_S / 1000;

    if (timed && f->duration_ms / 10 < least_ms)
        least_ms = f->duration_ms / 10;
    if (least_ms == 0 || f->held_ms < least_ms)
        return false;
    /* the kernel's cache may have served half of it */
    if ((double)f->read_bytes < per_ms * (double)least_ms / 2)
        return false;
    return (double)f->read_bytes <= per_ms * (double)f->held_ms * VIEW_PACE_MAX;
}
