/* The parts of a fetch: asked for, answered, judged; which others would do instead.
 *
 * Happy path: each wanted part is asked of its store and verified. Failure: a part of a store that
 * is down, or doubted (fs/fetch_doubt.h), counts as failed without being asked for; only when
 * nothing else helps is it asked for after all. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "fs/chunk_fetch_impl.h"
#include <string.h>

/* ---- counts of what is outstanding ---- */

bool fetch_settled_locked(struct chunk_fetch *f)
{
    VS_ASSERT(f->waiting > 0);
    f->waiting--;
    /* nothing is left to look at: the timer need not ring */
    if (f->waiting == 1 && f->hedging && vs_exec_cancel_after(f->env->exec, &f->hedge) == 1) {
        f->hedging = false;
        f->waiting = 0;
    }
    return f->waiting == 0;
}

bool fetch_settled(struct chunk_fetch *f)
{
    VS_LOCK_SCOPE(&f->lock);
    return fetch_settled_locked(f);
}

void fetch_hold(struct chunk_fetch *f)
{
    VS_LOCK_SCOPE(&f->lock);
    f->waiting++;
}

/* ---- an answer ---- */

/* Judge an answer; true when it was the last one outstanding. */
static bool fetch_part_judge(struct fetch_part *p, int status)
{
    struct chunk_fetch *f = p->fetch;

    if (status != -VS_EDOWN && status != -ECANCELED && p->entry < STORE_SET_MAX)
        fetch_doubt_answered(&f->env->doubt, p->entry, vs_now_ns(&vs_clock_system));
    if (status == 0)
        status = frag_verify(&p->get, f->place.frag[p->fragment].table_crc, f->frag_bytes);
    if (status == 0 && p->get.got_bytes != p->b - p->a)
        status = -VS_ECORRUPT;
    if (status == -VS_ECORRUPT)
        atomic_fetch_add(&f->env->stats.corrupt, 1);
    if (status < 0 && status != -VS_EDOWN && status != -ECANCELED)
        fetch_part_log(p, status);

    VS_LOCK_SCOPE(&f->lock);
    p->state = status == 0 ? PART_GOOD : PART_BAD;
    fetch_hedge_answered_locked(f);
    return fetch_settled_locked(f);
}

static void fetch_part_done(struct store_get *g)
{
    struct fetch_part *p = vs_container_of(g, struct fetch_part, get);
    struct chunk_fetch *f = p->fetch;

    if (fetch_part_judge(p, g->status))
        chunk_fetch_advance(f);
}

/* ---- asking ---- */

static unsigned fetch_entry(const struct chunk_fetch *f, unsigned fragment)
{
    const struct store_set *set = f->env->stores;

    for (unsigned i = 0; i < set->count; i++)
        if (set->entries[i].node == f->place.frag[fragment].node)
            return i;
    return STORE_SET_MAX;
}

/* Better not waited for: known to be down, or late with other reads. Only of stores far away: a
 * local one that is down says so at once. */
static bool fetch_doubted(struct chunk_fetch *f, unsigned entry)
{
    const struct chunk_store *store;
    struct store_health h;

    if (entry == STORE_SET_MAX)
        return true;
    store = atomic_load(&f->env->stores->entries[entry].store);
    if (store == NULL || store->ops->cancel == NULL)
        return store == NULL;
    store_set_health(f->env->stores, entry, &h);
    return h.state == STORE_DOWN ||
           fetch_doubt_is(&f->env->doubt, entry, vs_now_ns(&vs_clock_system));
}

static void fetch_part_ask(struct fetch_part *p)
{
    struct chunk_fetch *f = p->fetch;

    p->get = (struct store_get){
        .key = { .chunk = f->chunk.id,
                 .fragment = p->fragment,
                 .generation = f->place.frag[p->fragment].generation },
        .offset = p->a,
        .bytes = p->b - p->a,
        .dst = p->dst,
        .done = fetch_part_done,
    };
    {
        VS_LOCK_SCOPE(&f->lock);
        p->skipped = false;
        p->state = p->store != NULL ? PART_WAITING : PART_BAD;
        p->asked_ns = vs_now_ns(&vs_clock_system);
        f->waiting += p->store != NULL;
    }
    if (p->store == NULL)
        return;
    chunk_store_get(p->store, &p->get);

    VS_LOCK_SCOPE(&f->lock); /* it is still there: our caller holds a count */
    p->sent = true;
    fetch_hedge_answered_locked(f);
}

int fetch_part_start(struct chunk_fetch *f, unsigned fragment, uint32_t a, uint32_t b, uint8_t *dst,
                     bool wanted)
{
    struct fetch_part *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return -ENOMEM;
    *p = (struct fetch_part){
        .fetch = f,
        .fragment = (uint8_t)fragment,
        .wanted = wanted,
        .state = PART_BAD,
        .a = a,
        .b = b,
        .entry = fetch_entry(f, fragment),
    };
    vs_list_init(&p->link);
    if (dst == NULL) {
        p->mem = chunk_bytes_new(f->env->mem, b - a);
        if (p->mem == NULL) {
            free(p);
            return -ENOMEM;
        }
        dst = p->mem->data;
    }
    p->dst = dst;
    if (p->entry < STORE_SET_MAX)
        p->store = atomic_load(&f->env->stores->entries[p->entry].store);
    p->skipped = wanted && p->store != NULL && fetch_doubted(f, p->entry);
    {
        VS_LOCK_SCOPE(&f->lock);
        vs_list_add_tail(&f->parts, &p->link);
    }
    if (!p->skipped)
        fetch_part_ask(p);
    return 0;
}

/* ---- what else would do ---- */

unsigned fetch_sources(struct chunk_fetch *f, const struct fetch_part *p, uint8_t have[],
                       const uint8_t *src[])
{
    unsigned count = 0, k = f->place.red.k;
    uint32_t seen = 0;
    struct vs_list *pos, *tmp;

    fetch_each_part(pos, tmp, f)
    {
        const struct fetch_part *q = vs_container_of(pos, struct fetch_part, link);

        if (count == k || q == p || q->state != PART_GOOD || q->a > p->a || q->b < p->b ||
            q->fragment == p->fragment || (seen & (1u << q->fragment)) != 0)
            continue;
        seen |= 1u << q->fragment;
        have[count] = q->fragment;
        src[count++] = q->dst + (p->a - q->a);
    }
    return count;
}

const uint8_t *fetch_same(struct chunk_fetch *f, const struct fetch_part *p)
{
    struct vs_list *pos, *tmp;

    fetch_each_part(pos, tmp, f)
    {
        const struct fetch_part *q = vs_container_of(pos, struct fetch_part, link);

        if (q != p && q->fragment == p->fragment && q->state == PART_GOOD && q->a <= p->a &&
            q->b >= p->b)
            return q->dst + (p->a - q->a);
    }
    return NULL;
}

/* The part of fragment `n` with the range of `p`, asked for or skipped; NULL: none yet. */
static struct fetch_part *fetch_find(struct chunk_fetch *f, const struct fetch_part *p, unsigned n)
{
    struct vs_list *pos, *tmp;

    fetch_each_part(pos, tmp, f)
    {
        struct fetch_part *q = vs_container_of(pos, struct fetch_part, link);

        if (q->fragment == n && q->a <= p->a && q->b >= p->b)
            return q;
    }
    return NULL;
}

int fetch_more(struct chunk_fetch *f, struct fetch_part *p, unsigned lacking)
{
    unsigned n_max = (unsigned)f->place.red.k + f->place.red.m, asked = 0;

    for (unsigned pass = 0; pass < 2 && asked < lacking; pass++) {
        if (pass == 1 && p->skipped) { /* itself is as good as all that are lacking */
            fetch_part_ask(p);
            return (int)asked + 1;
        }
        for (unsigned n = 0; n < n_max && asked < lacking; n++) {
            struct fetch_part *q = fetch_find(f, p, n);
            int r = 0;

            if (n == p->fragment || (q != NULL && (!q->skipped || pass == 0)) ||
                (q == NULL && pass == 0 && fetch_doubted(f, fetch_entry(f, n))))
                continue;
            if (q != NULL)
                fetch_part_ask(q);
            else
                r = fetch_part_start(f, n, p->a, p->b, NULL, false);
            if (r < 0)
                return r;
            asked++;
        }
    }
    return (int)asked;
}
