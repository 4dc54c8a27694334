/* sb_checkpoint: the index on disk, so that a start need not walk every file.
 *
 * Written to a new file under another name first, synced, renamed, the last two kept. A checkpoint
 * is taken while the store serves: the places up to which each file is covered are noted first,
 * the entries copied afterwards, slice by slice; what changes in between lies behind those places
 * and is walked at the next start. */
#ifndef VS_NODE_SB_CHECKPOINT_H
#define VS_NODE_SB_CHECKPOINT_H

#include "node/sb_impl.h"

/* Under maint_lock. -ENOSPC: not written, nothing lost; other errors are fatal for the store. */
int sb_checkpoint_write(struct sb_store *s, bool clean);

/* What a checkpoint said about a file. */
struct sb_ckpt_files {
    struct sb_ckpt_file *v;
    uint32_t count;
};

/* Load the newest checkpoint that checks: entries into s->index (live), dead ranges into s->dead.
 * 1 loaded, 0 none; -ENOMEM, -VS_ENEWER. *ret_number: of the newest file there, good or not. */
int sb_checkpoint_load(struct sb_store *s, struct sb_ckpt_head *ret_head,
                       struct sb_ckpt_files *ret_files, uint64_t *ret_number);
/* Under no lock: compare those that are on the disk; where one is bad (`*bad` is raised), write new
 * ones. -VS_EDOWN, -ENOMEM. */
int sb_checkpoint_mend(struct sb_store *s, unsigned *bad);

/* What was said of file `sb`, or NULL. */
const struct sb_ckpt_file *sb_ckpt_files_find(const struct sb_ckpt_files *files, uint64_t sb);

#endif
