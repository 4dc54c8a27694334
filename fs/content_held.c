/* content_held: see the header. A content and a load of the same inode share a bucket; the lock is
 * held for a few steps only, and nothing is called under it. */
#include "fs/content_held.h"

#include "common/cleanup.h"
#include "common/mix.h"

#include <pthread.h>

#define HELD_BUCKETS 1024

/* Zeroed lists are made when first used. */
static struct {
    pthread_mutex_t lock;
    struct {
        struct vs_list contents, loads;
    } bucket[HELD_BUCKETS];
} held = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct vs_list *list_of(struct vs_list *list)
{
    if (list->next == NULL)
        vs_list_init(list);
    return list;
}

static unsigned bucket_of(uint64_t ino)
{
    return vs_mix64(ino) % HELD_BUCKETS;
}

void content_held_load(struct content_load *l)
{
    VS_LOCK_SCOPE(&held.lock);
    l->replaced_below = 0;
    vs_list_add_tail(list_of(&held.bucket[bucket_of(l->ino)].loads), &l->held);
}

void content_held_loaded(struct content_load *l, struct content *c)
{
    VS_LOCK_SCOPE(&held.lock);
    vs_list_del(&l->held);
    if (c == NULL)
        return;
    c->replaced = c->version < l->replaced_below;
    vs_list_add_tail(list_of(&held.bucket[bucket_of(c->ino)].contents), &c->held);
}

void content_held_made(struct content *c)
{
    VS_LOCK_SCOPE(&held.lock);
    vs_list_add_tail(list_of(&held.bucket[bucket_of(c->ino)].contents), &c->held);
}

void content_held_end(struct content *c)
{
    VS_LOCK_SCOPE(&held.lock);
    vs_list_del(&c->held);
}

/* ---- replaced ---- */

static bool concerns(const struct meta_client *meta, uint64_t ino, const struct meta_client *of,
                     uint64_t its_ino)
{
    return meta == of && (ino == 0 || ino == its_ino);
}

/* Under held.lock. */
static void replaced_in(unsigned b, const struct meta_client *meta, uint64_t ino, uint64_t version)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, list_of(&held.bucket[b].contents)) {
        struct content *c = vs_container_of(pos, struct content, held);

        if (concerns(meta, ino, c->meta, c->ino) && c->version < version)
            c->replaced = true;
    }
    vs_list_for_each (pos, next, list_of(&held.bucket[b].loads)) {
        struct content_load *l = vs_container_of(pos, struct content_load, held);

        if (concerns(meta, ino, l->meta, l->ino) && l->replaced_below < version)
            l->replaced_below = version;
    }
}

void content_replaced(struct meta_client *meta, uint64_t ino, uint64_t version)
{
    VS_LOCK_SCOPE(&held.lock);
    if (ino != 0) {
        replaced_in(bucket_of(ino), meta, ino, version);
        return;
    }
    for (unsigned b = 0; b < HELD_BUCKETS; b++)
        replaced_in(b, meta, 0, version);
}

/* ---- in use ---- */

struct held_list {
    uint64_t *inos;
    unsigned count, max;
};

static void held_add(struct held_list *l, uint64_t ino)
{
    for (unsigned n = 0; n < l->count && n < l->max; n++)
        if (l->inos[n] == ino)
            return;
    if (l->count < l->max)
        l->inos[l->count] = ino;
    if (l->count <= l->max)
        l->count++;
}

unsigned content_held(struct meta_client *meta, uint64_t *inos, unsigned max)
{
    struct held_list l = { .inos = inos, .max = max };
    struct vs_list *pos, *next;
    VS_LOCK_SCOPE(&held.lock);

    for (unsigned b = 0; b < HELD_BUCKETS; b++) {
        vs_list_for_each (pos, next, list_of(&held.bucket[b].contents)) {
            const struct content *c = vs_container_of(pos, struct content, held);

            if (c->meta == meta && c->replaced && c->kind == NS_CONTENT_CHUNKS)
                held_add(&l, c->ino);
        }
        vs_list_for_each (pos, next, list_of(&held.bucket[b].loads)) {
            const struct content_load *load = vs_container_of(pos, struct content_load, held);

            if (load->meta == meta && load->replaced_below > 0)
                held_add(&l, load->ino);
        }
    }
    return l.count;
}
