/* gc: what collecting would remove from the stores, and a person's word that it may
 * (docs/CHUNKPAXOS.md section 8, the brake). Blocks: ops threads. */
#ifndef VS_FS_GC_H
#define VS_FS_GC_H

#include "common/json.h"
#include "fs/vsfs.h"

/* Fills `answer`: brake (a sentence, when it is on), waiting (released ids), nodes [{id, fragments,
 * would_go, why}]. `yes`: the brake is let go, and what is listed goes in the background. */
int gc_run(struct vsfs *fs, bool yes, struct vs_json *answer);

#endif
