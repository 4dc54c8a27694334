/* acceptor_trace: see the header. What is noted of a batch that is not durable yet is kept apart at
 * the end: a mark taken meanwhile is below that batch, so it needs what was put before it, too. */
#include "meta/acceptor_trace.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 1024u

void acceptor_trace_init(struct acceptor_trace *t, uint64_t batches)
{
    *t = (struct acceptor_trace){ .batches = batches };
    pthread_mutex_init(&t->lock, NULL); /* cannot fail on Linux */
}

void acceptor_trace_close(struct acceptor_trace *t)
{
    free(t->change);
    pthread_mutex_destroy(&t->lock);
}

static void drop_locked(struct acceptor_trace *t)
{
    if (t->durable > 0)
        memmove(t->change, t->change + t->durable, (t->count - t->durable) * sizeof(*t->change));
    t->count -= t->durable;
    t->durable = 0;
    t->is_held = t->is_sorted = false;
}

static bool grow_locked(struct acceptor_trace *t)
{
    uint32_t cap = t->cap == 0 ? FIRST_CAP : 2 * t->cap;
    struct acceptor_change *change;

    if (t->count < t->cap)
        return true;
    if (t->cap >= ACCEPTOR_TRACE_MAX)
        return false;
    change = realloc(t->change, cap * sizeof(*change));
    if (change == NULL)
        return false;
    t->change = change;
    t->cap = cap;
    return true;
}

void acceptor_trace_put(struct acceptor_trace *t, const struct vs_id *id)
{
    VS_LOCK_SCOPE(&t->lock);

    if (!grow_locked(t) && t->durable > 0)
        drop_locked(t);
    if (t->count < t->cap)
        t->change[t->count++] = (struct acceptor_change){ .id = *id };
    else
        t->is_lost = true;
}

void acceptor_trace_durable(struct acceptor_trace *t)
{
    VS_LOCK_SCOPE(&t->lock);

    t->batches++;
    for (uint32_t i = t->durable; i < t->count; i++)
        t->change[i].batch = t->batches;
    t->is_held = t->is_held && !t->is_lost;
    t->is_sorted = t->is_sorted && t->count == t->durable;
    t->is_lost = false;
    t->count = t->durable = t->is_held ? t->count : 0;
}

uint64_t acceptor_trace_mark(struct acceptor_trace *t)
{
    VS_LOCK_SCOPE(&t->lock);

    drop_locked(t);
    t->is_held = true;
    t->since = t->batches;
    return t->since;
}

void acceptor_trace_drop(struct acceptor_trace *t)
{
    VS_LOCK_SCOPE(&t->lock);

    drop_locked(t);
}

static int by_id(const void *a, const void *b)
{
    return vs_id_cmp(&((const struct acceptor_change *)a)->id,
                     &((const struct acceptor_change *)b)->id);
}

/* The first of those behind `after`. */
static uint32_t behind_locked(const struct acceptor_trace *t, const struct vs_id *after)
{
    uint32_t low = 0, high = t->durable;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (vs_id_cmp(&t->change[mid].id, after) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int acceptor_trace_list(struct acceptor_trace *t, uint64_t mark, const struct vs_id *after,
                        struct vs_id *ids, uint32_t max)
{
    uint32_t n = 0;
    VS_LOCK_SCOPE(&t->lock);

    if (!t->is_held || mark < t->since)
        return -ENODATA;
    if (!t->is_sorted && t->durable > 0)
        qsort(t->change, t->durable, sizeof(*t->change), by_id);
    t->is_sorted = true;
    for (uint32_t i = behind_locked(t, after); i < t->durable && n < max; i++)
        if (t->change[i].batch > mark && (n == 0 || vs_id_cmp(&ids[n - 1], &t->change[i].id) != 0))
            ids[n++] = t->change[i].id;
    return (int)n;
}
