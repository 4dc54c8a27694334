/* Registers of durable chunks: created in batches, and what a refusal means. */
#include "common/err.h"
#include "ingest/upload_env.h"
#include "tests/support/meta_fail.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB     (1u << 20)
#define UPLOADS 40

static bool are_durable(struct upload_rig *rig, unsigned chunks)
{
    unsigned waiting = 0;
    struct vs_list *pos, *tmp;
    VS_LOCK_SCOPE(&rig->env->lock);

    vs_list_for_each (pos, tmp, &rig->env->durable)
        waiting++;
    return waiting == chunks;
}

static void registers_of_all_uploads_share_requests(void **state)
{
    struct upload *u[UPLOADS];
    struct upload_rig rig;
    struct upload_flush f;
    unsigned requests, registers;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    meta_fail_hold_registers(rig.meta, true);
    for (unsigned i = 0; i < UPLOADS; i++) {
        u[i] = upload_rig_upload(&rig, "x", false, false);
        assert_int_equal(upload_rig_append(u[i], i, 10, 10), 0);
        assert_int_equal(upload_hole(u[i], 10), 0); /* ends the chunk */
    }
    do { /* some requests are on their way, the rest waits for them */
        usleep(1000);
        requests = meta_fail_requests(rig.meta, &registers);
    } while (requests == 0 || !are_durable(&rig, UPLOADS - registers));
    assert_in_range(requests, 1, UPLOAD_REG_BATCHES_MAX);
    meta_fail_hold_registers(rig.meta, false);
    for (unsigned i = 0; i < UPLOADS; i++) {
        assert_int_equal(upload_rig_flush(u[i], &f), 0);
        upload_rig_check(&rig, f.chunks, f.chunk_count, i, 0);
        upload_free(u[i]);
    }
    requests = meta_fail_requests(rig.meta, &registers);
    assert_int_equal(registers, UPLOADS);
    assert_in_range(requests, 1, UPLOAD_REG_BATCHES_MAX + 2); /* what waited is one more, or two */
    upload_rig_close(&rig);
}

static void a_register_that_is_refused_fails_its_upload_alone(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    size_t given_up;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    meta_fail_registers(rig.meta, 0, -ESTALE);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), -ESTALE);
    upload_free(u);
    upload_session_given_up(rig.session, NULL, &given_up);
    assert_int_equal(given_up, 1);

    meta_fail_registers(rig.meta, META_FAIL_ALL, 0);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 2, MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 2, 0);
    upload_free(u);
    upload_rig_close(&rig);
}

static void metadata_out_of_reach_fails_the_upload(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    meta_fail_registers(rig.meta, META_FAIL_ALL, -VS_EDOWN);
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 9 * MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -VS_EDOWN);
    upload_free(u);
    upload_rig_close(&rig);
}

/* Freed while its register is on its way: nothing is left that somebody waits for. */
static void an_upload_may_go_while_its_registers_are_being_created(void **state)
{
    struct upload_rig rig;
    struct upload *u;
    size_t given_up;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    meta_fail_hold_registers(rig.meta, true);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 4 * MIB, MIB), 0);
    while (meta_fail_requests(rig.meta, NULL) == 0)
        usleep(1000);
    upload_free(u);
    upload_session_given_up(rig.session, NULL, &given_up);
    assert_int_equal(given_up, 1);
    meta_fail_hold_registers(rig.meta, false);
    upload_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_of_all_uploads_share_requests),
        cmocka_unit_test(a_register_that_is_refused_fails_its_upload_alone),
        cmocka_unit_test(metadata_out_of_reach_fails_the_upload),
        cmocka_unit_test(an_upload_may_go_while_its_registers_are_being_created),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
