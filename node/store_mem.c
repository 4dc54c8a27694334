/* A chunk store in memory: the twin of the real one for tests.
 *
 * Happy path: a request becomes a job of the lent executor; the job looks up or changes a map of
 * whole fragments under one lock, and answers without it.
 * Failure modes: those of the contract, and what a test sets: down, a flipped bit. */
#include "node/store_mem.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MEM_TOTAL_BYTES (1ull << 40) /* what health says; nothing enforces it */

struct mem_frag {
    struct frag_key key; /* every byte of padding is zero: it is hashed whole */
    uint8_t *payload;    /* owned */
    uint32_t bytes;
    uint32_t crc[FRAG_BLOCKS_MAX];
    uint8_t sha256[VS_SHA256_BYTES];
    struct frag_note note;
    UT_hash_handle hh;
};

struct store_mem {
    struct chunk_store base;
    struct vs_exec *exec; /* lent */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    struct mem_frag *frags;
    uint64_t payload_bytes;
    unsigned in_flight;
    bool down;
};

static struct store_mem *store_mem_of(struct chunk_store *s)
{
    return vs_container_of(s, struct store_mem, base);
}

/* A key with zeros in its padding, so that its bytes can be hashed and compared. */
static struct frag_key key_packed(const struct frag_key *key)
{
    struct frag_key k;

    memset(&k, 0, sizeof(k));
    k.chunk = key->chunk;
    k.fragment = key->fragment;
    k.generation = key->generation;
    return k;
}

static struct mem_frag *mem_find(struct store_mem *m, const struct frag_key *key)
{
    struct frag_key k = key_packed(key);
    struct mem_frag *f;

    HASH_FIND(hh, m->frags, &k, sizeof(k), f);
    return f;
}

static void mem_frag_free(struct mem_frag *f)
{
    if (f != NULL)
        free(f->payload);
    free(f);
}

static int mem_frag_new(struct mem_frag **ret, const struct store_put *p)
{
    struct mem_frag *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    f->payload = malloc(p->bytes > 0 ? p->bytes : 1);
    if (f->payload == NULL) {
        free(f);
        return -ENOMEM;
    }
    if (p->bytes > 0)
        memcpy(f->payload, p->data, p->bytes);
    f->key = key_packed(&p->key);
    f->bytes = (uint32_t)p->bytes;
    frag_crc_table(f->payload, f->bytes, f->crc);
    memcpy(f->sha256, p->sha256, sizeof(f->sha256));
    f->note = *p->note;
    *ret = f;
    return 0;
}

/* ---- requests: count in, run as a job, count out ------------------------------------------------
 */

/* One more request in flight; a code that the job will answer with instead of working. */
static int mem_enter(struct store_mem *m)
{
    VS_LOCK_SCOPE(&m->lock);

    m->in_flight++;
    if (m->down)
        return -VS_EDOWN;
    return m->in_flight > CHUNK_STORE_QUEUE_MAX ? -EAGAIN : 0;
}

static void mem_leave(struct store_mem *m)
{
    VS_LOCK_SCOPE(&m->lock);

    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
}

static int mem_put(struct store_mem *m, struct store_put *p)
{
    struct mem_frag *fresh = NULL, *f;
    int r;

    r = store_put_check(p);
    if (r == 0)
        r = mem_frag_new(&fresh, p);
    if (r < 0)
        return r;
    p->table_crc = frag_table_crc(fresh->crc, frag_blocks(fresh->bytes));

    VS_LOCK_SCOPE(&m->lock);
    f = mem_find(m, &p->key);
    if (f == NULL) {
        HASH_ADD(hh, m->frags, key, sizeof(fresh->key), fresh);
        m->payload_bytes += fresh->bytes;
        return 0;
    }
    r = f->bytes == fresh->bytes && memcmp(f->sha256, fresh->sha256, sizeof(f->sha256)) == 0
            ? 0
            : -VS_EEXISTS_OTHER;
    p->existed = r == 0;
    mem_frag_free(fresh);
    return r;
}

static void mem_put_job(struct vs_job *job)
{
    struct store_put *p = vs_container_of(job, struct store_put, job);
    struct store_mem *m = p->store;

    if (p->status == 0)
        p->status = mem_put(m, p);
    p->done(p);
    mem_leave(m);
}

static int mem_get(struct store_mem *m, struct store_get *g)
{
    const struct mem_frag *f;
    int64_t n;

    if (store_get_check(g) < 0)
        return -EINVAL;
    VS_LOCK_SCOPE(&m->lock);
    f = mem_find(m, &g->key);
    if (f == NULL)
        return -ENOENT;
    n = store_get_bytes(g, f->bytes);
    if (n < 0)
        return (int)n;
    if (n > 0)
        memcpy(g->dst, f->payload + g->offset, (size_t)n);
    g->got_bytes = (uint32_t)n;
    g->payload_bytes = f->bytes;
    memcpy(g->crc, f->crc, sizeof(g->crc));
    return 0;
}

static void mem_get_job(struct vs_job *job)
{
    struct store_get *g = vs_container_of(job, struct store_get, job);
    struct store_mem *m = g->store;

    if (g->status == 0)
        g->status = mem_get(m, g);
    g->done(g);
    mem_leave(m);
}

static void mem_del_job(struct vs_job *job)
{
    struct store_del *d = vs_container_of(job, struct store_del, job);
    struct store_mem *m = d->store;
    struct mem_frag *f = NULL;

    if (d->status == 0) {
        VS_LOCK_SCOPE(&m->lock);

        f = mem_find(m, &d->key);
        if (f != NULL) {
            HASH_DEL(m->frags, f);
            m->payload_bytes -= f->bytes;
        }
    }
    mem_frag_free(f);
    d->done(d);
    mem_leave(m);
}

static int mem_stat(struct store_mem *m, struct store_stat *st)
{
    const struct mem_frag *f;
    VS_LOCK_SCOPE(&m->lock);

    f = mem_find(m, &st->key);
    if (f == NULL)
        return -ENOENT;
    st->payload_bytes = f->bytes;
    st->table_crc = frag_table_crc(f->crc, frag_blocks(f->bytes));
    memcpy(st->sha256, f->sha256, sizeof(st->sha256));
    st->note = f->note;
    return 0;
}

static void mem_stat_job(struct vs_job *job)
{
    struct store_stat *st = vs_container_of(job, struct store_stat, job);
    struct store_mem *m = st->store;

    if (st->status == 0)
        st->status = mem_stat(m, st);
    st->done(st);
    mem_leave(m);
}

static int mem_by_key(struct mem_frag *a, struct mem_frag *b)
{
    return frag_key_cmp(&a->key, &b->key);
}

static void mem_list_job(struct vs_job *job)
{
    struct store_list *l = vs_container_of(job, struct store_list, job);
    struct store_mem *m = l->store;

    l->keys_count = 0;
    if (l->status == 0) {
        struct mem_frag *f, *next;
        VS_LOCK_SCOPE(&m->lock);

        HASH_SORT(m->frags, mem_by_key);
        HASH_ITER (hh, m->frags, f, next) {
            if (l->keys_count < l->keys_max && frag_key_cmp(&f->key, &l->after) > 0)
                l->keys[l->keys_count++] = f->key;
        }
    }
    l->done(l);
    mem_leave(m);
}

/* ---- the vtable --------------------------------------------------------------------------------
 */

static void store_mem_put(struct chunk_store *s, struct store_put *p)
{
    struct store_mem *m = store_mem_of(s);

    p->store = m;
    p->table_crc = 0;
    p->status = mem_enter(m);
    p->job.fn = mem_put_job;
    vs_exec_submit(m->exec, &p->job);
}

static void store_mem_get(struct chunk_store *s, struct store_get *g)
{
    struct store_mem *m = store_mem_of(s);

    g->store = m;
    g->got_bytes = g->payload_bytes = 0;
    g->status = mem_enter(m);
    g->job.fn = mem_get_job;
    vs_exec_submit(m->exec, &g->job);
}

static void store_mem_del(struct chunk_store *s, struct store_del *d)
{
    struct store_mem *m = store_mem_of(s);

    d->store = m;
    d->status = mem_enter(m);
    d->job.fn = mem_del_job;
    vs_exec_submit(m->exec, &d->job);
}

static void store_mem_stat(struct chunk_store *s, struct store_stat *st)
{
    struct store_mem *m = store_mem_of(s);

    st->store = m;
    st->status = mem_enter(m);
    st->job.fn = mem_stat_job;
    vs_exec_submit(m->exec, &st->job);
}

static void store_mem_list(struct chunk_store *s, struct store_list *l)
{
    struct store_mem *m = store_mem_of(s);

    l->store = m;
    l->status = mem_enter(m);
    l->job.fn = mem_list_job;
    vs_exec_submit(m->exec, &l->job);
}

static void store_mem_health(struct chunk_store *s, struct store_health *ret)
{
    struct store_mem *m = store_mem_of(s);
    VS_LOCK_SCOPE(&m->lock);

    ret->state = m->down ? STORE_DOWN : STORE_UP;
    if (m->down)
        snprintf(ret->why, sizeof(ret->why), "The store in memory was set down by a test.");
    ret->fragments = HASH_COUNT(m->frags);
    ret->payload_bytes = m->payload_bytes;
    ret->total_bytes = MEM_TOTAL_BYTES;
    ret->free_bytes = MEM_TOTAL_BYTES - m->payload_bytes;
    ret->device = (uint64_t)(uintptr_t)m; /* each is a disk of its own */
}

static void store_mem_stop(struct chunk_store *s)
{
    struct store_mem *m = store_mem_of(s);
    struct mem_frag *f, *next;

    /* A serial executor has no threads that could finish what is queued: its owner ran it before.
     */
    pthread_mutex_lock(&m->lock);
    while (m->in_flight > 0)
        pthread_cond_wait(&m->idle, &m->lock);
    pthread_mutex_unlock(&m->lock);
    HASH_ITER (hh, m->frags, f, next) {
        HASH_DEL(m->frags, f);
        mem_frag_free(f);
    }
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct chunk_store_ops store_mem_ops = {
    .put = store_mem_put,
    .get = store_mem_get,
    .del = store_mem_del,
    .stat = store_mem_stat,
    .list = store_mem_list,
    .health = store_mem_health,
    .stop = store_mem_stop,
};

int store_mem_new(struct chunk_store **ret, struct vs_exec *exec)
{
    struct store_mem *m = calloc(1, sizeof(*m));

    if (m == NULL)
        return -ENOMEM;
    m->base.ops = &store_mem_ops;
    m->exec = exec;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->idle, NULL);
    *ret = &m->base;
    return 0;
}

void store_mem_set_down(struct chunk_store *s, bool down)
{
    struct store_mem *m = store_mem_of(s);
    VS_LOCK_SCOPE(&m->lock);

    m->down = down;
}

int store_mem_flip(struct chunk_store *s, const struct frag_key *key, uint32_t block)
{
    struct store_mem *m = store_mem_of(s);
    struct mem_frag *f;
    VS_LOCK_SCOPE(&m->lock);

    VS_ASSERT(m->base.ops == &store_mem_ops);
    f = mem_find(m, key);
    if (f == NULL || block >= frag_blocks(f->bytes))
        return -ENOENT;
    f->payload[(size_t)block * FRAG_BLOCK_BYTES] ^= 1;
    return 0;
}
