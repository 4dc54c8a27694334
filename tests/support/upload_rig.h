/* upload_rig: what tests of uploads stand on: stores in memory that can be made to misbehave,
 * metadata in memory, an executor with threads; blocking calls; and the check that counts: every
 * chunk is rebuilt from its register and its fragments, and compared with the source. */
#ifndef VS_TESTS_UPLOAD_RIG_H
#define VS_TESTS_UPLOAD_RIG_H

#include "ingest/upload.h"
#include "meta/place_value.h"
#include "tests/support/store_stall.h"

#define UPLOAD_RIG_STORES_MAX 8

/* The system's clock, which tests can put forward. */
struct upload_rig_clock {
    struct vs_clock clock;
    _Atomic int64_t ahead_ns;
};

struct upload_rig {
    struct upload_rig_clock clock; /* of the env */
    struct vs_exec *exec, *store_exec;
    struct store_set stores;
    struct chunk_store *mem[UPLOAD_RIG_STORES_MAX];   /* behind ... */
    struct chunk_store *stall[UPLOAD_RIG_STORES_MAX]; /* ... these, which the set holds */
    struct meta_client *meta;                         /* meta_fail.h */
    struct upload_env *env;
    struct upload_session *session;
};

void upload_rig_open(struct upload_rig *rig, unsigned stores, size_t budget_bytes,
                     struct cutter *cutter);
/* Frees the session and the env (waits for what is in flight), then stops the stores. */
void upload_rig_close(struct upload_rig *rig);

void upload_rig_skip_ms(struct upload_rig *rig, int64_t ms);

/* Bytes that are different everywhere: a function of the seed and the offset in the file. */
void upload_rig_fill(void *dst, uint64_t seed, uint64_t offset, size_t len);

/* Append [upload_end, +bytes) of the source in pieces, waiting for room; the upload's error. */
int upload_rig_append(struct upload *u, uint64_t seed, uint64_t bytes, size_t piece);
int upload_rig_flush(struct upload *u, struct upload_flush *f);
int upload_rig_manifest(struct upload_rig *rig, struct manifest_write *w);

struct upload *upload_rig_upload(struct upload_rig *rig, const char *name, bool live_cut,
                                 bool allow_inline);

/* Wait until nothing is in flight any more; no upload may be open. */
void upload_rig_await_idle(struct upload_rig *rig);

/* The register of a chunk. */
void upload_rig_place(struct upload_rig *rig, const struct vs_id *id, struct place_value *ret);

/* Fail the test unless every chunk can be rebuilt from its register, from any fragments of it, and
 * is the source; entries are consecutive from file offset `offset`. */
void upload_rig_check(struct upload_rig *rig, const struct mf_chunk *chunks, size_t count,
                      uint64_t seed, uint64_t offset);

/* Fragments of all stores together. */
uint64_t upload_rig_fragments(struct upload_rig *rig);

#endif
