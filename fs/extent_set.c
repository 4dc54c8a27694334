/* extent_set: add, remove and find over two levels. See the header. */
#include "fs/extent_set.h"
#include "common/assert.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct extent_block {
    unsigned count; /* 1 .. EXTENT_BLOCK_MAX while in a set */
    struct extent e[EXTENT_BLOCK_MAX];
};

/* A place in the set: extent `in` of block `block`; block == block_count: behind the last. */
struct extent_pos {
    size_t block;
    unsigned in;
};

/* The first extent with end > offset. */
static struct extent_pos extent_find(const struct extent_set *s, uint64_t offset)
{
    size_t low = 0, high = s->block_count;
    unsigned a = 0, b;

    while (low < high) { /* the first block whose last extent ends behind offset */
        size_t mid = low + (high - low) / 2;
        const struct extent_block *k = s->blocks[mid];

        if (k->e[k->count - 1].end > offset)
            high = mid;
        else
            low = mid + 1;
    }
    if (low == s->block_count)
        return (struct extent_pos){ low, 0 };
    b = s->blocks[low]->count;
    while (a < b) {
        unsigned mid = a + (b - a) / 2;

        if (s->blocks[low]->e[mid].end > offset)
            b = mid;
        else
            a = mid + 1;
    }
    return (struct extent_pos){ low, a };
}

static struct extent *extent_at(const struct extent_set *s, struct extent_pos p)
{
    if (p.block == s->block_count)
        return NULL;
    return &s->blocks[p.block]->e[p.in];
}

static struct extent_pos extent_after(const struct extent_set *s, struct extent_pos p)
{
    if (++p.in == s->blocks[p.block]->count)
        return (struct extent_pos){ p.block + 1, 0 };
    return p;
}

static int extent_block_insert(struct extent_set *s, size_t at, struct extent_block *k)
{
    if (s->block_count == s->block_cap) {
        size_t cap = s->block_cap > 0 ? s->block_cap * 2 : 4;
        struct extent_block **blocks = realloc(s->blocks, cap * sizeof(struct extent_block *));

        if (blocks == NULL)
            return -ENOMEM;
        s->blocks = blocks;
        s->block_cap = cap;
    }
    memmove(&s->blocks[at + 1], &s->blocks[at], (s->block_count - at) * sizeof(k));
    s->blocks[at] = k;
    s->block_count++;
    return 0;
}

/* Put `e` in before `p`. Nothing is changed on error. */
static int extent_put(struct extent_set *s, struct extent_pos p, struct extent e)
{
    struct extent_block *k, *half;

    if (s->count == EXTENT_SET_MAX)
        return -ENOBUFS;
    if (p.in == 0 && p.block > 0) { /* the end of a block and the start of the next are one place */
        p.block--;
        p.in = s->blocks[p.block]->count;
    }
    if (p.block == s->block_count || s->blocks[p.block]->count == EXTENT_BLOCK_MAX) {
        half = calloc(1, sizeof(*half));
        if (half == NULL)
            return -ENOMEM;
        if (extent_block_insert(s, s->block_count > 0 ? p.block + 1 : 0, half) < 0) {
            free(half);
            return -ENOMEM;
        }
        if (s->block_count > 1) {
            k = s->blocks[p.block];
            /* a writer that only goes forward leaves full blocks behind */
            half->count = p.in == k->count ? 0 : k->count / 2;
            k->count -= half->count;
            memcpy(half->e, &k->e[k->count], half->count * sizeof(half->e[0]));
            if (p.in >= k->count) {
                p.in -= k->count;
                p.block++;
            }
        }
    }
    k = s->blocks[p.block];
    memmove(&k->e[p.in + 1], &k->e[p.in], (k->count - p.in) * sizeof(e));
    k->e[p.in] = e;
    k->count++;
    s->count++;
    s->bytes += e.end - e.start;
    return 0;
}

/* Take the extent at `p` out; the place of the one behind it. */
static struct extent_pos extent_erase(struct extent_set *s, struct extent_pos p)
{
    struct extent_block *k = s->blocks[p.block];

    s->bytes -= k->e[p.in].end - k->e[p.in].start;
    s->count--;
    k->count--;
    memmove(&k->e[p.in], &k->e[p.in + 1], (k->count - p.in) * sizeof(k->e[0]));
    if (k->count == 0) {
        free(k);
        s->block_count--;
        memmove(&s->blocks[p.block], &s->blocks[p.block + 1],
                (s->block_count - p.block) * sizeof(k));
        return (struct extent_pos){ p.block, 0 };
    }
    if (p.in == k->count)
        return (struct extent_pos){ p.block + 1, 0 };
    return p;
}

int extent_set_add(struct extent_set *s, uint64_t start, uint64_t end)
{
    struct extent_pos p, q;
    struct extent *e, *next;

    if (start >= end)
        return 0;
    p = extent_find(s, start > 0 ? start - 1 : 0); /* one that only touches counts too */
    e = extent_at(s, p);
    if (e == NULL || e->start > end)
        return extent_put(s, p, (struct extent){ start, end });

    s->bytes -= e->end - e->start;
    if (e->start > start)
        e->start = start;
    if (e->end < end)
        e->end = end;
    s->bytes += e->end - e->start;
    q = extent_after(s, p);
    while ((next = extent_at(s, q)) != NULL && next->start <= e->end) {
        if (next->end > e->end) {
            s->bytes += next->end - e->end;
            e->end = next->end;
        }
        q = extent_erase(s, q);
    }
    return 0;
}

int extent_set_remove(struct extent_set *s, uint64_t start, uint64_t end)
{
    struct extent_pos p;
    struct extent *e;

    if (start >= end)
        return 0;
    p = extent_find(s, start);
    e = extent_at(s, p);
    if (e != NULL && e->start < start) {
        uint64_t e_end = e->end;

        if (e_end > end) {
            int r = extent_put(s, extent_after(s, p), (struct extent){ end, e_end });

            if (r < 0)
                return r;
            e = extent_at(s, extent_find(s, start)); /* a block may have been split */
            s->bytes -= e_end - start;
            e->end = start;
            return 0;
        }
        s->bytes -= e_end - start;
        e->end = start;
        p = extent_after(s, p);
    }
    while ((e = extent_at(s, p)) != NULL && e->start < end) {
        if (e->end > end) {
            s->bytes -= end - e->start;
            e->start = end;
            break;
        }
        p = extent_erase(s, p);
    }
    return 0;
}

bool extent_set_next(const struct extent_set *s, uint64_t offset, struct extent *ret)
{
    const struct extent *e = extent_at(s, extent_find(s, offset));

    if (e == NULL)
        return false;
    *ret = *e;
    return true;
}

uint64_t extent_set_bytes_in(const struct extent_set *s, uint64_t start, uint64_t end)
{
    uint64_t sum = 0;
    struct extent e;

    while (start < end && extent_set_next(s, start, &e) && e.start < end) {
        uint64_t from = e.start > start ? e.start : start, to = e.end < end ? e.end : end;

        sum += to - from;
        start = e.end;
    }
    return sum;
}

void extent_set_close(struct extent_set *s)
{
    for (size_t i = 0; i < s->block_count; i++)
        free(s->blocks[i]);
    free(s->blocks);
    *s = (struct extent_set){ 0 };
}
