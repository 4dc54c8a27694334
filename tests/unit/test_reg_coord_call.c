/* What may follow what in a register, through the requests of the metadata client. */
#include "common/err.h"
#include "meta/meta_client.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "tests/support/reg_use.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };

    config.cluster.b[0] = 1;
    return meta_local_open((struct meta_client **)state, &config);
}

static int teardown(void **state)
{
    meta_client_stop(*state);
    return 0;
}

/* One register through one request; the value is closed here. */
static int reg_call(struct meta_client *f, enum meta_op op, const struct vs_id *id,
                    struct vs_buf value, uint32_t expect, struct vs_buf *ret_current)
{
    struct meta_reg reg = {
        .id = *id, .value = value.data, .value_len = value.len, .expect_generation = expect
    };
    struct meta_req r = { .op = op, .regs = &reg, .reg_count = 1 };
    int status = meta_call(f, &r);

    assert_int_equal(status, op == META_REG_CREATE ? reg.status : 0);
    vs_buf_close(&value);
    if (ret_current != NULL)
        *ret_current = reg.current;
    else
        vs_buf_close(&reg.current);
    return reg.status;
}

static uint32_t generation_of(struct meta_client *f, const struct vs_id *id, uint8_t *ret_state)
{
    struct vs_buf current = { 0 };
    struct place_value v;

    assert_int_equal(reg_call(f, META_REG_READ, id, (struct vs_buf){ 0 }, 0, &current), 0);
    assert_int_equal(place_value_decode(current.data, current.len, &v), 0);
    vs_buf_close(&current);
    *ret_state = v.state;
    return v.generation;
}

static void a_register_is_created_once_and_read_back(void **state)
{
    struct meta_client *f = *state;
    struct vs_id id = vs_id_make(1, (uint32_t)f->inc, 5, VS_ID_CHUNK);
    uint8_t st;

    assert_int_equal(reg_call(f, META_REG_READ, &id, (struct vs_buf){ 0 }, 0, NULL), -ENOENT);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(generation_of(f, &id, &st), 1);
    assert_int_equal(st, PLACE_LIVE);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 2), 0, NULL),
                     -VS_EEXISTS_OTHER);
    assert_int_equal(generation_of(f, &id, &st), 1);
}

/* An upload may outlive the process that is the owner of its ids. */
static void an_id_of_an_earlier_life_is_created_once_by_its_owner(void **state)
{
    char dir[TEMP_DIR_BYTES];
    struct meta_local_config config = { .dir = dir, .create = true, .clock = &vs_clock_system };
    struct vs_id id = vs_id_make(1, 1, 5, VS_ID_CHUNK);
    struct meta_client *f;
    uint8_t st;

    (void)state;
    temp_dir_make(dir);
    config.cluster.b[0] = 1;
    assert_int_equal(meta_local_open(&f, &config), 0);
    assert_int_equal(f->inc, 1);
    meta_client_stop(f);
    config.create = false;
    assert_int_equal(meta_local_open(&f, &config), 0);
    assert_int_equal(f->inc, 2);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 2), 0, NULL),
                     -VS_EEXISTS_OTHER);
    assert_int_equal(generation_of(f, &id, &st), 1);
    meta_client_stop(f);
    temp_dir_remove(dir);
}

static void values_that_do_not_fit_are_refused(void **state)
{
    struct meta_client *f = *state;
    struct vs_id segment = vs_id_make(1, f->inc, 5, VS_ID_SEGMENT);
    struct vs_id chunk = vs_id_make(1, f->inc, 5, VS_ID_CHUNK);

    assert_int_equal(reg_call(f, META_REG_CREATE, &segment, reg_value(PLACE_LIVE, 1), 0, NULL),
                     -EINVAL);
    assert_int_equal(reg_call(f, META_REG_CREATE, &chunk, reg_value(PLACE_TOMB, 1), 0, NULL),
                     -EINVAL);
    assert_int_equal(reg_call(f, META_REG_CREATE, &chunk, (struct vs_buf){ 0 }, 0, NULL), -EINVAL);
    assert_int_equal(reg_call(f, META_REG_READ, &chunk, (struct vs_buf){ 0 }, 0, NULL), -ENOENT);
}

static void a_change_needs_the_current_generation(void **state)
{
    struct meta_client *f = *state;
    struct vs_id id = vs_id_make(1, f->inc, 5, VS_ID_CHUNK);
    struct vs_buf current = { 0 };
    struct place_value v;
    uint8_t st;

    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_LIVE, 3), 2, &current),
                     -ESTALE);
    assert_int_equal(place_value_decode(current.data, current.len, &v), 0);
    assert_int_equal(v.generation, 1);
    vs_buf_close(&current);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_LIVE, 1), 2, NULL),
                     0); /* there already */
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_LIVE, 2), 1, NULL), 0);
    assert_int_equal(generation_of(f, &id, &st), 2);
}

/* Invariant I7. */
static void nothing_follows_a_tomb(void **state)
{
    struct meta_client *f = *state;
    struct vs_id id = vs_id_make(1, f->inc, 5, VS_ID_CHUNK);
    struct vs_id absent = vs_id_make(1, f->inc, 6, VS_ID_CHUNK);
    uint8_t st;

    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_TOMB, 1), 1, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_LIVE, 2), 1, NULL), -ESTALE);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &id, reg_value(PLACE_TOMB, 1), 1, NULL), 0);
    generation_of(f, &id, &st);
    assert_int_equal(st, PLACE_TOMB);
    /* Onto an absent one too: then the writer comes too late. */
    assert_int_equal(reg_call(f, META_REG_CHANGE, &absent, reg_value(PLACE_LIVE, 1), 0, NULL),
                     -EINVAL);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &absent, reg_value(PLACE_TOMB, 1), 1, NULL),
                     -ESTALE);
    assert_int_equal(reg_call(f, META_REG_CHANGE, &absent, reg_value(PLACE_TOMB, 0), 0, NULL), 0);
    assert_int_equal(reg_call(f, META_REG_CREATE, &absent, reg_value(PLACE_LIVE, 1), 0, NULL),
                     -VS_EEXISTS_OTHER);
}

/* The first failure of a CREATE is the request's, each register has its own. */
static void every_register_of_a_request_has_its_own_status(void **state)
{
    struct meta_client *f = *state;
    struct vs_buf value = reg_value(PLACE_LIVE, 1);
    struct meta_reg regs[3];
    struct meta_req r = { .op = META_REG_CREATE, .regs = regs, .reg_count = 3 };

    for (unsigned i = 0; i < 3; i++)
        regs[i] = (struct meta_reg){ .id = vs_id_make(1, f->inc, 5 + i,
                                                      i == 1 ? VS_ID_SEGMENT : VS_ID_CHUNK),
                                     .value = value.data,
                                     .value_len = value.len };
    assert_int_equal(meta_call(f, &r), -EINVAL);
    assert_int_equal(regs[0].status, 0);
    assert_int_equal(regs[1].status, -EINVAL);
    assert_int_equal(regs[2].status, 0);
    r.op = META_REG_READ;
    assert_int_equal(meta_call(f, &r), 0);
    assert_int_equal(regs[0].status, 0);
    assert_int_equal(regs[1].status, -ENOENT);
    assert_int_equal(regs[2].status, 0);
    for (unsigned i = 0; i < 3; i++)
        vs_buf_close(&regs[i].current);
    vs_buf_close(&value);
}

/* Two changes in one request: the second sees what the first has not yet made durable. */
static void changes_of_one_request_follow_each_other(void **state)
{
    struct meta_client *f = *state;
    struct vs_id id = vs_id_make(1, f->inc, 5, VS_ID_CHUNK);
    struct vs_buf two = reg_value(PLACE_LIVE, 2), three = reg_value(PLACE_LIVE, 3);
    struct meta_reg regs[2] = {
        { .id = id, .value = two.data, .value_len = two.len, .expect_generation = 1 },
        { .id = id, .value = three.data, .value_len = three.len, .expect_generation = 2 },
    };
    struct meta_req r = { .op = META_REG_CHANGE, .regs = regs, .reg_count = 2 };
    uint8_t st;

    assert_int_equal(reg_call(f, META_REG_CREATE, &id, reg_value(PLACE_LIVE, 1), 0, NULL), 0);
    assert_int_equal(meta_call(f, &r), 0);
    assert_int_equal(regs[0].status, 0);
    assert_int_equal(regs[1].status, 0);
    assert_int_equal(generation_of(f, &id, &st), 3);
    vs_buf_close(&two);
    vs_buf_close(&three);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_of_an_earlier_life_is_created_once_by_its_owner),
        TEST(a_register_is_created_once_and_read_back),
        TEST(values_that_do_not_fit_are_refused),
        TEST(a_change_needs_the_current_generation),
        TEST(nothing_follows_a_tomb),
        TEST(every_register_of_a_request_has_its_own_status),
        TEST(changes_of_one_request_follow_each_other),
    };

    return cmocka_run_group_tests_name("reg_coord_call", tests, NULL, NULL);
}
