/* Sparse byte image of one file: 4 KiB blocks, each a hole, allocated zeros, or bytes. For the
 * simulated disk (sim_io.h). Pure apart from malloc; without memory a test may abort.
 * Threads: none; the owner serialises calls. A zeroed struct is an empty image. */
#ifndef VS_TESTS_SIM_IMAGE_H
#define VS_TESTS_SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_IMAGE_BYTES_MAX (UINT64_C(1) << 36)

struct sim_image {
    uint8_t **blocks;   /* NULL: hole */
    size_t block_count; /* entries of blocks; behind them are holes */
    uint64_t bytes;     /* size of the file */
    uint64_t used;      /* blocks that are no holes */
};

/* All offsets and lengths end at or below SIM_IMAGE_BYTES_MAX. */

/* Bytes at and behind the end read as zeros. */
void sim_image_read(const struct sim_image *img, void *dst, size_t len, uint64_t offset);
/* Write, allocate what was a hole, grow the size. */
void sim_image_write(struct sim_image *img, const void *src, size_t len, uint64_t offset);
/* Zeros, as bytes; holes stay holes. The size stays. */
void sim_image_zero(struct sim_image *img, uint64_t len, uint64_t offset);
/* Zeros; whole blocks inside become holes. The size stays. */
void sim_image_punch(struct sim_image *img, uint64_t len, uint64_t offset);
/* Holes become allocated zeros; grow the size. */
void sim_image_allocate(struct sim_image *img, uint64_t len, uint64_t offset);
/* Set the size; what is cut off is given back. */
void sim_image_truncate(struct sim_image *img, uint64_t bytes);
/* Is the block (by number) no hole? */
bool sim_image_has_block(const struct sim_image *img, uint64_t block);
void sim_image_copy(struct sim_image *dst, const struct sim_image *src);
void sim_image_close(struct sim_image *img);

#endif
