/* sb_faults: I/O errors that ended a run of a store, remembered in its directory. Two of them
 * within an hour, and the store only reads and deletes until somebody has looked at the disk: a
 * disk that loses writes again and again must not be given the only copy of anything. */
#ifndef VS_NODE_SB_FAULTS_H
#define VS_NODE_SB_FAULTS_H

#include "node/sb_impl.h"

#define SB_FAULTS_WINDOW_NS (3600 * (uint64_t)VS_NS_PER_S)

/* Does this error of a write or a sync say something about the disk? */
bool sb_fault_counts(int err);
/* A store that opens: read-only if its disk failed twice. -VS_ENEWER, -ENOMEM. */
int sb_faults_open(struct sb_store *s);
/* Under no lock: remember what took the store down, once; nothing otherwise. Best effort: it is a
 * disk that has just failed. */
void sb_faults_note(struct sb_store *s);

#endif
