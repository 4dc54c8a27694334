/* wfile_commit: one commit in progress: from the layers of a write state to a list of stored
 * chunks (wfile_rewrite.c), from there to one journal entry (wfile_commit.c).
 *
 * Threads: the owner of the write state. */
#ifndef VS_FS_WFILE_COMMIT_H
#define VS_FS_WFILE_COMMIT_H

#include "fs/wfile_state.h"

#define COMMIT_RUNS_IN_FLIGHT 8 /* rewritten runs that are being made durable at a time */

/* A chunk as it was before this commit, in base or tail; the file uses [c.offset, end) of it. */
struct commit_chunk {
    struct mf_chunk c;
    uint64_t end;
    uint32_t start_ms; /* UINT32_MAX: unknown */
    bool dirty;        /* cut, or covered by staged bytes or zeros: stored anew */
};

struct commit_flush {
    struct upload_flush flush;
    struct waiter waiter;
    bool started, done;
};

/* Consecutive dirty chunks [first, last) stored anew as one upload. */
struct commit_run {
    size_t first, last;
    struct upload *upload; /* until it is durable: its memory goes before the commit ends */
    struct commit_flush flush;
    struct mf_chunk *chunks; /* what became of it */
    uint32_t *start_ms;
    size_t chunk_count;
    bool sha_known;
    uint8_t sha256[VS_SHA256_BYTES];
};

struct commit {
    struct vsfs *fs;
    struct inode *inode;
    struct wfile *w;
    enum wfile_flush how;

    struct commit_flush tail;
    struct commit_chunk *old; /* the file in order, before */
    size_t old_count;
    struct commit_run *runs;
    size_t run_count;
    struct mf_chunk *chunks; /* the file in order, after */
    uint32_t *start_ms;      /* of each of them */
    size_t chunk_count;
    const uint8_t *sha; /* of the whole file, or NULL */

    struct manifest_write manifest;
    uint8_t *inline_bytes;
    struct vs_id *released;
    size_t released_count, released_cap;
    struct ns_new_content content;
    struct ns_answer answer;
    bool nameless; /* the last name is gone: nothing was committed, the state stays */
};

/* Make every byte durable: chunks, start_ms, sha. */
int commit_chunks(struct commit *c);
/* Make an upload of this file durable; waits for the answer, or not. */
void commit_flush_start(struct commit *c, struct upload *u, struct commit_flush *f);
int commit_flush_wait(struct commit_flush *f);
/* Everything made here is freed; a flush that runs is waited for. */
void commit_close(struct commit *c);

#endif
