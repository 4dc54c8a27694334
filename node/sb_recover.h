/* sb_recover: what a store knows when it starts: from the newest checkpoint that checks, and from
 * walking the rest. */
#ifndef VS_NODE_SB_RECOVER_H
#define VS_NODE_SB_RECOVER_H

#include "node/sb_impl.h"

/* Fill index and file table of a store that does not serve yet; sync what was walked, give unused
 * tails back. `ret` is filled in. -ENOMEM, -VS_ENEWER, I/O errors. */
int sb_recover(struct sb_store *s, struct sb_recovery *ret);

#endif
