/* upload: one run of consecutive bytes on its way to the stores: cut, coded, placed, durable.
 *
 * Happy path: bytes are appended while they arrive; the cut plan decides where a chunk ends (at a
 * keyframe the live cutter found, or by size); each chunk is coded for the stores that are up, its
 * fragments are put, and once all k+m are durable its register is created (ACCEPT0, batched).
 * upload_flush() cuts what is left, waits for all of it and hands the chunk entries over; the
 * caller writes the manifest and links it in the journal. Failure: a store that fails or does not
 * answer within UPLOAD_PUT_TIMEOUT_MS is left out and the chunk coded anew, with a higher
 * generation, for those that answer (5: 3+2, 4: 2+2, 3: three copies, 2: two copies, 1: one copy
 * only where the set has one store, else -EIO). A failed upload is sticky: every later call answers
 * its error, upload_free() aborts what it left.
 *
 * Memory: all uploads of an env share one budget (buffers of bytes not yet durable). Above it an
 * append is taken, and the caller told to wait: back-pressure, never growth beyond one append each.
 *
 * Threads: calls on one upload are serialised by the owner; callbacks come from store, metadata or
 * executor threads. No callback runs inside the call that took it. */
#ifndef VS_INGEST_UPLOAD_H
#define VS_INGEST_UPLOAD_H

#include "common/clock.h"
#include "common/exec.h"
#include "meta/manifest.h"
#include "meta/meta_client.h"
#include "meta/segment_note.h"
#include "node/store_set.h"

#define UPLOAD_PUT_TIMEOUT_MS       2000
#define UPLOAD_BUDGET_BYTES_DEFAULT (256u << 20)

struct cutter; /* ingest/cutter.h */
struct upload_env;
struct upload_session;
struct upload;

struct upload_env_config {
    struct store_set *stores;
    struct meta_client *meta;
    struct vs_exec *exec;  /* coding and hashing; lent */
    struct cutter *cutter; /* finds keyframes of live streams; NULL: cut by size */
    size_t budget_bytes;   /* 0: UPLOAD_BUDGET_BYTES_DEFAULT */
    const struct vs_clock *clock;
    uint64_t mount;       /* its sessions are those of this mount; 0: nobody's */
    _Atomic bool *missed; /* set when a superseded fragment could not be deleted; NULL: not told */
};

int upload_env_new(struct upload_env **ret, const struct upload_env_config *config);
/* All uploads must be freed before. Forgives NULL. */
void upload_env_free(struct upload_env *env);

/* Sessions that are open in the journal: they must give signs of life (NS_E_SESSION_TOUCH). */
unsigned upload_env_sessions(struct upload_env *env);

/* A session reserves ids for the uploads and manifest segments of one commit. Opened in the journal
 * when the first id is needed. */
int upload_session_new(struct upload_session **ret, struct upload_env *env);
/* Whose it is, instead of the env's mount: before the first id is needed. */
void upload_session_set_mount(struct upload_session *s, uint64_t mount);
/* Journal number for the CREATE or SWAP entry; 0 when no id was ever needed. */
uint64_t upload_session_number(const struct upload_session *s);
/* Ids that were given up on the way (chunks of freed uploads, of a manifest that failed): the
 * commit entry must release them. *ret (may be NULL): a copy, the caller's to free. -ENOMEM */
int upload_session_given_up(const struct upload_session *s, struct vs_id **ret, size_t *ret_count);
/* The commit entry was applied. Without this, free aborts the session in the journal. */
void upload_session_committed(struct upload_session *s);
/* After all its uploads are freed. Forgives NULL. May be called on any thread; does not block. */
void upload_session_free(struct upload_session *s);

struct upload_config {
    struct upload_session *session; /* lent */
    uint64_t ino;                   /* for the records' notes */
    const char *name;               /* file name, a hint for the notes and the cutter; copied */
    size_t name_len;
    uint64_t offset;    /* file offset of the first byte */
    uint32_t chunk_seq; /* position of the first chunk in its file, a hint for the notes */
    bool live_cut;      /* offset 0 of a new file: look for keyframes while it streams */
    bool allow_inline;  /* keep up to NS_INLINE_BYTES_MAX bytes in memory until the flush */
};

int upload_new(struct upload **ret, struct upload_env *env, const struct upload_config *config);

/* Told once there is room in the budget again (status 0) or the upload failed (negative). */
struct upload_room;
typedef void upload_room_fn(struct upload_room *r);
struct upload_room {
    upload_room_fn *done;
    int status;
    struct vs_job job; /* private from here */
    struct vs_list link;
};

/* Append bytes (copied). 0: taken, go on. 1: taken, but wait for `room->done` before the next one.
 * Negative: not taken, and never will be. */
int upload_append(struct upload *u, const void *bytes, size_t len, struct upload_room *room);

/* Append a hole: nothing is stored. Ends the chunk before it. */
int upload_hole(struct upload *u, uint64_t bytes);

/* File offset behind the last byte or hole taken. */
uint64_t upload_end(const struct upload *u);

/* Read what was taken, at file offset `offset` in [config.offset, upload_end).
 * > 0: so many bytes (<= len) were copied from memory, or a hole's zeros; 0: the bytes are in
 * *ret_chunk, placed and readable from the stores. Negative: -EINVAL outside. */
int64_t upload_peek(struct upload *u, uint64_t offset, void *dst, size_t len,
                    struct mf_chunk *ret_chunk);

/* Everything taken becomes durable and placed. One flush per upload; afterwards only peek and
 * free. */
struct upload_flush;
typedef void upload_flush_fn(struct upload_flush *f);
struct upload_flush {
    upload_flush_fn *done;
    int status;
    const struct mf_chunk *chunks; /* out: all of this upload, holes too; valid until upload_free */
    size_t chunk_count;
    const void *inline_bytes; /* out: allow_inline and small: the content, chunk_count is 0 */
    size_t inline_len;
    bool sha_known; /* SHA-256 over all bytes and holes of this upload */
    uint8_t sha256[VS_SHA256_BYTES];
    uint64_t stored_bytes; /* all fragments together */
    unsigned degraded;     /* chunks stored in a weaker form than 3+2 */
    struct vs_job job;     /* private from here */
};
void upload_flush(struct upload *u, struct upload_flush *f);

/* Keyframe times the live cutter found, for the time map: start of the chunk at index i of the
 * flushed chunks in ms, UINT32_MAX unknown. */
uint32_t upload_chunk_start_ms(const struct upload *u, size_t i);

/* Free. Not flushed: stop, and give up the ids it used. Waits for no network or disk: what is in
 * flight is detached and ends by itself. Forgives NULL. */
void upload_free(struct upload *u);

/* Write the segments of a manifest and build its head.
 * chunks: the whole file in order, consecutive from offset 0. base (may be NULL): the head they
 * came from; its segments that are unchanged are used again. sha (may be NULL): of the whole file.
 */
struct manifest_write;
typedef void manifest_write_fn(struct manifest_write *w);
struct manifest_write {
    struct upload_session *session;
    const struct mf_chunk *chunks; /* lent */
    size_t chunk_count;
    const struct mf_head *base;         /* lent */
    const struct mf_chunk *base_chunks; /* lent: all chunks of base, when base is given */
    const uint8_t *sha;                 /* lent */
    const struct file_about *about;     /* lent: told to the stores (ingest/segment_copy.h), but for
                                           session and head, which are known here; NULL: nothing */
    manifest_write_fn *done;
    int status;
    struct mf_head head;   /* out: the caller closes it */
    struct vs_buf encoded; /* out: the encoded head; the caller closes it */
    struct vs_id *dropped; /* out: segments of base that are not used again; caller frees */
    size_t dropped_count;
    struct vs_job job; /* private from here */
    void *priv;
};
void manifest_write(struct upload_env *env, struct manifest_write *w);

#endif
