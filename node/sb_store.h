/* sb_store: the superblock store, one directory of append-only files (docs/FORMAT.md).
 *
 * Happy path: a put reserves its place in the active superblock file, writes one self-describing
 * record, joins the group commit (one fdatasync for all that wait), enters the index and answers.
 * Failure: any error of a write or a sync is fatal for the store: it goes down, says why, answers
 * -VS_EDOWN to everything, and is usable again only after it has been opened anew. Two runs ended
 * so by the disk within an hour, and the next ones are STORE_READONLY (puts are -EROFS) until the
 * file `faults` is removed from the directory.
 *
 * A store directory is made once, by sb_store_format(), and carries the cluster's and its own uuid;
 * a directory that is empty or carries other uuids is refused, never initialised again by itself.
 *
 * Threads: the chunk_store calls from any thread; each store has its own bounded I/O threads. */
#ifndef VS_NODE_SB_STORE_H
#define VS_NODE_SB_STORE_H

#include "common/clock.h"
#include "common/file_io.h"
#include "node/chunk_store.h"

#define SB_FILE_BYTES_MIN     (64ull << 20)
#define SB_FILE_BYTES_MAX     (1ull << 30)
#define SB_IO_THREADS_DEFAULT 2

struct sb_store_config {
    struct vs_io *io;         /* the directory; owned by the store from open on, also on failure */
    struct vs_id cluster;     /* uuid of the cluster; must match the directory's */
    struct vs_id node;        /* uuid of this store; must match the directory's */
    uint64_t file_bytes;      /* size of a superblock file; 0: clamp(file system / 256, MIN, MAX) */
    unsigned reserve_percent; /* of the file system kept free from puts; 0 .. 50 */
    unsigned io_threads;      /* 0: SB_IO_THREADS_DEFAULT */
    unsigned gather_us;       /* how long a group commit waits for company; 0: do not wait */
    unsigned checkpoint_s;    /* seconds between checkpoints; 0: 60 */
    uint64_t scrub_bytes_s;   /* scrub in the background, this fast; 0: only when asked */
    unsigned scrub_period_s;  /* from pass to pass; 0: 14 days */
    bool check_sha;           /* verify sha256 of a put before storing it (bytes came from afar) */
    bool serial;              /* no threads: tests drive it with sb_store_run() */
    const struct vs_clock *clock;
};

struct sb_recovery {
    uint64_t files, records, fragments; /* walked, applied, live afterwards */
    uint64_t corrupt; /* records at or below the acknowledged sequence that failed */
    uint64_t unknown; /* bad records above it: reported, decided by the registers */
    bool clean;       /* the last stop was a clean one */
    bool from_checkpoint;
};

/* Make an empty store in an empty directory (lost+found is allowed). Synced when it returns.
 * -ENOTEMPTY, -EOPNOTSUPP the file system cannot punch holes, or an I/O error. */
int sb_store_format(struct vs_io *io, const struct vs_id *cluster, const struct vs_id *node);

/* Undo sb_store_format(): an empty directory again, synced. 0 also when there is no store.
 * -ENOTEMPTY something was written in it since; -ESTALE the store of another cluster. */
int sb_store_unformat(struct vs_io *io, const struct vs_id *cluster);

/* uuids of the store in a directory: -ENOENT when there is none (empty or missing files),
 * -VS_ENEWER, -VS_ECORRUPT. */
int sb_store_identify(struct vs_io *io, struct vs_id *ret_cluster, struct vs_id *ret_node);

/* Open and recover. -ENOENT no store here; -ESTALE other uuids; -VS_ENEWER; I/O errors.
 * `ret_recovery` may be NULL. */
int sb_store_open(struct chunk_store **ret, const struct sb_store_config *config,
                  struct sb_recovery *ret_recovery);

/* Serial mode: do all queued work, completions included. */
void sb_store_run(struct chunk_store *s);

/* Write a checkpoint now. Blocks. */
int sb_store_checkpoint(struct chunk_store *s);

typedef void sb_scrub_bad_fn(void *arg, const struct frag_key *key);
/* Read every live payload of the store and compare all its checksums, headers and padding
 * included. `bad` (may be NULL) is called for each fragment that fails. The number of bad ones, or
 * a negative code. Blocks; yields between records. */
int sb_store_scrub(struct chunk_store *s, sb_scrub_bad_fn *bad, void *arg);
/* Call `bad` for each fragment that is already known to be damaged (recovery, scrub, a get that
 * could not be answered); their number. A put of such a key replaces it. */
int sb_store_known_bad(struct chunk_store *s, sb_scrub_bad_fn *bad, void *arg);

/* The scrub in the background: passes over all files, newest first; what an unclean start has
 * brought in comes before that. A pass goes on where the last run of the store left it, by files.
 * All zero while scrub_bytes_s is 0 and nothing was stepped. */
struct sb_scrub_progress {
    uint64_t pass;        /* number of the pass, from 1 */
    bool running;         /* this pass has not come to its end yet */
    uint64_t done_bytes;  /* of this pass */
    uint64_t total_bytes; /* of this pass: done, and still to be read */
    uint64_t began_ns;    /* of this pass; since 1970 */
    uint64_t ended_ns;    /* of the last pass that came to its end; 0: none did */
    uint64_t read_bytes;  /* since the store was opened */
    uint64_t found;       /* that did not check, since the store was opened */
};
/* What is known now; does not block on a disk. */
void sb_store_scrub_progress(struct chunk_store *s, struct sb_scrub_progress *ret);
/* Serial mode: read the next file of the pass; 1, or 0 when nothing is to be done now. */
int sb_store_scrub_step(struct chunk_store *s);

#endif
