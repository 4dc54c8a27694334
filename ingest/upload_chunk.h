/* up_chunk, up_attempt: one chunk of an upload on its way, and one generation of its fragments.
 * For the files upload*.c only; what is said in upload_impl.h about the lock holds here.
 *
 * A chunk lives until it is placed and hashed, or has ended; an attempt until each of its puts and
 * deletes has been answered, which may be long after its chunk has gone on without it. */
#ifndef VS_INGEST_UPLOAD_CHUNK_H
#define VS_INGEST_UPLOAD_CHUNK_H

#include "ingest/upload_impl.h"
#include "meta/place_value.h"

struct up_chunk {
    struct upload_env *env;
    struct upload *upload; /* NULL: freed; nobody wants this chunk any more */
    struct upload_session *session;
    struct vs_list of_upload; /* upload->live */
    struct vs_list queue;     /* env->queued, ->putting or ->durable, by state */
    size_t index;             /* in upload->chunks */
    uint64_t offset;
    uint32_t bytes;
    uint64_t turn; /* which store gets fragment 0 */
    enum um_state state;
    bool has_id;
    bool coded; /* CODING: ready but for the id */
    bool hashed;
    bool given_up; /* its id */
    bool stalled;  /* it waits for silent stores, since there was no other form */
    struct vs_id id;
    struct up_want want;
    struct frag_note note; /* but for the redundancy and the session */
    struct vs_list pieces; /* until gathered */
    bool in_place;         /* they are one, and nobody writes behind it */
    struct up_buf *buf;    /* the chunk's bytes in one piece, from `from` on, zeros behind them */
    size_t from;
    uint64_t charged, parity_charged;
    uint32_t crc;
    uint32_t generation;
    uint64_t left_out, full; /* masks of stores: failed, or refused for want of space */
    struct up_attempt *attempt;
    struct vs_list old; /* attempts of lower generations */
    struct vs_job job;
};

struct up_put {
    struct store_put req;
    struct store_del del;
    struct up_attempt *attempt;
    struct chunk_store *who; /* was asked; NULL: there was none */
    bool stored;             /* answered, and there is something to delete */
    bool delete_asked;
};

struct up_attempt {
    struct upload_env *env;
    struct up_chunk *chunk; /* NULL: it went on without this attempt */
    struct upload_session *session;
    struct vs_list link; /* chunk->old */
    unsigned refs;       /* the chunk, requests in flight, the code that works on it */
    bool asked;          /* its puts have been counted */
    bool sweeping;       /* its job is on its way */
    bool superseded;     /* a newer generation is placed: what became durable is deleted */
    uint32_t generation;
    uint32_t fragment_bytes;
    struct um_place place;
    struct up_buf *buf; /* the chunk's bytes */
    struct up_buf *parity;
    const uint8_t *fragment[VS_EC_N_MAX];
    struct frag_note note;
    struct place_frag frag[VS_EC_N_MAX];
    enum um_put state[VS_EC_N_MAX];
    int64_t asked_ns;
    struct vs_job job;
    struct up_put put[]; /* place.count */
};

/* ---- upload_chunk.c ---- */
/* Take `bytes` from the window's front as the chunk with this index. -ENOMEM. */
int up_chunk_new_locked(struct upload *u, size_t index, uint32_t bytes);
/* The upload failed or is freed: end the chunk as soon as nothing uses it. */
void up_chunk_unwanted_locked(struct up_chunk *c);
/* The upload goes: detached, its id given up. */
void up_chunk_detach_locked(struct up_chunk *c);
bool up_chunk_is_wanted(const struct up_chunk *c);
void up_chunk_move_locked(struct up_chunk *c, enum um_state to);
/* Code (again), on the executor. */
void up_chunk_code_locked(struct up_chunk *c);
void up_chunk_end_locked(struct up_chunk *c);
void up_chunk_fail_locked(struct up_chunk *c, int status);
/* Its register is there. */
void up_chunk_placed_locked(struct up_chunk *c);
/* Free it when it is placed and hashed. */
void up_chunk_release_if_done_locked(struct up_chunk *c);
void up_chunk_slots_locked(struct upload_env *env);

/* ---- upload_code.c ---- */
/* Bring a chunk's pieces together in one buffer. -ENOMEM. */
int up_gather(struct up_chunk *c);
/* Code for the stores of `place`: fragments, hashes, tables. Takes no lock. -ENOMEM. */
int up_attempt_new(struct up_attempt **ret, struct up_chunk *c, const struct um_place *place);

/* ---- upload_put.c ---- */
/* What the stores say of themselves now, and the metadata of them; how many. Under no lock. */
unsigned up_stores_look(struct upload_env *env, struct um_store stores[UM_STORES_MAX]);
/* With what is remembered of them, and what this chunk knows. */
void up_stores_judge_locked(struct up_chunk *c, struct um_store stores[UM_STORES_MAX],
                            unsigned count);
/* Get the chunk's attempt ready to be asked for, then ask all stores, not under the lock. */
void up_attempt_put_ref_locked(struct up_chunk *c);
void up_attempt_put(struct up_attempt *a);
/* The chunk needs it no more. `superseded`: a newer generation is placed. */
void up_attempt_leave_locked(struct up_attempt *a, bool superseded);

/* ---- upload_watch.c ---- */
/* Look for silent stores from time to time while chunks are being put. */
void up_watch_locked(struct upload_env *env);
/* Take the watch back: nothing is put any more. */
void up_watch_stop_locked(struct upload_env *env);
void up_chunk_recode_locked(struct up_chunk *c);
struct up_store *up_store_record_locked(struct upload_env *env, unsigned i);

/* ---- upload_reg.c ---- */
void up_regs_due_locked(struct upload_env *env);

#endif
