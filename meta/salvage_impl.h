/* What the files of salvage share: the stores as scanned, the commits that they tell of, the
 * directory in the making. */
#ifndef VS_META_SALVAGE_IMPL_H
#define VS_META_SALVAGE_IMPL_H

#include "meta/manifest.h"
#include "meta/meta_rebuild.h"
#include "meta/ns_apply.h"
#include "meta/ns_record.h"
#include "meta/place_value.h"
#include "meta/salvage.h"
#include "meta/segment_note.h"
#include "node/sb_scan.h"

struct salvage_store {
    struct sb_scan scan;
    char path[256];
    uint32_t node; /* its number; 0: not known yet */
};

/* A segment that some store has a copy of. */
struct salvage_note {
    struct vs_id id;
    struct vs_buf bytes;
    struct segment_note note; /* points into bytes */
};

/* What is left of a chunk. */
struct salvage_chunk {
    struct place_value value; /* where no fragment was found, the node is made up */
    unsigned have;            /* fragments found */
    struct {
        unsigned store; /* index */
        const struct sb_scan_frag *frag;
    } at[VS_EC_N_MAX]; /* frag NULL: not found */
};

struct salvage {
    const struct salvage_config *config;
    struct salvage_result *result;
    char *why;
    struct salvage_store stores[STORE_SET_MAX];
    unsigned store_count;
    struct vs_id cluster;
    struct salvage_note *notes; /* ascending by id */
    size_t note_count;
    uint64_t *inodes; /* that some fragment of a chunk belongs to, ascending */
    size_t inode_count;
    struct meta_rebuild rebuild;
    struct ns_apply *apply;
    struct ns_state base;           /* of the copy, as it was; slot 0: none */
    uint32_t absent[STORE_SET_MAX]; /* numbers of nodes whose store was not given */
    unsigned absent_count;
    uint32_t node_last; /* highest number of a node */
};

/* ---- salvage_stores.c ---- */
/* Scan what the directories hold; gather the notes. */
int salvage_stores_open(struct salvage *s);
void salvage_stores_close(struct salvage *s);
const struct salvage_note *salvage_note_find(const struct salvage *s, const struct vs_id *id);
/* Does a fragment of a chunk of this inode exist anywhere? */
bool salvage_inode_seen(const struct salvage *s, uint64_t ino);

/* ---- salvage_chunk.c ---- */
/* The best that can be made of the chunk's fragments: 0, or -ENOENT when too few are left. */
int salvage_chunk_find(const struct salvage *s, const struct vs_id *id, struct salvage_chunk *ret);
/* Its bytes as far as the records of its fragments vouch for them: chunk_bytes into dst.
 * -VS_ECORRUPT, -ENOMEM */
int salvage_chunk_bytes(struct salvage *s, const struct salvage_chunk *c, uint8_t *dst);
/* The same, checked: `bytes` into dst. -VS_ECORRUPT, -VS_EDEGRADED, -ENOMEM */
int salvage_chunk_read(struct salvage *s, const struct mf_chunk *chunk, uint8_t *dst);
/* All chunks of a head, in order, on the heap. -ENOENT: a segment is missing; -ENOMEM. */
int salvage_head_chunks(const struct salvage *s, const struct mf_head *head, struct mf_chunk **ret,
                        size_t *ret_count);
/* Every chunk can be rebuilt: 0; -ENOENT: not. */
int salvage_head_whole(const struct salvage *s, const struct mf_head *head);

/* ---- salvage_base.c ---- */
/* The newest copy of the metadata that is whole goes into the namespace; none: an empty one. */
int salvage_base_load(struct salvage *s);
/* ---- salvage_tail.c ---- */
/* What the journal held behind the copy, onto it. */
int salvage_tail_apply(struct salvage *s);

/* ---- salvage_base.c ---- */
/* Nodes get their numbers, counters go beyond all that was seen, the applier is made. */
int salvage_base_ready(struct salvage *s);
/* What only the making needed goes. */
int salvage_base_end(struct salvage *s);
/* One entry onto the namespace: its answer's status; -EIO and worse end it all. */
int salvage_apply(struct salvage *s, struct ns_entry *e, struct ns_answer *ret);

/* ---- salvage_files.c ---- */
/* Files that were committed after the copy. */
int salvage_files_merge(struct salvage *s);

/* ---- salvage_regs.c ---- */
/* Registers of all that is linked; what is lost is told. */
int salvage_regs_make(struct salvage *s);

/* ---- salvage.c ---- */
void salvage_say(struct salvage *s, enum salvage_word word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Why it ends here; returns `r`. */
int salvage_fail(struct salvage *s, int r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
