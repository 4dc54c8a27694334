/* A page of the collector's work: TOMBs, lists, deletes. */
#include "common/err.h"
#include "meta/collect_step.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include "tests/support/collect_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = crig_new();
    return 0;
}

static int teardown(void **state)
{
    crig_free(*state);
    return 0;
}

/* Present, absent, a TOMB already and a segment: all in one page, all at once. */
static void one_page_gets_all_its_tombs(void **state)
{
    struct collect_rig *f = *state;
    struct collect_env env = { .meta = f->meta, .stores = &f->set };
    struct rig_file file;
    struct vs_id ids[5];
    bool gone[5];

    crig_put_file(f, &file, 2);
    ids[0] = file.chunks[0];
    ids[1] = file.chunks[1];
    ids[2] = file.segment;
    crig_open_session(f, 8);
    ids[3] = crig_fresh(f, VS_ID_CHUNK);
    ids[4] = crig_put_chunk(f, 7);
    for (unsigned round = 0; round < 2; round++) {
        memset(gone, 0, sizeof(gone));
        assert_int_equal(collect_remove(&env, ids, 5, gone), 0);
        for (unsigned i = 0; i < 5; i++) {
            assert_true(gone[i]);
            assert_int_equal(crig_reg_state(f, &ids[i]), PLACE_TOMB);
        }
    }
    assert_false(crig_has_chunk(f, &ids[0], 1));
    assert_false(crig_has_chunk(f, &ids[4], 7));
}

static void a_tomb_keeps_session_and_generation(void **state)
{
    struct collect_rig *f = *state;
    struct collect_env env = { .meta = f->meta, .stores = &f->set };
    struct place_value v;
    struct meta_reg reg;
    struct vs_id id;
    bool gone = false;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 7);
    assert_int_equal(collect_remove(&env, &id, 1, &gone), 0);
    assert_int_equal(collect_regs_read(&env, &id, 1, &reg), 0);
    assert_int_equal(place_value_decode(reg.current.data, reg.current.len, &v), 0);
    assert_int_equal(v.state, PLACE_TOMB);
    assert_int_equal(v.generation, 7);
    assert_int_equal(v.session, f->session);
    collect_regs_close(&reg, 1);
}

/* Between reading and writing a repair moved the chunk. */
static void a_register_that_changed_meanwhile_is_not_gone(void **state)
{
    struct collect_rig *f = *state;
    struct collect_env env = { .meta = f->meta, .stores = &f->set };
    struct meta_reg regs[2], change;
    struct meta_req r = { .op = META_REG_CHANGE, .regs = &change, .reg_count = 1 };
    struct vs_buf value = { 0 };
    struct place_value v;
    struct vs_id ids[2];
    bool gone[2];

    crig_open_session(f, 8);
    ids[0] = crig_put_chunk(f, 1);
    ids[1] = crig_put_chunk(f, 1);
    assert_int_equal(collect_regs_read(&env, ids, 2, regs), 0);
    assert_int_equal(place_value_decode(regs[0].current.data, regs[0].current.len, &v), 0);
    v.generation = 2;
    assert_int_equal(place_value_encode(&v, &value), 0);
    change = (struct meta_reg){
        .id = ids[0], .value = value.data, .value_len = value.len, .expect_generation = 1
    };
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(change.status, 0);
    assert_int_equal(collect_tomb(&env, regs, 2, gone), 0);
    assert_false(gone[0]);
    assert_true(gone[1]);
    assert_int_equal(crig_reg_state(f, &ids[0]), PLACE_LIVE);
    collect_regs_close(regs, 2);
    vs_buf_close(&value);
}

static void ids_far_apart_lose_exactly_their_own_fragments(void **state)
{
    struct collect_rig *f = *state;
    struct collect_env env = { .meta = f->meta, .stores = &f->set };
    struct vs_id all[600], ids[4];
    bool gone[4];

    crig_open_session(f, 600);
    for (unsigned i = 0; i < 600; i++) {
        all[i] = crig_fresh(f, VS_ID_CHUNK);
        crig_put_frag(f, 1, &all[i], 0, 1);
    }
    ids[0] = all[3];
    ids[1] = all[4];
    ids[2] = all[300];
    ids[3] = all[555];
    assert_int_equal(collect_remove(&env, ids, 4, gone), 0);
    for (unsigned i = 0; i < 600; i++)
        assert_int_equal(crig_has_frag(f, 1, &all[i], 0, 1),
                         i != 3 && i != 4 && i != 300 && i != 555);
}

static void a_store_that_is_down_does_not_hold_up_the_others(void **state)
{
    struct collect_rig *f = *state;
    _Atomic uint64_t missed = 0;
    struct collect_env env = { .meta = f->meta, .stores = &f->set, .missed = &missed };
    struct vs_id id;
    bool gone = false;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 1);
    atomic_store(&f->set.entries[2].store, NULL); /* never opened */
    store_mem_set_down(f->stores[0], true);
    assert_int_equal(collect_remove(&env, &id, 1, &gone), 0);
    assert_true(gone);
    assert_int_equal(missed, 1u << 0 | 1u << 2); /* they are asked about it one day */
    store_mem_set_down(f->stores[0], false);
    assert_true(crig_has_frag(f, 1, &id, 0, 1));
    assert_false(crig_has_frag(f, 2, &id, 1, 1));
    atomic_store(&f->set.entries[2].store, f->stores[2]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_page_gets_all_its_tombs),
        TEST(a_tomb_keeps_session_and_generation),
        TEST(a_register_that_changed_meanwhile_is_not_gone),
        TEST(ids_far_apart_lose_exactly_their_own_fragments),
        TEST(a_store_that_is_down_does_not_hold_up_the_others),
    };

    return cmocka_run_group_tests_name("collect_step", tests, NULL, NULL);
}
