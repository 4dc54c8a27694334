/* census: are all fragments where the registers say they are? Counts chunks by what is left of
 * them (fs/frag_lists.h).
 *
 * Registers and the stores' lists both come in ascending order, so one pass over each, side by
 * side, answers for all chunks. What is written or deleted meanwhile is not taken for a loss.
 *
 * Waits: ops threads. */
#ifndef VS_FS_CENSUS_H
#define VS_FS_CENSUS_H

#include "fs/vsfs.h"

struct census {
    uint64_t chunks;   /* LIVE registers, and those that cannot be read */
    uint64_t degraded; /* fewer fragments than were written, or a weaker form, still readable */
    uint64_t lost;     /* fewer than k fragments */
    uint64_t weak;     /* degraded ones that are whole, in a form chosen for fewer stores */
};

int census_take(struct vsfs *fs, struct census *ret);

#endif
