/* Sparse image. A block is NULL (hole), the shared zero block (allocated, never written), or
 * memory of its own; only the last is ever written to. */
#include "tests/support/sim_image.h"

#include "common/assert.h"
#include "common/file_io.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK VS_IO_BLOCK_BYTES

static uint8_t zero_block[BLOCK]; /* its address is the mark; never written */

static uint8_t *block_at(const struct sim_image *img, uint64_t i)
{
    return i < img->block_count ? img->blocks[i] : NULL;
}

static void block_drop(struct sim_image *img, uint64_t i)
{
    if (block_at(img, i) == NULL)
        return;
    if (img->blocks[i] != zero_block)
        free(img->blocks[i]);
    img->blocks[i] = NULL;
    img->used--;
}

static void blocks_grow(struct sim_image *img, uint64_t count)
{
    size_t cap = img->block_count > 0 ? img->block_count : 16;

    VS_ASSERT(count <= SIM_IMAGE_BYTES_MAX / BLOCK);
    if (count <= img->block_count)
        return;
    while (cap < count)
        cap *= 2;
    img->blocks = realloc(img->blocks, cap * sizeof(*img->blocks));
    VS_ASSERT(img->blocks != NULL);
    memset(img->blocks + img->block_count, 0, (cap - img->block_count) * sizeof(*img->blocks));
    img->block_count = cap;
}

/* The block's own memory, made if need be. */
static uint8_t *block_own(struct sim_image *img, uint64_t i)
{
    blocks_grow(img, i + 1);
    img->used += img->blocks[i] == NULL;
    if (img->blocks[i] == NULL || img->blocks[i] == zero_block) {
        img->blocks[i] = calloc(1, BLOCK);
        VS_ASSERT(img->blocks[i] != NULL);
    }
    return img->blocks[i];
}

/* Bytes of [offset, offset+len) that are in the block of `offset`. */
static size_t piece_bytes(uint64_t len, uint64_t offset)
{
    uint64_t room = BLOCK - offset % BLOCK;

    return (size_t)(len < room ? len : room);
}

void sim_image_read(const struct sim_image *img, void *dst, size_t len, uint64_t offset)
{
    uint8_t *pos = dst;

    for (size_t n; len > 0; len -= n, offset += n, pos += n) {
        const uint8_t *block = block_at(img, offset / BLOCK);

        n = piece_bytes(len, offset);
        if (block != NULL)
            memcpy(pos, block + offset % BLOCK, n);
        else
            memset(pos, 0, n);
    }
}

void sim_image_write(struct sim_image *img, const void *src, size_t len, uint64_t offset)
{
    const uint8_t *pos = src;

    for (size_t n; len > 0; len -= n, offset += n, pos += n) {
        n = piece_bytes(len, offset);
        memcpy(block_own(img, offset / BLOCK) + offset % BLOCK, pos, n);
        if (offset + n > img->bytes)
            img->bytes = offset + n;
    }
}

void sim_image_zero(struct sim_image *img, uint64_t len, uint64_t offset)
{
    for (size_t n; len > 0; len -= n, offset += n) {
        uint8_t *block = block_at(img, offset / BLOCK);

        n = piece_bytes(len, offset);
        if (block != NULL && block != zero_block)
            memset(block + offset % BLOCK, 0, n);
    }
}

void sim_image_punch(struct sim_image *img, uint64_t len, uint64_t offset)
{
    for (size_t n; len > 0; len -= n, offset += n) {
        n = piece_bytes(len, offset);
        if (n == BLOCK)
            block_drop(img, offset / BLOCK);
        else
            sim_image_zero(img, n, offset);
    }
}

void sim_image_allocate(struct sim_image *img, uint64_t len, uint64_t offset)
{
    uint64_t end = offset + len;

    blocks_grow(img, (end + BLOCK - 1) / BLOCK);
    for (uint64_t i = offset / BLOCK; i * BLOCK < end; i++)
        if (img->blocks[i] == NULL) {
            img->blocks[i] = zero_block;
            img->used++;
        }
    if (end > img->bytes)
        img->bytes = end;
}

void sim_image_truncate(struct sim_image *img, uint64_t bytes)
{
    uint64_t end = (uint64_t)img->block_count * BLOCK;

    VS_ASSERT(bytes <= SIM_IMAGE_BYTES_MAX);
    if (bytes < end)
        sim_image_punch(img, end - bytes, bytes);
    img->bytes = bytes;
}

bool sim_image_has_block(const struct sim_image *img, uint64_t block)
{
    return block_at(img, block) != NULL;
}

void sim_image_copy(struct sim_image *dst, const struct sim_image *src)
{
    sim_image_close(dst);
    blocks_grow(dst, src->block_count);
    for (size_t i = 0; i < src->block_count; i++) {
        if (src->blocks[i] == zero_block)
            dst->blocks[i] = zero_block;
        else if (src->blocks[i] != NULL)
            memcpy(block_own(dst, i), src->blocks[i], BLOCK);
    }
    dst->used = src->used;
    dst->bytes = src->bytes;
}

void sim_image_close(struct sim_image *img)
{
    for (size_t i = 0; i < img->block_count; i++)
        block_drop(img, i);
    free(img->blocks);
    *img = (struct sim_image){ 0 };
}
