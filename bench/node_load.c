/* Loops on a chunk store. Happy path: callbacks keep the window full until the end of the run, or
 * the caller sends by the clock; then it sleeps until the last one is back. Failure modes: a
 * request that fails, or bytes that do not verify, end the benchmark. */
#include "bench/node_load.h"

#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"

#include <stdlib.h>
#include <string.h>

static const struct frag_note load_note = { .red = { VS_RED_RS, 3, 2 } };

struct loop {
    const struct node_load *load;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* under lock */
    unsigned in_flight;
    unsigned next, done; /* fragments asked for, answered */
    /* fixed */
    uint64_t first;
    unsigned count;
    int64_t end_ns; /* of a loop of gets */
    uint32_t bytes;
    struct bench_times *times;
};

static struct frag_key load_key(uint64_t n)
{
    return (struct frag_key){ vs_id_make(1, 1, n, VS_ID_CHUNK), 0, 1 };
}

void node_load_init(struct node_load *l, struct chunk_store *store)
{
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct vs_rand r;

    l->store = store;
    l->payload = malloc(NODE_LOAD_FRAG_BYTES);
    if (l->payload == NULL)
        bench_die("no memory");
    vs_rand_init(&r, 1);
    vs_rand_bytes(&r, l->payload, NODE_LOAD_FRAG_BYTES);
    vs_sha256(l->payload, NODE_LOAD_FRAG_BYTES, l->sha256);
    l->table_crc = frag_table_crc(crc, frag_crc_table(l->payload, NODE_LOAD_FRAG_BYTES, crc));
}

void node_load_close(struct node_load *l)
{
    free(l->payload);
    l->payload = NULL;
}

static void loop_init(struct loop *lp, const struct node_load *l, uint64_t first, unsigned count,
                      unsigned window)
{
    *lp = (struct loop){ .load = l, .first = first, .count = count, .in_flight = window };
    pthread_mutex_init(&lp->lock, NULL);
    pthread_cond_init(&lp->idle, NULL);
}

static void loop_wait(struct loop *lp)
{
    pthread_mutex_lock(&lp->lock);
    while (lp->in_flight > 0)
        pthread_cond_wait(&lp->idle, &lp->lock);
    pthread_mutex_unlock(&lp->lock);
    pthread_cond_destroy(&lp->idle);
    pthread_mutex_destroy(&lp->lock);
}

static void loop_leave(struct loop *lp)
{
    VS_LOCK_SCOPE(&lp->lock);

    if (--lp->in_flight == 0)
        pthread_cond_signal(&lp->idle);
}

/* ---- puts -------------------------------------------------------------------------------------
 */

struct put_slot {
    struct store_put put;
    struct loop *loop;
};

static void put_next(struct put_slot *s);

static void put_done(struct store_put *p)
{
    struct put_slot *s = vs_container_of(p, struct put_slot, put);

    if (p->status < 0)
        bench_die("a put failed: %s", vs_err_text(p->status));
    if (p->table_crc != s->loop->load->table_crc)
        bench_die("a put was stored wrong");
    put_next(s);
}

static void put_next(struct put_slot *s)
{
    struct loop *lp = s->loop;
    unsigned n;

    pthread_mutex_lock(&lp->lock);
    n = lp->next < lp->count ? lp->next++ : lp->count;
    pthread_mutex_unlock(&lp->lock);
    if (n == lp->count) {
        loop_leave(lp);
        return;
    }
    s->put = (struct store_put){
        .key = load_key(lp->first + n),
        .note = &load_note,
        .data = lp->load->payload,
        .bytes = NODE_LOAD_FRAG_BYTES,
        .done = put_done,
    };
    memcpy(s->put.sha256, lp->load->sha256, sizeof(s->put.sha256));
    chunk_store_put(lp->load->store, &s->put);
}

double node_load_put(const struct node_load *l, uint64_t first, unsigned count, unsigned window)
{
    struct put_slot *slots = calloc(window, sizeof(*slots));
    int64_t began_ns = bench_now_ns();
    struct loop lp;

    if (slots == NULL)
        bench_die("no memory");
    loop_init(&lp, l, first, count, window);
    for (unsigned i = 0; i < window; i++) {
        slots[i].loop = &lp;
        put_next(&slots[i]);
    }
    loop_wait(&lp);
    free(slots);
    return (double)count * NODE_LOAD_FRAG_BYTES / (1 << 20) / bench_seconds_since(began_ns);
}

/* ---- gets -------------------------------------------------------------------------------------
 */

struct get_slot {
    struct store_get get;
    struct loop *loop;
    uint8_t *dst;
    int64_t began_ns;
    bool busy; /* paced: in flight; under the loop's lock */
};

static void get_next(struct get_slot *s);

static void get_check(struct get_slot *s)
{
    struct loop *lp = s->loop;

    if (s->get.status < 0)
        bench_die("a get failed: %s", vs_err_text(s->get.status));
    if (frag_verify(&s->get, lp->load->table_crc, NODE_LOAD_FRAG_BYTES) < 0)
        bench_die("a get brought wrong bytes");
    if (lp->times != NULL)
        bench_times_add(lp->times, s->began_ns);
}

static void get_done(struct store_get *g)
{
    struct get_slot *s = vs_container_of(g, struct get_slot, get);
    struct loop *lp = s->loop;

    get_check(s);
    pthread_mutex_lock(&lp->lock);
    lp->done++;
    pthread_mutex_unlock(&lp->lock);
    get_next(s);
}

/* The next range, somewhere: whole blocks, or the whole fragment. */
static void get_send(struct get_slot *s, store_get_fn *done)
{
    struct loop *lp = s->loop;
    uint32_t blocks = frag_blocks(NODE_LOAD_FRAG_BYTES), offset = 0;
    unsigned n;

    pthread_mutex_lock(&lp->lock);
    n = lp->next++;
    pthread_mutex_unlock(&lp->lock);
    if (lp->bytes < NODE_LOAD_FRAG_BYTES)
        offset = n / lp->count % (blocks - lp->bytes / FRAG_BLOCK_BYTES) * FRAG_BLOCK_BYTES;
    s->get.key = load_key(lp->first + n % lp->count);
    s->get.offset = offset;
    s->get.bytes = lp->bytes;
    s->get.dst = s->dst;
    s->get.done = done;
    chunk_store_get(lp->load->store, &s->get);
}

static void get_next(struct get_slot *s)
{
    s->began_ns = bench_now_ns();
    if (s->began_ns >= s->loop->end_ns)
        loop_leave(s->loop);
    else
        get_send(s, get_done);
}

double node_load_get(const struct node_load *l, uint64_t first, unsigned count, uint32_t bytes,
                     unsigned window, double seconds, struct bench_times *times)
{
    struct get_slot *slots = calloc(window, sizeof(*slots));
    uint8_t *memory = malloc((size_t)window * bytes);
    int64_t began_ns;
    double took;
    struct loop lp;

    if (slots == NULL || memory == NULL)
        bench_die("no memory");
    memset(memory, 1, (size_t)window * bytes); /* warm */
    loop_init(&lp, l, first, count, window);
    began_ns = bench_now_ns();
    lp.end_ns = began_ns + (int64_t)(seconds * 1e9);
    lp.bytes = bytes;
    lp.times = times;
    for (unsigned i = 0; i < window; i++) {
        slots[i].loop = &lp;
        slots[i].dst = memory + (size_t)i * bytes;
        get_next(&slots[i]);
    }
    loop_wait(&lp);
    took = bench_seconds_since(began_ns);
    free(memory);
    free(slots);
    return (double)lp.done * bytes / 1e6 / took;
}

/* ---- paced ------------------------------------------------------------------------------------
 */

static void paced_done(struct store_get *g)
{
    struct get_slot *s = vs_container_of(g, struct get_slot, get);
    struct loop *lp = s->loop;

    get_check(s);
    VS_LOCK_SCOPE(&lp->lock);
    lp->in_flight--;
    s->busy = false;
    pthread_cond_signal(&lp->idle);
}

static void paced_send(struct get_slot *s, int64_t due_ns)
{
    struct loop *lp = s->loop;

    pthread_mutex_lock(&lp->lock);
    while (s->busy) /* the stream is late: its next request is, too */
        pthread_cond_wait(&lp->idle, &lp->lock);
    s->busy = true;
    lp->in_flight++;
    pthread_mutex_unlock(&lp->lock);
    s->began_ns = due_ns;
    get_send(s, paced_done);
}

void node_load_get_paced(const struct node_load *l, uint64_t first, unsigned count, uint32_t bytes,
                         unsigned streams, double mb_s, double seconds, struct bench_times *times)
{
    struct get_slot *slots = calloc(streams, sizeof(*slots));
    uint8_t *memory = malloc((size_t)streams * bytes);
    double every_ns = bytes / (mb_s * 1e6) * 1e9;
    int64_t began_ns;
    struct loop lp;

    if (slots == NULL || memory == NULL)
        bench_die("no memory");
    memset(memory, 1, (size_t)streams * bytes); /* warm */
    loop_init(&lp, l, first, count, 0);
    lp.bytes = bytes;
    lp.times = times;
    began_ns = bench_now_ns();
    for (uint64_t n = 0; (double)n * every_ns < seconds * 1e9; n++) {
        struct get_slot *s = &slots[n % streams];
        int64_t due_ns = began_ns + (int64_t)((double)n * every_ns);

        s->loop = &lp;
        s->dst = memory + (n % streams) * bytes;
        bench_sleep_until(due_ns);
        paced_send(s, due_ns);
    }
    loop_wait(&lp);
    free(memory);
    free(slots);
}
