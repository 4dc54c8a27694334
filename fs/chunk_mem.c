/* chunk_mem: see the header. */
#include "fs/chunk_mem.h"
#include "common/assert.h"
#include "common/cleanup.h"

void chunk_mem_init(struct chunk_mem_pool *p)
{
    pthread_mutex_init(&p->lock, NULL);
    vs_list_init(&p->spare);
    p->spare_count = 0;
}

static void chunk_bytes_free(struct chunk_bytes *b)
{
    free(b->data);
    free(b);
}

void chunk_mem_close(struct chunk_mem_pool *p)
{
    struct chunk_bytes *b;

    while ((b = vs_list_first(&p->spare, struct chunk_bytes, link)) != NULL) {
        vs_list_del(&b->link);
        chunk_bytes_free(b);
    }
    pthread_mutex_destroy(&p->lock);
}

static struct chunk_bytes *chunk_mem_take_spare(struct chunk_mem_pool *p, size_t cap)
{
    struct vs_list *pos, *tmp;

    VS_LOCK_SCOPE(&p->lock);
    vs_list_for_each (pos, tmp, &p->spare) {
        struct chunk_bytes *b = vs_container_of(pos, struct chunk_bytes, link);

        if (b->cap < cap || b->cap > 2 * cap)
            continue;
        vs_list_del(&b->link);
        p->spare_count--;
        return b;
    }
    return NULL;
}

struct chunk_bytes *chunk_bytes_new(struct chunk_mem_pool *p, size_t bytes)
{
    size_t cap = (bytes + CHUNK_MEM_ROUND - 1) / CHUNK_MEM_ROUND * CHUNK_MEM_ROUND;
    struct chunk_bytes *b;

    if (cap == 0)
        cap = CHUNK_MEM_ROUND;
    b = chunk_mem_take_spare(p, cap);
    if (b == NULL) {
        b = calloc(1, sizeof(*b));
        if (b == NULL)
            return NULL;
        b->data = malloc(cap);
        if (b->data == NULL) {
            free(b);
            return NULL;
        }
        b->cap = cap;
        b->pool = p;
        vs_list_init(&b->link);
    }
    atomic_store(&b->refs, 1);
    return b;
}

struct chunk_bytes *chunk_bytes_ref(struct chunk_bytes *b)
{
    unsigned before = atomic_fetch_add(&b->refs, 1);

    VS_ASSERT(before > 0);
    return b;
}

/* Keep a buffer for the next one who wants such a size; what has to go for it, or NULL. A list that
 * is full of sizes nobody asks for must not keep the others out. */
static struct chunk_bytes *chunk_mem_keep_spare(struct chunk_mem_pool *p, struct chunk_bytes *b)
{
    struct chunk_bytes *oldest = NULL;

    VS_LOCK_SCOPE(&p->lock);
    if (p->spare_count == CHUNK_MEM_SPARE_MAX) {
        oldest = vs_container_of(p->spare.prev, struct chunk_bytes, link);
        vs_list_del(&oldest->link);
        p->spare_count--;
    }
    vs_list_add(&p->spare, &b->link); /* warmest first */
    p->spare_count++;
    return oldest;
}

void chunk_bytes_put(struct chunk_bytes *b)
{
    struct chunk_bytes *oldest;
    unsigned before;

    if (b == NULL)
        return;
    before = atomic_fetch_sub(&b->refs, 1);
    VS_ASSERT(before > 0);
    if (before > 1)
        return;
    oldest = chunk_mem_keep_spare(b->pool, b);
    if (oldest != NULL)
        chunk_bytes_free(oldest);
}
