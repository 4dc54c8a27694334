/* Load on the metadata, for the benchmarks: so many operations through a client, a window of them
 * in flight. Whatever fails ends the program. */
#ifndef VS_BENCH_META_LOAD_H
#define VS_BENCH_META_LOAD_H

#include "meta/meta_client.h"

#define META_LOAD_WINDOW_MAX 1024

struct meta_load {
    struct meta_client *meta; /* lent */
    unsigned window;          /* operations in flight */
};

/* A directory under the root. */
uint64_t meta_load_mkdir(struct meta_client *meta, const char *name);
/* Files "f0", "f1", ... with inline content of `bytes` under `parent`: seconds it took. */
double meta_load_create(const struct meta_load *l, uint64_t parent, unsigned long count,
                        size_t bytes);
/* The same with a manifest of one segment each. */
double meta_load_create_films(const struct meta_load *l, uint64_t parent, unsigned long count);
/* A file of so many chunks in the root, with all segments of its manifest: holes of 4 MiB, so that
 * it reads as zeros without a store. */
void meta_load_large(struct meta_client *meta, const char *name, uint64_t chunks);
/* They are looked up, each once, in an order that is not that of their making. */
double meta_load_lookup(const struct meta_load *l, uint64_t parent, unsigned long count);
/* Fresh chunk registers with placements of 3+2 and random hashes, `batch` in a request. */
double meta_load_registers(const struct meta_load *l, unsigned long count, unsigned batch);
/* The whole directory with attributes, page by page; `count` names must be there. */
double meta_load_list(struct meta_client *meta, uint64_t dir, unsigned long count);

struct meta_stats meta_load_stats(struct meta_client *meta);

#endif
