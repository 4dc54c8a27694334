/* What an audit of a store removes, and what it must never remove. */
#include "common/err.h"
#include "common/log.h"
#include "meta/collect_audit.h"
#include "meta/place_value.h"
#include "tests/support/collect_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

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

static void an_audit_keeps_what_a_register_names(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;

    crig_put_file(f, &file, 4);
    for (unsigned node = 1; node <= CRIG_NODES; node++)
        assert_int_equal(crig_audit(f, node), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_true(crig_has_chunk(f, &file.chunks[i], 1));
}

static void an_audit_removes_what_a_register_does_not_name(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 2);
    crig_put_frag(f, 1, &id, 0, 1); /* an older placement */
    crig_put_frag(f, 1, &id, 1, 2); /* named, but on node 2 */
    crig_put_frag(f, 1, &id, 2, 2); /* beyond k+m */
    crig_put_frag(f, 1, &id, 0, 3); /* a repair on its way */
    assert_int_equal(crig_audit(f, 1), 3);
    assert_true(crig_has_chunk(f, &id, 2));
    assert_true(crig_has_frag(f, 1, &id, 0, 3));
    assert_false(crig_has_frag(f, 1, &id, 0, 1));
    assert_false(crig_has_frag(f, 1, &id, 1, 2));
    assert_false(crig_has_frag(f, 1, &id, 2, 2));
}

/* A repair moved fragment 1 from node 2 to node 3; fragment 0 is of the first placement still. */
static void an_audit_keeps_what_a_repair_left_alone(void **state)
{
    struct collect_rig *f = *state;
    struct meta_reg reg = { .expect_generation = 1 };
    struct meta_req req = { .op = META_REG_CHANGE, .regs = &reg, .reg_count = 1 };
    struct place_value v = { .state = PLACE_LIVE,
                             .generation = 2,
                             .chunk_bytes = CRIG_CHUNK_BYTES,
                             .red = { VS_RED_REPLICATE, 1, 1 },
                             .frag = { { .node = 1, .generation = 1 },
                                       { .node = 3, .generation = 2 } } };
    struct vs_buf value = { 0 };

    crig_open_session(f, 8);
    v.session = f->session;
    reg.id = crig_put_chunk(f, 1);
    crig_put_frag(f, 3, &reg.id, 1, 2);
    assert_int_equal(place_value_encode(&v, &value), 0);
    reg.value = value.data;
    reg.value_len = value.len;
    assert_int_equal(meta_call(f->meta, &req), 0);
    assert_int_equal(reg.status, 0);
    for (unsigned node = 1; node <= 3; node++)
        assert_int_equal(crig_audit(f, node), node == 2 ? 1 : 0);
    assert_true(crig_has_frag(f, 1, &reg.id, 0, 1));
    assert_true(crig_has_frag(f, 3, &reg.id, 1, 2));
    vs_buf_close(&reg.current);
    vs_buf_close(&value);
}

static void an_audit_leaves_uploads_in_progress_alone(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id;

    crig_open_session(f, 8);
    id = crig_fresh(f, VS_ID_CHUNK);
    crig_put_frag(f, 1, &id, 0, 1);
    assert_int_equal(crig_audit(f, 1), 0);
    assert_true(crig_has_frag(f, 1, &id, 0, 1));
    assert_int_equal(crig_reg_state(f, &id), 0);
}

/* Mutant M21: without the TOMB a late writer could place what has just been removed. */
static void a_fragment_of_a_closed_session_goes_behind_a_tomb(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;
    struct vs_id spare;

    crig_put_file(f, &file, 1); /* commits its session */
    spare = crig_fresh(f, VS_ID_CHUNK);
    crig_put_frag(f, 1, &spare, 0, 1);
    assert_int_equal(crig_audit(f, 1), 1);
    assert_false(crig_has_frag(f, 1, &spare, 0, 1));
    assert_int_equal(crig_reg_state(f, &spare), PLACE_TOMB);
    assert_true(crig_has_chunk(f, &file.chunks[0], 1));
}

static void fragments_from_the_future_of_old_metadata_stay(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id later = vs_id_make(f->meta->pid, f->meta->inc + 1, 5, VS_ID_CHUNK);
    struct vs_id foreign = vs_id_make((uint16_t)(f->meta->pid + 1), 1, 5, VS_ID_CHUNK);

    f->session = 999;
    crig_put_frag(f, 1, &later, 0, 1);
    crig_put_frag(f, 1, &foreign, 0, 1);
    assert_int_equal(crig_audit(f, 1), 0);
    assert_true(crig_has_frag(f, 1, &later, 0, 1));
    assert_true(crig_has_frag(f, 1, &foreign, 0, 1));
}

static void too_many_unknown_fragments_stop_an_audit(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id = { { 0 } };
    int quiet = open("/dev/null", O_WRONLY);

    f->session = 999; /* no such session: closed */
    for (unsigned i = 0; i < AUDIT_BRAKE_FRAGMENTS + 1; i++) {
        id = vs_id_make(f->meta->pid, f->meta->inc, 100000 + i, VS_ID_CHUNK);
        crig_put_frag(f, 1, &id, 0, 1);
        if (i < AUDIT_BRAKE_FRAGMENTS)
            crig_put_frag(f, 2, &id, 0, 1);
    }
    vs_log_to_fd(quiet);
    assert_int_equal(crig_audit(f, 1), 0);
    assert_true(crig_has_frag(f, 1, &id, 0, 1));
    assert_int_equal(crig_reg_state(f, &id), 0);
    assert_int_equal(crig_audit(f, 2), AUDIT_BRAKE_FRAGMENTS); /* one less is no alarm */
    vs_log_to_fd(2);
    close(quiet);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_audit_keeps_what_a_register_names),
        TEST(an_audit_removes_what_a_register_does_not_name),
        TEST(an_audit_keeps_what_a_repair_left_alone),
        TEST(an_audit_leaves_uploads_in_progress_alone),
        TEST(a_fragment_of_a_closed_session_goes_behind_a_tomb),
        TEST(fragments_from_the_future_of_old_metadata_stay),
        TEST(too_many_unknown_fragments_stop_an_audit),
    };

    return cmocka_run_group_tests_name("collect_audit", tests, NULL, NULL);
}
