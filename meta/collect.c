/* collect: see the header.
 *
 * One job at a time does one page of work and submits itself again while there is more: released
 * ids first, then audits. Failure: a pass that fails is given up, and begun anew by the next wake;
 * nothing is forgotten by the journal before its register is a TOMB. */
#include "meta/collect.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "meta/collect_audit.h"
#include "meta/collect_step.h"
#include "meta/manifest.h"
#include "meta/place_value.h"
#include "meta/tail_record.h"
#include <stdio.h>
#include <string.h>

#define DRAIN_RETRY_NS (10 * VS_NS_PER_MS)
#define AUDIT_PAUSE_NS VS_NS_PER_MS /* between pages: an audit is in no hurry, others are */

enum collect_pass {
    PASS_NONE,
    PASS_RELEASED, /* ids that go alone */
    PASS_WHOLE,    /* segments with the chunks they name */
};

struct collect {
    struct collect_env env;
    _Atomic uint64_t missed;
    struct vs_exec *exec;
    struct vs_job job;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    bool is_woken, is_running, is_stopping;
    int pass_err;           /* of the newest pass; 0 */
    uint64_t pass_left;     /* it could not remove: a register does not answer, or is unreadable */
    uint64_t audits;        /* bit i: entry i is to be asked about */
    uint64_t unaudited;     /* the same, until that has ended well */
    uint64_t forced;        /* the same: a person has said that all may go that should */
    enum collect_pass pass; /* written by the job alone */

    /* the job's own */
    struct vs_id after; /* of the pass */
    bool is_auditing;
    unsigned auditing; /* entry */
    struct collect_audit audit;
};

/* ---- released ids ---- */

static int collect_forget(struct collect *c, const struct vs_id *ids, uint32_t n, const bool *gone)
{
    struct vs_id collected[COLLECT_PAGE];
    struct ns_entry e = { .kind = NS_E_COLLECTED, .collected = collected };

    for (uint32_t i = 0; i < n; i++)
        if (gone[i])
            collected[e.collected_count++] = ids[i];
    return e.collected_count == 0 ? 0 : collect_change(&c->env, &e);
}

static int id_cmp(const void *a, const void *b)
{
    return vs_id_cmp(a, b);
}

/* Chunks that the segment names; ids has room for MF_SEGMENT_CHUNKS. How many, ascending. */
static int segment_chunks(const struct vs_buf *value, struct vs_id *ids)
{
    VS_AUTO_FREE struct mf_chunk *chunks = calloc(MF_SEGMENT_CHUNKS, sizeof(*chunks));
    int count, n = 0;

    if (chunks == NULL)
        return -ENOMEM;
    count = mf_segment_decode(value->data, value->len, chunks);
    for (int i = 0; i < count; i++)
        if (!vs_id_is_zero(&chunks[i].id))
            ids[n++] = chunks[i].id;
    if (count < 0)
        return count;
    qsort(ids, (size_t)n, sizeof(*ids), id_cmp);
    return n;
}

/* The chunks first, then the segment: one that is a TOMB has nothing left to do. */
static int collect_whole(struct collect *c, const struct vs_id *segment, bool *ret_gone)
{
    struct vs_id ids[MF_SEGMENT_CHUNKS];
    bool gone[MF_SEGMENT_CHUNKS];
    struct meta_reg reg;
    int n = 0, r;

    *ret_gone = false;
    r = collect_regs_read(&c->env, segment, 1, &reg);
    if (r == 0 && reg.status == 0 && reg.current.len > 0 && reg.current.data[0] == PLACE_SEGMENT)
        n = segment_chunks(&reg.current, ids);
    else if (r == 0 && reg.status < 0 && reg.status != -ENOENT)
        n = -VS_ECORRUPT;
    collect_regs_close(&reg, 1);
    if (r < 0 || n == -ENOMEM)
        return r < 0 ? r : n;
    if (n < 0)
        return 0; /* unreadable: what it names cannot be known, so it stays */
    r = collect_remove(&c->env, ids, (uint32_t)n, gone);
    for (int i = 0; r == 0 && i < n; i++)
        if (!gone[i])
            return 0;
    return r < 0 ? r : collect_remove(&c->env, segment, 1, ret_gone);
}

/* One page of the pass: 1 there is more, 0 the end of this pass. */
static int collect_page(struct collect *c, enum collect_pass pass)
{
    struct vs_id ids[COLLECT_PAGE];
    bool gone[COLLECT_PAGE] = { false };
    int r = 0, n;

    n = collect_scan_ids(&c->env,
                         pass == PASS_WHOLE ? META_SCAN_RELEASED_WHOLE : META_SCAN_RELEASED,
                         &c->after, ids, COLLECT_PAGE);
    if (n <= 0)
        return n;
    c->after = ids[n - 1];
    if (pass == PASS_RELEASED)
        r = collect_remove(&c->env, ids, (uint32_t)n, gone);
    for (int i = 0; pass == PASS_WHOLE && r == 0 && i < n; i++)
        r = collect_whole(c, &ids[i], &gone[i]);
    if (r == 0)
        r = collect_forget(c, ids, (uint32_t)n, gone);
    VS_LOCK_SCOPE(&c->lock);
    for (int i = 0; i < n; i++)
        c->pass_left += !gone[i];
    return r < 0 ? r : n == COLLECT_PAGE;
}

/* ---- the job ---- */

static void collect_set_pass(struct collect *c, enum collect_pass pass, int err)
{
    VS_LOCK_SCOPE(&c->lock);

    if (pass == PASS_RELEASED) {
        c->is_woken = false; /* whatever is released from now on wakes again */
        c->pass_left = 0;
    }
    c->pass = pass;
    c->pass_err = err;
    memset(&c->after, 0, sizeof(c->after));
}

/* Nothing is done before the next wake. */
static void collect_rest(struct collect *c)
{
    VS_LOCK_SCOPE(&c->lock);

    c->is_woken = false;
}

static void collect_released_step(struct collect *c)
{
    int r;

    if (c->pass == PASS_NONE) {
        r = collect_is_braked(&c->env);
        collect_set_pass(c, r == 0 ? PASS_RELEASED : PASS_NONE, r > 0 ? -EBUSY : r);
        if (r != 0) {
            collect_rest(c);
            return;
        }
    }
    r = collect_page(c, c->pass);
    if (r > 0)
        return;
    if (r < 0)
        vs_warn("collecting what was removed: %s -> tried again after the next removal",
                vs_err_text(r));
    collect_set_pass(c, r == 0 && c->pass == PASS_RELEASED ? PASS_WHOLE : PASS_NONE, r);
}

/* Too many would go: nothing is collected any more until a person has looked. */
static void collect_audit_brake(struct collect *c)
{
    char why[NS_BRAKE_BYTES_MAX + 1];
    int r;

    snprintf(why, sizeof(why), "more than %u fragments on store %s are not known to the metadata",
             c->audit.doomed_max, c->audit.name);
    r = collect_brake(&c->env, why);
    vs_warn(
        "%s -> nothing is removed any more%s%s: if an older copy of the metadata is in use, put "
        "the newer one back; `vstackfs gc` says what would go, `vstackfs gc --yes` removes it",
        why, r < 0 ? ", and that could not be recorded: " : "", r < 0 ? vs_err_text(r) : "");
}

/* The audit is over: with an error, at the brake, or well. */
static void collect_audit_end(struct collect *c, int r)
{
    bool well = r == 0 && c->audit.is_removing;

    if (r < 0 && r != -VS_EDOWN)
        vs_warn("store %s: its fragments could not be asked about: %s -> asked again at the next "
                "start",
                c->audit.name, vs_err_text(r));
    if (c->audit.is_many)
        collect_audit_brake(c);
    collect_audit_close(&c->audit);
    c->is_auditing = false;
    VS_LOCK_SCOPE(&c->lock);
    c->forced &= ~(UINT64_C(1) << c->auditing);
    if (well)
        c->unaudited &= ~(UINT64_C(1) << c->auditing);
}

static void collect_audit_next(struct collect *c)
{
    unsigned i = 0;
    bool forced;
    int r;

    if (!c->is_auditing) {
        pthread_mutex_lock(&c->lock);
        while ((c->audits & UINT64_C(1) << i) == 0)
            i++;
        c->audits &= ~(UINT64_C(1) << i);
        forced = (c->forced >> i & 1) != 0;
        pthread_mutex_unlock(&c->lock);
        c->is_auditing = true;
        c->auditing = i;
        r = collect_is_braked(&c->env);
        if (r == 0)
            r = collect_audit_begin(&c->audit, &c->env, i, forced);
        if (r != 0)
            collect_audit_end(c, r < 0 ? r : 0);
        return;
    }
    r = collect_audit_step(&c->audit, &c->env);
    if (r <= 0)
        collect_audit_end(c, r);
}

/* Under c->lock. */
static bool collect_has_work(const struct collect *c)
{
    return !c->is_stopping &&
           (c->is_woken || c->pass != PASS_NONE || c->is_auditing || c->audits != 0);
}

static void collect_job(struct vs_job *job)
{
    struct collect *c = vs_container_of(job, struct collect, job);
    bool released, work;

    pthread_mutex_lock(&c->lock);
    work = collect_has_work(c);
    released = c->is_woken || c->pass != PASS_NONE;
    pthread_mutex_unlock(&c->lock);
    if (work && released)
        collect_released_step(c);
    else if (work)
        collect_audit_next(c);
    pthread_mutex_lock(&c->lock);
    if (!collect_has_work(c))
        c->is_running = false;
    else if (released)
        vs_exec_submit(c->exec, &c->job);
    else
        vs_exec_after(c->exec, &c->job, AUDIT_PAUSE_NS);
    pthread_cond_broadcast(&c->idle);
    pthread_mutex_unlock(&c->lock);
}

/* Under c->lock. */
static void collect_kick(struct collect *c)
{
    if (c->is_running || !collect_has_work(c))
        return;
    c->is_running = true;
    vs_exec_submit(c->exec, &c->job);
}

/* ---- life ---- */

int collect_start(struct collect **ret, struct meta_client *meta, struct store_set *stores,
                  struct vs_exec *exec)
{
    struct collect *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return -ENOMEM;
    c->env = (struct collect_env){ meta, stores, &c->missed };
    c->exec = exec;
    c->job.fn = collect_job;
    pthread_mutex_init(&c->lock, NULL);
    vs_cond_init(&c->idle);
    *ret = c;
    return 0;
}

void collect_wake(struct collect *c)
{
    VS_LOCK_SCOPE(&c->lock);

    c->is_woken = true;
    collect_kick(c);
}

void collect_audit(struct collect *c, unsigned i)
{
    VS_LOCK_SCOPE(&c->lock);

    VS_ASSERT(i < STORE_SET_MAX);
    c->audits |= UINT64_C(1) << i;
    c->unaudited |= UINT64_C(1) << i;
    atomic_fetch_and(&c->missed, ~(UINT64_C(1) << i)); /* what is missed from now on is told anew */
    collect_kick(c);
}

int collect_let_go(struct collect *c)
{
    int r = collect_brake(&c->env, "");

    if (r < 0)
        return r;
    {
        VS_LOCK_SCOPE(&c->lock);
        for (unsigned i = 0; i < c->env.stores->count; i++)
            c->forced |= UINT64_C(1) << i;
    }
    for (unsigned i = 0; i < c->env.stores->count; i++)
        collect_audit(c, i);
    collect_wake(c);
    return 0;
}

int collect_look(struct collect *c, unsigned i, uint64_t *ret_seen, uint64_t *ret_doomed)
{
    struct collect_audit a;
    int r = collect_audit_begin(&a, &c->env, i, true);

    if (r < 0)
        return r;
    a.is_look = true;
    while ((r = collect_audit_step(&a, &c->env)) > 0)
        ;
    *ret_seen = a.seen;
    *ret_doomed = a.doomed_count;
    collect_audit_close(&a);
    return r;
}

uint64_t collect_unaudited(struct collect *c)
{
    VS_LOCK_SCOPE(&c->lock);

    return c->unaudited | atomic_load(&c->missed);
}

/* Nobody has an inode without a name open. */
static int collect_orphans(struct collect *c)
{
    uint64_t items[COLLECT_PAGE];
    uint64_t after = 0;
    int n;

    do {
        n = collect_scan_u64(&c->env, META_SCAN_ORPHANS, after, items, COLLECT_PAGE);
        for (int i = 0; i < n; i++) {
            struct ns_entry e = { .kind = NS_E_FORGET, .ino = items[i] };
            int r = collect_change(&c->env, &e);

            if (r < 0 && r != -ENOENT)
                return r;
            after = items[i];
        }
    } while (n == COLLECT_PAGE);
    return n < 0 ? n : 0;
}

/* Sessions of one mount; 0: all uploads. A tail stays until a newer copy is in place. */
static int collect_sessions_of(struct collect *c, uint64_t mount)
{
    struct vs_id pairs[COLLECT_PAGE], after = meta_pair(0, 0);
    int n;

    do {
        n = collect_scan_ids(&c->env, META_SCAN_SESSION_MOUNTS, &after, pairs, COLLECT_PAGE);
        for (int i = 0; i < n; i++) {
            struct ns_entry e = { .kind = NS_E_SESSION_ABORT };
            uint64_t whose;
            int r = 0;

            after = pairs[i];
            meta_pair_get(&pairs[i], &e.session, &whose);
            if (mount != 0 ? whose == mount : (whose & NS_MOUNT_TAIL) == 0)
                r = collect_change(&c->env, &e);
            if (r < 0 && r != -ESTALE)
                return r;
        }
    } while (n == COLLECT_PAGE);
    return n < 0 ? n : 0;
}

int collect_at_start(struct collect *c, uint64_t mount)
{
    int r = collect_sessions_of(c, mount);

    if (r == 0 && mount == 0)
        r = collect_orphans(c);
    if (r == 0)
        collect_wake(c);
    return r;
}

int collect_drain(struct collect *c, int64_t timeout_ns)
{
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + timeout_ns;

    for (;;) {
        bool in_time = true;
        uint64_t left;
        int r;

        collect_wake(c);
        pthread_mutex_lock(&c->lock);
        while (in_time && (c->is_woken || c->pass != PASS_NONE))
            in_time = vs_cond_wait_until(&c->idle, &c->lock, deadline_ns);
        r = c->pass_err;
        left = c->pass_left;
        pthread_mutex_unlock(&c->lock);
        if (!in_time || r < 0)
            return r < 0 ? r : -ETIMEDOUT;
        if (left == 0) /* what other mounts still read is theirs to remove */
            return 0;
        if (vs_now_ns(&vs_clock_system) + DRAIN_RETRY_NS > deadline_ns)
            return -ETIMEDOUT;
        usleep(DRAIN_RETRY_NS / 1000);
    }
}

void collect_stop(struct collect *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    while (c->is_running)
        pthread_cond_wait(&c->idle, &c->lock);
    pthread_mutex_unlock(&c->lock);
    collect_audit_close(&c->audit);
    pthread_cond_destroy(&c->idle);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
