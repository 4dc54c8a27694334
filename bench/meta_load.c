/* Load on the metadata. A slot is one operation in flight, with its memory; done slots go back to a
 * free list. Failure modes: an operation that fails ends the program with its error. */
#include "bench/meta_load.h"

#include "bench/bench.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "meta/manifest.h"
#include "meta/place_value.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_BYTES (4u << 20)
#define MIX         UINT64_C(0x9e3779b97f4a7c15)

struct slot {
    struct meta_req req;
    struct ns_entry entry;
    char name[32];
    struct meta_reg *regs; /* of a batch */
    struct vs_buf bytes;   /* content, or values */
    struct run *run;
    struct slot *next; /* free */
};

struct run {
    struct meta_client *meta;
    struct slot *slots;
    unsigned window;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct slot *free;
    unsigned in_flight;
};

static void run_begin(struct run *r, const struct meta_load *l, unsigned batch)
{
    VS_ASSERT(l->window > 0 && l->window <= META_LOAD_WINDOW_MAX);
    *r = (struct run){ .meta = l->meta, .window = l->window };
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    r->slots = calloc(l->window, sizeof(*r->slots));
    VS_ASSERT(r->slots != NULL);
    for (unsigned i = 0; i < l->window; i++) {
        r->slots[i].run = r;
        r->slots[i].regs = batch > 0 ? calloc(batch, sizeof(struct meta_reg)) : NULL;
        r->slots[i].next = r->free;
        r->free = &r->slots[i];
    }
}

static struct slot *slot_take(struct run *r)
{
    VS_LOCK_SCOPE(&r->lock);
    struct slot *s;

    while (r->free == NULL)
        pthread_cond_wait(&r->wake, &r->lock);
    s = r->free;
    r->free = s->next;
    r->in_flight++;
    return s;
}

static void slot_done(struct meta_req *req)
{
    struct slot *s = req->waiter;
    struct run *r = s->run;
    VS_LOCK_SCOPE(&r->lock);

    if (req->status < 0)
        bench_die("operation %d on '%s': %s", (int)req->op, s->name, vs_err_text(req->status));
    s->next = r->free;
    r->free = s;
    r->in_flight--;
    pthread_cond_signal(&r->wake);
}

static void slot_submit(struct slot *s)
{
    s->req.done = slot_done;
    s->req.waiter = s;
    meta_submit(s->run->meta, &s->req);
}

static void run_end(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->in_flight > 0)
        pthread_cond_wait(&r->wake, &r->lock);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->window; i++) {
        free(r->slots[i].regs);
        vs_buf_close(&r->slots[i].bytes);
    }
    free(r->slots);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static struct ns_answer change(struct meta_client *meta, const struct ns_entry *e)
{
    struct meta_req req = { .op = META_CHANGE, .entry = e };
    int r = meta_call(meta, &req);

    if (r < 0)
        bench_die("a change of kind %d: %s", (int)e->kind, vs_err_text(r));
    return req.answer;
}

static uint64_t reserve(struct meta_client *meta, unsigned long count)
{
    struct ns_entry e = { .kind = NS_E_RESERVE, .now = { 1, 0 }, .count = count };

    return change(meta, &e).first;
}

uint64_t meta_load_mkdir(struct meta_client *meta, const char *name)
{
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1, 0 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .ino = reserve(meta, 1),
                          .attr = { .mode = S_IFDIR | 0755 } };

    return change(meta, &e).attr.ino;
}

/* A file of one chunk: its manifest, whose segment is `n`. */
static void film_head(struct meta_client *meta, unsigned long n, struct vs_buf *ret)
{
    struct mf_segment_ref segment = { .id = vs_id_make(meta->pid, meta->inc, n + 1, VS_ID_SEGMENT),
                                      .count = 10 };
    struct mf_head head = {
        .size = 10ul * CHUNK_BYTES, .chunk_count = 10, .segments = &segment, .segment_count = 1
    };

    memcpy(head.root, &n, sizeof(n));
    ret->len = 0;
    VS_ASSERT(mf_head_encode(&head, ret) == 0);
}

static void file_entry(struct slot *s, uint64_t parent, unsigned long n, uint64_t ino, bool film)
{
    struct ns_new_content *c = &s->entry.content;

    snprintf(s->name, sizeof(s->name), "f%lu", n);
    s->entry = (struct ns_entry){ .kind = NS_E_CREATE,
                                  .now = { 1000 + (int64_t)n, 0 },
                                  .parent = parent,
                                  .name = s->name,
                                  .name_len = strlen(s->name),
                                  .ino = ino,
                                  .attr = { .mode = S_IFREG | 0644 } };
    if (film)
        film_head(s->run->meta, n, &s->bytes);
    *c = (struct ns_new_content){ .kind = film ? NS_CONTENT_CHUNKS : NS_CONTENT_INLINE,
                                  .bytes = s->bytes.data,
                                  .bytes_len = s->bytes.len,
                                  .size = film ? 10ul * CHUNK_BYTES : s->bytes.len };
    c->data_bytes = c->stored_bytes = c->size;
    s->req = (struct meta_req){ .op = META_CHANGE, .entry = &s->entry };
}

static double create(const struct meta_load *l, uint64_t parent, unsigned long count, size_t bytes,
                     bool film)
{
    int64_t began = bench_now_ns();
    uint64_t ino = 0;
    struct run r;

    run_begin(&r, l, 0);
    for (unsigned long n = 0; n < count; n++) {
        struct slot *s = slot_take(&r);

        if (n % NS_RESERVE_MAX == 0)
            ino = reserve(l->meta, NS_RESERVE_MAX);
        while (!film && s->bytes.len < bytes)
            VS_ASSERT(vs_buf_append(&s->bytes, "a small file ", 13, bytes + 13) == 0);
        file_entry(s, parent, n, ino++, film);
        slot_submit(s);
    }
    run_end(&r);
    return bench_seconds_since(began);
}

double meta_load_create(const struct meta_load *l, uint64_t parent, unsigned long count,
                        size_t bytes)
{
    return create(l, parent, count, bytes, false);
}

double meta_load_create_films(const struct meta_load *l, uint64_t parent, unsigned long count)
{
    return create(l, parent, count, 0, true);
}

/* Segment `n` of a manifest of `chunks` holes. */
static void hole_segment(const struct vs_id *id, struct mf_segment_ref *ref, uint64_t n,
                         uint64_t chunks, struct vs_buf *ret)
{
    struct mf_chunk chunk[MF_SEGMENT_CHUNKS] = { 0 };
    uint64_t first = n * MF_SEGMENT_CHUNKS;

    *ref = (struct mf_segment_ref){ .id = *id, .offset = first * CHUNK_BYTES };
    while (ref->count < MF_SEGMENT_CHUNKS && first + ref->count < chunks) {
        chunk[ref->count].offset = (first + ref->count) * CHUNK_BYTES;
        chunk[ref->count++].bytes = CHUNK_BYTES;
    }
    VS_ASSERT(mf_segment_encode(chunk, ref->count, ret) == 0);
}

void meta_load_large(struct meta_client *meta, const char *name, uint64_t chunks)
{
    struct mf_head head = { .size = chunks * CHUNK_BYTES,
                            .chunk_count = chunks,
                            .hole_count = chunks,
                            .segment_count =
                                (uint32_t)((chunks + MF_SEGMENT_CHUNKS - 1) / MF_SEGMENT_CHUNKS) };
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN,
                             .now = { 1, 0 },
                             .count = head.segment_count };
    struct ns_answer session;
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1, 0 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .ino = reserve(meta, 1),
                          .attr = { .mode = S_IFREG | 0644 } };
    struct vs_buf bytes = { 0 };

    meta_client_owner(meta, &open.pid, &open.inc);
    session = change(meta, &open);
    head.segments = calloc(head.segment_count, sizeof(*head.segments));
    VS_ASSERT(head.segments != NULL);
    for (uint32_t n = 0; n < head.segment_count; n++) {
        struct meta_reg reg = { .id = vs_id_make(open.pid, open.inc, session.first + n,
                                                 VS_ID_SEGMENT) };
        struct meta_req req = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

        bytes.len = 0;
        hole_segment(&reg.id, &head.segments[n], n, chunks, &bytes);
        reg.value = bytes.data;
        reg.value_len = bytes.len;
        if (meta_call(meta, &req) < 0 || reg.status < 0)
            bench_die("segment %u of '%s': %s", n, name, vs_err_text(req.status));
        vs_buf_close(&reg.current);
    }
    bytes.len = 0;
    VS_ASSERT(mf_head_encode(&head, &bytes) == 0);
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                         .bytes = bytes.data,
                                         .bytes_len = bytes.len,
                                         .size = head.size,
                                         .session = session.session };
    (void)change(meta, &e);
    free(head.segments);
    vs_buf_close(&bytes);
}

double meta_load_lookup(const struct meta_load *l, uint64_t parent, unsigned long count)
{
    int64_t began = bench_now_ns();
    struct run r;

    run_begin(&r, l, 0);
    for (unsigned long n = 0; n < count; n++) {
        struct slot *s = slot_take(&r);

        snprintf(s->name, sizeof(s->name), "f%lu", (unsigned long)(n * MIX % count));
        s->req = (struct meta_req){
            .op = META_LOOKUP, .ino = parent, .name = s->name, .name_len = strlen(s->name)
        };
        slot_submit(s);
    }
    run_end(&r);
    return bench_seconds_since(began);
}

double meta_load_list(struct meta_client *meta, uint64_t dir, unsigned long count)
{
    struct ns_dirent *dirents = calloc(META_LIST_MAX, sizeof(*dirents));
    struct meta_req req = { .op = META_READDIR,
                            .ino = dir,
                            .with_attr = true,
                            .dirents = dirents,
                            .dirents_max = META_LIST_MAX };
    int64_t began = bench_now_ns();
    unsigned long seen = 0;
    double seconds;

    VS_ASSERT(dirents != NULL);
    do {
        int r = meta_call(meta, &req);

        if (r < 0)
            bench_die("a listing: %s", vs_err_text(r));
        seen += req.dirents_count;
        if (req.dirents_count > 0)
            req.cookie = dirents[req.dirents_count - 1].cookie;
    } while (req.dirents_count > 0);
    seconds = bench_seconds_since(began);
    if (seen != count)
        bench_die("%lu names were listed, %lu are there", seen, count);
    free(dirents);
    return seconds;
}

/* ---- registers --------------------------------------------------------------------------------
 */

static void placement(struct vs_rand *rand, struct vs_buf *ret)
{
    struct place_value v = { .state = PLACE_LIVE,
                             .session = 1,
                             .generation = 1,
                             .chunk_bytes = CHUNK_BYTES,
                             .red = { VS_RED_RS, 3, 2 } };

    for (unsigned i = 0; i < 5; i++) {
        v.frag[i].node = i + 1;
        v.frag[i].generation = 1;
        v.frag[i].table_crc = (uint32_t)vs_rand_u64(rand);
        vs_rand_bytes(rand, v.frag[i].sha256, VS_SHA256_BYTES);
    }
    VS_ASSERT(place_value_encode(&v, ret) == 0);
}

static void batch_fill(struct slot *s, uint64_t seq, unsigned batch, struct vs_rand *rand)
{
    struct meta_client *meta = s->run->meta;
    size_t each;

    s->bytes.len = 0;
    for (unsigned i = 0; i < batch; i++)
        placement(rand, &s->bytes);
    each = s->bytes.len / batch;
    for (unsigned i = 0; i < batch; i++)
        s->regs[i] =
            (struct meta_reg){ .id = vs_id_make(meta->pid, meta->inc, seq + i, VS_ID_CHUNK),
                               .value = s->bytes.data + i * each,
                               .value_len = each };
    s->req = (struct meta_req){ .op = META_REG_CREATE, .regs = s->regs, .reg_count = batch };
}

double meta_load_registers(const struct meta_load *l, unsigned long count, unsigned batch)
{
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .now = { 1, 0 }, .count = NS_RESERVE_MAX };
    int64_t began = bench_now_ns();
    uint64_t seq = 0, end = 0;
    struct vs_rand rand;
    struct run r;

    vs_rand_init(&rand, (uint64_t)began);
    run_begin(&r, l, batch);
    for (unsigned long n = 0; n < count; n += batch) {
        unsigned now = count - n < batch ? (unsigned)(count - n) : batch;
        struct slot *s = slot_take(&r);

        if (seq + now > end) {
            seq = change(l->meta, &open).first;
            end = seq + NS_RESERVE_MAX;
        }
        batch_fill(s, seq, now, &rand);
        seq += now;
        slot_submit(s);
    }
    run_end(&r);
    return bench_seconds_since(began);
}

struct meta_stats meta_load_stats(struct meta_client *meta)
{
    struct meta_req req = { .op = META_STATS };
    int r = meta_call(meta, &req);

    if (r < 0)
        bench_die("the figures of the metadata: %s", vs_err_text(r));
    return req.stats;
}
