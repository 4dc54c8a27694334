/* Sessions: where ids come from, what becomes of those that were not used. */
#include "common/err.h"
#include "ingest/upload_env.h"
#include "tests/support/meta_fail.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

static size_t open_sessions(struct upload_rig *rig)
{
    uint64_t sessions[8];
    struct meta_req req = {
        .op = META_SCAN, .scan = META_SCAN_SESSIONS, .scan_u64 = sessions, .scan_max = 8
    };

    assert_int_equal(meta_call(rig->meta, &req), 0);
    return req.scan_count;
}

static void ids_of_a_freed_upload_are_given_up(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *kept, *freed;
    struct vs_id *ids;
    size_t count;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    kept = upload_rig_upload(&rig, "kept", false, false);
    freed = upload_rig_upload(&rig, "freed", false, false);
    assert_int_equal(upload_rig_append(kept, 1, 9 * MIB, MIB), 0);
    assert_int_equal(upload_rig_append(freed, 2, 30 * MIB, MIB), 0);
    upload_free(freed);
    assert_int_equal(upload_rig_flush(kept, &f), 0);
    assert_int_equal(upload_session_given_up(rig.session, &ids, &count), 0);
    assert_in_range(count, 1, 7); /* those that had an id by then */
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(vs_id_type(&ids[i]), VS_ID_CHUNK);
        for (size_t c = 0; c < f.chunk_count; c++)
            assert_int_not_equal(vs_id_cmp(&ids[i], &f.chunks[c].id), 0);
    }
    free(ids);
    upload_free(kept);
    assert_int_equal(open_sessions(&rig), 1);
    upload_rig_close(&rig);
}

/* More ids may arrive while a commit goes through the list. */
static void the_list_of_given_up_ids_is_the_callers(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    struct vs_id *before, *after;
    size_t count, now;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "freed", false, false);
    assert_int_equal(upload_rig_append(u, 1, 12 * MIB, MIB), 0);
    upload_free(u);
    assert_int_equal(upload_session_given_up(rig.session, &before, &count), 0);
    u = upload_rig_upload(&rig, "more", false, false);
    assert_int_equal(upload_rig_append(u, 2, 120 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(upload_session_given_up(rig.session, &after, &now), 0);
    assert_true(now >= count);
    assert_memory_equal(before, after, count * sizeof(*before));
    free(before);
    free(after);
    upload_free(u);
    upload_rig_close(&rig);
}

static size_t given_up_of(struct upload_rig *rig)
{
    size_t count;

    upload_session_given_up(rig->session, NULL, &count);
    return count;
}

static bool nothing_is_on_its_way(struct upload_rig *rig)
{
    VS_LOCK_SCOPE(&rig->env->lock);

    return rig->env->chunks == 0;
}

static void ids_are_given_up_whether_placed_or_on_their_way(void **state)
{
    struct upload_rig rig;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "placed", false, false);
    assert_int_equal(upload_rig_append(u, 2, 12 * MIB, MIB), 0);
    while (!nothing_is_on_its_way(&rig))
        usleep(1000);
    upload_free(u);
    assert_int_equal(given_up_of(&rig), 3);

    store_stall_hold(rig.stall[0], true);
    u = upload_rig_upload(&rig, "on its way", false, false);
    assert_int_equal(upload_rig_append(u, 2, 8 * MIB, MIB), 0);
    store_stall_await_held(rig.stall[0], 2);
    upload_free(u);
    assert_int_equal(given_up_of(&rig), 5);
    store_stall_hold(rig.stall[0], false);
    while (!nothing_is_on_its_way(&rig))
        usleep(1000);
    assert_int_equal(given_up_of(&rig), 5); /* each once */
    upload_rig_close(&rig);
}

static void a_session_that_was_not_committed_is_aborted(void **state)
{
    struct upload_rig rig;
    struct upload_session *s;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 100000, 100000), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_free(u);
    assert_int_equal(open_sessions(&rig), 1);
    upload_session_free(rig.session);
    upload_env_free(rig.env); /* waits for the abort */
    assert_int_equal(open_sessions(&rig), 0);

    struct upload_env_config config = {
        .stores = &rig.stores, .meta = rig.meta, .exec = rig.exec, .clock = &vs_clock_system
    };
    assert_int_equal(upload_env_new(&rig.env, &config), 0);
    assert_int_equal(upload_session_new(&s, rig.env), 0);
    rig.session = s;
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 100000, 100000), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_free(u);
    upload_session_committed(s);
    upload_session_free(s);
    upload_env_free(rig.env);
    assert_int_equal(open_sessions(&rig), 1); /* as far as the journal knows */
    rig.session = NULL;
    rig.env = NULL;
    upload_rig_close(&rig);
}

static void a_long_upload_gets_ids_in_growing_ranges(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    struct vs_id before = { 0 };

    (void)state;
    upload_rig_open(&rig, 2, 0, NULL); /* two copies of each: quick */
    u = upload_rig_upload(&rig, "x", false, false);
    for (unsigned i = 0; i < 100; i++) { /* tiny chunks, each ended by a hole */
        assert_int_equal(upload_rig_append(u, 1, 10, 10), 0);
        assert_int_equal(upload_hole(u, 10), 0);
    }
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.chunk_count, 200);
    for (size_t i = 0; i < 200; i += 2) {
        assert_int_equal(vs_id_pid(&f.chunks[i].id), rig.meta->pid);
        assert_int_equal(vs_id_inc(&f.chunks[i].id), rig.meta->inc);
        assert_int_not_equal(vs_id_cmp(&f.chunks[i].id, &before), 0);
        before = f.chunks[i].id;
    }
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    upload_free(u);
    upload_rig_close(&rig);
}

static void a_journal_that_opens_no_session_fails_the_upload(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    meta_fail_changes(rig.meta, NS_E_SESSION_OPEN, -VS_EDOWN);
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 9 * MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -VS_EDOWN);
    upload_free(u);
    assert_int_equal(upload_rig_fragments(&rig), 0);
    meta_fail_changes(rig.meta, NS_E_SESSION_OPEN, 0);
    u = upload_rig_upload(&rig, "x", false, false); /* it sticks to the session */
    upload_rig_append(u, 1, MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -VS_EDOWN);
    upload_free(u);
    upload_rig_close(&rig);
}

static void a_journal_that_extends_no_session_fails_the_upload_and_aborts(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 2, 0, NULL);
    meta_fail_changes(rig.meta, NS_E_SESSION_EXTEND, -EIO);
    u = upload_rig_upload(&rig, "x", false, false);
    for (unsigned i = 0; i < 20; i++) {
        upload_rig_append(u, 1, 10, 10);
        upload_hole(u, 10);
    }
    assert_int_equal(upload_rig_flush(u, &f), -EIO);
    upload_free(u);
    upload_session_free(rig.session);
    upload_env_free(rig.env);
    rig.session = NULL;
    rig.env = NULL;
    assert_int_equal(open_sessions(&rig), 0);
    upload_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_of_given_up_ids_is_the_callers),
        cmocka_unit_test(ids_of_a_freed_upload_are_given_up),
        cmocka_unit_test(ids_are_given_up_whether_placed_or_on_their_way),
        cmocka_unit_test(a_session_that_was_not_committed_is_aborted),
        cmocka_unit_test(a_long_upload_gets_ids_in_growing_ranges),
        cmocka_unit_test(a_journal_that_opens_no_session_fails_the_upload),
        cmocka_unit_test(a_journal_that_extends_no_session_fails_the_upload_and_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
