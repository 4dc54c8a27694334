/* read_op: one read request: from content to chunk ranges to bytes, answered once.
 *
 * Splits [offset, offset+bytes) into at most READ_OP_PARTS_MAX parts (holes, inline bytes, staged
 * bytes, chunk ranges), starts a chunk read for each, and runs `done` when the last one is there.
 * A chunk that is gone because the file was swapped meanwhile makes the op start again once with
 * the new content. Sequential reads of a handle fetch whole chunks and the one after.
 *
 * Threads: start from any; `done` exactly once, on another thread. */
#ifndef VS_FS_READ_OP_H
#define VS_FS_READ_OP_H

#include "fs/content.h"
#include <sys/uio.h>

#define READ_OP_BYTES_MAX (1u << 20)
#define READ_OP_PARTS_MAX 8

struct vsfs;
struct inode;
struct read_op;
typedef void read_op_fn(struct read_op *op);

/* Where one open handle has read last: tells sequential from random. Under its own atomics. */
struct read_cursor {
    _Atomic uint64_t next; /* offset behind the last read */
    _Atomic unsigned run;  /* consecutive sequential reads */
};

struct read_part {
    struct read_op *op;
    struct chunk_read read;
    struct content_find find;
    uint32_t at, bytes; /* place in the answer */
};

struct read_op {
    uint64_t offset;
    uint32_t bytes;             /* <= READ_OP_BYTES_MAX */
    struct read_cursor *cursor; /* lent; may be NULL */
    read_op_fn *done;
    int status;                              /* out */
    uint32_t got_bytes;                      /* out: less at the end of the file */
    struct iovec iov[READ_OP_PARTS_MAX * 2]; /* out: the bytes, valid until read_op_put() */
    int iovcnt;                              /* out */
    /* private from here */
    struct vsfs *fs;
    struct inode *inode;
    struct content *content;
    struct read_part parts[READ_OP_PARTS_MAX];
    unsigned part_count;
    _Atomic unsigned waiting;
    _Atomic int failed;
    uint8_t *mem; /* zeros, staged and memory bytes */
    bool retried;
    struct content_load load;
    struct vs_job job;
};

/* Read from the stored content of an inode (no write state). The content in use is inode->content,
 * loaded when it is NULL. */
void read_op_start(struct vsfs *fs, struct inode *i, struct read_op *op);
/* Give the memory back; the op may be used again. */
void read_op_put(struct read_op *op);

/* For files with write state: the parts are known. `mem` is malloc'ed by the caller and freed by
 * read_op_put. A part with chunk bytes reads [chunk_offset, +bytes) of `chunk`; the others are
 * already in op->mem at `at`. */
void read_op_parts(struct vsfs *fs, struct inode *i, struct read_op *op);

#endif
