/* What the files of the superblock store share: the store, a record on its way, the queues. For
 * node/sb_*.c only.
 *
 *   put -> I/O thread: place, header, write -> outstanding -> committer: sync, index, answer
 *   del -> committer: one TOMB for all that wait, like a record; afterwards holes are punched
 *   get -> I/O thread: index, header, payload, index again
 *
 * Locks, outermost first:
 *   maint_lock   one checkpoint, sealing, removal or punching at a time
 *   append_lock  who places a record; held over making and growing files
 *   lock         everything else in memory; never held over I/O or a callback
 *   files.lock   descriptors */
#ifndef VS_NODE_SB_IMPL_H
#define VS_NODE_SB_IMPL_H

#include "node/sb_files.h"
#include "node/sb_hold.h"
#include "node/sb_index.h"
#include "node/sb_scrub.h"
#include "node/sb_tombs.h"

#define SB_PREALLOCATE_BYTES  (64ull << 20)
#define SB_SMALL_STEP_BYTES   (1ull << 20) /* when there is no room for a whole step */
#define SB_BALLAST_BYTES      (1ull << 20)
#define SB_SEQ_JUMP           65536 /* > records that may have been reserved and not found */
#define SB_CACHE_BEHIND_BYTES (64ull << 20) /* what was just written stays in the page cache */
#define SB_CACHE_STEP_BYTES   (8ull << 20)
#define SB_TICK_NS            (VS_NS_PER_S / 2)
#define SB_GROUP_MAX          (CHUNK_STORE_QUEUE_MAX + 1) /* puts in flight and one TOMB */
#define SB_DEAD_MAX           SB_CKPT_DEAD_MAX /* payloads to punch; more are left to their file */

/* A record that has a place and is not yet known to be durable. */
struct sb_append {
    struct vs_list link;  /* s->outstanding, by seq */
    struct sb_file *file; /* pinned */
    uint64_t seq, synced_seq, offset;
    uint32_t blocks;
    bool written; /* under s->lock; the writer is done with it, well or not */
    int status;
    struct store_put *put;     /* or NULL */
    struct sb_tombs *tombs;    /* or NULL */
    struct sb_tomb replaced;   /* put: the bad record that it replaces; sb 0: none */
    uint32_t replaced_payload; /* bytes */
};

/* A payload to punch. */
struct sb_dead {
    uint64_t sb, offset; /* of the payload */
    uint64_t bytes;      /* whole blocks */
};

struct sb_store {
    struct chunk_store base;
    /* fixed by open */
    struct sb_store_config config;
    struct vs_io *io;
    struct vs_exec *exec;
    struct vs_file *ident; /* store.id, kept open: it notices that the directory was emptied */
    bool threads;          /* committer runs */
    pthread_t committer;
    pthread_mutex_t maint_lock, append_lock, lock;
    pthread_cond_t wake;    /* for the committer */
    pthread_cond_t changed; /* in_flight, commits, maint_running, state */
    struct sb_files files;

    /* under append_lock and lock both to change, either to read */
    struct sb_file *active; /* pinned; NULL: none yet */
    uint64_t next_seq, next_sb;
    uint64_t last_sb, last_sb_seq; /* file before the active one, and its last record; 0: none */

    /* under lock */
    enum store_state state;
    char why[256];
    int fault_err;       /* positive: the I/O error that took it down, not yet remembered */
    bool stopping, quit; /* no new requests; the committer ends */
    struct sb_index index;
    uint64_t run_seq, synced_seq;
    uint64_t live, live_bytes, corrupt_records;
    struct vs_list outstanding; /* struct sb_append */
    struct vs_list dels;        /* struct store_del by job.link */
    struct vs_list later_dels;  /* their key is busy: again after the next group */
    struct vs_list later_puts;  /* the same; by job.link */
    struct sb_tombs tombs;      /* to be written with the next TOMB */
    bool tombs_busy;            /* a TOMB is being written or synced */
    bool tombs_held;            /* no room for a TOMB: tried again at the next tick or delete */
    struct sb_dead *dead;       /* array of SB_DEAD_MAX at most */
    uint32_t dead_count, dead_cap;
    bool dead_held;        /* no room even for punching, or being sent: again at the next tick */
    struct sb_holds holds; /* these are not punched */
    unsigned in_flight;    /* requests taken and not answered */
    unsigned puts_waiting; /* puts taken and not yet written */
    uint64_t changes;      /* records committed since the last checkpoint */
    bool maint_running;
    bool maint_wanted; /* something to seal or to remove */
    struct vs_io_space space;
    uint64_t unused_bytes; /* preallocated, for health */
    int64_t tick_ns, checkpoint_ns;
    struct vs_job maint_job;
    bool ballast; /* the file is there */
    struct sb_scrubber scrubber;

    struct sb_append *group[SB_GROUP_MAX]; /* the committer's */
    /* under maint_lock */
    uint64_t ckpt_number; /* the highest in use */
    uint64_t ckpt_good;   /* the newest that is known to check; 0: none */
};

static inline struct sb_store *sb_store_of(struct chunk_store *s)
{
    return vs_container_of(s, struct sb_store, base);
}

/* ---- sb_store.c ---- */

/* Take the store down; the first sentence stays. */
void sb_store_fail(struct sb_store *s, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool sb_store_is_down(struct sb_store *s);
bool sb_store_is_readonly(struct sb_store *s);
/* `count` requests have been answered. */
void sb_store_leave(struct sb_store *s, unsigned count);
/* Look whether the directory is still there, and how much room is left. */
void sb_store_tick(struct sb_store *s);
/* Free bytes that puts must leave. */
uint64_t sb_store_reserve_bytes(const struct sb_store *s, const struct vs_io_space *space);

/* ---- sb_append.c ---- */

/* Under append_lock: make sure that the active file can take a record, making or growing one.
 * -ENOSPC without harm; -VS_EDOWN after a fatal error. */
int sb_append_room(struct sb_store *s, uint64_t payload_bytes, bool for_put);
/* Under append_lock and lock: the next place in the active file. */
void sb_append_reserve(struct sb_store *s, struct sb_append *a, uint64_t payload_bytes);
/* Write a reserved record. Errors are fatal for the store and set a->status. */
void sb_append_write(struct sb_store *s, struct sb_append *a, struct sb_record *rec,
                     const void *payload);
void sb_put_job(struct vs_job *job);
/* Close the active file for good; it gets its SEAL later. Under append_lock and lock. */
void sb_append_close_active(struct sb_store *s, bool to_seal);

/* ---- sb_commit.c ---- */

void *sb_commit_main(void *arg);
/* One group: true when there was something to do. */
bool sb_commit_once(struct sb_store *s);
/* Wait until all entries of s->tombs are durable (serial: write them). -ENOSPC, -VS_EDOWN. */
int sb_commit_tombs(struct sb_store *s);

/* Under append_lock and lock: everything before this offset of the file is durable and in the
 * index; the last sequence number before it. */
uint64_t sb_committed_to(const struct sb_store *s, const struct sb_file *f, uint64_t *ret_last_seq);
/* Under lock: requests that found their key busy try again. */
void sb_commit_later(struct sb_store *s);

/* ---- sb_delete.c ---- */

/* Write one TOMB for what waits, as an outstanding record; true when there was something to do. */
bool sb_delete_write(struct sb_store *s);
/* Under lock: the TOMB is durable, or the store is down. */
void sb_delete_apply(struct sb_store *s, struct sb_append *a);
/* Without locks: answer its requests; the number of them. */
unsigned sb_delete_answer(struct sb_append *a);
/* Under lock: queue the payload of the record at `offset` for punching. */
void sb_dead_add(struct sb_store *s, uint64_t sb, uint64_t offset, uint32_t payload_bytes);
/* The same by its blocks. */
void sb_dead_range(struct sb_store *s, uint64_t sb, uint64_t offset, uint64_t bytes);

/* ---- sb_read.c ---- */

void sb_get_job(struct vs_job *job);
void sb_stat_job(struct vs_job *job);
void sb_list_job(struct vs_job *job);
void sb_hold_job(struct vs_job *job);
int sb_hold_now(struct sb_store *s, struct store_hold *h);
void sb_hold_end(struct sb_store *s, struct store_hold *h);
/* Under lock: this place turned out to be damaged; false when the entry is not there any more. */
bool sb_mark_bad(struct sb_store *s, const struct frag_key *key, uint64_t birth);

/* ---- sb_maint.c ---- */

/* Under lock: is there anything to punch, seal, remove, or a checkpoint due? */
bool sb_maint_due(struct sb_store *s);
void sb_maint_job(struct vs_job *job);
/* Everything that is due. */
void sb_maint_run(struct sb_store *s);
/* Under maint_lock: punch what waits, `max` of it; seal what is full; remove what is dead. */
void sb_maint_punch(struct sb_store *s, unsigned max);
void sb_maint_seal(struct sb_store *s);
void sb_maint_remove(struct sb_store *s);
void sb_maint_ballast(struct sb_store *s);
/* Give the ballast's room away; true when there was some. */
bool sb_ballast_release(struct sb_store *s);

#endif
