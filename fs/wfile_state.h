/* wfile_state: the layers of a file that is being written, and the steps on them that the wfile_*
 * files share.
 *
 *   offset 0            base_end              tail end            size
 *     |------ base -------|------ tail ---------|- - nothing yet - -|
 *         ===staged===          ==zeros==            ===staged===
 *
 * base     the committed content, cut at base_end
 * tail     one upload that begins at base_end and streams to the stores
 * zeros    punched over base and tail; never behind the tail's end
 * staged   bytes in the staging file; wins over all
 * Behind the tail's end, what is not staged is a hole. `size` may also lie before the tail's end
 * (the file was cut): then what is behind it is masked, and growing covers it with zeros first.
 *
 * Changes: whoever must wait while it changes the state owns it (`busy`): wfile_begin() ..
 * wfile_end(), one at a time per file, commits included. The owner alone writes the fields (under
 * `lock`, for the readers' sake) and may read them without. An append that need not wait is made
 * under `lock` by a FUSE thread while nobody owns. Readers look under `lock`, hold references while
 * they read, and look again when a commit took away what they were reading (`epoch`).
 *
 * Lock order: inode->names, inode->lock, wfile->lock, then the upload's. */
#ifndef VS_FS_WFILE_STATE_H
#define VS_FS_WFILE_STATE_H

#include "fs/extent_set.h"
#include "fs/staging.h"
#include "fs/waiter.h"
#include "fs/wfile.h"

#define WFILE_BYTES_MAX ((uint64_t)INT64_MAX)
#define WFILE_HOLE_BYTES_MIN                                                                       \
    (64u << 10)                            /* a shorter gap is stored as zeros: it would cost more \
                                            */
#define WFILE_MERGE_BYTES       (1u << 20) /* an append goes on in a last chunk shorter than this */
#define WFILE_REORDER_BYTES     (8u << 20) /* so far ahead of the tail a write waits in staging */
#define WFILE_RESTART_BYTES_MAX (8u << 20) /* a cut tail of so many bytes is begun anew */
#define WFILE_COPY_BYTES        (1u << 20) /* moved at a time */

struct wfile {
    _Atomic unsigned refs;
    unsigned handles; /* wfile_create and _open against RELEASE; under inode->lock */
    uint8_t name_len; /* the file's name when the state was made: a hint for records and cutter */
    char name[NS_NAME_BYTES_MAX];
    pthread_mutex_t lock;
    pthread_cond_t idle; /* busy fell */
    bool busy;
    int error;         /* sticky: what was written cannot be kept */
    bool error_said;   /* in the log */
    bool dirty;        /* differs from the committed content, or nothing is committed yet */
    bool settled;      /* committed as complete: a change says otherwise first (inbox) */
    bool complete_due; /* committed by fsync: FLUSH says that it is complete (inbox) */
    bool mtime_set;    /* by utimens since the last change of bytes: the commit keeps it */
    struct ns_time mtime;
    uint64_t epoch; /* commits */

    uint64_t size;
    struct content *base; /* NULL: none */
    uint64_t base_end;
    uint64_t base_data_bytes;
    struct mf_chunk *base_chunks; /* all of base, once a change needs them; owner only */
    size_t base_chunk_count;
    struct upload_session *session;
    struct upload *tail;
    bool tail_closed; /* flushed, and not committed since the file lost its name: staging only */
    uint64_t tail_start;
    struct extent_set tail_holes;
    struct extent_set zeros, staged;
    struct staging *staging;
};

/* End of base and tail: where an append streams on. Under lock, or owner. */
static inline uint64_t wfile_stream_end(const struct wfile *w)
{
    return w->tail != NULL ? upload_end(w->tail) : w->base_end;
}

/* ---- wfile.c ---- */
struct wfile *wfile_get(struct inode *i); /* a reference, or NULL */
void wfile_put(struct wfile *w);          /* forgives NULL */
/* Move the layers out of the state (under its lock), and free them (without). */
void wfile_layers_take(struct wfile *from, struct wfile *to);
void wfile_layers_free(struct wfile *w);
void wfile_begin(struct wfile *w); /* own the state; waits for the owner before */
void wfile_end(struct wfile *w);
/* Another mount has stored a newer version, and nothing was written here on the one before: the
 * state is to begin anew on that. Under lock, or owner. */
bool wfile_is_behind(const struct wfile *w);
/* wfile_begin(), and that, before a change. wfile_end() whatever it answers. Waits. */
int wfile_begin_change(struct vsfs *fs, struct inode *i, struct wfile *w);
/* Owner: a state with nothing on it begins on `base`, whose reference it takes. is_cached: the
 * kernel's pages are of that version. */
void wfile_rebase(struct inode *i, struct wfile *w, struct content *base,
                  const struct ns_attr *attr, bool is_cached);
/* Owner, before a change of bytes or size: 0, or the sticky error. Waits (inbox). */
int wfile_change(struct vsfs *fs, struct inode *i, struct wfile *w);
/* The change is made: size, times. Under lock. */
void wfile_changed(struct vsfs *fs, struct wfile *w, uint64_t size);
/* One more handle on the state that is there: 1; or load the base for a new one: 0, or an error,
 * and there is no handle. Waits. */
int wfile_enter(struct vsfs *fs, struct inode *i);
/* Has the last name gone? */
bool wfile_nameless(struct inode *i);
/* A handle is closed: the last one commits, and takes the state off the inode. */
int wfile_leave(struct vsfs *fs, struct inode *i);
/* Is the file below the inbox (or unknown where)? Waits. */
bool wfile_in_inbox(struct vsfs *fs, struct inode *i);

/* ---- wfile_view.c ---- */
/* Read the bytes at `offset`: how many (less than len at the end of the file), or an error. Waits.
 * `whole`: fetch whole chunks, a sequential reader. Owner or not. */
int64_t wfile_view_read(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t offset,
                        void *dst, size_t len, bool whole);
/* Owner: all chunks of base are in base_chunks. Waits. */
int wfile_load_chunks(struct wfile *w);
/* The chunk at `offset` < base_end. */
const struct mf_chunk *wfile_base_chunk(const struct wfile *w, uint64_t offset);

/* ---- wfile_tail.c: owner, waiting ---- */
/* Begin the tail at the end of base, or a little before to go on in its last chunk. */
int wfile_tail_start(struct vsfs *fs, struct inode *i, struct wfile *w);
/* The same where nothing has to be read; not waiting. Owner, or under lock while nobody owns. */
int wfile_tail_start_empty(struct vsfs *fs, struct inode *i, struct wfile *w);
/* Make an upload for bytes from `start` on. */
int wfile_upload_new(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t start,
                     bool allow_inline, struct upload **ret);
/* Append to an upload of this file, waiting for room. */
int wfile_upload_append(struct wfile *w, struct upload *u, const void *bytes, size_t len);
/* Append a run of nothing: a hole, or zeros when it is short. */
int wfile_upload_gap(struct wfile *w, struct upload *u, uint64_t bytes);
/* Stream what is staged, and holes, from the tail's end up to `to`. */
int wfile_drain(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t to);
/* Begin the tail anew with only its bytes below `end`. */
int wfile_tail_restart(struct vsfs *fs, struct inode *i, struct wfile *w, uint64_t end);

/* ---- wfile_write.c ---- */
/* Owner, before the file grows to `to`: what an earlier cut has masked reads as zeros. */
int wfile_unmask(struct wfile *w, uint64_t to);

/* ---- wfile_commit.c ---- */
/* Own the state and commit it as wfile_flush() says. Waits. */
int wfile_commit(struct vsfs *fs, struct inode *i, struct wfile *w, enum wfile_flush how);

#endif
