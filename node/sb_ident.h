/* sb_ident: the file store.id, which says whose store a directory is.
 *
 * Two copies in the file, and cluster and node also in every superblock header and checkpoint: a
 * store is identified as long as one of them checks. */
#ifndef VS_NODE_SB_IDENT_H
#define VS_NODE_SB_IDENT_H

#include "common/file_io.h"
#include "node/sb_format.h"

/* Write store.id anew (under another name first) and sync. */
int sb_ident_write(struct vs_io *io, const struct sb_ident *id);

/* Who this store is. *ret_damaged: store.id is missing or one of its copies is bad, but the answer
 * is sure. -ENOENT no store here, -VS_ENEWER, -VS_ECORRUPT, I/O errors. */
int sb_ident_find(struct vs_io *io, struct sb_ident *ret, bool *ret_damaged);

/* Of a store that runs: compare both copies on the disk, write them again in place where one is bad
 * (`*bad` is raised by each). Errors of the write are fatal for the store; -ENOMEM. */
int sb_ident_mend(struct vs_io *io, const struct sb_ident *id, unsigned *bad);

#endif
