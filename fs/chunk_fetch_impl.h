/* What the files of a fetch share: its parts, and how they are asked for. For fs/chunk_fetch*.c. */
#ifndef VS_FS_CHUNK_FETCH_IMPL_H
#define VS_FS_CHUNK_FETCH_IMPL_H

#include "fs/chunk_fetch.h"

enum fetch_part_state { PART_WAITING, PART_GOOD, PART_BAD };

/* One fragment's blocks [a, b). */
struct fetch_part {
    struct chunk_fetch *fetch;
    struct store_get get;
    struct chunk_store *store;   /* it was asked of; NULL: down */
    unsigned entry;              /* of the set; STORE_SET_MAX: unknown node */
    int64_t asked_ns;            /* 0: not asked */
    enum fetch_part_state state; /* under f->lock while answers are outstanding */
    bool wanted;                 /* the range needs it; else only to rebuild others */
    bool skipped;                /* its store is doubted: asked only if nothing else helps */
    bool late;                   /* others are asked in its place */
    bool sent;                   /* its store has it: it can be cancelled */
    bool cancelled;
    uint8_t fragment;
    uint32_t a, b;           /* byte range in the fragment: whole blocks, or up to its end */
    uint8_t *dst;            /* b - a bytes */
    struct chunk_bytes *mem; /* what holds dst, when it is not the fetch's own */
    struct vs_list link;
};

#define fetch_each_part(pos, tmp, f) vs_list_for_each (pos, tmp, &(f)->parts)

/* ---- chunk_fetch.c ---- */

/* Nothing is outstanding: the calling thread alone has the fetch. */
void chunk_fetch_advance(struct chunk_fetch *f);
/* At most one line per store and second. */
void fetch_part_log(const struct fetch_part *p, int status);

/* ---- chunk_fetch_part.c ---- */

/* Add a part and ask for it; `dst` NULL: memory of its own. Its answer counts in f->waiting; the
 * caller holds one count of its own. -ENOMEM. */
int fetch_part_start(struct chunk_fetch *f, unsigned fragment, uint32_t a, uint32_t b, uint8_t *dst,
                     bool wanted);
/* Good parts that cover the range of `p`, one per fragment, at most k; how many. */
unsigned fetch_sources(struct chunk_fetch *f, const struct fetch_part *p, uint8_t have[],
                       const uint8_t *src[]);
/* The same bytes, where the fragment of `p` came good to rebuild another one; or NULL. */
const uint8_t *fetch_same(struct chunk_fetch *f, const struct fetch_part *p);
/* Ask for `lacking` more fragments of the range of `p`, first of stores that are not doubted, at
 * last `p` itself if it was skipped. How many were asked for; -ENOMEM. */
int fetch_more(struct chunk_fetch *f, struct fetch_part *p, unsigned lacking);

/* A count of the caller's own in f->waiting. Given back: true when nothing else is outstanding. */
void fetch_hold(struct chunk_fetch *f);
bool fetch_settled(struct chunk_fetch *f);
/* The same, under f->lock. */
bool fetch_settled_locked(struct chunk_fetch *f);

/* ---- chunk_fetch_hedge.c ---- */

/* Parts are outstanding: look at them in a while. The caller holds a count. */
void fetch_hedge_arm(struct chunk_fetch *f);
/* An answer came: what is not needed any more is cancelled. Under f->lock. */
void fetch_hedge_answered_locked(struct chunk_fetch *f);

#endif
