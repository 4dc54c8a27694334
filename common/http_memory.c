/* Memory of request bodies.
 *
 * Happy path: the spare block that fits best, else new memory within the limit. Failure modes: at
 * the limit spare blocks are given up first; when that is not enough, nothing is lent. */
#include "common/http_memory.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES_MAX (64u << 20) /* kept warm, of all of them */

void http_memory_init(struct http_memory *m, uint64_t max)
{
    *m = (struct http_memory){ .max = max };
    pthread_mutex_init(&m->lock, NULL);
}

/* Take spare block i out of the list. */
static struct http_block spare_take(struct http_memory *m, unsigned i)
{
    struct http_block b = m->blocks[i];

    m->spare_count--;
    memmove(m->blocks + i, m->blocks + i + 1, (m->spare_count - i) * sizeof(b));
    m->spare -= b.cap;
    return b;
}

static void spare_drop_oldest(struct http_memory *m)
{
    free(spare_take(m, 0).data);
}

void http_memory_close(struct http_memory *m)
{
    if (m->max == 0)
        return;
    VS_ASSERT(m->lent == 0);
    while (m->spare_count > 0)
        spare_drop_oldest(m);
    pthread_mutex_destroy(&m->lock);
    *m = (struct http_memory){ 0 };
}

/* The smallest spare block for `cap`, at most twice as large; -1: none. Of equal ones the one used
 * last, whose pages are warmest. */
static int spare_find(const struct http_memory *m, size_t cap)
{
    int best = -1;

    for (unsigned i = 0; i < m->spare_count; i++) {
        size_t c = m->blocks[i].cap;

        if (c >= cap && c <= 2 * cap && (best < 0 || c <= m->blocks[best].cap))
            best = (int)i;
    }
    return best;
}

int http_memory_get(struct http_memory *m, size_t bytes, struct http_block *ret)
{
    size_t units = bytes / HTTP_MEMORY_UNIT_BYTES + (bytes % HTTP_MEMORY_UNIT_BYTES != 0);
    size_t cap = (units > 0 ? units : 1) * HTTP_MEMORY_UNIT_BYTES;
    struct http_block b = { .cap = cap };
    int i;
    VS_LOCK_SCOPE(&m->lock);

    i = spare_find(m, cap);
    if (i >= 0) {
        *ret = spare_take(m, (unsigned)i);
        m->lent += ret->cap;
        return 0;
    }
    while (m->lent + m->spare + cap > m->max && m->spare_count > 0)
        spare_drop_oldest(m);
    if (m->lent + cap > m->max) {
        m->refused++;
        return -ENOBUFS;
    }
    b.data = malloc(cap);
    if (b.data == NULL)
        return -ENOMEM;
    m->lent += cap;
    *ret = b;
    return 0;
}

void http_memory_put(struct http_memory *m, struct http_block *b)
{
    VS_LOCK_SCOPE(&m->lock);

    if (b->data == NULL)
        return;
    VS_ASSERT(m->lent >= b->cap);
    m->lent -= b->cap;
    if (b->cap > SPARE_BYTES_MAX) {
        free(b->data);
    } else {
        while (m->spare_count == HTTP_MEMORY_SPARE_MAX || m->spare + b->cap > SPARE_BYTES_MAX)
            spare_drop_oldest(m);
        m->blocks[m->spare_count++] = *b;
        m->spare += b->cap;
    }
    *b = (struct http_block){ 0 };
}
