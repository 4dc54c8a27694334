/* Blocking calls on a chunk store. One semaphore per call; a serial store is run by the waiter. */
#include "tests/support/store_sync.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
    sem_t sem;
    union {
        struct store_put put;
        struct store_get get;
        struct store_del del;
        struct store_stat stat;
        struct store_list list;
    } req;
};

static void put_done(struct store_put *p)
{
    sem_post(&vs_container_of(p, struct waiter, req.put)->sem);
}

static void get_done(struct store_get *g)
{
    sem_post(&vs_container_of(g, struct waiter, req.get)->sem);
}

static void del_done(struct store_del *d)
{
    sem_post(&vs_container_of(d, struct waiter, req.del)->sem);
}

static void stat_done(struct store_stat *st)
{
    sem_post(&vs_container_of(st, struct waiter, req.stat)->sem);
}

static void list_done(struct store_list *l)
{
    sem_post(&vs_container_of(l, struct waiter, req.list)->sem);
}

static void wait_for(const struct sync_store *ss, struct waiter *w)
{
    if (ss->run != NULL) {
        ss->run(ss->s);
        VS_ASSERT(sem_trywait(&w->sem) == 0); /* a serial store that does not answer */
    } else {
        while (sem_wait(&w->sem) < 0)
            VS_ASSERT(errno == EINTR);
    }
    sem_destroy(&w->sem);
}

struct frag_key sync_key(uint64_t n)
{
    return (struct frag_key){ vs_id_make(1, 1, n, VS_ID_CHUNK), 0, 1 };
}

uint8_t *sync_bytes(uint64_t seed, size_t bytes)
{
    size_t words = bytes / sizeof(uint64_t) + 1;
    uint64_t *v = malloc(words * sizeof(*v)), first;
    struct vs_rand r;

    VS_ASSERT(v != NULL);
    vs_rand_init(&r, seed);
    first = vs_rand_u64(&r);
    for (size_t i = 0; i < words; i++) /* sweeps make gigabytes: an addition for each word */
        v[i] = first + i * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t *)v;
}

int sync_put(const struct sync_store *ss, const struct frag_key *key, const struct frag_note *note,
             const void *data, size_t bytes)
{
    static const struct frag_note plain = { .red = { VS_RED_RS, 3, 2 } };
    struct waiter w;

    memset(&w, 0, sizeof(w));
    sem_init(&w.sem, 0, 0);
    w.req.put = (struct store_put){
        .key = *key,
        .note = note != NULL ? note : &plain,
        .data = data,
        .bytes = bytes,
        .done = put_done,
    };
    vs_sha256(data, bytes, w.req.put.sha256);
    chunk_store_put(ss->s, &w.req.put);
    wait_for(ss, &w);
    if (w.req.put.status == 0) {
        uint32_t crc[FRAG_BLOCKS_MAX];
        unsigned blocks = frag_crc_table(data, bytes, crc);

        VS_ASSERT(w.req.put.table_crc == frag_table_crc(crc, blocks));
    }
    return w.req.put.status;
}

int sync_get(const struct sync_store *ss, struct store_get *g)
{
    struct waiter *w = calloc(1, sizeof(*w));
    int status;

    VS_ASSERT(w != NULL);
    sem_init(&w->sem, 0, 0);
    w->req.get.key = g->key;
    w->req.get.offset = g->offset;
    w->req.get.bytes = g->bytes;
    w->req.get.dst = g->dst;
    w->req.get.done = get_done;
    chunk_store_get(ss->s, &w->req.get);
    wait_for(ss, w);
    *g = w->req.get;
    status = g->status;
    free(w);
    return status;
}

/* Room for the largest fragment, kept from one call to the next: fresh memory of that size costs
 * more than the calls themselves. Never holds bytes of an earlier answer. */
static _Atomic(uint8_t *) spare_room;
#define ROOM_GONE_BYTES                                                                            \
    (256u << 10) /* what a read beside a delete has written, at most, in tests */

static uint8_t *room_take(void)
{
    uint8_t *room = atomic_exchange(&spare_room, NULL);

    if (room == NULL)
        room = malloc(FRAG_BYTES_MAX);
    VS_ASSERT(room != NULL);
    return room;
}

static void room_give(uint8_t *room, const struct store_get *g)
{
    size_t used = g->status == 0 ? g->got_bytes : ROOM_GONE_BYTES;

    if (g->status != 0 && g->status != -ENOENT) { /* who knows what was written to it */
        free(room);
        return;
    }
    memset(room, 0xdd, used);
    free(atomic_exchange(&spare_room, room));
}

int sync_get_all(const struct sync_store *ss, const struct frag_key *key, const uint32_t *table_crc,
                 uint8_t **ret, size_t *ret_bytes)
{
    struct store_get *g = calloc(1, sizeof(*g));
    int r;

    VS_ASSERT(g != NULL);
    g->key = *key;
    g->bytes = FRAG_BYTES_MAX;
    g->dst = room_take();
    r = sync_get(ss, g);
    if (r == 0)
        r = frag_verify(g,
                        table_crc != NULL ? *table_crc
                                          : frag_table_crc(g->crc, frag_blocks(g->payload_bytes)),
                        g->payload_bytes);
    if (r == 0) {
        *ret = malloc(g->got_bytes > 0 ? g->got_bytes : 1);
        VS_ASSERT(*ret != NULL);
        memcpy(*ret, g->dst, g->got_bytes);
        *ret_bytes = g->got_bytes;
    }
    room_give(g->dst, g);
    free(g);
    return r;
}

int sync_del(const struct sync_store *ss, const struct frag_key *key)
{
    struct waiter w;

    memset(&w, 0, sizeof(w));
    sem_init(&w.sem, 0, 0);
    w.req.del = (struct store_del){ .key = *key, .done = del_done };
    chunk_store_del(ss->s, &w.req.del);
    wait_for(ss, &w);
    return w.req.del.status;
}

int sync_stat(const struct sync_store *ss, const struct frag_key *key, struct store_stat *ret)
{
    struct waiter w;

    memset(&w, 0, sizeof(w));
    sem_init(&w.sem, 0, 0);
    w.req.stat.key = *key;
    w.req.stat.done = stat_done;
    chunk_store_stat(ss->s, &w.req.stat);
    wait_for(ss, &w);
    *ret = w.req.stat;
    return w.req.stat.status;
}

int sync_list(const struct sync_store *ss, const struct frag_key *after, struct frag_key *keys,
              uint32_t keys_max, uint32_t *ret_count)
{
    struct waiter w;

    memset(&w, 0, sizeof(w));
    sem_init(&w.sem, 0, 0);
    w.req.list.keys = keys;
    w.req.list.keys_max = keys_max;
    w.req.list.done = list_done;
    if (after != NULL)
        w.req.list.after = *after;
    chunk_store_list(ss->s, &w.req.list);
    wait_for(ss, &w);
    *ret_count = w.req.list.keys_count;
    return w.req.list.status;
}

int sync_check(const struct sync_store *ss, const struct frag_key *key, uint64_t seed, size_t bytes)
{
    uint8_t *want, *got = NULL;
    size_t got_bytes = 0;
    int r;

    r = sync_get_all(ss, key, NULL, &got, &got_bytes);
    if (r < 0)
        return r;
    want = sync_bytes(seed, bytes);
    if (got_bytes != bytes || memcmp(want, got, bytes) != 0)
        r = -VS_ECORRUPT;
    free(want);
    free(got);
    return r;
}
