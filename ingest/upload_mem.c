/* upload_mem: see upload_mem.h.
 *
 * Happy path: a buffer is taken off the list of its size, or of a larger one. Failure modes: out of
 * memory is NULL. Large buffers are mapped on their own, so that what is given back really leaves
 * the process, whatever the heap looks like. */
#include "ingest/upload_mem.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <stdlib.h>
#include <sys/mman.h>

void up_pool_init(struct up_pool *p, size_t keep_bytes)
{
    *p = (struct up_pool){ .keep_bytes = keep_bytes };
    pthread_mutex_init(&p->lock, NULL);
    for (unsigned i = 0; i <= UP_BUF_UNITS_MAX; i++)
        vs_list_init(&p->unused[i]);
}

static size_t class_bytes(unsigned size_class)
{
    return size_class == 0 ? UP_BUF_SMALL_BYTES : (size_t)size_class * UP_BUF_UNIT_BYTES;
}

static void buf_free(struct up_buf *b)
{
    if (b->size_class == 0)
        free(b->bytes);
    else
        munmap(b->bytes, b->cap + UP_BUF_SLACK_BYTES);
    free(b);
}

void up_pool_close(struct up_pool *p)
{
    if (p->unused[0].next == NULL)
        return;
    for (unsigned i = 0; i <= UP_BUF_UNITS_MAX; i++) {
        struct up_buf *b;

        while ((b = vs_list_first(&p->unused[i], struct up_buf, link)) != NULL) {
            vs_list_del(&b->link);
            p->unused_bytes -= b->cap;
            buf_free(b);
        }
    }
    VS_ASSERT(p->unused_bytes == 0);
    pthread_mutex_destroy(&p->lock);
    *p = (struct up_pool){ 0 };
}

static struct up_buf *buf_make(struct up_pool *p, unsigned size_class)
{
    struct up_buf *b = malloc(sizeof(*b));

    if (b == NULL)
        return NULL;
    *b = (struct up_buf){ .pool = p, .size_class = size_class, .cap = class_bytes(size_class) };
    if (size_class == 0) {
        b->bytes = malloc(b->cap + UP_BUF_SLACK_BYTES);
    } else {
        void *m = mmap(NULL, b->cap + UP_BUF_SLACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        b->bytes = m != MAP_FAILED ? m : NULL;
    }
    if (b->bytes == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

/* An unused buffer of this size, or of up to twice it. */
static struct up_buf *take_unused(struct up_pool *p, unsigned size_class)
{
    unsigned last = size_class == 0 ? 0 : size_class * 2;
    VS_LOCK_SCOPE(&p->lock);

    if (last > UP_BUF_UNITS_MAX)
        last = UP_BUF_UNITS_MAX;
    for (unsigned i = size_class; i <= last; i++) {
        struct up_buf *b = vs_list_first(&p->unused[i], struct up_buf, link);

        if (b != NULL) {
            vs_list_del(&b->link);
            p->unused_bytes -= b->cap;
            return b;
        }
    }
    return NULL;
}

struct up_buf *up_buf_new(struct up_pool *p, size_t bytes)
{
    unsigned size_class = 0;
    struct up_buf *b;

    if (bytes > UP_BUF_SMALL_BYTES)
        size_class = (unsigned)((bytes + UP_BUF_UNIT_BYTES - 1) / UP_BUF_UNIT_BYTES);
    VS_ASSERT(size_class <= UP_BUF_UNITS_MAX);
    b = take_unused(p, size_class);
    if (b == NULL)
        b = buf_make(p, size_class);
    if (b == NULL)
        return NULL;
    b->used = 0;
    atomic_store(&b->refs, 1);
    return b;
}

struct up_buf *up_buf_ref(struct up_buf *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void up_buf_put(struct up_buf *b)
{
    struct up_pool *p;

    if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    p = b->pool;
    pthread_mutex_lock(&p->lock);
    if (p->unused_bytes + b->cap <= p->keep_bytes) {
        vs_list_add(&p->unused[b->size_class], &b->link); /* the warmest is used first */
        p->unused_bytes += b->cap;
        b = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    if (b != NULL)
        buf_free(b);
}
