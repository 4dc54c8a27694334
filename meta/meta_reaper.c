/* meta_reaper: see the header.
 *
 * What was seen is kept sorted by session, as the list comes, so that a pass is one merge. */
#include "meta/meta_reaper.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "common/periodic.h"
#include "meta/frag_rule.h"

#include <stdlib.h>

struct seen {
    uint64_t session, signs;
    int64_t since_ns; /* monotonic: since when its signs are so many, as far as we saw */
};

struct meta_reaper {
    struct meta_reaper_config config;
    struct seen *seen, *next; /* META_REAPER_SESSIONS_MAX each; of the last pass, of this one */
    size_t seen_count;
    struct vs_exec *exec; /* NULL: not started */
    struct vs_periodic turn;
};

/* ---- a pass ---- */

static int give_up(struct meta_reaper *r, const struct seen *s)
{
    int64_t now_ns = vs_real_ns(r->config.clock);
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT,
                          .now = { now_ns / VS_NS_PER_S, (uint32_t)(now_ns % VS_NS_PER_S) },
                          .session = s->session,
                          .signs = s->signs };
    struct meta_req req = { .op = META_CHANGE, .entry = &e };
    int err;

    VS_ASSERT(!frag_may_reap(FRAG_SESSION_OPEN)); /* this entry first, TOMBs once it is there */
    err = meta_call(r->config.meta, &req);
    if (err == -EBUSY || err == -ESTALE) /* it lives, or ended by itself */
        return 0;
    if (err == 0)
        vs_warn("upload session %llu: no sign of life for %llu s -> given up, its space is freed",
                (unsigned long long)s->session, (unsigned long long)r->config.idle_s);
    return err < 0 ? err : 1;
}

/* One session of the list. `at`: how far the merge has come among those seen before. */
static int look_at(struct meta_reaper *r, struct seen *now, size_t *at)
{
    while (*at < r->seen_count && r->seen[*at].session < now->session)
        ++*at;
    if (*at < r->seen_count && r->seen[*at].session == now->session &&
        r->seen[*at].signs == now->signs)
        now->since_ns = r->seen[*at].since_ns;
    /* one of a former version counts none: it cannot be told from one that lives, by them */
    if (now->signs == 0 ||
        vs_now_ns(r->config.clock) - now->since_ns < (int64_t)r->config.idle_s * VS_NS_PER_S)
        return 0;
    return give_up(r, now);
}

static int scan(struct meta_reaper *r, const struct vs_id *after, struct vs_id ids[META_LIST_MAX])
{
    struct meta_req req = { .op = META_SCAN,
                            .scan = META_SCAN_SESSION_SIGNS,
                            .scan_after_id = *after,
                            .scan_ids = ids,
                            .scan_max = META_LIST_MAX };
    int err = meta_call(r->config.meta, &req);

    return err < 0 ? err : (int)req.scan_count;
}

int meta_reaper_pass(struct meta_reaper *r)
{
    struct vs_id ids[META_LIST_MAX], after = meta_pair(0, 0);
    size_t at = 0, count = 0;
    struct seen *swap;
    int given_up = 0, n, err = 0;

    if (r->config.leads != NULL && !r->config.leads(r->config.arg)) {
        r->seen_count = 0; /* what we saw may be old when we lead again */
        return 0;
    }
    do {
        n = scan(r, &after, ids);
        for (int i = 0; i < n && count < META_REAPER_SESSIONS_MAX; i++) {
            struct seen *s = &r->next[count++];

            meta_pair_get(&ids[i], &s->session, &s->signs);
            s->since_ns = vs_now_ns(r->config.clock);
            err = look_at(r, s, &at);
            if (err < 0)
                return err;
            given_up += err;
            after = ids[i];
        }
    } while (n == META_LIST_MAX && count < META_REAPER_SESSIONS_MAX);
    if (n < 0)
        return n;
    swap = r->seen;
    r->seen = r->next;
    r->next = swap;
    r->seen_count = count;
    return given_up;
}

/* ---- by itself ---- */

static int64_t pause_ns(const struct meta_reaper *r)
{
    uint64_t s = r->config.idle_s / 4;

    s = s < 1 ? 1 : s > META_REAPER_PASS_S_MAX ? META_REAPER_PASS_S_MAX : s;
    return (int64_t)s * VS_NS_PER_S;
}

static void reaper_turn(struct vs_periodic *p)
{
    /* no majority: the next pass */
    (void)meta_reaper_pass(vs_container_of(p, struct meta_reaper, turn));
}

int meta_reaper_start(struct meta_reaper **ret, const struct meta_reaper_config *config,
                      bool started)
{
    struct meta_reaper *r = calloc(1, sizeof(*r));
    int err = 0;

    if (r == NULL)
        return -ENOMEM;
    r->config = *config;
    if (r->config.idle_s == 0)
        r->config.idle_s = META_REAPER_IDLE_S;
    r->seen = calloc(META_REAPER_SESSIONS_MAX, sizeof(*r->seen));
    r->next = calloc(META_REAPER_SESSIONS_MAX, sizeof(*r->next));
    if (r->seen == NULL || r->next == NULL)
        err = -ENOMEM;
    if (err == 0 && started)
        err = vs_exec_start(&r->exec, "vs-reaper", 1);
    if (err < 0) {
        meta_reaper_stop(r);
        return err;
    }
    *ret = r;
    if (started)
        vs_periodic_start(&r->turn, r->exec, pause_ns(r), pause_ns(r), reaper_turn);
    return 0;
}

void meta_reaper_stop(struct meta_reaper *r)
{
    if (r == NULL)
        return;
    vs_periodic_stop(&r->turn);
    vs_exec_stop(r->exec);
    free(r->seen);
    free(r->next);
    free(r);
}
