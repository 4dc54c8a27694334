/* frag_lists: what is left of a chunk: which of its fragments do the stores list?
 *
 * Each store's list is read a page at a time, from the key that is asked for; who asks in ascending
 * order of ids reads each list once. A fragment counts as there when its store is up and lists it;
 * what is rotten on the disk only a scrub can tell.
 *
 * What a page says is as old as the page. A register must not be held against a list that was read
 * before it: a chunk written in between would seem lost. So: read registers, frag_lists_forget(),
 * judge; and what is not whole deserves a second look at its register, since a chunk deleted in
 * between seems lost as well.
 *
 * Waits for the stores: ops threads. Threads: one at a time. */
#ifndef VS_FS_FRAG_LISTS_H
#define VS_FS_FRAG_LISTS_H

#include "meta/place_value.h"
#include "node/store_set.h"

#define FRAG_LISTS_PAGE_MIN 16
#define FRAG_LISTS_PAGE_MAX 1024

struct frag_list {
    struct chunk_store *store; /* lent; NULL: down */
    uint32_t node;
    struct frag_key *keys; /* the page: everything behind `after` up to its last key */
    struct frag_key after;
    uint32_t count;
    bool read; /* there is a page */
    bool end;  /* and nothing behind it */
};

struct frag_lists {
    unsigned count;
    uint32_t page;
    struct frag_list list[STORE_SET_MAX];
};

/* `page` keys at a time, within the limits above. -ENOMEM: closed again. */
int frag_lists_open(struct frag_lists *l, struct store_set *stores, uint32_t page);
void frag_lists_close(struct frag_lists *l);
/* Read the lists anew from here on. */
void frag_lists_forget(struct frag_lists *l);

enum chunk_left {
    CHUNK_WHOLE,
    CHUNK_WEAK,     /* whole, in a form that survives the loss of fewer than two of five stores */
    CHUNK_DEGRADED, /* fragments are missing, it can be read */
    CHUNK_LOST,     /* fewer than k fragments, or its register says nothing of it */
};

enum chunk_left frag_lists_judge(struct frag_lists *l, const struct vs_id *chunk,
                                 const struct place_value *v);

#endif
