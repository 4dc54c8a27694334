/* A fetch that waits too long for a store asks others instead.
 *
 * Happy path: all answers come before the timer rings, which is taken back. Failure: a part that is
 * late is doubted, and enough other fragments are asked for to do without it; whichever way is
 * complete first wins, and what is not needed any more is cancelled. A late part is not given up:
 * where too few others are left, it is waited for as long as its store takes.
 *
 * The timer counts in f->waiting like a part, so that a fetch does not end under it. Only stores
 * that can cancel a get are hedged: the memory it writes to must be ours again before we go on. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "fs/chunk_fetch_impl.h"

#define FETCH_HEDGE_NS (500 * VS_NS_PER_MS)

static int64_t hedge_ns(const struct chunk_fetch *f)
{
    return f->env->hedge_ns > 0 ? f->env->hedge_ns : FETCH_HEDGE_NS;
}

static struct fetch_part *part_of(struct vs_list *pos)
{
    return vs_container_of(pos, struct fetch_part, link);
}

static bool can_cancel(const struct fetch_part *p)
{
    return p->state == PART_WAITING && p->sent && p->store->ops->cancel != NULL;
}

/* ---- enough ---- */

/* Is every wanted part there, or could be rebuilt from those that are? Under f->lock. */
static bool hedge_enough_locked(struct chunk_fetch *f)
{
    const uint8_t *src[VS_EC_N_MAX];
    uint8_t have[VS_EC_N_MAX];
    struct vs_list *pos, *tmp;

    fetch_each_part(pos, tmp, f)
    {
        const struct fetch_part *p = part_of(pos);

        if (p->wanted && p->state != PART_GOOD && fetch_same(f, p) == NULL &&
            fetch_sources(f, p, have, src) < f->place.red.k)
            return false;
    }
    return true;
}

void fetch_hedge_answered_locked(struct chunk_fetch *f)
{
    struct vs_list *pos, *tmp;

    if (!f->hedged || !hedge_enough_locked(f))
        return;
    fetch_each_part(pos, tmp, f)
    {
        struct fetch_part *p = part_of(pos);

        if (!can_cancel(p) || p->cancelled)
            continue;
        p->cancelled = true;
        chunk_store_cancel(p->store, &p->get); /* not answered yet, or its answer waits for us */
    }
}

/* ---- late ---- */

/* Who is late now; whether anybody is. Under f->lock. */
static bool hedge_look_locked(struct chunk_fetch *f, int64_t now_ns)
{
    struct vs_list *pos, *tmp;
    bool late = false;

    fetch_each_part(pos, tmp, f)
    {
        struct fetch_part *p = part_of(pos);

        if (!can_cancel(p) || now_ns - p->asked_ns < hedge_ns(f))
            continue;
        fetch_doubt_late(&f->env->doubt, p->entry, p->asked_ns, now_ns);
        p->late = late = true;
    }
    return late;
}

/* How many fragments the range of a late part lacks, counting those that are on their way. Under
 * f->lock. */
static unsigned hedge_lacking_locked(struct chunk_fetch *f, const struct fetch_part *p)
{
    unsigned k = f->place.red.k, count = 0;
    struct vs_list *pos, *tmp;
    uint32_t seen = 0;

    fetch_each_part(pos, tmp, f)
    {
        const struct fetch_part *q = part_of(pos);
        bool counts = q->state == PART_GOOD || (q->state == PART_WAITING && !q->late);

        if (!counts || q->a > p->a || q->b < p->b || (seen & (1u << q->fragment)) != 0)
            continue;
        if (q->fragment == p->fragment) /* the very bytes, on their way for another part */
            return 0;
        seen |= 1u << q->fragment;
        count++;
    }
    return count < k ? k - count : 0;
}

/* Ask others in the place of late parts. Only this thread adds parts now: the timer is the only one
 * that does while answers are outstanding. */
static bool hedge_ask(struct chunk_fetch *f)
{
    struct vs_list *pos, *tmp;
    bool asked = false;

    fetch_each_part(pos, tmp, f)
    {
        struct fetch_part *p = part_of(pos);
        unsigned lacking = 0;

        pthread_mutex_lock(&f->lock);
        /* also one that failed: those that are to rebuild it may be the late ones */
        if (p->wanted && (p->state == PART_BAD || (p->state == PART_WAITING && p->late)))
            lacking = hedge_lacking_locked(f, p);
        pthread_mutex_unlock(&f->lock);
        if (lacking > 0 && fetch_more(f, p, lacking) > 0)
            asked = true;
    }
    return asked;
}

static void hedge_job(struct vs_job *job)
{
    struct chunk_fetch *f = vs_container_of(job, struct chunk_fetch, hedge);
    bool late, last;

    {
        VS_LOCK_SCOPE(&f->lock);
        f->hedging = false;
        late = f->waiting > 1 && hedge_look_locked(f, vs_now_ns(&vs_clock_system));
        f->hedged = f->hedged || late;
    }
    if (late && hedge_ask(f))
        atomic_fetch_add(&f->env->stats.hedged, 1);
    fetch_hedge_arm(f);
    {
        VS_LOCK_SCOPE(&f->lock);
        fetch_hedge_answered_locked(f); /* all that is wanted may be there, and an extra is late */
        last = fetch_settled_locked(f);
    }
    if (last)
        chunk_fetch_advance(f);
}

void fetch_hedge_arm(struct chunk_fetch *f)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system), delay_ns = hedge_ns(f);
    struct vs_list *pos, *tmp;
    bool arm = false;
    VS_LOCK_SCOPE(&f->lock);

    if (f->hedging)
        return;
    fetch_each_part(pos, tmp, f)
    {
        const struct fetch_part *p = part_of(pos);

        if (!can_cancel(p) || p->late)
            continue;
        arm = true;
        if (delay_ns > p->asked_ns + hedge_ns(f) - now_ns)
            delay_ns = p->asked_ns + hedge_ns(f) - now_ns;
    }
    if (!arm)
        return;
    f->hedging = true;
    f->waiting++;
    f->hedge.fn = hedge_job;
    vs_exec_after(f->env->exec, &f->hedge, delay_ns > 0 ? delay_ns : 0);
}
