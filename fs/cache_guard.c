/* cache_guard: moments are numbers that count up with each note; see the header. A note is written
 * before the number that a later answer begins with can be read. */
#include "fs/cache_guard.h"

#include "common/mix.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct cache_guard {
    const struct vs_clock *clock;
    _Atomic uint64_t moment; /* notes so far */
    _Atomic uint64_t all;    /* the moment before which everything may be wrong */
    _Atomic int64_t until_ns;
    _Atomic uint64_t noted[CACHE_GUARD_SLOTS]; /* the last moment of whatever shares it */
};

int cache_guard_new(struct cache_guard **ret, const struct vs_clock *clock)
{
    struct cache_guard *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return -ENOMEM;
    g->clock = clock;
    *ret = g;
    return 0;
}

void cache_guard_free(struct cache_guard *g)
{
    free(g);
}

static unsigned slot_inode(uint64_t ino)
{
    return vs_mix64(ino) % CACHE_GUARD_SLOTS;
}

static unsigned slot_name(uint64_t dir, const char *name, size_t len)
{
    uint64_t h = vs_mix64(~dir);

    for (size_t n = 0; n < len; n++)
        h = vs_mix64(h ^ (uint8_t)name[n]);
    return h % CACHE_GUARD_SLOTS;
}

uint64_t cache_guard_moment(const struct cache_guard *g)
{
    return g != NULL ? atomic_load(&g->moment) : 0;
}

int64_t cache_guard_until_ns(const struct cache_guard *g)
{
    return atomic_load(&g->until_ns);
}

bool cache_guard_is_live(const struct cache_guard *g)
{
    return g == NULL || vs_now_ns(g->clock) < atomic_load(&g->until_ns);
}

static bool is_kept(const struct cache_guard *g, unsigned slot, uint64_t since)
{
    return cache_guard_is_live(g) && atomic_load(&g->noted[slot]) <= since &&
           atomic_load(&g->all) <= since;
}

bool cache_guard_inode(const struct cache_guard *g, uint64_t ino, uint64_t since)
{
    return g == NULL || is_kept(g, slot_inode(ino), since);
}

bool cache_guard_name(const struct cache_guard *g, uint64_t dir, const char *name, size_t len,
                      uint64_t since)
{
    return g == NULL || is_kept(g, slot_name(dir, name, len), since);
}

/* The slot's moment is one that nobody who has begun by now knows. */
static void note(struct cache_guard *g, _Atomic uint64_t *slot)
{
    atomic_store(slot, atomic_load(&g->moment) + 1);
    atomic_fetch_add(&g->moment, 1);
}

void cache_guard_note_inode(struct cache_guard *g, uint64_t ino)
{
    note(g, &g->noted[slot_inode(ino)]);
}

void cache_guard_note_name(struct cache_guard *g, uint64_t dir, const char *name, size_t len)
{
    note(g, &g->noted[slot_name(dir, name, len)]);
}

void cache_guard_note_all(struct cache_guard *g)
{
    note(g, &g->all);
}

void cache_guard_heard(struct cache_guard *g, int64_t at_ns)
{
    atomic_store(&g->until_ns, at_ns > 0 ? at_ns + CACHE_GUARD_LIVE_NS : 0);
}
