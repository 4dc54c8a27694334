/* Ranges and whole chunks come back byte-exact whatever two stores do; with three gone it is an
 * error, never a wrong byte. What the cache in front of the fetches keeps, shares and lets go. */
#include "common/err.h"
#include "common/rand.h"
#include "fs/waiter.h"
#include "node/store_mem.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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
static int read_check(struct chunk_rig *f, unsigned c, uint32_t offset, uint32_t bytes, bool whole)
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

static unsigned bits(unsigned mask)
{
    return (unsigned)__builtin_popcount(mask);
}

/* Every set of stores down, whole chunks and ranges, all forms and awkward lengths. */
static void any_two_stores_may_be_down(void **state)
{
    struct chunk_rig *f = *state;
    static const size_t lens[] = { 1, 2, 3, 65536, 65537, 3 * 65536, 3 * 65536 + 1, 1000003 };
    const struct vs_redundancy forms[] = { rs32, rs22, three };
    struct vs_rand r;

    vs_rand_init(&r, 7);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t form = 0; form < 3; form++) {
            unsigned c = chunk_rig_write(f, lens[i], forms[form]);
            uint32_t len = (uint32_t)lens[i];

            for (unsigned mask = 0; mask < 32; mask++) {
                if (bits(mask) > 2)
                    continue;
                chunk_rig_down(f, mask);
                for (unsigned n = 0; n < 8; n++) {
                    uint32_t from = (uint32_t)vs_rand_below(&r, len);
                    uint32_t bytes = 1 + (uint32_t)vs_rand_below(&r, len - from);

                    assert_int_equal(read_check(f, c, from, bytes, false), 0);
                }
                assert_int_equal(read_check(f, c, 0, len, true), 0);
                chunk_rig_fresh_reader(f);
            }
            chunk_rig_down(f, 0);
        }
    }
}

static void with_three_stores_down_a_read_fails_and_recovers(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 1000000, rs32);

    for (unsigned mask = 0; mask < 32; mask++) {
        if (bits(mask) < 3)
            continue;
        chunk_rig_down(f, mask);
        assert_int_equal(read_check(f, c, 0, 1000000, true), -VS_ELOST);
        chunk_rig_down(f, 0);
        assert_int_equal(read_check(f, c, 0, 1000000, false), 0);
        chunk_rig_fresh_reader(f);
    }
}

/* Only the fragment that holds the range is needed: with three others gone it still answers. */
static void a_range_inside_one_fragment_needs_no_other(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 3 * 200000, rs32);
    unsigned holder = (c + 1) % CHUNK_RIG_STORES; /* of fragment 1 */

    chunk_rig_down(f, 31u & ~(1u << holder));
    assert_int_equal(read_check(f, c, 200000 + 70000, 1000, false), 0);
    assert_int_equal(read_check(f, c, 100, 1000, false), -VS_ELOST);
    chunk_rig_down(f, 0);
}

/* One flipped bit in each block of two fragments: never handed out, always rebuilt. */
static void flipped_bits_are_rebuilt_from_the_others(void **state)
{
    struct chunk_rig *f = *state;
    uint32_t len = 3 * 3 * 65536;
    struct chunk_reader_stats stats;

    for (uint32_t block = 0; block < 3; block++) {
        for (uint8_t a = 0; a < 5; a++) {
            unsigned c = chunk_rig_write(f, len, rs32);
            struct frag_key first = { f->at[c].chunk.id, a, 1 };
            struct frag_key second = { f->at[c].chunk.id, (uint8_t)((a + 1) % 5), 1 };

            assert_int_equal(store_mem_flip(f->mem[(c + a) % CHUNK_RIG_STORES], &first, block), 0);
            assert_int_equal(
                store_mem_flip(f->mem[(c + (a + 1) % 5) % CHUNK_RIG_STORES], &second, block), 0);
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
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 500000, rs32);
    struct chunk_read r = { .chunk = f->at[c].chunk, .offset = 10, .bytes = 100 };

    assert_int_equal(read_check(f, c, 0, 500000, true), 0);
    chunk_rig_down(f, 31);
    assert_int_equal(chunk_read_start(f->reader, &r), 1);
    assert_int_equal(r.status, 0);
    assert_memory_equal(r.data, f->at[c].bytes + 10, 100);
    chunk_read_put(&r);
    chunk_rig_down(f, 0);
}

static void the_cache_keeps_to_its_budget(void **state)
{
    struct chunk_rig *f = *state; /* 4 MiB */
    unsigned first = f->count;

    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(read_check(f, chunk_rig_write(f, 1000000, rs32), 0, 1000000, true), 0);
    chunk_rig_down(f, 31);
    assert_int_equal(read_check(f, first, 0, 10, false), -VS_ELOST); /* gone from the cache */
    assert_int_equal(read_check(f, first + 7, 0, 10, false), 0);
    chunk_rig_down(f, 0);
}

static void a_deleted_chunk_is_stale(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 100000, rs32);
    struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };

    chunk_rig_set_place(f, c, &tomb);
    assert_int_equal(read_check(f, c, 0, 100, false), -ESTALE);
}

/* A manifest that says another length than the chunk has must not make a reader run beyond it. */
static void a_chunk_has_one_length(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 500000, rs32);
    struct chunk_read r = { .chunk = f->at[c].chunk, .offset = 500000, .bytes = 100 };

    r.chunk.bytes = 600000;
    assert_int_equal(read_check(f, c, 0, 500000, true), 0); /* in the cache now */
    assert_int_equal(chunk_read_start(f->reader, &r), 1);
    assert_int_equal(r.status, -VS_ECORRUPT);
    assert_null(r.data);
    chunk_read_put(&r);
}

/* The same while the chunk is on its way, and by a fetch of its own. */
static void a_wrong_length_is_refused_at_every_stage(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 500000, rs32);
    struct read_wait good = {
        .read = { .chunk = f->at[c].chunk, .bytes = 500000, .whole = true, .done = read_done },
        .waiter = WAITER_INIT
    };
    struct read_wait bad = {
        .read = { .chunk = f->at[c].chunk, .offset = 550000, .bytes = 100, .done = read_done },
        .waiter = WAITER_INIT
    };

    bad.read.chunk.bytes = 600000;
    if (chunk_read_start(f->reader, &bad.read) == 0)
        waiter_wait(&bad.waiter);
    assert_int_equal(bad.read.status, -VS_ECORRUPT);
    pthread_mutex_lock(&f->lock); /* holds the answer of the register up */
    assert_int_equal(chunk_read_start(f->reader, &good.read), 0);
    assert_int_equal(chunk_read_start(f->reader, &bad.read), 1);
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(bad.read.status, -VS_ECORRUPT);
    waiter_wait(&good.waiter);
    assert_int_equal(good.read.status, 0);
    chunk_read_put(&good.read);
}

static void await_in_cache(struct chunk_rig *f, unsigned c)
{
    struct chunk_read r = { .chunk = f->at[c].chunk, .bytes = 1 };
    struct read_wait w = { .read = r, .waiter = WAITER_INIT };

    w.read.done = read_done;
    if (chunk_read_start(f->reader, &w.read) == 0) /* joins the prefetch on its way */
        waiter_wait(&w.waiter);
    assert_int_equal(w.read.status, 0);
    chunk_read_put(&w.read);
}

static void what_was_prefetched_is_answered_from_the_cache(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 900000, rs32);

    chunk_reader_prefetch(f->reader, &f->at[c].chunk, 1);
    chunk_reader_prefetch(f->reader, &f->at[c].chunk, 1); /* once is enough */
    await_in_cache(f, c);
    chunk_rig_down(f, 31);
    assert_int_equal(read_check(f, c, 0, 900000, false), 0);
    assert_int_equal(f->register_reads, 1);
}

/* Nobody waits for a prefetch: what cannot be had is not asked for again and again. */
static void a_prefetch_that_fails_says_nothing(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 900000, rs32);

    chunk_rig_down(f, 31);
    for (unsigned i = 0; i < 100; i++)
        chunk_reader_prefetch(f->reader, &f->at[c].chunk, 1);
    chunk_rig_fresh_reader(f); /* waits for what is in flight */
    chunk_rig_down(f, 0);
    assert_int_equal(read_check(f, c, 0, 900000, true), 0);
}

/* Many at once on few chunks: one fetch serves all who want the same, everyone is answered once. */
static void readers_of_one_chunk_share_its_fetch(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 900000, rs32);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(any_two_stores_may_be_down),
        CHUNK_TEST(with_three_stores_down_a_read_fails_and_recovers),
        CHUNK_TEST(a_range_inside_one_fragment_needs_no_other),
        CHUNK_TEST(flipped_bits_are_rebuilt_from_the_others),
        CHUNK_TEST(a_chunk_in_the_cache_is_answered_at_once),
        CHUNK_TEST(the_cache_keeps_to_its_budget),
        CHUNK_TEST(a_deleted_chunk_is_stale),
        CHUNK_TEST(a_chunk_has_one_length),
        CHUNK_TEST(a_wrong_length_is_refused_at_every_stage),
        CHUNK_TEST(what_was_prefetched_is_answered_from_the_cache),
        CHUNK_TEST(a_prefetch_that_fails_says_nothing),
        CHUNK_TEST(readers_of_one_chunk_share_its_fetch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
