/* upload_mem: memory of uploads: reference-counted buffers from a pool of warm ones.
 *
 * Fresh memory costs a page fault for each 4 KiB; a stream that recycles what the stores have just
 * taken pays that once. The pool keeps at most `keep_bytes` of unused buffers, the rest goes back
 * to the system.
 *
 * Threads: any; what is in a buffer is its users' matter. */
#ifndef VS_INGEST_UPLOAD_MEM_H
#define VS_INGEST_UPLOAD_MEM_H

#include "common/ec.h"
#include "common/list.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define UP_BUF_SMALL_BYTES 65536u
#define UP_BUF_UNIT_BYTES  (1u << 20)
#define UP_BUF_UNITS_MAX   16
/* Behind `cap` there is room for the zeros that pad the last data fragment. */
#define UP_BUF_SLACK_BYTES 64u

_Static_assert(UP_BUF_SLACK_BYTES >= VS_EC_K_MAX, "padding fits");

struct up_pool {
    pthread_mutex_t lock;
    struct vs_list unused[UP_BUF_UNITS_MAX + 1]; /* by size: 0 small ones, then in units */
    size_t unused_bytes;                         /* under lock */
    size_t keep_bytes;
};

struct up_buf {
    _Atomic unsigned refs;
    struct up_pool *pool;
    struct vs_list link;
    unsigned size_class;
    size_t cap;  /* at least what was asked for */
    size_t used; /* the users' count; 0 when it is handed out */
    uint8_t *bytes;
};

void up_pool_init(struct up_pool *p, size_t keep_bytes);
/* All buffers must have been given back. Forgives a second call. */
void up_pool_close(struct up_pool *p);

/* A buffer of at least `bytes` (<= UP_BUF_UNITS_MAX units), contents undefined; NULL when out of
 * memory. */
struct up_buf *up_buf_new(struct up_pool *p, size_t bytes);
struct up_buf *up_buf_ref(struct up_buf *b);
void up_buf_put(struct up_buf *b); /* forgives NULL */

#endif
