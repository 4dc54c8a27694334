/* What is left of a chunk, by what the stores list: every set of missing fragments is judged right,
 * and each list is read once by who asks in order. */
#include "common/rand.h"
#include "fs/frag_lists.h"
#include "fs/waiter.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum chunk_left judge(struct chunk_rig *f, struct frag_lists *l, unsigned c)
{
    struct place_value v = chunk_rig_place(f, c);

    return frag_lists_judge(l, &f->at[c].chunk.id, &v);
}

/* With lists that are read for this one chunk. */
static enum chunk_left judge_fresh(struct chunk_rig *f, unsigned c)
{
    struct frag_lists l;
    enum chunk_left left;

    assert_int_equal(frag_lists_open(&l, &f->stores, FRAG_LISTS_PAGE_MIN), 0);
    left = judge(f, &l, c);
    frag_lists_close(&l);
    frag_lists_close(&l); /* forgives */
    return left;
}

static unsigned lists(struct chunk_rig *f)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        sum += store_twist_lists(f->twist[i]);
    return sum;
}

struct del_wait {
    struct store_del del;
    struct waiter waiter;
};

static void del_done(struct store_del *d)
{
    waiter_wake(&vs_container_of(d, struct del_wait, del)->waiter);
}

static void delete_fragment(struct chunk_rig *f, unsigned c, unsigned n)
{
    struct place_value v = chunk_rig_place(f, c);
    struct del_wait w = { .del = { .key = { f->at[c].chunk.id, (uint8_t)n, v.generation },
                                   .done = del_done },
                          .waiter = WAITER_INIT };

    chunk_store_del(store_set_get(&f->stores, v.frag[n].node), &w.del);
    waiter_wait(&w.waiter);
    assert_int_equal(w.del.status, 0);
}

static enum chunk_left expected(struct vs_redundancy red, unsigned missing)
{
    unsigned there = (unsigned)red.k + red.m - missing;

    if (there < red.k)
        return CHUNK_LOST;
    if (missing > 0)
        return CHUNK_DEGRADED;
    return red.m < 2 ? CHUNK_WEAK : CHUNK_WHOLE;
}

static void every_set_of_stores_down_is_judged_right(void **state)
{
    struct chunk_rig *f = *state;
    const struct vs_redundancy forms[] = { rs32, rs22, three, two, one };

    for (unsigned form = 0; form < 5; form++) {
        unsigned c = chunk_rig_write(f, 1000, forms[form]);
        unsigned total = (unsigned)forms[form].k + forms[form].m;

        for (unsigned mask = 0; mask < 32; mask++) {
            unsigned missing = 0;

            for (unsigned n = 0; n < total; n++)
                missing += (mask >> (c + n) % CHUNK_RIG_STORES) & 1;
            chunk_rig_down(f, mask);
            assert_int_equal(judge_fresh(f, c), expected(forms[form], missing));
        }
        chunk_rig_down(f, 0);
    }
}

static void every_set_of_deleted_fragments_is_judged_right(void **state)
{
    struct chunk_rig *f = *state;

    for (unsigned mask = 0; mask < 32; mask++) {
        unsigned c = chunk_rig_write(f, 1000, rs32);

        for (unsigned n = 0; n < 5; n++)
            if ((mask & (1u << n)) != 0)
                delete_fragment(f, c, n);
        assert_int_equal(judge_fresh(f, c), expected(rs32, (unsigned)__builtin_popcount(mask)));
    }
}

static void fragments_of_another_generation_do_not_count(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 1000, rs32);
    struct place_value v = chunk_rig_place(f, c);

    v.generation = 2;
    chunk_rig_set_place(f, c, &v);
    assert_int_equal(judge_fresh(f, c), CHUNK_WHOLE); /* the fragments are of the first */
    v.frag[4].generation = 2;
    chunk_rig_set_place(f, c, &v);
    assert_int_equal(judge_fresh(f, c), CHUNK_DEGRADED);
    for (unsigned i = 0; i < 5; i++)
        v.frag[i].generation = 2;
    chunk_rig_set_place(f, c, &v);
    assert_int_equal(judge_fresh(f, c), CHUNK_LOST);
    chunk_rig_rewrite(f, c, rs32, 2); /* both are there now */
    assert_int_equal(judge_fresh(f, c), CHUNK_WHOLE);
}

static void fragments_on_other_stores_do_not_count(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 1000, rs32);
    struct place_value v = chunk_rig_place(f, c);

    v.frag[0].node = v.frag[0].node % 5 + 1;
    v.frag[1].node = 77; /* unknown */
    chunk_rig_set_place(f, c, &v);
    assert_int_equal(judge_fresh(f, c), CHUNK_DEGRADED);
}

static void a_register_that_places_nothing_is_lost(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 1000, rs32);
    struct place_value v = { .state = PLACE_TOMB };
    struct frag_lists l;

    assert_int_equal(frag_lists_open(&l, &f->stores, 16), 0);
    assert_int_equal(frag_lists_judge(&l, &f->at[c].chunk.id, &v), CHUNK_LOST);
    v.state = 0;
    assert_int_equal(frag_lists_judge(&l, &f->at[c].chunk.id, &v), CHUNK_LOST);
    frag_lists_close(&l);
}

static void with_few_stores_the_best_form_there_is_is_whole(void **state)
{
    struct chunk_rig *f = *state;
    unsigned c = chunk_rig_write(f, 1000, two);

    assert_int_equal(judge_fresh(f, c), CHUNK_WEAK);
    f->stores.count = 2;
    assert_int_equal(judge_fresh(f, c), CHUNK_WHOLE);
    f->stores.count = CHUNK_RIG_STORES;
}

static void in_order_each_list_is_read_once(void **state)
{
    struct chunk_rig *f = *state;
    struct frag_lists l;

    for (unsigned i = 0; i < 200; i++)
        chunk_rig_write(f, 10, rs32);
    assert_int_equal(frag_lists_open(&l, &f->stores, FRAG_LISTS_PAGE_MAX), 0);
    for (unsigned c = 0; c < 200; c++)
        assert_int_equal(judge(f, &l, c), CHUNK_WHOLE);
    assert_int_equal(lists(f), CHUNK_RIG_STORES);
    frag_lists_close(&l);
    assert_int_equal(frag_lists_open(&l, &f->stores, 40), 0);
    for (unsigned c = 0; c < 200; c++)
        assert_int_equal(judge(f, &l, c), CHUNK_WHOLE);
    assert_int_equal(lists(f), 6 * CHUNK_RIG_STORES); /* five pages more of each */
    frag_lists_close(&l);
}

/* Small pages, missing fragments, and any order: the answers do not depend on what was read. */
static void any_order_gives_the_same_answers(void **state)
{
    struct chunk_rig *f = *state;
    enum chunk_left want[150];
    struct frag_lists l;
    struct vs_rand r;

    vs_rand_init(&r, 5);
    for (unsigned i = 0; i < 150; i++) {
        unsigned c = chunk_rig_write(f, 10, i % 2 == 0 ? rs32 : two), missing = 0;
        unsigned total = i % 2 == 0 ? 5 : 2;

        if (i % 3 == 0)
            chunk_rig_rewrite(f, c, i % 2 == 0 ? rs32 : two, 2); /* several of one chunk */
        for (unsigned n = 0; n < total; n++) {
            if (vs_rand_below(&r, 4) == 0) {
                delete_fragment(f, c, n);
                missing++;
            }
        }
        want[i] = expected(i % 2 == 0 ? rs32 : two, missing);
    }
    assert_int_equal(frag_lists_open(&l, &f->stores, FRAG_LISTS_PAGE_MIN), 0);
    for (unsigned n = 0; n < 1000; n++) {
        unsigned c = (unsigned)vs_rand_below(&r, 150);

        if (vs_rand_below(&r, 10) == 0)
            frag_lists_forget(&l);
        assert_int_equal(judge(f, &l, c), want[c]);
    }
    frag_lists_close(&l);
}

static void a_store_that_goes_down_has_nothing_any_more(void **state)
{
    struct chunk_rig *f = *state;
    unsigned a = chunk_rig_write(f, 10, rs32), b = chunk_rig_write(f, 10, rs32);
    struct frag_lists l;

    assert_int_equal(frag_lists_open(&l, &f->stores, 16), 0);
    assert_int_equal(judge(f, &l, a), CHUNK_WHOLE);
    chunk_rig_down(f, 3);
    frag_lists_forget(&l);
    assert_int_equal(judge(f, &l, b), CHUNK_DEGRADED);
    frag_lists_close(&l);
}

static void what_was_written_since_is_seen_after_forgetting(void **state)
{
    struct chunk_rig *f = *state;
    unsigned a = chunk_rig_write(f, 10, rs32), b;
    struct frag_lists l;

    assert_int_equal(frag_lists_open(&l, &f->stores, 16), 0);
    assert_int_equal(judge(f, &l, a), CHUNK_WHOLE);
    b = chunk_rig_write(f, 10, rs32);
    assert_int_equal(judge(f, &l, b), CHUNK_LOST); /* the pages are older: why there is forget */
    frag_lists_forget(&l);
    assert_int_equal(judge(f, &l, b), CHUNK_WHOLE);
    frag_lists_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(every_set_of_stores_down_is_judged_right),
        CHUNK_TEST(every_set_of_deleted_fragments_is_judged_right),
        CHUNK_TEST(fragments_of_another_generation_do_not_count),
        CHUNK_TEST(fragments_on_other_stores_do_not_count),
        CHUNK_TEST(a_register_that_places_nothing_is_lost),
        CHUNK_TEST(with_few_stores_the_best_form_there_is_is_whole),
        CHUNK_TEST(in_order_each_list_is_read_once),
        CHUNK_TEST(any_order_gives_the_same_answers),
        CHUNK_TEST(a_store_that_goes_down_has_nothing_any_more),
        CHUNK_TEST(what_was_written_since_is_seen_after_forgetting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
