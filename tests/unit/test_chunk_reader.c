/* Ranges and whole chunks come back byte-exact whatever two stores do; with three gone it is an
 * error, never a wrong byte.
 *
 * Stores in memory, registers in a table behind a meta_client that knows only META_REG_READ. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/chunk_reader.h"
#include "fs/waiter.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STORES     5
#define CHUNKS_MAX 64

struct fixture {
    struct vs_exec *exec;
    struct store_set stores;
    struct meta_client meta;
    struct chunk_reader *reader;
    struct {
        struct mf_chunk chunk;
        struct vs_buf value;
        uint8_t *bytes;
    } at[CHUNKS_MAX];
    unsigned count;
    _Atomic unsigned register_reads;
};

/* ---- registers ---- */

static void fake_answer(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct fixture *f = vs_container_of((struct meta_client *)r->client, struct fixture, meta);
    struct meta_reg *reg = &r->regs[0];

    VS_ASSERT(r->op == META_REG_READ && r->reg_count == 1);
    f->register_reads++;
    reg->status = -ENOENT;
    for (unsigned i = 0; i < f->count; i++) {
        if (vs_id_cmp(&f->at[i].chunk.id, &reg->id) != 0)
            continue;
        reg->status = vs_buf_append(&reg->current, f->at[i].value.data, f->at[i].value.len, 65536);
    }
    r->status = 0;
    r->done(r);
}

static void fake_submit(struct meta_client *c, struct meta_req *r)
{
    struct fixture *f = vs_container_of(c, struct fixture, meta);

    r->client = c;
    r->job.fn = fake_answer;
    vs_exec_submit(f->exec, &r->job);
}

static void fake_stop(struct meta_client *c)
{
    (void)c;
}

static const struct meta_client_ops fake_ops = { fake_submit, fake_stop };

/* ---- writing ---- */

struct put_wait {
    struct store_put put;
    struct waiter waiter;
};

static void put_done(struct store_put *p)
{
    waiter_wake(&vs_container_of(p, struct put_wait, put)->waiter);
}

static void put_fragment(struct fixture *f, unsigned chunk, const struct place_value *v, unsigned n,
                         const uint8_t *data, size_t len, struct place_frag *ret)
{
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct frag_note note = { .red = v->red, .chunk_bytes = v->chunk_bytes };
    struct put_wait w = { .put = { .key = { f->at[chunk].chunk.id, (uint8_t)n, v->generation },
                                   .note = &note,
                                   .data = data,
                                   .bytes = len,
                                   .done = put_done },
                          .waiter = WAITER_INIT };

    vs_sha256(data, len, w.put.sha256);
    memcpy(ret->sha256, w.put.sha256, sizeof(ret->sha256));
    ret->table_crc = frag_table_crc(crc, frag_crc_table(data, len, crc));
    ret->node = (chunk + n) % STORES + 1;
    chunk_store_put(store_set_get(&f->stores, ret->node), &w.put);
    waiter_wait(&w.waiter);
    assert_int_equal(w.put.status, 0);
}

/* A chunk of `len` random bytes; its number in f->at. */
static unsigned write_chunk(struct fixture *f, size_t len, struct vs_redundancy red)
{
    unsigned c = f->count++;
    size_t frag = vs_ec_fragment_bytes(len, red.k);
    uint8_t *all = calloc(1, frag * red.k), *parity[VS_EC_M_MAX];
    const uint8_t *data[VS_EC_K_MAX];
    struct place_value v = {
        .state = PLACE_LIVE, .session = 1, .generation = 1, .chunk_bytes = (uint32_t)len, .red = red
    };
    struct vs_rand r;

    vs_rand_init(&r, c + 1);
    vs_rand_bytes(&r, all, len);
    f->at[c].bytes = all;
    f->at[c].chunk =
        (struct mf_chunk){ .id = vs_id_make(1, 1, c + 1, VS_ID_CHUNK), .bytes = len, .red = red };
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
    assert_int_equal(place_value_encode(&v, &f->at[c].value), 0);
    return c;
}

/* ---- reading ---- */

struct read_wait {
    struct chunk_read read;
    struct waiter waiter;
    _Atomic unsigned dones;
};

static void read_done(struct chunk_read *r)
{
    struct read_wait *w = vs_container_of(r, struct read_wait, read);

    w->dones++;
    waiter_wake(&w->waiter);
}

/* Read and compare; the status. */
static int read_check(struct fixture *f, unsigned c, uint32_t offset, uint32_t bytes, bool whole)
{
    struct read_wait w = { .read = { .chunk = f->at[c].chunk,
                                     .offset = offset,
                                     .bytes = bytes,
                                     .whole = whole,
                                     .done = read_done },
                           .waiter = WAITER_INIT };
    int at_once = chunk_read_start(f->reader, &w.read), status;

    if (at_once == 0) {
        waiter_wait(&w.waiter);
        assert_int_equal(w.dones, 1);
    }
    status = w.read.status;
    if (status == 0)
        assert_memory_equal(w.read.data, f->at[c].bytes + offset, bytes);
    else
        assert_null(w.read.data);
    chunk_read_put(&w.read);
    return status;
}

static void set_down(struct fixture *f, unsigned mask)
{
    for (unsigned i = 0; i < STORES; i++)
        store_mem_set_down(store_set_get(&f->stores, i + 1), (mask & (1u << i)) != 0);
}

static unsigned bits(unsigned mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static const struct vs_redundancy rs32 = { VS_RED_RS, 3, 2 };
static const struct vs_redundancy rs22 = { VS_RED_RS, 2, 2 };
static const struct vs_redundancy three = { VS_RED_REPLICATE, 1, 2 };

static void fresh_reader(struct fixture *f)
{
    chunk_reader_free(f->reader);
    f->reader = NULL;
    assert_int_equal(chunk_reader_new(&f->reader, &f->stores, &f->meta, f->exec, 4u << 20), 0);
}

/* Every set of stores down, whole chunks and ranges, all forms and awkward lengths. */
static void any_two_stores_may_be_down(void **state)
{
    struct fixture *f = *state;
    static const size_t lens[] = { 1, 2, 3, 65536, 65537, 3 * 65536, 3 * 65536 + 1, 1000003 };
    const struct vs_redundancy forms[] = { rs32, rs22, three };
    struct vs_rand r;

    vs_rand_init(&r, 7);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t form = 0; form < 3; form++) {
            unsigned c = write_chunk(f, lens[i], forms[form]);
            uint32_t len = (uint32_t)lens[i];

            for (unsigned mask = 0; mask < 32; mask++) {
                if (bits(mask) > 2)
                    continue;
                set_down(f, mask);
                for (unsigned n = 0; n < 8; n++) {
                    uint32_t from = (uint32_t)vs_rand_below(&r, len);
                    uint32_t bytes = 1 + (uint32_t)vs_rand_below(&r, len - from);

                    assert_int_equal(read_check(f, c, from, bytes, false), 0);
                }
                assert_int_equal(read_check(f, c, 0, len, true), 0);
                fresh_reader(f);
            }
            set_down(f, 0);
        }
    }
}

static void with_three_stores_down_a_read_fails_and_recovers(void **state)
{
    struct fixture *f = *state;
    unsigned c = write_chunk(f, 1000000, rs32);

    for (unsigned mask = 0; mask < 32; mask++) {
        if (bits(mask) < 3)
            continue;
        set_down(f, mask);
        assert_int_equal(read_check(f, c, 0, 1000000, true), -VS_ELOST);
        set_down(f, 0);
        assert_int_equal(read_check(f, c, 0, 1000000, false), 0);
        fresh_reader(f);
    }
}

/* Only the fragment that holds the range is needed: with three others gone it still answers. */
static void a_range_inside_one_fragment_needs_no_other(void **state)
{
    struct fixture *f = *state;
    unsigned c = write_chunk(f, 3 * 200000, rs32);
    unsigned holder = (c + 1) % STORES; /* of fragment 1 */

    set_down(f, 31u & ~(1u << holder));
    assert_int_equal(read_check(f, c, 200000 + 70000, 1000, false), 0);
    assert_int_equal(read_check(f, c, 100, 1000, false), -VS_ELOST);
    set_down(f, 0);
}

/* One flipped bit in each block of two fragments: never handed out, always rebuilt. */
static void flipped_bits_are_rebuilt_from_the_others(void **state)
{
    struct fixture *f = *state;
    uint32_t len = 3 * 3 * 65536;
    struct chunk_reader_stats stats;

    for (uint32_t block = 0; block < 3; block++) {
        for (uint8_t a = 0; a < 5; a++) {
            unsigned c = write_chunk(f, len, rs32);
            struct frag_key first = { f->at[c].chunk.id, a, 1 };
            struct frag_key second = { f->at[c].chunk.id, (uint8_t)((a + 1) % 5), 1 };

            assert_int_equal(
                store_mem_flip(store_set_get(&f->stores, (c + a) % STORES + 1), &first, block), 0);
            assert_int_equal(
                store_mem_flip(store_set_get(&f->stores, (c + (a + 1) % 5) % STORES + 1), &second,
                               block),
                0);
            for (uint32_t at = 0; at < len; at += 65536)
                assert_int_equal(read_check(f, c, at, 65536, false), 0);
            assert_int_equal(read_check(f, c, 0, len, true), 0);
        }
    }
    chunk_reader_stats(f->reader, &stats);
    assert_true(stats.corrupt > 0 && stats.rebuilt > 0);
}

static void a_chunk_in_the_cache_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    unsigned c = write_chunk(f, 500000, rs32);
    struct chunk_read r = { .chunk = f->at[c].chunk, .offset = 10, .bytes = 100 };

    assert_int_equal(read_check(f, c, 0, 500000, true), 0);
    set_down(f, 31);
    assert_int_equal(chunk_read_start(f->reader, &r), 1);
    assert_int_equal(r.status, 0);
    assert_memory_equal(r.data, f->at[c].bytes + 10, 100);
    chunk_read_put(&r);
    set_down(f, 0);
}

static void the_cache_keeps_to_its_budget(void **state)
{
    struct fixture *f = *state; /* 4 MiB */
    unsigned first = f->count;

    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(read_check(f, write_chunk(f, 1000000, rs32), 0, 1000000, true), 0);
    set_down(f, 31);
    assert_int_equal(read_check(f, first, 0, 10, false), -VS_ELOST); /* gone from the cache */
    assert_int_equal(read_check(f, first + 7, 0, 10, false), 0);
    set_down(f, 0);
}

static void a_deleted_chunk_is_stale(void **state)
{
    struct fixture *f = *state;
    unsigned c = write_chunk(f, 100000, rs32);
    struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };

    vs_buf_close(&f->at[c].value);
    assert_int_equal(place_value_encode(&tomb, &f->at[c].value), 0);
    assert_int_equal(read_check(f, c, 0, 100, false), -ESTALE);
}

/* Many at once on few chunks: one fetch serves all who want the same, everyone is answered once. */
static void readers_of_one_chunk_share_its_fetch(void **state)
{
    struct fixture *f = *state;
    unsigned c = write_chunk(f, 900000, rs32);
    enum { READERS = 200 };
    struct read_wait *w = calloc(READERS, sizeof(*w));
    int started[READERS];

    assert_non_null(w);
    for (unsigned i = 0; i < READERS; i++) {
        w[i] = (struct read_wait){ .read = { .chunk = f->at[c].chunk,
                                             .offset = i * 4000,
                                             .bytes = 4000,
                                             .whole = true,
                                             .done = read_done },
                                   .waiter = WAITER_INIT };
        started[i] = chunk_read_start(f->reader, &w[i].read);
    }
    for (unsigned i = 0; i < READERS; i++) {
        if (started[i] == 0)
            waiter_wait(&w[i].waiter);
        assert_int_equal(w[i].dones, started[i] == 0 ? 1 : 0);
        assert_int_equal(w[i].read.status, 0);
        assert_memory_equal(w[i].read.data, f->at[c].bytes + w[i].read.offset, 4000);
        chunk_read_put(&w[i].read);
    }
    assert_int_equal(f->register_reads, 1);
    free(w);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(vs_exec_start(&f->exec, "test", 2), 0);
    f->meta.ops = &fake_ops;
    f->stores.count = STORES;
    for (unsigned i = 0; i < STORES; i++) {
        struct chunk_store *s;

        assert_int_equal(store_mem_new(&s, f->exec), 0);
        f->stores.entries[i].node = i + 1;
        snprintf(f->stores.entries[i].path, sizeof(f->stores.entries[i].path), "/mem/%u", i + 1);
        atomic_store(&f->stores.entries[i].store, s);
    }
    *state = f;
    return chunk_reader_new(&f->reader, &f->stores, &f->meta, f->exec, 4u << 20);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_set_close(&f->stores);
    vs_exec_stop(f->exec);
    chunk_reader_free(f->reader);
    for (unsigned i = 0; i < f->count; i++) {
        free(f->at[i].bytes);
        vs_buf_close(&f->at[i].value);
    }
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_two_stores_may_be_down),
        TEST(with_three_stores_down_a_read_fails_and_recovers),
        TEST(a_range_inside_one_fragment_needs_no_other),
        TEST(flipped_bits_are_rebuilt_from_the_others),
        TEST(a_chunk_in_the_cache_is_answered_at_once),
        TEST(the_cache_keeps_to_its_budget),
        TEST(a_deleted_chunk_is_stale),
        TEST(readers_of_one_chunk_share_its_fetch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
