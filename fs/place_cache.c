/* place_cache: see the header. */
#include "fs/place_cache.h"
#include "common/cleanup.h"

struct place_cache_entry {
    struct vs_id id;
    struct place_value value;
    struct vs_list age;
    UT_hash_handle hh;
};

void place_cache_init(struct place_cache *c)
{
    *c = (struct place_cache){ .by_id = NULL };
    pthread_mutex_init(&c->lock, NULL);
    vs_list_init(&c->age);
}

/* under c->lock */
static void place_cache_drop(struct place_cache *c, struct place_cache_entry *e)
{
    HASH_DEL(c->by_id, e);
    vs_list_del(&e->age);
    c->count--;
    free(e);
}

void place_cache_close(struct place_cache *c)
{
    while (!vs_list_empty(&c->age))
        place_cache_drop(c, vs_list_first(&c->age, struct place_cache_entry, age));
    pthread_mutex_destroy(&c->lock);
}

bool place_cache_get(struct place_cache *c, const struct vs_id *id, struct place_value *ret)
{
    struct place_cache_entry *e = NULL;

    VS_LOCK_SCOPE(&c->lock);
    HASH_FIND(hh, c->by_id, id, sizeof(*id), e);
    if (e != NULL)
        *ret = e->value;
    return e != NULL;
}

void place_cache_forget(struct place_cache *c, const struct vs_id *id)
{
    struct place_cache_entry *e = NULL;

    VS_LOCK_SCOPE(&c->lock);
    HASH_FIND(hh, c->by_id, id, sizeof(*id), e);
    if (e != NULL)
        place_cache_drop(c, e);
}

void place_cache_put(struct place_cache *c, const struct vs_id *id, const struct place_value *v)
{
    struct place_cache_entry *e = NULL;

    VS_LOCK_SCOPE(&c->lock);
    HASH_FIND(hh, c->by_id, id, sizeof(*id), e);
    if (e != NULL) {
        e->value = *v;
        return;
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return;
    if (c->count == PLACE_CACHE_MAX)
        place_cache_drop(c, vs_list_first(&c->age, struct place_cache_entry, age));
    e->id = *id;
    e->value = *v;
    HASH_ADD(hh, c->by_id, id, sizeof(e->id), e);
    vs_list_add_tail(&c->age, &e->age);
    c->count++;
}
