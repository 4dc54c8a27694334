/* store_twist: a chunk store in front of another one, whose requests and answers a test may change:
 * a store that answers garbage, another fragment, another list. For tests. */
#ifndef VS_TESTS_STORE_TWIST_H
#define VS_TESTS_STORE_TWIST_H

#include "node/store_set.h"

/* All may be NULL. They run on the threads that submit and answer, also several at once. */
struct store_twist {
    void *arg;
    void (*asked)(void *arg, struct store_get *g);      /* before the inner store gets it */
    void (*answered)(void *arg, struct store_get *g);   /* before `done`; key as it was asked */
    void (*listed)(void *arg, struct store_list *l);    /* before `done` */
    void (*healthy)(void *arg, struct store_health *h); /* what the inner store says */
};

/* `inner` is owned: stopped with this one. */
struct chunk_store *store_twist_new(struct chunk_store *inner);
/* In front of the store that entry `i` has: it becomes the entry's. */
struct chunk_store *store_twist_entry(struct store_set *set, unsigned i);
/* From the next request on; NULL: pass all on. */
void store_twist_set(struct chunk_store *s, const struct store_twist *twist);
/* Requests so far. */
unsigned store_twist_gets(struct chunk_store *s);
unsigned store_twist_lists(struct chunk_store *s);

#endif
