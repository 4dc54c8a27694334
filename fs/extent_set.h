/* extent_set: disjoint byte ranges of a file, sorted; ranges that touch are one.
 *
 * Two levels (a sorted array of blocks of up to EXTENT_BLOCK_MAX ranges), so that a writer that
 * hits a film in a million places moves a few kilobytes per write, not the whole list.
 *
 * Pure, except that blocks are on the heap (extent_set_close). Threads: none; the owner serialises
 * calls. A zeroed struct is a valid empty set. */
#ifndef VS_FS_EXTENT_SET_H
#define VS_FS_EXTENT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENT_SET_MAX   (1u << 20)
#define EXTENT_BLOCK_MAX 256

/* Bytes [start, end), start < end. */
struct extent {
    uint64_t start, end;
};

struct extent_block;

struct extent_set {
    struct extent_block **blocks; /* owned; none is empty */
    size_t block_count, block_cap;
    size_t count;   /* extents */
    uint64_t bytes; /* covered */
};

/* Cover [start, end). -ENOBUFS: would be more than EXTENT_SET_MAX extents; -ENOMEM. The set is
 * unchanged on error. An empty range is 0. */
int extent_set_add(struct extent_set *s, uint64_t start, uint64_t end);

/* Uncover [start, end). Fails (as add) only where it would split one extent in two. */
int extent_set_remove(struct extent_set *s, uint64_t start, uint64_t end);

/* The first extent that ends behind `offset`: the one that holds it, or the next one. */
bool extent_set_next(const struct extent_set *s, uint64_t offset, struct extent *ret);

/* Covered bytes of [start, end). */
uint64_t extent_set_bytes_in(const struct extent_set *s, uint64_t start, uint64_t end);

/* Forget all; usable again. Forgives zeroed and closed sets. */
void extent_set_close(struct extent_set *s);

#endif
