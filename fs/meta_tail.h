/* meta_tail: the tail of the copy of the metadata that the stores keep (fs/meta_copy.h): the
 * journal's entries since that copy was made, a few at a time, each batch a chunk of its own,
 * coded and placed like any other (meta/tail_record.h). So the stores alone know what happened up
 * to META_TAIL_GATHER_MS and one write ago.
 *
 * The chunks are of no file: they belong to a session that stays open, and go when it is aborted,
 * once a newer copy has made it needless. They cost no journal entry, but for the ids, which are
 * reserved a few hundred at a time; and entries of the program's own (tail_is_quiet()) wait for the
 * next one that somebody would miss.
 *
 * Happy path: a thread follows the journal (META_ENTRIES) and writes. The maker of copies turns to
 * a new session before each copy, so that the copy knows it, and says when the copy is in place.
 * Failure: what could not be written is tried again; when entries were missed meanwhile, the tail
 * ends there, and a new copy is due (meta_tail_broken()).
 *
 * Of several mounts one keeps it: whose session is the newest, as long as that mount lives
 * (fs/mount_lease.h). It notes in the metadata how far it is, so that the others can tell.
 *
 * Threads: any. Locks: t->writing, then t->lock. */
#ifndef VS_FS_META_TAIL_H
#define VS_FS_META_TAIL_H

#include "fs/vsfs.h"

#define META_TAIL_GATHER_MS     100
#define META_TAIL_QUIET_BYTES   (1u << 20)  /* of entries nobody would miss; more are written */
#define META_TAIL_PENDING_BYTES (32u << 20) /* read and not written yet; more are read later */
#define META_TAIL_FRAG_BYTES    8192        /* the least that a fragment of a record takes */
#define META_TAIL_RETRY_MS      1000

struct meta_tail;

/* wake: called when a copy may be due; on the tail's thread. */
int meta_tail_start(struct meta_tail **ret, struct vsfs *fs, void (*wake)(void *arg), void *arg);
/* Writes what is left. Its sessions stay open. Forgives NULL. */
void meta_tail_stop(struct meta_tail *t);

struct meta_tail_state {
    bool is_ours;     /* this mount is to keep it */
    bool is_based;    /* a copy in place and the tail together lack nothing that is older than
                         what waits to be written */
    bool is_missed;   /* not based, and something has changed that somebody would miss */
    int64_t since_ns; /* is_based is so since */
    uint64_t stored;  /* bytes on the stores since the copy */
};
void meta_tail_look(struct meta_tail *t, struct meta_tail_state *ret);

/* From now on in a new session, which a copy made behind slot *ret_slot knows. (waits) */
int meta_tail_turn(struct meta_tail *t, uint64_t *ret_slot);
/* That copy is in place: sessions before it go. (waits) */
void meta_tail_based(struct meta_tail *t);
/* A copy is in place and nothing changes any more: all sessions go. (waits) */
void meta_tail_drop(struct vsfs *fs);

/* How much would be missing if the metadata were lost now: ms since the oldest change that the
 * stores lack; 0: they lack none. (waits) */
int64_t meta_tail_lag_ms(struct meta_tail *t);

#endif
