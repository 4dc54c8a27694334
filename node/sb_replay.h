/* sb_replay: apply walked records to the index of a store that is being recovered, and settle what
 * can only be told when all files have been seen.
 *
 * Rules: for each key the highest birth wins; a TOMB kills lower births of its key, in whatever
 * order they are met. A bad record counts only if nothing later has replaced or killed it. */
#ifndef VS_NODE_SB_REPLAY_H
#define VS_NODE_SB_REPLAY_H

#include "node/sb_impl.h"
#include "node/sb_walk.h"

/* Something broken: a record, or a gap behind a record. */
struct sb_broken {
    struct frag_key key; /* DATA record; generation 0: TOMB, SEAL or gap */
    uint64_t sb, seq;    /* seq: of the record, or the first that the gap may have held */
    uint64_t run_seq;
    uint32_t offset_block;
};

/* What is known to have been durable, by run. */
struct sb_run {
    uint64_t run_seq, synced_seq;
};

struct sb_replay {
    struct sb_store *store; /* not serving yet */
    struct sb_recovery result;
    struct sb_file *file;  /* being walked */
    uint64_t walked_from;  /* the lowest file that had to be walked, 0: none */
    uint64_t apply_from;   /* records before are in the checkpoint */
    bool sealed, gaps;     /* the last record was its SEAL; something in it is broken */
    struct sb_tombs named; /* TOMB entries that were met */
    struct sb_broken *broken;
    uint32_t broken_count, broken_cap;
    struct sb_run *runs;
    uint32_t runs_count, runs_cap;
};

void sb_replay_init(struct sb_replay *rp, struct sb_store *s);
void sb_replay_close(struct sb_replay *rp);

/* A run's records are durable up to `synced_seq`. -ENOMEM */
int sb_replay_synced(struct sb_replay *rp, uint64_t run_seq, uint64_t synced_seq);

/* The first sequence number that a record of the file can have behind the record `seq`. */
uint64_t sb_replay_next_seq(const struct sb_file *f, uint64_t seq);

/* Remember something broken. -ENOMEM */
int sb_replay_broken(struct sb_replay *rp, const struct sb_broken *b);

/* Apply what the file holds behind `known` (NULL: all of it), by its SEAL or by walking it. Sets
 * state, records and last_seq of `f`. *ret_keep_bytes: where the file may be cut, everything behind
 * is zero. */
int sb_replay_file(struct sb_replay *rp, struct sb_file *f, struct vs_file *fd,
                   const struct sb_ckpt_file *known, uint64_t *ret_keep_bytes);

/* When all files have been seen: drop entries without bytes behind them, count what is broken, set
 * the counters of files and store. */
int sb_replay_settle(struct sb_replay *rp);

#endif
