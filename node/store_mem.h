/* store_mem: a chunk store in memory, for fast tests beside the real one. Answers on threads of its
 * own executor. Faults can be set at run time. */
#ifndef VS_NODE_STORE_MEM_H
#define VS_NODE_STORE_MEM_H

#include "node/chunk_store.h"

/* `exec` is lent and must outlive the store; completions run on it. */
int store_mem_new(struct chunk_store **ret, struct vs_exec *exec);

/* Everything answers -VS_EDOWN while `down`. */
void store_mem_set_down(struct chunk_store *s, bool down);

/* Flip one bit of the stored payload (`block` selects the 64 KiB block). -ENOENT */
int store_mem_flip(struct chunk_store *s, const struct frag_key *key, uint32_t block);

#endif
