/* node_load: puts and gets on a chunk store. Closed loops: so many requests in flight, each
 * callback sends the next. Paced: so many streams that together ask for so many bytes per second.
 */
#ifndef VS_BENCH_NODE_LOAD_H
#define VS_BENCH_NODE_LOAD_H

#include "bench/bench.h"
#include "node/chunk_store.h"

#define NODE_LOAD_FRAG_BYTES 1398102u /* a third of 4 MiB */
#define NODE_LOAD_KEYS_MAX   8192u

/* What is stored: fragments of NODE_LOAD_FRAG_BYTES, all with the same random payload; the key says
 * which. */
struct node_load {
    struct chunk_store *store;
    uint8_t *payload; /* owned */
    uint8_t sha256[VS_SHA256_BYTES];
    uint32_t table_crc;
};

void node_load_init(struct node_load *l, struct chunk_store *store);
void node_load_close(struct node_load *l);

/* Put fragments first .. first+count-1, `window` at a time; MiB per second, durable. */
double node_load_put(const struct node_load *l, uint64_t first, unsigned count, unsigned window);

/* Get ranges of `bytes` (a multiple of the block, or everything) of fragments first ..
 * first+count-1 for `seconds`, `window` at a time, each verified; MB (10^6) per second. `times` may
 * be NULL. */
double node_load_get(const struct node_load *l, uint64_t first, unsigned count, uint32_t bytes,
                     unsigned window, double seconds, struct bench_times *times);

/* The same by `streams` streams, each with one request at a time, `mb_s` together, however long the
 * answers take: a time counts from when the request was due. */
void node_load_get_paced(const struct node_load *l, uint64_t first, unsigned count, uint32_t bytes,
                         unsigned streams, double mb_s, double seconds, struct bench_times *times);

#endif
