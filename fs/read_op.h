/* read_op: one read request: from content to chunk ranges to bytes, answered once.
 *
 * First the range is resolved into parts (holes, inline bytes, chunk ranges), which may have to
 * load a manifest segment; then a chunk read is started for each chunk part; the last one to arrive
 * finishes the op. A chunk that is gone because the file was swapped meanwhile makes the op start
 * again, a few times, with the new content. Sequential reads of a handle fetch whole chunks, and
 * the one after.
 *
 * Threads: start from any. `done` runs exactly once, on another thread, unless the start returned
 * 1: then the answer was in memory, the outputs are filled and `done` will not run. */
#ifndef VS_FS_READ_OP_H
#define VS_FS_READ_OP_H

#include "fs/content.h"
#include <sys/uio.h>

#define READ_OP_BYTES_MAX (1u << 20)
#define READ_OP_PARTS_MAX 8192

struct vsfs;
struct inode;
struct read_op;
typedef void read_op_fn(struct read_op *op);

/* Where one open handle has read last: tells sequential from random. */
struct read_cursor {
    _Atomic uint64_t next; /* offset behind the last read */
    _Atomic unsigned run;  /* consecutive sequential reads */
};

/* One piece of the answer. Chunk piece: read.chunk, read.offset (inside the chunk) and read.bytes
 * are set. Memory piece: read.bytes is 0 and the bytes are at op->mem + at. */
struct read_part {
    struct read_op *op;
    struct chunk_read read;
    uint32_t at, bytes; /* place in the answer */
};

struct read_op {
    uint64_t offset;
    uint32_t bytes;             /* <= READ_OP_BYTES_MAX */
    struct read_cursor *cursor; /* lent; may be NULL */
    read_op_fn *done;
    int status;         /* out */
    uint32_t got_bytes; /* out: less than bytes at the end of the file */
    struct iovec *iov;  /* out: the bytes, valid until read_op_put() */
    int iovcnt;         /* out */
    /* private from here */
    struct vsfs *fs;
    struct inode *inode;
    struct content *content;
    struct read_part *parts;
    unsigned part_count, part_cap;
    _Atomic unsigned waiting;
    _Atomic int failed;
    uint8_t *mem; /* memory pieces at their place in the answer; NULL when there are none */
    unsigned retries;
    uint32_t want; /* bytes as asked, before the end of the file cut them */
    struct content_load load;
    struct content_find find;
};

#define READ_OP_MUST_CHECK __attribute__((warn_unused_result))

/* Read from the stored content of an inode (no write state): inode->content, loaded when NULL. The
 * inode must stay referenced until the op is finished. */
READ_OP_MUST_CHECK int read_op_start(struct vsfs *fs, struct inode *i, struct read_op *op);

/* Give all memory back. Forgives an op that was never started; the op may be used again. */
void read_op_put(struct read_op *op);

/* ---- for files with write state (fs/wfile.h), whose pieces come from several places ---- */

/* Add a piece at the end; pieces must be added in order. Chunk piece: chunk != NULL. Memory piece:
 * chunk == NULL, the result is where to put the `bytes` bytes (zeroed). Both return NULL when out
 * of memory or beyond READ_OP_PARTS_MAX; a chunk piece returns a non-NULL dummy. */
void *read_op_add(struct read_op *op, const struct mf_chunk *chunk, uint32_t chunk_offset,
                  uint32_t bytes);
/* All pieces are there (or *none*: end of file): fetch them and finish. 1 or 0 as read_op_start. */
READ_OP_MUST_CHECK int read_op_fetch(struct vsfs *fs, struct inode *i, struct read_op *op);

#endif
