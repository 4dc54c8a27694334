/* chunk_mem: reference-counted memory for chunks and ranges of them, recycled.
 *
 * Fresh memory from the kernel costs page faults (on virtual machines seconds of CPU per GiB), so
 * freed buffers wait on a short list for the next chunk of about their size.
 *
 * Threads: any. */
#ifndef VS_FS_CHUNK_MEM_H
#define VS_FS_CHUNK_MEM_H

#include "common/list.h"
#include "sched/chunk_cache.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define CHUNK_MEM_SPARE_MAX 16
#define CHUNK_MEM_ROUND     (256u << 10)

struct chunk_mem_pool {
    pthread_mutex_t lock;
    struct vs_list spare; /* of chunk_bytes.link */
    unsigned spare_count;
};

struct chunk_bytes {
    _Atomic unsigned refs;
    size_t cap;
    uint64_t chunk_bytes; /* length of the chunk in it, once the cache holds it */
    uint8_t *data;
    struct chunk_mem_pool *pool;
    struct chunk_cache_entry entry; /* while the cache holds a reference */
    struct vs_list link;
};

void chunk_mem_init(struct chunk_mem_pool *p);
void chunk_mem_close(struct chunk_mem_pool *p);

/* A buffer of at least `bytes` bytes with one reference; NULL out of memory. */
struct chunk_bytes *chunk_bytes_new(struct chunk_mem_pool *p, size_t bytes);
struct chunk_bytes *chunk_bytes_ref(struct chunk_bytes *b);
void chunk_bytes_put(struct chunk_bytes *b); /* forgives NULL */

#endif
