/* http_memory: memory for the bodies of requests, bounded over all of them, and kept warm: memory
 * that was just given back is lent again before new pages are asked for (new pages are cleared by
 * the kernel, which costs as much as receiving into them).
 *
 * Invariant: lent + spare <= max. Threads: any; one lock. */
#ifndef VS_COMMON_HTTP_MEMORY_H
#define VS_COMMON_HTTP_MEMORY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MEMORY_SPARE_MAX  64u         /* blocks kept */
#define HTTP_MEMORY_UNIT_BYTES (64u << 10) /* blocks are multiples of it */

struct http_block {
    uint8_t *data; /* NULL: none */
    size_t cap;
};

struct http_memory {
    pthread_mutex_t lock;
    uint64_t max, lent, spare;
    uint64_t refused; /* times that there was none left */
    unsigned spare_count;
    struct http_block blocks[HTTP_MEMORY_SPARE_MAX]; /* spare ones, the last given back last */
};

void http_memory_init(struct http_memory *m, uint64_t max);
/* All blocks must be back. Forgives zeroed. */
void http_memory_close(struct http_memory *m);

/* At least `bytes` of memory with arbitrary content. -ENOBUFS: the others hold too much now;
 * -ENOMEM. */
int http_memory_get(struct http_memory *m, size_t bytes, struct http_block *ret);
/* Give back; the block is empty then. Forgives an empty one. */
void http_memory_put(struct http_memory *m, struct http_block *b);

#endif
