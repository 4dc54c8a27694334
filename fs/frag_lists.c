/* frag_lists: see the header. */
#include "fs/frag_lists.h"
#include "common/assert.h"
#include "common/err.h"
#include "fs/waiter.h"
#include <stdlib.h>

#define WEAK_STORES_MIN 5 /* with fewer, a weaker form is the best there is */
#define WEAK_LOSSES     2

int frag_lists_open(struct frag_lists *l, struct store_set *stores, uint32_t page)
{
    *l = (struct frag_lists){ .count = stores->count, .page = page };
    VS_ASSERT(page >= FRAG_LISTS_PAGE_MIN && page <= FRAG_LISTS_PAGE_MAX);
    for (unsigned i = 0; i < l->count; i++) {
        struct frag_list *s = &l->list[i];
        struct store_health h;

        store_set_health(stores, i, &h);
        s->node = stores->entries[i].node;
        if (h.state != STORE_DOWN)
            s->store = store_set_get(stores, s->node);
        s->keys = calloc(page, sizeof(*s->keys));
        if (s->keys == NULL) {
            frag_lists_close(l);
            return -ENOMEM;
        }
    }
    return 0;
}

void frag_lists_close(struct frag_lists *l)
{
    for (unsigned i = 0; i < l->count; i++)
        free(l->list[i].keys);
    l->count = 0;
}

void frag_lists_forget(struct frag_lists *l)
{
    for (unsigned i = 0; i < l->count; i++)
        l->list[i].read = false;
}

struct list_wait {
    struct store_list list;
    struct waiter waiter;
};

static void list_done(struct store_list *l)
{
    waiter_wake(&vs_container_of(l, struct list_wait, list)->waiter);
}

/* Read the page that begins with `key`, if that is there. */
static void list_read(struct frag_list *s, uint32_t page, const struct frag_key *key)
{
    struct list_wait w = {
        .list = { .after = *key, .keys = s->keys, .keys_max = page, .done = list_done },
        .waiter = WAITER_INIT,
    };

    w.list.after.generation--; /* from 1: the key just before, which nothing has */
    chunk_store_list(s->store, &w.list);
    waiter_wait(&w.waiter);
    if (w.list.status < 0) {
        s->store = NULL; /* went down meanwhile */
        return;
    }
    s->after = w.list.after;
    s->count = w.list.keys_count;
    s->end = s->count < page;
    s->read = true;
}

/* Does the page in memory tell of this key? */
static bool list_covers(const struct frag_list *s, const struct frag_key *key)
{
    return s->read && frag_key_cmp(key, &s->after) > 0 &&
           (s->end || frag_key_cmp(key, &s->keys[s->count - 1]) <= 0);
}

static int key_cmp(const void *a, const void *b)
{
    return frag_key_cmp(a, b);
}

static bool list_has(struct frag_list *s, uint32_t page, const struct frag_key *key)
{
    if (s->store != NULL && !list_covers(s, key))
        list_read(s, page, key);
    return s->store != NULL && bsearch(key, s->keys, s->count, sizeof(*key), key_cmp) != NULL;
}

enum chunk_left frag_lists_judge(struct frag_lists *l, const struct vs_id *chunk,
                                 const struct place_value *v)
{
    unsigned total = (unsigned)v->red.k + v->red.m, there = 0;

    if (v->state != PLACE_LIVE)
        return CHUNK_LOST;
    for (unsigned f = 0; f < total; f++) {
        struct frag_key key = { *chunk, (uint8_t)f, v->frag[f].generation };

        for (unsigned i = 0; i < l->count; i++)
            if (l->list[i].node == v->frag[f].node && list_has(&l->list[i], l->page, &key))
                there++;
    }
    if (there < v->red.k)
        return CHUNK_LOST;
    if (there < total)
        return CHUNK_DEGRADED;
    return v->red.m < WEAK_LOSSES && l->count >= WEAK_STORES_MIN ? CHUNK_WEAK : CHUNK_WHOLE;
}
