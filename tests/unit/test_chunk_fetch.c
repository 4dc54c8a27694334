/* A fetch believes nothing: a placement that was remembered, lengths, tables and bytes that a store
 * answers. What comes out is the chunk's bytes or an error. */
#include "common/err.h"
#include "common/rand.h"
#include "fs/chunk_fetch.h"
#include "fs/waiter.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static __thread bool is_inside; /* a start, on this thread */

struct fetching {
    struct chunk_fetch fetch;
    struct waiter waiter;
    _Atomic unsigned dones;
};

struct env {
    struct chunk_fetch_env env;
    struct place_cache places;
    struct chunk_mem_pool mem;
};

static void env_open(struct env *e, struct chunk_rig *f)
{
    *e = (struct env){ .env = { .stores = &f->stores, .meta = &f->meta, .exec = f->exec } };
    place_cache_init(&e->places);
    chunk_mem_init(&e->mem);
    e->env.places = &e->places;
    e->env.mem = &e->mem;
}

static void env_close(struct env *e)
{
    chunk_mem_close(&e->mem);
    place_cache_close(&e->places);
}

static void fetch_done(struct chunk_fetch *fetch)
{
    struct fetching *w = vs_container_of(fetch, struct fetching, fetch);

    assert_false(is_inside);
    w->dones++;
    waiter_wake(&w->waiter);
}

/* Fetch [offset, offset+bytes) and compare; the status. */
static int fetch(struct chunk_rig *f, struct env *e, unsigned c, uint32_t offset, uint32_t bytes)
{
    struct fetching w = { .fetch = { .env = &e->env,
                                     .chunk = f->at[c].chunk,
                                     .offset = offset,
                                     .bytes = bytes,
                                     .done = fetch_done },
                          .waiter = WAITER_INIT };

    is_inside = true;
    chunk_fetch_start(&w.fetch);
    is_inside = false;
    waiter_wait(&w.waiter);
    assert_int_equal(w.dones, 1);
    if (w.fetch.status == 0) {
        assert_memory_equal(w.fetch.data, f->at[c].bytes + offset, bytes);
        chunk_bytes_put(w.fetch.mem);
    } else {
        assert_null(w.fetch.mem);
        assert_null(w.fetch.data);
    }
    return w.fetch.status;
}

static int fetch_whole(struct chunk_rig *f, struct env *e, unsigned c)
{
    return fetch(f, e, c, 0, (uint32_t)f->at[c].chunk.bytes);
}

/* ---- placements ---- */

static void a_placement_is_read_once_and_remembered(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct env e;

    env_open(&e, f);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(fetch(f, &e, c, i * 1000, 1000), 0);
    assert_int_equal(f->register_reads, 1);
    env_close(&e);
}

/* Nodes, generation, form: whatever was remembered wrongly, the register has the last word. */
static void a_remembered_placement_that_leads_nowhere_is_read_anew(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    const struct place_value good = chunk_rig_place(f, c);
    struct env e;

    for (unsigned wrong = 0; wrong < 5; wrong++) {
        struct place_value v = good;

        for (unsigned i = 0; i < 5; i++) {
            if (wrong == 0)
                v.frag[i].node = good.frag[(i + 1) % 5].node;
            else if (wrong == 1)
                v.frag[i].node = 1000 + i; /* unknown here: no store is even asked */
            else if (wrong == 2)
                v.frag[i].table_crc ^= 1;
        }
        for (unsigned i = 0; wrong == 3 && i < 5; i++)
            v.frag[i].generation = 9;
        if (wrong == 4)
            v.red = rs22;
        env_open(&e, f);
        place_cache_put(&e.places, &f->at[c].chunk.id, &v);
        f->register_reads = 0;
        assert_int_equal(fetch_whole(f, &e, c), 0);
        assert_int_equal(f->register_reads, 1);
        assert_int_equal(fetch(f, &e, c, 5, 100), 0); /* and the right one is remembered */
        assert_int_equal(f->register_reads, 1);
        env_close(&e);
    }
}

/* A repair writes one fragment anew; the others keep the generation they were written for. */
static void fragments_that_a_repair_left_alone_are_read(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct place_value v = chunk_rig_place(f, c);
    struct env e;

    env_open(&e, f);
    v.generation = 5;
    place_cache_put(&e.places, &f->at[c].chunk.id, &v);
    f->register_reads = 0;
    assert_int_equal(fetch_whole(f, &e, c), 0);
    assert_int_equal(f->register_reads, 0); /* found where the placement said */
    env_close(&e);
}

static void a_chunk_that_was_moved_is_found_at_its_new_place(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct place_value old = chunk_rig_place(f, c);
    struct env e;

    env_open(&e, f);
    old.generation = 1;
    chunk_rig_rewrite(f, c, rs32, 2);
    for (unsigned i = 0; i < 5; i++)
        old.frag[i].node = (old.frag[i].node + 1) % 5 + 1; /* where nothing of it is any more */
    place_cache_put(&e.places, &f->at[c].chunk.id, &old);
    assert_int_equal(fetch_whole(f, &e, c), 0);
    env_close(&e);
}

/* The first answer's memory was taken for another form: fragments of 3+2 end two bytes later. */
static void a_chunk_placed_anew_in_another_form_has_room(void **state)
{
    struct chunk_rig *f = *state;
    const struct vs_redundancy forms[] = { rs22, rs32, three };
    const size_t len = 4u << 20;
    struct env e;

    for (unsigned from = 0; from < 3; from++) {
        for (unsigned to = 0; to < 3; to++) {
            unsigned c = chunk_rig_write(f, len, forms[from]);
            struct place_value old = chunk_rig_place(f, c);

            chunk_rig_rewrite(f, c, forms[to], 2);
            old.generation = 7; /* the old fragments are gone */
            env_open(&e, f);
            place_cache_put(&e.places, &f->at[c].chunk.id, &old);
            assert_int_equal(fetch_whole(f, &e, c), 0);
            place_cache_put(&e.places, &f->at[c].chunk.id, &old);
            assert_int_equal(fetch(f, &e, c, 3u << 20, 70000), 0);
            env_close(&e);
        }
    }
}

static void what_the_register_cannot_mean_is_an_error(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    const struct place_value good = chunk_rig_place(f, c);
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    struct place_value v = good;
    struct env e;

    env_open(&e, f);
    chunk_rig_set_place(f, c, &tomb);
    assert_int_equal(fetch_whole(f, &e, c), -ESTALE);
    chunk_rig_set_value(f, c, NULL, 0); /* absent */
    assert_int_equal(fetch_whole(f, &e, c), -ESTALE);
    chunk_rig_set_value(f, c, "\x01\x01nonsense", 10);
    assert_int_equal(fetch_whole(f, &e, c), -VS_ECORRUPT);
    v.chunk_bytes--;
    chunk_rig_set_place(f, c, &v);
    assert_int_equal(fetch_whole(f, &e, c), -VS_ECORRUPT);
    chunk_rig_set_place(f, c, &good);
    assert_int_equal(fetch_whole(f, &e, c), 0); /* nothing wrong was remembered */
    env_close(&e);
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    r->status = -VS_EDOWN;
}

static void strict_is_down(void *arg, struct meta_req *r)
{
    (void)arg;
    if (!r->hint)
        r->status = -VS_EDOWN;
}

static void hints_are_absent(void *arg, struct meta_req *r)
{
    (void)arg;
    if (!r->hint)
        return;
    r->regs[0].status = -ENOENT;
    vs_buf_close(&r->regs[0].current);
}

static void a_placement_needs_no_majority_but_one_that_is_missed_is_asked_for_strictly(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32), d = chunk_rig_write(f, 200000, rs32);
    struct env e;

    env_open(&e, f);
    f->answering = strict_is_down;
    assert_int_equal(fetch_whole(f, &e, c), 0);
    assert_int_equal(f->register_reads, 1);
    f->answering = hints_are_absent;
    assert_int_equal(fetch_whole(f, &e, d), 0);
    assert_int_equal(f->register_reads, 3);
    f->answering = NULL;
    env_close(&e);
}

static void metadata_out_of_reach_is_said_as_it_is(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct env e;

    env_open(&e, f);
    f->answering = answer_down;
    assert_int_equal(fetch_whole(f, &e, c), -VS_EDOWN);
    f->answering = NULL;
    assert_int_equal(fetch_whole(f, &e, c), 0);
    env_close(&e);
}

/* ---- answers ---- */

enum garbage {
    GOT_LESS,
    GOT_NOTHING,
    GOT_MORE,
    GOT_HUGE,
    PAYLOAD_LESS,
    PAYLOAD_MORE,
    PAYLOAD_HUGE,
    PAYLOAD_NOTHING,
    BOTH_LESS,
    TABLE_FLIPPED,
    TABLE_AND_BYTES_FLIPPED, /* they fit each other */
    BYTES_FLIPPED,
    LAST_BYTE_FLIPPED,
    BYTES_ZEROED,
    STATUS_POSITIVE,
    STATUS_CORRUPT,
    STATUS_AGAIN,
    STATUS_GONE,
    GARBAGE_KINDS
};

static void answer_garbage(void *arg, struct store_get *g)
{
    uint8_t *bytes = g->dst;

    if (g->status < 0 || g->got_bytes == 0)
        return;
    switch (*(const enum garbage *)arg) {
    case GOT_LESS:
        g->got_bytes--;
        break;
    case GOT_NOTHING:
        g->got_bytes = 0;
        break;
    case GOT_MORE:
        g->got_bytes++;
        break;
    case GOT_HUGE:
        g->got_bytes = UINT32_MAX;
        break;
    case PAYLOAD_LESS:
        g->payload_bytes--;
        break;
    case PAYLOAD_MORE:
        g->payload_bytes += FRAG_BLOCK_BYTES;
        break;
    case PAYLOAD_HUGE:
        g->payload_bytes = UINT32_MAX;
        break;
    case PAYLOAD_NOTHING:
        g->payload_bytes = 0;
        break;
    case BOTH_LESS:
        g->got_bytes -= 16;
        g->payload_bytes -= 16;
        break;
    case TABLE_FLIPPED:
        g->crc[g->offset / FRAG_BLOCK_BYTES] ^= 0x100;
        break;
    case TABLE_AND_BYTES_FLIPPED:
        bytes[0] ^= 1;
        frag_crc_table(g->dst, g->got_bytes, g->crc + g->offset / FRAG_BLOCK_BYTES);
        break;
    case BYTES_FLIPPED:
        bytes[g->got_bytes / 2] ^= 0x40;
        break;
    case LAST_BYTE_FLIPPED:
        bytes[g->got_bytes - 1] ^= 0x80;
        break;
    case BYTES_ZEROED:
        memset(bytes, 0, g->got_bytes);
        break;
    case STATUS_POSITIVE:
        g->status = 1;
        break;
    case STATUS_CORRUPT:
        g->status = -VS_ECORRUPT;
        break;
    case STATUS_AGAIN:
        g->status = -EAGAIN;
        break;
    case STATUS_GONE:
        g->status = -ENOENT;
        break;
    case GARBAGE_KINDS:
        break;
    }
}

/* Stores of `mask` answer garbage of this kind. */
static void set_liars(struct chunk_rig *f, unsigned mask, enum garbage *kind)
{
    const struct store_twist lie = { .arg = kind, .answered = answer_garbage };

    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        store_twist_set(f->twist[i], (mask & (1u << i)) != 0 ? &lie : NULL);
}

static void garbage_of_two_stores_is_rebuilt_and_of_three_is_an_error(void **state)
{
    struct chunk_rig *f = *state;
    const uint32_t len = 3 * 70000 - 1;
    unsigned c = chunk_rig_write(f, len, rs32);
    struct env e;

    for (unsigned n = 0; n < GARBAGE_KINDS; n++) {
        enum garbage kind = (enum garbage)n;

        for (unsigned mask = 1; mask < 32; mask++) {
            unsigned liars = (unsigned)__builtin_popcount(mask);
            int r;

            env_open(&e, f);
            set_liars(f, mask, &kind);
            r = fetch_whole(f, &e, c);
            if (liars <= 2)
                assert_int_equal(r, 0);
            else
                assert_int_equal(r, -VS_ELOST);
            r = fetch(f, &e, c, 80000, 50000); /* inside the second fragment */
            assert_true(r == 0 || (liars > 2 && r == -VS_ELOST));
            set_liars(f, 0, NULL);
            assert_int_equal(fetch_whole(f, &e, c), 0);
            env_close(&e);
        }
    }
}

static void every_wrong_answer_is_counted(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    enum garbage kind = BYTES_FLIPPED;
    struct env e;

    env_open(&e, f);
    set_liars(f, 3, &kind); /* fragments 0 and 1 */
    assert_int_equal(fetch_whole(f, &e, c), 0);
    assert_int_equal(e.env.stats.corrupt, 2);
    assert_int_equal(e.env.stats.rebuilt, 2);
    assert_int_equal(e.env.stats.lost, 0);
    set_liars(f, 7, &kind);
    assert_int_equal(fetch_whole(f, &e, c), -VS_ELOST);
    assert_int_equal(e.env.stats.lost, 1);
    env_close(&e);
}

/* ---- answers that are right in themselves, and of something else ---- */

struct swap {
    struct vs_id from, to;
    uint32_t generation; /* 0: as asked */
    uint8_t turn;        /* added to the fragment number */
};

static void ask_for_another(void *arg, struct store_get *g)
{
    const struct swap *s = arg;

    if (vs_id_cmp(&g->key.chunk, &s->from) != 0)
        return;
    g->key.chunk = s->to;
    g->key.fragment = (uint8_t)((g->key.fragment + s->turn) % 5);
    if (s->generation > 0)
        g->key.generation = s->generation;
}

static void set_swaps(struct chunk_rig *f, struct swap *s)
{
    const struct store_twist twist = { .arg = s, .asked = ask_for_another };

    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        store_twist_set(f->twist[i], &twist);
}

static void a_fragment_of_another_chunk_never_passes(void **state)
{
    struct chunk_rig *f = *state;
    unsigned a = chunk_rig_write(f, 300000, rs32), other = 0;
    struct swap s = { .from = f->at[a].chunk.id };
    struct env e;

    while (other % CHUNK_RIG_STORES != a % CHUNK_RIG_STORES || other == a)
        other = chunk_rig_write(f, 300000, rs32); /* the same fragments on the same stores */
    s.to = f->at[other].chunk.id;
    env_open(&e, f);
    set_swaps(f, &s);
    assert_int_equal(fetch_whole(f, &e, other), 0); /* they are good, of that one */
    assert_int_equal(fetch_whole(f, &e, a), -VS_ELOST);
    assert_true(e.env.stats.corrupt >= 5); /* all were answered, none was believed */
    set_liars(f, 0, NULL);
    assert_int_equal(fetch_whole(f, &e, a), 0);
    env_close(&e);
}

static void a_fragment_of_an_older_generation_never_passes(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct swap s = { .from = f->at[c].chunk.id, .to = f->at[c].chunk.id, .generation = 1 };
    struct env e;

    f->at[c].bytes[7] ^= 1; /* what generation 2 says */
    chunk_rig_rewrite(f, c, rs32, 2);
    env_open(&e, f);
    set_swaps(f, &s);
    /* only fragment 0 and parity differ: the others of generation 1 are the same bytes */
    assert_int_equal(fetch(f, &e, c, 0, 1000), -VS_ELOST);
    assert_int_equal(fetch(f, &e, c, 100000, 1000), 0);
    set_liars(f, 0, NULL);
    assert_int_equal(fetch_whole(f, &e, c), 0);
    env_close(&e);
}

static void a_fragment_under_another_number_never_passes(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 300000, rs32);
    struct swap s = { .from = f->at[c].chunk.id, .to = f->at[c].chunk.id, .turn = 1 };
    struct env e;

    for (unsigned i = 0; i < 5; i++) /* one store for all, which can confuse them */
        atomic_store(&f->stores.entries[i].store, f->twist[0]);
    chunk_rig_rewrite(f, c, rs32, 2);
    env_open(&e, f);
    assert_int_equal(fetch_whole(f, &e, c), 0);
    set_swaps(f, &s);
    assert_int_equal(fetch_whole(f, &e, c), -VS_ELOST);
    env_close(&e);
    for (unsigned i = 0; i < 5; i++)
        atomic_store(&f->stores.entries[i].store, f->twist[i]);
}

/* ---- everything at once ---- */

static void random_faults_give_the_bytes_or_an_error(void **state)
{
    struct chunk_rig *f = *state;
    const struct vs_redundancy forms[] = { rs32, rs22, three, two };
    struct vs_rand r;
    unsigned good = 0, bad = 0;

    vs_rand_init(&r, 11);
    for (unsigned round = 0; round < 60; round++) {
        struct vs_redundancy red = forms[vs_rand_below(&r, 4)];
        uint32_t len = 1 + (uint32_t)vs_rand_below(&r, 400000);
        unsigned c = chunk_rig_write(f, len, red);
        struct env e;

        env_open(&e, f);
        for (unsigned n = 0; n < 10; n++) {
            uint32_t from = (uint32_t)vs_rand_below(&r, len);
            uint32_t bytes = 1 + (uint32_t)vs_rand_below(&r, len - from);
            unsigned liars = (unsigned)vs_rand_below(&r, 32), down = 0;
            enum garbage kind = (enum garbage)vs_rand_below(&r, GARBAGE_KINDS);
            int got;

            if (vs_rand_below(&r, 3) > 0)
                down = (unsigned)vs_rand_below(&r, 32);
            if (vs_rand_below(&r, 2) > 0)
                liars &= (unsigned)vs_rand_below(&r, 32);
            set_liars(f, liars, &kind);
            chunk_rig_down(f, down);
            got = fetch(f, &e, c, from, bytes);
            if (got < 0) {
                unsigned faulty = (unsigned)__builtin_popcount(liars | down);

                assert_int_equal(got, -VS_ELOST);
                assert_true(faulty > red.m); /* fewer are survived */
                bad++;
            } else {
                good++;
            }
            set_liars(f, 0, NULL);
            chunk_rig_down(f, 0);
        }
        assert_int_equal(fetch_whole(f, &e, c), 0);
        env_close(&e);
    }
    assert_true(good > 100 && bad > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(a_placement_is_read_once_and_remembered),
        CHUNK_TEST(a_remembered_placement_that_leads_nowhere_is_read_anew),
        CHUNK_TEST(fragments_that_a_repair_left_alone_are_read),
        CHUNK_TEST(a_chunk_that_was_moved_is_found_at_its_new_place),
        CHUNK_TEST(a_chunk_placed_anew_in_another_form_has_room),
        CHUNK_TEST(what_the_register_cannot_mean_is_an_error),
        CHUNK_TEST(a_placement_needs_no_majority_but_one_that_is_missed_is_asked_for_strictly),
        CHUNK_TEST(metadata_out_of_reach_is_said_as_it_is),
        CHUNK_TEST(garbage_of_two_stores_is_rebuilt_and_of_three_is_an_error),
        CHUNK_TEST(every_wrong_answer_is_counted),
        CHUNK_TEST(a_fragment_of_another_chunk_never_passes),
        CHUNK_TEST(a_fragment_of_an_older_generation_never_passes),
        CHUNK_TEST(a_fragment_under_another_number_never_passes),
        CHUNK_TEST(random_faults_give_the_bytes_or_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
