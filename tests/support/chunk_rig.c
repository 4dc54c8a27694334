/* chunk_rig: see the header. */
#include "tests/support/chunk_rig.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/waiter.h"
#include "node/store_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FIRST_INO 100
#define VALUE_MAX 65536

const struct vs_redundancy rs32 = { VS_RED_RS, 3, 2 }, rs22 = { VS_RED_RS, 2, 2 },
                           three = { VS_RED_REPLICATE, 1, 2 }, two = { VS_RED_REPLICATE, 1, 1 },
                           one = { VS_RED_REPLICATE, 1, 0 };

/* ---- the metadata ---- */

static void answer_register(struct chunk_rig *f, struct meta_reg *reg)
{
    VS_LOCK_SCOPE(&f->lock);
    reg->status = -ENOENT;
    for (unsigned i = 0; i < f->count; i++)
        if (vs_id_cmp(&f->at[i].chunk.id, &reg->id) == 0 && f->at[i].value.len > 0)
            reg->status =
                vs_buf_append(&reg->current, f->at[i].value.data, f->at[i].value.len, VALUE_MAX);
}

/* What the metadata says of a file; with its content, too. */
static int answer_file(struct chunk_rig *f, struct meta_req *r)
{
    const struct chunk_rig_file *file;

    VS_LOCK_SCOPE(&f->lock);
    if (r->ino < FIRST_INO || r->ino >= FIRST_INO + f->file_count)
        return -ENOENT;
    file = &f->file[r->ino - FIRST_INO];
    r->attr = file->attr;
    if (r->op != META_CONTENT)
        return r->op == META_GETATTR ? 0 : -ENODATA; /* nobody has described it */
    return vs_buf_append(&r->bytes, file->bytes.data, file->bytes.len, SIZE_MAX);
}

/* Registers are in the table in the order of their ids. */
static void answer_scan(struct chunk_rig *f, struct meta_req *r)
{
    VS_LOCK_SCOPE(&f->lock);
    VS_ASSERT(r->scan == META_SCAN_REGISTERS);
    r->scan_count = 0;
    for (unsigned i = 0; i < f->count && r->scan_count < r->scan_max; i++)
        if (vs_id_cmp(&f->at[i].chunk.id, &r->scan_after_id) > 0 && f->at[i].value.len > 0)
            r->scan_ids[r->scan_count++] = f->at[i].chunk.id;
}

static void answer(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct chunk_rig *f = vs_container_of((struct meta_client *)r->client, struct chunk_rig, meta);

    r->status = 0;
    switch (r->op) {
    case META_CONTENT:
        f->loads++;
        r->status = answer_file(f, r);
        break;
    case META_GETATTR:
    case META_MEDIA:
        r->status = answer_file(f, r);
        break;
    case META_SCAN:
        answer_scan(f, r);
        break;
    default:
        VS_ASSERT(r->op == META_REG_READ);
        f->register_reads++;
        for (uint32_t i = 0; i < r->reg_count; i++)
            answer_register(f, &r->regs[i]);
    }
    if (f->answering != NULL)
        f->answering(f->arg, r);
    r->done(r);
}

static void rig_submit(struct meta_client *c, struct meta_req *r)
{
    struct chunk_rig *f = vs_container_of(c, struct chunk_rig, meta);

    r->client = c;
    r->job.fn = answer;
    vs_exec_submit(f->exec, &r->job);
}

static void rig_stop(struct meta_client *c)
{
    (void)c;
}

static const struct meta_client_ops rig_ops = { .submit = rig_submit, .stop = rig_stop };

/* ---- chunks ---- */

struct put_wait {
    struct store_put put;
    struct waiter waiter;
};

static void put_done(struct store_put *p)
{
    waiter_wake(&vs_container_of(p, struct put_wait, put)->waiter);
}

static void put_fragment(struct chunk_rig *f, unsigned c, const struct place_value *v, unsigned n,
                         const uint8_t *data, size_t len, struct place_frag *ret)
{
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct frag_note note = { .red = v->red, .chunk_bytes = v->chunk_bytes };
    struct put_wait w = { .put = { .key = { f->at[c].chunk.id, (uint8_t)n, v->generation },
                                   .note = &note,
                                   .data = data,
                                   .bytes = len,
                                   .done = put_done },
                          .waiter = WAITER_INIT };

    vs_sha256(data, len, w.put.sha256);
    memcpy(ret->sha256, w.put.sha256, sizeof(ret->sha256));
    ret->table_crc = frag_table_crc(crc, frag_crc_table(data, len, crc));
    ret->generation = v->generation;
    ret->node = (c + n) % CHUNK_RIG_STORES + 1;
    chunk_store_put(store_set_get(&f->stores, ret->node), &w.put);
    waiter_wait(&w.waiter);
    assert_int_equal(w.put.status, 0);
}

void chunk_rig_rewrite(struct chunk_rig *f, unsigned c, struct vs_redundancy red,
                       uint32_t generation)
{
    size_t len = f->at[c].chunk.bytes, frag = vs_ec_fragment_bytes(len, red.k);
    uint8_t *all = calloc(1, frag * red.k), *parity[VS_EC_M_MAX];
    const uint8_t *data[VS_EC_K_MAX];
    struct place_value v = { .state = PLACE_LIVE,
                             .session = 1,
                             .generation = generation,
                             .chunk_bytes = (uint32_t)len,
                             .red = red };

    assert_non_null(all);
    memcpy(all, f->at[c].bytes, len);
    for (unsigned i = 0; i < red.k; i++)
        data[i] = all + i * frag;
    for (unsigned i = 0; i < red.m; i++)
        parity[i] = calloc(1, frag);
    if (red.kind == VS_RED_RS)
        vs_ec_encode(red.k, red.m, frag, data, parity);
    else
        for (unsigned i = 0; i < red.m; i++)
            memcpy(parity[i], all, frag);
    for (unsigned n = 0; n < (unsigned)red.k + red.m; n++)
        put_fragment(f, c, &v, n, n < red.k ? data[n] : parity[n - red.k], frag, &v.frag[n]);
    for (unsigned i = 0; i < red.m; i++)
        free(parity[i]);
    free(all);
    chunk_rig_set_place(f, c, &v);
}

unsigned chunk_rig_write(struct chunk_rig *f, size_t len, struct vs_redundancy red)
{
    unsigned c = f->count;
    struct vs_rand r;

    assert_true(c < CHUNK_RIG_CHUNKS_MAX);
    f->at[c].bytes = malloc(len);
    assert_non_null(f->at[c].bytes);
    vs_rand_init(&r, c + 1);
    vs_rand_bytes(&r, f->at[c].bytes, len);
    f->at[c].chunk =
        (struct mf_chunk){ .id = vs_id_make(1, 1, c + 1, VS_ID_CHUNK), .bytes = len, .red = red };
    pthread_mutex_lock(&f->lock);
    f->count++;
    pthread_mutex_unlock(&f->lock);
    chunk_rig_rewrite(f, c, red, 1);
    return c;
}

struct place_value chunk_rig_place(struct chunk_rig *f, unsigned c)
{
    struct place_value v;

    VS_LOCK_SCOPE(&f->lock);
    assert_int_equal(place_value_decode(f->at[c].value.data, f->at[c].value.len, &v), 0);
    return v;
}

void chunk_rig_set_value(struct chunk_rig *f, unsigned c, const void *value, size_t len)
{
    VS_LOCK_SCOPE(&f->lock);
    f->at[c].value.len = 0;
    assert_int_equal(vs_buf_append(&f->at[c].value, value, len, VALUE_MAX), 0);
}

void chunk_rig_set_place(struct chunk_rig *f, unsigned c, const struct place_value *v)
{
    struct vs_buf value = { 0 };

    assert_int_equal(place_value_encode(v, &value), 0);
    chunk_rig_set_value(f, c, value.data, value.len);
    vs_buf_close(&value);
}

void chunk_rig_down(struct chunk_rig *f, unsigned mask)
{
    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        store_mem_set_down(f->mem[i], (mask & (1u << i)) != 0);
}

void chunk_rig_fresh_reader(struct chunk_rig *f)
{
    chunk_reader_free(f->reader);
    f->reader = NULL;
    assert_int_equal(chunk_reader_new(&f->reader, &f->stores, &f->meta, f->exec, 4u << 20), 0);
}

/* ---- files ---- */

/* The register of a segment with these chunks: its number in f->at. */
static struct mf_segment_ref write_segment(struct chunk_rig *f, const struct mf_chunk *chunks,
                                           uint32_t count)
{
    unsigned c = f->count;
    struct mf_segment_ref ref = { .offset = chunks[0].offset, .count = count };

    assert_true(c < CHUNK_RIG_CHUNKS_MAX);
    ref.id = f->at[c].chunk.id = vs_id_make(1, 1, c + 1, VS_ID_SEGMENT);
    assert_int_equal(mf_segment_encode(chunks, count, &f->at[c].value), 0);
    pthread_mutex_lock(&f->lock);
    f->count++;
    pthread_mutex_unlock(&f->lock);
    return ref;
}

unsigned chunk_rig_file(struct chunk_rig *f, const int64_t *lens, unsigned count,
                        struct vs_redundancy red)
{
    unsigned n = f->file_count, segments = (count + MF_SEGMENT_CHUNKS - 1) / MF_SEGMENT_CHUNKS;
    VS_AUTO_FREE struct mf_chunk *chunks = calloc(count, sizeof(*chunks));
    VS_AUTO_FREE struct mf_segment_ref *refs = calloc(segments, sizeof(*refs));
    struct mf_head head = { .chunk_count = count, .segments = refs, .segment_count = segments };
    struct chunk_rig_file *file = &f->file[n];

    assert_true(n < CHUNK_RIG_FILES_MAX && chunks != NULL && refs != NULL);
    for (unsigned i = 0; i < count; i++)
        head.size += (uint64_t)(lens[i] < 0 ? -lens[i] : lens[i]);
    file->content = calloc(1, head.size);
    assert_non_null(file->content);
    for (uint64_t i = 0, at = 0; i < count; at += chunks[i++].bytes) {
        if (lens[i] < 0) {
            chunks[i].bytes = (uint64_t)-lens[i];
            head.hole_count++;
        } else {
            unsigned c = chunk_rig_write(f, (size_t)lens[i], red);

            chunks[i] = f->at[c].chunk;
            memcpy(file->content + at, f->at[c].bytes, (size_t)lens[i]);
        }
        chunks[i].offset = at;
    }
    for (unsigned i = 0; i < segments; i++) {
        unsigned from = i * MF_SEGMENT_CHUNKS, left = count - from;

        refs[i] =
            write_segment(f, chunks + from, left < MF_SEGMENT_CHUNKS ? left : MF_SEGMENT_CHUNKS);
    }
    assert_int_equal(mf_head_encode(&head, &file->bytes), 0);
    file->attr = (struct ns_attr){ .ino = FIRST_INO + n,
                                   .mode = S_IFREG | 0644,
                                   .nlink = 1,
                                   .size = head.size,
                                   .version = 1,
                                   .content = NS_CONTENT_CHUNKS };
    pthread_mutex_lock(&f->lock);
    f->file_count++;
    pthread_mutex_unlock(&f->lock);
    return n;
}

unsigned chunk_rig_inline_file(struct chunk_rig *f, size_t len)
{
    unsigned n = f->file_count;
    struct chunk_rig_file *file = &f->file[n];
    struct vs_rand r;

    assert_true(n < CHUNK_RIG_FILES_MAX);
    file->content = malloc(len + 1);
    assert_non_null(file->content);
    vs_rand_init(&r, 1000 + n);
    vs_rand_bytes(&r, file->content, len);
    assert_int_equal(vs_buf_append(&file->bytes, file->content, len, SIZE_MAX), 0);
    file->attr = (struct ns_attr){ .ino = FIRST_INO + n,
                                   .mode = S_IFREG | 0644,
                                   .nlink = 1,
                                   .size = len,
                                   .version = 1,
                                   .content = NS_CONTENT_INLINE };
    pthread_mutex_lock(&f->lock);
    f->file_count++;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* Number in f->at of a register. */
static unsigned find_register(struct chunk_rig *f, const struct vs_id *id)
{
    for (unsigned c = 0; c < f->count; c++)
        if (vs_id_cmp(&f->at[c].chunk.id, id) == 0)
            return c;
    fail_msg("no such register");
    return 0;
}

unsigned chunk_rig_segment(struct chunk_rig *f, unsigned file, unsigned index)
{
    struct mf_head head;
    unsigned c;

    assert_int_equal(mf_head_decode(f->file[file].bytes.data, f->file[file].bytes.len, &head), 0);
    assert_true(index < head.segment_count);
    c = find_register(f, &head.segments[index].id);
    mf_head_close(&head);
    return c;
}

/* The registers of a file's chunks and segments say TOMB. */
static void bury(struct chunk_rig *f, unsigned file)
{
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    VS_AUTO_FREE struct mf_chunk *chunks = calloc(MF_SEGMENT_CHUNKS, sizeof(*chunks));
    struct mf_head head;

    if (f->file[file].attr.content != NS_CONTENT_CHUNKS)
        return;
    assert_int_equal(mf_head_decode(f->file[file].bytes.data, f->file[file].bytes.len, &head), 0);
    for (uint32_t i = 0; i < head.segment_count; i++) {
        unsigned s = find_register(f, &head.segments[i].id);
        int n = mf_segment_decode(f->at[s].value.data, f->at[s].value.len, chunks);

        assert_true(n > 0);
        for (int k = 0; k < n; k++)
            if (!vs_id_is_zero(&chunks[k].id))
                chunk_rig_set_place(f, find_register(f, &chunks[k].id), &tomb);
        chunk_rig_set_place(f, s, &tomb);
    }
    mf_head_close(&head);
}

void chunk_rig_swap(struct chunk_rig *f, unsigned file, unsigned to)
{
    struct chunk_rig_file *a = &f->file[file];
    const struct chunk_rig_file *b = &f->file[to];

    bury(f, file);
    VS_LOCK_SCOPE(&f->lock);
    a->attr.size = b->attr.size;
    a->attr.content = b->attr.content;
    a->attr.version++;
    a->bytes.len = 0;
    assert_int_equal(vs_buf_append(&a->bytes, b->bytes.data, b->bytes.len, SIZE_MAX), 0);
    free(a->content);
    a->content = malloc(b->attr.size + 1);
    assert_non_null(a->content);
    memcpy(a->content, b->content, b->attr.size);
}

/* ---- up and down ---- */

int chunk_rig_setup(void **state)
{
    struct chunk_rig *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    pthread_mutex_init(&f->lock, NULL);
    assert_int_equal(vs_exec_start(&f->exec, "test", 3), 0);
    f->meta.ops = &rig_ops;
    f->stores.count = CHUNK_RIG_STORES;
    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++) {
        assert_int_equal(store_mem_new(&f->mem[i], f->exec), 0);
        f->twist[i] = store_twist_new(f->mem[i]);
        f->stores.entries[i].node = i + 1;
        snprintf(f->stores.entries[i].path, sizeof(f->stores.entries[i].path), "/mem/%u", i + 1);
        atomic_store(&f->stores.entries[i].store, f->twist[i]);
    }
    *state = f;
    return chunk_reader_new(&f->reader, &f->stores, &f->meta, f->exec, 4u << 20);
}

int chunk_rig_teardown(void **state)
{
    struct chunk_rig *f = *state;

    store_set_close(&f->stores);
    vs_exec_stop(f->exec);
    chunk_reader_free(f->reader);
    for (unsigned i = 0; i < f->count; i++) {
        free(f->at[i].bytes);
        vs_buf_close(&f->at[i].value);
    }
    for (unsigned i = 0; i < f->file_count; i++) {
        free(f->file[i].content);
        vs_buf_close(&f->file[i].bytes);
    }
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}
