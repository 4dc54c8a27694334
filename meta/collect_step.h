/* collect_step: what the collector does to a page of ids or fragments: read registers, write TOMBs,
 * list and delete fragments. Every call waits for its answers; nothing is kept between calls.
 *
 * Threads: any that may block; none of the metadata's or of a store's. */
#ifndef VS_META_COLLECT_STEP_H
#define VS_META_COLLECT_STEP_H

#include "meta/meta_client.h"
#include "node/store_set.h"

#define COLLECT_PAGE 256 /* ids, or fragments, taken at once */

struct collect_env {
    struct meta_client *meta;
    struct store_set *stores;
    _Atomic uint64_t *missed; /* bit i: entry i was not asked to delete, or did not; or NULL */
};

/* One journal entry, stamped with the time; its status. */
int collect_change(const struct collect_env *env, struct ns_entry *e);

/* May nothing be collected now? 0, 1, or a negative code. Stopping it with `why` ("": letting it go
 * again): as collect_change(). */
int collect_is_braked(const struct collect_env *env);
int collect_brake(const struct collect_env *env, const char *why);

/* Items of a list behind `after`: how many (at most `max`), or a negative code. */
int collect_scan_ids(const struct collect_env *env, enum meta_scan scan, const struct vs_id *after,
                     struct vs_id *ids, uint32_t max);
int collect_scan_u64(const struct collect_env *env, enum meta_scan scan, uint64_t after,
                     uint64_t *items, uint32_t max);

/* Registers of ids[0 .. n), n <= COLLECT_PAGE. Each reg has its status and current value; close
 * them with collect_regs_close(), also after an error. */
int collect_regs_read(const struct collect_env *env, const struct vs_id *ids, uint32_t n,
                      struct meta_reg *regs);
void collect_regs_close(struct meta_reg *regs, uint32_t n);

/* Write a TOMB over what collect_regs_read() has found (an absent register too). gone[i]: the
 * register is a TOMB now; false when it changed meanwhile or cannot be read.  */
int collect_tomb(const struct collect_env *env, const struct meta_reg *regs, uint32_t n,
                 bool *gone);

/* One page of a store's fragments behind `after`: how many, or a negative code. */
int collect_list(struct chunk_store *store, const struct frag_key *after, struct frag_key *keys,
                 uint32_t max);

/* Sessions that wrote these fragments, n <= COLLECT_PAGE; status[i] -ENOENT: gone meanwhile. */
int collect_stat(struct chunk_store *store, const struct frag_key *keys, uint32_t n,
                 uint64_t *sessions, int *status);

/* Delete these fragments, n <= COLLECT_PAGE. The first failure, after all were tried. */
int collect_delete(struct chunk_store *store, const struct frag_key *keys, uint32_t n);

/* TOMBs for ids (ascending, n <= COLLECT_PAGE), onto absent ones too; then all their fragments, of
 * whatever generation, on the stores that are up. gone[i]: the register is a TOMB now. */
int collect_remove(const struct collect_env *env, const struct vs_id *ids, uint32_t n, bool *gone);

#endif
