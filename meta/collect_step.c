/* collect_step: see the header.
 *
 * Happy path: a page of requests is sent, all answers are waited for. Failure: a store that is down
 * or fails keeps its fragments, which is no error here: an audit asks about them later. */
#include "meta/collect_step.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "meta/reg_rule.h"
#include <string.h>

#define STORE_TRIES_MAX 5
#define STORE_RETRY_US  20000 /* after -EAGAIN: the store's queue is full */

/* ---- metadata ---- */

int collect_change(const struct collect_env *env, struct ns_entry *e)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int64_t real_ns = vs_real_ns(&vs_clock_system);

    e->now = (struct ns_time){ real_ns / VS_NS_PER_S, (uint32_t)(real_ns % VS_NS_PER_S) };
    return meta_call(env->meta, &r);
}

int collect_is_braked(const struct collect_env *env)
{
    struct meta_req r = { .op = META_STATS };
    int status = meta_call(env->meta, &r);

    return status < 0 ? status : r.stats.brake[0] != '\0';
}

int collect_brake(const struct collect_env *env, const char *why)
{
    struct ns_entry e = { .kind = NS_E_BRAKE, .value = why, .value_len = strlen(why) };

    return collect_change(env, &e);
}

int collect_scan_ids(const struct collect_env *env, enum meta_scan scan, const struct vs_id *after,
                     struct vs_id *ids, uint32_t max)
{
    struct meta_req r = {
        .op = META_SCAN, .scan = scan, .scan_after_id = *after, .scan_ids = ids, .scan_max = max
    };
    int status = meta_call(env->meta, &r);

    return status < 0 ? status : (int)r.scan_count;
}

int collect_scan_u64(const struct collect_env *env, enum meta_scan scan, uint64_t after,
                     uint64_t *items, uint32_t max)
{
    struct meta_req r = {
        .op = META_SCAN, .scan = scan, .scan_after = after, .scan_u64 = items, .scan_max = max
    };
    int status = meta_call(env->meta, &r);

    return status < 0 ? status : (int)r.scan_count;
}

int collect_regs_read(const struct collect_env *env, const struct vs_id *ids, uint32_t n,
                      struct meta_reg *regs)
{
    struct meta_req r = { .op = META_REG_READ, .regs = regs, .reg_count = n };

    VS_ASSERT(n <= COLLECT_PAGE);
    for (uint32_t i = 0; i < n; i++)
        regs[i] = (struct meta_reg){ .id = ids[i] };
    return n == 0 ? 0 : meta_call(env->meta, &r);
}

void collect_regs_close(struct meta_reg *regs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        vs_buf_close(&regs[i].current);
}

/* The TOMB that follows `reg`, at the end of `values`: 1, or 0 when none is needed or possible. */
static int tomb_plan(const struct meta_reg *reg, struct vs_buf *values, uint32_t *ret_generation,
                     bool *ret_gone)
{
    struct place_value v = { 0 };
    bool tomb = false;
    int r;

    *ret_gone = false;
    if (reg->status < 0 && reg->status != -ENOENT)
        return 0;
    if (reg->status == 0) {
        r = reg_value_generation(reg->current.data, reg->current.len, ret_generation, &tomb);
        if (r < 0)
            return 0; /* unreadable: it stays as it is, for people to look at */
        (void)place_value_decode(reg->current.data, reg->current.len, &v); /* a segment: zeros */
    } else {
        *ret_generation = 0;
    }
    *ret_gone = tomb;
    if (tomb)
        return 0;
    v.state = PLACE_TOMB;
    v.generation = *ret_generation;
    r = place_value_encode(&v, values);
    return r < 0 ? r : 1;
}

int collect_tomb(const struct collect_env *env, const struct meta_reg *regs, uint32_t n, bool *gone)
{
    VS_AUTO_FREE struct meta_reg *changes = calloc(COLLECT_PAGE, sizeof(*changes));
    VS_AUTO_FREE size_t *at = calloc(COLLECT_PAGE, sizeof(*at));
    VS_AUTO_FREE uint32_t *of = calloc(COLLECT_PAGE, sizeof(*of));
    struct meta_req r = { .op = META_REG_CHANGE, .regs = changes };
    struct vs_buf values = { 0 };
    int err = 0;

    if (changes == NULL || at == NULL || of == NULL)
        return -ENOMEM;
    VS_ASSERT(n <= COLLECT_PAGE);
    for (uint32_t i = 0; i < n && err >= 0; i++) {
        uint32_t next = r.reg_count, generation;

        at[next] = values.len;
        err = tomb_plan(&regs[i], &values, &generation, &gone[i]);
        if (err != 1)
            continue;
        of[next] = i;
        changes[next] = (struct meta_reg){ .id = regs[i].id,
                                           .value_len = values.len - at[next],
                                           .expect_generation = generation };
        r.reg_count++;
    }
    for (uint32_t i = 0; i < r.reg_count; i++)
        changes[i].value = values.data + at[i];
    if (err >= 0)
        err = r.reg_count == 0 ? 0 : meta_call(env->meta, &r);
    for (uint32_t i = 0; i < r.reg_count && err == 0; i++)
        gone[of[i]] = changes[i].status == 0;
    collect_regs_close(changes, r.reg_count);
    vs_buf_close(&values);
    return err;
}

/* ---- stores ---- */

struct collect_wait {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint32_t left; /* under lock */
};

static void wait_init(struct collect_wait *w, uint32_t left)
{
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->left = left;
}

static void wait_one(struct collect_wait *w)
{
    VS_LOCK_SCOPE(&w->lock);

    w->left--;
    pthread_cond_signal(&w->wake);
}

static void wait_all(struct collect_wait *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->left > 0)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}

struct collect_list_req {
    struct store_list list;
    struct collect_wait wait;
};

static void list_done(struct store_list *l)
{
    wait_one(&vs_container_of(l, struct collect_list_req, list)->wait);
}

int collect_list(struct chunk_store *store, const struct frag_key *after, struct frag_key *keys,
                 uint32_t max)
{
    struct collect_list_req r;

    for (unsigned tries = 0; tries < STORE_TRIES_MAX; tries++) {
        r.list = (struct store_list){
            .after = *after, .keys = keys, .keys_max = max, .done = list_done
        };
        wait_init(&r.wait, 1);
        chunk_store_list(store, &r.list);
        wait_all(&r.wait);
        if (r.list.status != -EAGAIN)
            break;
        usleep(STORE_RETRY_US);
    }
    return r.list.status < 0 ? r.list.status : (int)r.list.keys_count;
}

struct collect_stat_req {
    struct store_stat stat;
    struct collect_wait *wait;
};

static void stat_done(struct store_stat *s)
{
    wait_one(vs_container_of(s, struct collect_stat_req, stat)->wait);
}

int collect_stat(struct chunk_store *store, const struct frag_key *keys, uint32_t n,
                 uint64_t *sessions, int *status)
{
    VS_AUTO_FREE struct collect_stat_req *reqs = calloc(COLLECT_PAGE, sizeof(*reqs));
    struct collect_wait wait;

    if (reqs == NULL)
        return -ENOMEM;
    VS_ASSERT(n <= COLLECT_PAGE);
    wait_init(&wait, n);
    for (uint32_t i = 0; i < n; i++) {
        reqs[i] = (struct collect_stat_req){ { .key = keys[i], .done = stat_done }, &wait };
        chunk_store_stat(store, &reqs[i].stat);
    }
    wait_all(&wait);
    for (uint32_t i = 0; i < n; i++) {
        status[i] = reqs[i].stat.status;
        sessions[i] = reqs[i].stat.note.session;
    }
    return 0;
}

struct collect_del_req {
    struct store_del del;
    struct collect_wait *wait;
};

static void del_done(struct store_del *d)
{
    wait_one(vs_container_of(d, struct collect_del_req, del)->wait);
}

/* Those of reqs[0 .. n) that have not been deleted yet; how many were refused with -EAGAIN. */
static uint32_t delete_try(struct chunk_store *store, struct collect_del_req *reqs, uint32_t n)
{
    struct collect_wait wait;
    uint32_t again = 0, todo = 0;

    for (uint32_t i = 0; i < n; i++)
        todo += reqs[i].del.status == -EAGAIN;
    wait_init(&wait, todo);
    for (uint32_t i = 0; i < n; i++) {
        if (reqs[i].del.status != -EAGAIN)
            continue;
        reqs[i].wait = &wait;
        chunk_store_del(store, &reqs[i].del);
    }
    wait_all(&wait);
    for (uint32_t i = 0; i < n; i++)
        again += reqs[i].del.status == -EAGAIN;
    return again;
}

int collect_delete(struct chunk_store *store, const struct frag_key *keys, uint32_t n)
{
    VS_AUTO_FREE struct collect_del_req *reqs = calloc(COLLECT_PAGE, sizeof(*reqs));

    if (reqs == NULL)
        return -ENOMEM;
    VS_ASSERT(n <= COLLECT_PAGE);
    for (uint32_t i = 0; i < n; i++)
        reqs[i].del = (struct store_del){ .key = keys[i], .done = del_done, .status = -EAGAIN };
    for (unsigned tries = 0; delete_try(store, reqs, n) > 0 && tries < STORE_TRIES_MAX; tries++)
        usleep(STORE_RETRY_US);
    for (uint32_t i = 0; i < n; i++)
        if (reqs[i].del.status < 0)
            return reqs[i].del.status;
    return 0;
}

/* ---- both ---- */

/* The first id at or behind `*at` that is not below `chunk`. */
static uint32_t ids_skip(const struct vs_id *ids, uint32_t n, uint32_t at,
                         const struct vs_id *chunk)
{
    while (at < n && vs_id_cmp(&ids[at], chunk) < 0)
        at++;
    return at;
}

/* All fragments of the ids that are `gone`, whatever their number and generation. The store's list
 * is in order of chunks, so contiguous ids cost one walk, and far ones a look-up each. */
static int remove_fragments(struct chunk_store *store, const struct vs_id *ids, uint32_t n,
                            const bool *gone, struct frag_key *keys)
{
    struct frag_key after = { .chunk = ids[0] };
    uint32_t at = 0;

    while (at < n) {
        int count = collect_list(store, &after, keys, COLLECT_PAGE);
        uint32_t doomed = 0;
        struct frag_key last;
        int r;

        if (count <= 0)
            return count;
        last = keys[count - 1];
        for (int i = 0; i < count && at < n; i++) {
            at = ids_skip(ids, n, at, &keys[i].chunk);
            if (at < n && gone[at] && vs_id_cmp(&ids[at], &keys[i].chunk) == 0)
                keys[doomed++] = keys[i];
        }
        r = collect_delete(store, keys, doomed);
        if (r < 0 || count < COLLECT_PAGE)
            return r;
        after = last;
        if (at < n && vs_id_cmp(&ids[at], &last.chunk) > 0)
            after = (struct frag_key){ .chunk = ids[at] };
    }
    return 0;
}

int collect_remove(const struct collect_env *env, const struct vs_id *ids, uint32_t n, bool *gone)
{
    VS_AUTO_FREE struct meta_reg *regs = calloc(COLLECT_PAGE, sizeof(*regs));
    VS_AUTO_FREE struct frag_key *keys = calloc(COLLECT_PAGE, sizeof(*keys));
    int r;

    if (regs == NULL || keys == NULL)
        return -ENOMEM;
    if (n == 0)
        return 0;
    r = collect_regs_read(env, ids, n, regs);
    if (r == 0)
        r = collect_tomb(env, regs, n, gone);
    collect_regs_close(regs, n);
    for (unsigned i = 0; r == 0 && i < env->stores->count; i++) {
        struct chunk_store *store = atomic_load(&env->stores->entries[i].store);

        int missed = store != NULL ? remove_fragments(store, ids, n, gone, keys) : -VS_EDOWN;

        if (missed < 0 && env->missed != NULL) /* an audit's business */
            atomic_fetch_or(env->missed, UINT64_C(1) << i);
    }
    return r;
}
