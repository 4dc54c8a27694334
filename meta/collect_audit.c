/* collect_audit: see the header.
 *
 * The order of questions matters: fragments are listed first, then the open sessions, then the
 * registers. A fragment that was seen belongs to a session that was opened before; if that is not
 * open any more, and it was committed, its registers were written before that, so they are seen.
 *
 * Failure: whatever cannot be asked about stays. */
#include "meta/collect_audit.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/place_value.h"
#include <stdio.h>
#include <string.h>

#define SESSIONS_MAX 65536 /* open at once; more: fragments without a register stay */

enum audit_verdict { AUDIT_KEEP, AUDIT_REMOVE, AUDIT_TOMB_FIRST };

/* What is known about one page of fragments. */
struct audit_page {
    const struct frag_key *keys; /* ascending */
    uint32_t count;
    uint8_t verdict[COLLECT_PAGE];
    struct meta_reg regs[COLLECT_PAGE]; /* of the chunks, each once */
    struct vs_id ids[COLLECT_PAGE];
    uint32_t reg_of[COLLECT_PAGE]; /* key -> register */
    uint32_t reg_count;
    uint64_t *open; /* ascending; owned */
    uint32_t open_count;
};

static int audit_open_sessions(struct audit_page *p, const struct collect_env *env)
{
    uint32_t cap = 0;
    uint64_t after = 0;
    int n;

    do {
        if (p->open_count + META_LIST_MAX > cap) {
            uint64_t *more;

            if (cap >= SESSIONS_MAX)
                return -EMSGSIZE;
            cap = cap == 0 ? META_LIST_MAX : cap * 2;
            more = reallocarray(p->open, cap, sizeof(*more));
            if (more == NULL)
                return -ENOMEM;
            p->open = more;
        }
        n = collect_scan_u64(env, META_SCAN_SESSIONS, after, p->open + p->open_count,
                             META_LIST_MAX);
        if (n > 0)
            after = p->open[p->open_count + (uint32_t)n - 1];
        p->open_count += n > 0 ? (uint32_t)n : 0;
    } while (n == META_LIST_MAX);
    return n < 0 ? n : 0;
}

static bool audit_is_open(const struct audit_page *p, uint64_t session)
{
    uint32_t low = 0, high = p->open_count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (p->open[mid] < session)
            low = mid + 1;
        else
            high = mid;
    }
    return low < p->open_count && p->open[low] == session;
}

static int audit_registers(struct audit_page *p, const struct collect_env *env)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (i == 0 || vs_id_cmp(&p->keys[i].chunk, &p->keys[i - 1].chunk) != 0)
            p->ids[p->reg_count++] = p->keys[i].chunk;
        p->reg_of[i] = p->reg_count - 1;
    }
    return collect_regs_read(env, p->ids, p->reg_count, p->regs);
}

/* The register is there: (a) a TOMB, (b) its generation is not lower and it does not name the
 * fragment. A fragment of a higher generation belongs to a repair that may still be on its way. */
static enum audit_verdict audit_by_value(const struct frag_key *key, uint32_t node,
                                         const struct vs_buf *value)
{
    const struct place_frag *f;
    struct place_value v;

    if (place_value_decode(value->data, value->len, &v) < 0)
        return AUDIT_KEEP;
    if (v.state == PLACE_TOMB)
        return AUDIT_REMOVE;
    if (v.generation < key->generation)
        return AUDIT_KEEP;
    if (key->fragment >= (unsigned)v.red.k + v.red.m)
        return AUDIT_REMOVE;
    f = &v.frag[key->fragment];
    return f->node == node && f->generation == key->generation ? AUDIT_KEEP : AUDIT_REMOVE;
}

/* (c) The register is absent: the fragment goes if its session is closed. An id that these metadata
 * have not given out yet comes from their own future: they are an old copy, and nothing goes. */
static int audit_absent(struct audit_page *p, const struct collect_audit *a,
                        const struct collect_env *env)
{
    VS_AUTO_FREE struct frag_key *keys = calloc(COLLECT_PAGE, sizeof(*keys));
    VS_AUTO_FREE uint32_t *of = calloc(COLLECT_PAGE, sizeof(*of));
    VS_AUTO_FREE uint64_t *sessions = calloc(COLLECT_PAGE, sizeof(*sessions));
    VS_AUTO_FREE int *status = calloc(COLLECT_PAGE, sizeof(*status));
    uint32_t n = 0;
    int r;

    if (keys == NULL || of == NULL || sessions == NULL || status == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct vs_id *id = &p->keys[i].chunk;

        if (p->regs[p->reg_of[i]].status != -ENOENT ||
            (!a->is_forced && (vs_id_pid(id) != env->meta->pid || vs_id_inc(id) > env->meta->inc)))
            continue;
        of[n] = i;
        keys[n++] = p->keys[i];
    }
    r = n == 0 ? 0 : collect_stat(a->store, keys, n, sessions, status);
    for (uint32_t i = 0; r == 0 && i < n; i++)
        if (status[i] == 0 && !audit_is_open(p, sessions[i]))
            p->verdict[of[i]] = AUDIT_TOMB_FIRST;
    return r;
}

static int audit_judge(struct audit_page *p, const struct collect_audit *a,
                       const struct collect_env *env)
{
    int r = audit_open_sessions(p, env);

    if (r == 0)
        r = audit_registers(p, env);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct meta_reg *reg = &p->regs[p->reg_of[i]];

        p->verdict[i] = AUDIT_KEEP;
        if (reg->status == 0)
            p->verdict[i] = (uint8_t)audit_by_value(&p->keys[i], a->node, &reg->current);
    }
    return audit_absent(p, a, env);
}

static void audit_page_free(struct audit_page *p)
{
    collect_regs_close(p->regs, p->reg_count);
    free(p->open);
    free(p);
}

/* ---- looking ---- */

static int audit_note(struct collect_audit *a, const struct audit_page *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->verdict[i] == AUDIT_KEEP)
            continue;
        if (a->doomed_count == a->doomed_max)
            return -EOVERFLOW;
        a->doomed[a->doomed_count++] = p->keys[i];
    }
    return 0;
}

static int audit_look(struct collect_audit *a, const struct collect_env *env)
{
    VS_AUTO_FREE struct frag_key *keys = calloc(COLLECT_PAGE, sizeof(*keys));
    struct audit_page *p;
    int count, r;

    if (keys == NULL)
        return -ENOMEM;
    count = collect_list(a->store, &a->after, keys, COLLECT_PAGE);
    if (count < 0)
        return count;
    if (count == 0) {
        a->is_removing = true;
        return !a->is_look;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->keys = keys;
    p->count = (uint32_t)count;
    r = audit_judge(p, a, env);
    if (r == 0)
        r = audit_note(a, p);
    audit_page_free(p);
    if (r == -EOVERFLOW) {
        a->is_many = true;
        return 0;
    }
    a->seen += (uint64_t)count;
    a->after = keys[count - 1];
    return r < 0 ? r : 1;
}

/* ---- removing ---- */

/* Only where the register is still absent. What is not a TOMB afterwards is kept. */
static int audit_tomb_absent(struct audit_page *p, const struct collect_env *env)
{
    VS_AUTO_FREE struct meta_reg *regs = calloc(COLLECT_PAGE, sizeof(*regs));
    VS_AUTO_FREE uint32_t *of = calloc(COLLECT_PAGE, sizeof(*of));
    bool gone[COLLECT_PAGE] = { false };
    uint32_t n = 0;
    int r;

    if (regs == NULL || of == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->verdict[i] != AUDIT_TOMB_FIRST)
            continue;
        if (n == 0 || vs_id_cmp(&regs[n - 1].id, &p->keys[i].chunk) != 0)
            regs[n++] = (struct meta_reg){ .id = p->keys[i].chunk, .status = -ENOENT };
        of[i] = n - 1;
    }
    r = n == 0 ? 0 : collect_tomb(env, regs, n, gone);
    for (uint32_t i = 0; i < p->count; i++)
        if (p->verdict[i] == AUDIT_TOMB_FIRST)
            p->verdict[i] = r == 0 && gone[of[i]] ? AUDIT_REMOVE : AUDIT_KEEP;
    return r;
}

static int audit_delete(struct collect_audit *a, struct audit_page *p)
{
    VS_AUTO_FREE struct frag_key *keys = calloc(COLLECT_PAGE, sizeof(*keys));
    uint32_t n = 0;
    int r;

    if (keys == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->verdict[i] == AUDIT_REMOVE)
            keys[n++] = p->keys[i];
    r = collect_delete(a->store, keys, n);
    if (r == 0)
        a->removed += n;
    return r;
}

static int audit_remove(struct collect_audit *a, const struct collect_env *env)
{
    uint32_t left = a->doomed_count - a->doomed_at;
    struct audit_page *p;
    int r;

    if (left == 0) {
        if (a->removed > 0)
            vs_info("store %s: %llu of %llu fragments were left over -> removed", a->name,
                    (unsigned long long)a->removed, (unsigned long long)a->seen);
        return 0;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->keys = a->doomed + a->doomed_at;
    p->count = left < COLLECT_PAGE ? left : COLLECT_PAGE;
    a->doomed_at += p->count;
    r = audit_judge(p, a, env);
    if (r == 0)
        r = audit_tomb_absent(p, env);
    if (r == 0)
        r = audit_delete(a, p);
    audit_page_free(p);
    return r < 0 ? r : 1;
}

/* ---- life ---- */

int collect_audit_begin(struct collect_audit *a, const struct collect_env *env, unsigned i,
                        bool is_forced)
{
    const struct store_set_entry *entry = &env->stores->entries[i];
    struct chunk_store *store = atomic_load(&entry->store);
    struct store_health health;
    uint64_t share;

    *a = (struct collect_audit){ .node = entry->node, .store = store, .is_forced = is_forced };
    if (store == NULL)
        return -VS_EDOWN;
    chunk_store_health(store, &health);
    share = health.fragments / 100 * AUDIT_BRAKE_PERCENT;
    if (is_forced)
        share = health.fragments + AUDIT_BRAKE_FRAGMENTS; /* more come while it looks */
    a->doomed_max = share > AUDIT_BRAKE_FRAGMENTS ? (uint32_t)share : AUDIT_BRAKE_FRAGMENTS;
    snprintf(a->name, sizeof(a->name), "%s", entry->name);
    a->doomed = calloc(a->doomed_max, sizeof(*a->doomed));
    return a->doomed == NULL ? -ENOMEM : 0;
}

int collect_audit_step(struct collect_audit *a, const struct collect_env *env)
{
    return a->is_removing ? audit_remove(a, env) : audit_look(a, env);
}

void collect_audit_close(struct collect_audit *a)
{
    free(a->doomed);
    a->doomed = NULL;
}
