/* store_watch: see the header. Failure: none; a look that comes late says later what has changed.
 */
#include "fs/store_watch.h"
#include "common/err.h"
#include "common/log.h"
#include "common/periodic.h"
#include <stdlib.h>

struct store_watch {
    struct vsfs *fs;
    struct vs_periodic turn;
    uint8_t state[STORE_SET_MAX]; /* enum store_state; the turn's own */
    uint64_t asked;               /* to be audited since it last ended well; the turn's own */
};

static void watch_say(const struct store_set *set, unsigned i, const struct store_health *h)
{
    const char *name = set->entries[i].name;
    char path[STORE_SET_PATH_BYTES];

    store_set_path(set, i, path);
    if (h->state == STORE_UP)
        vs_info("store %s (%s): it is up again", name, path);
    else if (h->state == STORE_READONLY)
        vs_warn("store %s (%s): %s -> it is read, new films go to the others; see vstackfs status",
                name, path, h->why);
    else
        vs_error("store %s (%s): %s -> the others serve its films; see vstackfs status", name, path,
                 h->why);
}

/* It is up, and something should have gone while it was not, maybe too shortly for us to see: that
 * goes now. Once; when that ends badly, again when it is back another time. */
static void watch_catch_up(struct store_watch *w, unsigned i, bool is_back)
{
    uint64_t bit = UINT64_C(1) << i;

    if ((collect_unaudited(w->fs->collect) & bit) == 0 || ((w->asked & bit) != 0 && !is_back))
        return;
    w->asked |= bit;
    collect_audit(w->fs->collect, i);
}

static void watch_look(struct store_watch *w, bool say)
{
    uint64_t unaudited = w->fs->collect != NULL ? collect_unaudited(w->fs->collect) : 0;

    w->asked = say ? w->asked & unaudited : unaudited; /* the start has asked for those of before */
    for (unsigned i = 0; i < w->fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&w->fs->stores, i, &h);
        if (say && h.state != w->state[i])
            watch_say(&w->fs->stores, i, &h);
        if (say && h.state == STORE_UP && w->fs->collect != NULL)
            watch_catch_up(w, i, w->state[i] != STORE_UP);
        w->state[i] = (uint8_t)h.state;
    }
}

static void watch_turn(struct vs_periodic *p)
{
    watch_look(vs_container_of(p, struct store_watch, turn), true);
}

int store_watch_start(struct store_watch **ret, struct vsfs *fs)
{
    struct store_watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return -ENOMEM;
    w->fs = fs;
    watch_look(w, false);
    *ret = w;
    vs_periodic_start(&w->turn, fs->ops, STORE_WATCH_S * VS_NS_PER_S, STORE_WATCH_S * VS_NS_PER_S,
                      watch_turn);
    return 0;
}

void store_watch_stop(struct store_watch *w)
{
    if (w == NULL)
        return;
    vs_periodic_stop(&w->turn);
    free(w);
}
