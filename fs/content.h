/* content: one version of a file's bytes as the metadata knows it: inline bytes, or a manifest head
 * with segments loaded as they are needed. Immutable and reference-counted; a swap makes a new one.
 *
 * Threads: any. */
#ifndef VS_FS_CONTENT_H
#define VS_FS_CONTENT_H

#include "common/exec.h"
#include "common/list.h"
#include "fs/chunk_reader.h"
#include "meta/manifest.h"
#include "meta/meta_client.h"

struct content {
    uint64_t ino, version, size;
    uint8_t kind;                /* enum ns_content */
    const uint8_t *inline_bytes; /* INLINE */
    struct mf_head head;         /* CHUNKS */
    /* private from here */
    _Atomic int refs;
    struct meta_client *meta;
    struct content_segments *segments;
    struct vs_buf bytes;
    struct vs_list held; /* fs/content_held.c */
    _Atomic bool replaced;
};

struct content_load;
typedef void content_load_fn(struct content_load *l);
struct content_load {
    uint64_t ino;
    content_load_fn *done;
    int status;              /* out */
    struct ns_attr attr;     /* out: at the same moment */
    struct content *content; /* out: a reference for the caller */
    struct meta_req req;     /* private from here */
    struct meta_client *meta;
    struct vs_list held;
    uint64_t replaced_below;
};
void content_load(struct meta_client *meta, struct content_load *l);

/* The version that a commit has just made of these bytes (copied), as the journal answered it:
 * nobody needs to be asked. -VS_ECORRUPT, -ENOMEM. */
int content_made(struct content **ret, struct meta_client *meta, const struct ns_attr *attr,
                 const struct ns_new_content *made);

struct content *content_ref(struct content *c);
void content_put(struct content *c); /* forgives NULL */

/* The chunk (or hole) at file offset `offset` < size of a CHUNKS content. */
struct content_find;
typedef void content_find_fn(struct content_find *f);
struct content_find {
    struct content *content; /* lent */
    uint64_t offset;
    content_find_fn *done;
    int status;            /* out */
    struct mf_chunk chunk; /* out */
    struct mf_chunk next;  /* out: the chunk behind it, in the same segment; bytes 0: none */
    struct meta_req req;   /* private from here */
    struct meta_reg reg;
};
/* A segment is first asked for as a hint: what a replica has of it is what was decided, so a film
 * that is open plays on without a majority. 1: found at once, f filled, `done` will not run. 0:
 * `done` will run. */
int content_find(struct content *c, struct content_find *f);

/* Blocking helpers for the write path and workers (never on a metadata or store thread). */
int content_load_wait(struct meta_client *meta, uint64_t ino, struct content **ret,
                      struct ns_attr *ret_attr);
/* All chunks of the file, on the heap. */
int content_chunks_wait(struct content *c, struct mf_chunk **ret, size_t *ret_count);
/* Read [offset, offset+len) of a content; short at its end. Holes are zeros. */
int64_t content_read_wait(struct content *c, struct chunk_reader *cr, uint64_t offset, void *dst,
                          size_t len);

#endif
