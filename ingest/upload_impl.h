/* What an upload is made of; for the files upload*.c. The lock: upload_env.h. */
#ifndef VS_INGEST_UPLOAD_IMPL_H
#define VS_INGEST_UPLOAD_IMPL_H

#include "ingest/cut_plan.h"
#include "ingest/cutter.h"
#include "ingest/upload_env.h"

#define UPLOAD_HASH_HOLES_MAX (64u << 20) /* more zeros than this are not hashed */
#define UPLOAD_CHUNKS_MAX     (MF_SEGMENT_CHUNKS * MF_SEGMENTS_MAX)
#define UPLOAD_LIVE_BLOCK     (1u << 20) /* unit of the window while cuts are not known */
/* Held behind the last cut while waiting for the demuxer: its lag, its window, and some. */
#define UPLOAD_HOLD_BYTES_MAX (CUTTER_LIVE_LAG_BYTES_MAX + CUT_MAX_BYTES + CUT_TARGET_BYTES)
#define UPLOAD_LAG_MS_MAX     500 /* a demuxer that takes nothing for so long is left */
#define UPLOAD_LAG_RETRY_MS   4
#define UPLOAD_FLUSH_QUIET_MS 600  /* a flush waits for the last keyframes: so long for the next */
#define UPLOAD_FLUSH_WAIT_MS  1200 /* ... and so long for all of them */

/* Bytes of the file in memory: a part of a buffer. */
struct up_piece {
    struct vs_list link;
    struct up_buf *buf;
    size_t from, bytes, bytes_max;
};

struct upload {
    struct upload_env *env;
    struct upload_session *session;
    uint64_t ino, start;
    uint32_t chunk_seq;
    bool live_cut, allow_inline;
    uint16_t name_bytes;
    char name[FRAG_NAME_BYTES_MAX];
    /* under env->lock */
    struct vs_list link; /* env->uploads */
    int status;          /* sticky */
    bool appending;      /* its writer is copying into the window, outside the lock */
    bool freed, flushed, inlined, rest_cut;
    unsigned busy; /* jobs that use it; the last one frees a freed upload */
    uint64_t end;
    struct vs_list window; /* pieces behind the last cut */
    uint64_t window_from;  /* file offset of the first of them */
    uint64_t hold_bytes;   /* UPLOAD_HOLD_BYTES_MAX, less with a small budget */
    bool planned;
    struct cut_plan plan;
    uint32_t next_start_ms; /* of the chunk that is being filled */
    struct mf_chunk *chunks;
    uint32_t *start_ms;
    size_t chunk_count, chunk_cap;
    struct vs_list live; /* chunks not yet placed and hashed, in file order */
    unsigned unplaced;
    uint64_t stored_bytes;
    unsigned degraded;
    struct upload_room *room;
    struct vs_list room_link; /* env->rooms */
    struct upload_flush *flush;
    struct vs_job destroy_job;
    struct { /* of the whole file, in order */
        struct vs_sha *sha;
        bool known, running;
        uint64_t hole_bytes;
        size_t next; /* index of the chunk to hash next */
        struct vs_job job;
    } hash;
    struct { /* the live cutter: upload_live.c */
        struct cutter_live *cutter;
        struct up_buf *head; /* while it is being opened */
        size_t head_bytes;
        bool opening, feeding, lagging, timer, ended;
        uint64_t fed;     /* file offset behind the last byte it took */
        int64_t took_ns;  /* when it last took some */
        int64_t told_ns;  /* when it last reported something */
        int64_t flush_ns; /* when a flush began to wait for it */
        struct vs_job open_job;
        struct vs_job timer_job; /* feeds it when the writer does not */
    } cut;
};

/* ---- upload.c ---- */
/* Let the writer that waits go on (0), or tell it why not. */
void upload_room_end_locked(struct upload *u, int status);
void upload_fail_locked(struct upload *u, int status);
/* Something of the upload came to its end: finish its flush, if all did. */
void upload_settle_locked(struct upload *u);
/* Jobs that use it; the last one frees a freed upload. */
void upload_busy_locked(struct upload *u);
void upload_busy_end_locked(struct upload *u);

/* ---- upload_window.c ---- */
void upload_pieces_free(struct vs_list *pieces);
/* A piece with room at the end of the window; NULL when out of memory. */
struct up_piece *upload_window_tail_locked(struct upload *u);
void upload_window_drop_locked(struct upload *u);
/* Move the first `bytes` out of the window. *ret_in_place: they are one piece that nobody else
 * uses. -ENOMEM */
int upload_window_take_locked(struct upload *u, uint64_t bytes, struct vs_list *ret_pieces,
                              bool *ret_in_place);
/* Append to the upload's list of chunks and holes. -ENOMEM, -EFBIG. */
int upload_entry_locked(struct upload *u, const struct mf_chunk *entry, uint32_t start_ms);
/* Cut what the plan says is due. */
void upload_cut_due_locked(struct upload *u, bool must, bool final);
/* End the chunk here, whatever the plan says. */
void upload_cut_here_locked(struct upload *u);
/* Cut all that is held; no more keyframes. */
void upload_cut_rest_locked(struct upload *u);

/* ---- upload_hash.c ---- */
/* Hash what is ready. */
void upload_hash_locked(struct upload *u);
void upload_hash_give_up_locked(struct upload *u);

/* ---- upload_live.c ---- */
/* Make the cut plan. `look`: for keyframes, if the window's first bytes promise some. */
void upload_plan_locked(struct upload *u, bool look);
/* Feed the demuxer; lets go of the lock in between. cut.lagging: the writer should wait. */
void upload_live_feed_locked(struct upload *u);
/* A flush begins to wait for the last reports; true: there is nothing to wait for (any more). */
bool upload_live_done_locked(struct upload *u);
/* No more keyframes. */
void upload_live_stop_locked(struct upload *u);

#endif
