/* What the collector removes once it is released, and what it leaves. */
#include "common/clock.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include "tests/support/collect_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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

static void an_aborted_session_leaves_tombs_and_no_fragments(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id placed, unplaced, unused;

    crig_open_session(f, 8);
    placed = crig_put_chunk(f, 1);
    unplaced = crig_fresh(f, VS_ID_CHUNK); /* its fragment is written, its register not yet */
    crig_put_frag(f, 3, &unplaced, 0, 1);
    unused = crig_fresh(f, VS_ID_CHUNK);
    crig_abort_session(f);
    assert_true(crig_released_waiting(f) > 0);
    crig_drain(f);
    assert_int_equal(crig_reg_state(f, &placed), PLACE_TOMB);
    assert_int_equal(crig_reg_state(f, &unplaced),
                     PLACE_TOMB); /* or a late writer could place it */
    assert_int_equal(crig_reg_state(f, &unused), PLACE_TOMB);
    assert_false(crig_has_chunk(f, &placed, 1));
    assert_false(crig_has_frag(f, 3, &unplaced, 0, 1));
}

static void fragments_of_every_generation_go_with_their_chunk(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id, other;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 2);
    crig_put_frag(f, 3, &id, 4, 1); /* a first try that was given up */
    crig_abort_session(f);
    crig_open_session(f, 8);
    other = crig_put_chunk(f, 1);
    crig_drain(f);
    assert_false(crig_has_chunk(f, &id, 2));
    assert_false(crig_has_frag(f, 3, &id, 4, 1));
    assert_true(crig_has_chunk(f, &other, 1));
    assert_int_equal(crig_reg_state(f, &other), PLACE_LIVE);
}

static void a_removed_file_goes_with_all_its_chunks(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;
    struct ns_entry forget = { .kind = NS_E_FORGET };

    crig_put_file(f, &file, 4);
    crig_unlink_film(f);
    crig_drain(f);
    for (unsigned i = 0; i < 4; i++)
        assert_true(crig_has_chunk(f, &file.chunks[i], 1)); /* somebody may have it open */
    forget.ino = file.ino;
    assert_int_equal(crig_change(f, &forget, NULL), 0);
    crig_drain(f);
    for (unsigned i = 0; i < 4; i++) {
        assert_false(crig_has_chunk(f, &file.chunks[i], 1));
        assert_int_equal(crig_reg_state(f, &file.chunks[i]), PLACE_TOMB);
    }
    assert_int_equal(crig_reg_state(f, &file.segment), PLACE_TOMB);
}

/* A rewrite gives up the old segment and the chunks it replaced; the new segment names the others
 * again. */
static void a_segment_that_goes_alone_leaves_its_chunks(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT };
    struct vs_id released[2];

    crig_put_file(f, &file, 3);
    released[0] = file.segment;
    released[1] = file.chunks[1];
    crig_open_session(f, 1);
    e.session = f->session;
    e.content.released = released;
    e.content.released_count = 2;
    assert_int_equal(crig_change(f, &e, NULL), 0);
    crig_drain(f);
    assert_int_equal(crig_reg_state(f, &file.segment), PLACE_TOMB);
    assert_true(crig_has_chunk(f, &file.chunks[0], 1));
    assert_false(crig_has_chunk(f, &file.chunks[1], 1));
    assert_true(crig_has_chunk(f, &file.chunks[2], 1));
    assert_int_equal(crig_reg_state(f, &file.chunks[0]), PLACE_LIVE);
}

/* What it named cannot be known any more: forgetting it would leave the chunks for ever. */
static void a_segment_that_cannot_be_read_stays(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;
    struct ns_entry forget = { .kind = NS_E_FORGET };

    f->spoil_segments = true;
    crig_put_file(f, &file, 2);
    crig_unlink_film(f);
    forget.ino = file.ino;
    assert_int_equal(crig_change(f, &forget, NULL), 0);
    assert_int_equal(collect_drain(f->collect, 100 * VS_NS_PER_MS), -ETIMEDOUT);
    assert_int_equal(crig_released_waiting(f), 1);
    assert_int_equal(crig_reg_state(f, &file.segment), PLACE_SEGMENT);
    assert_true(crig_has_chunk(f, &file.chunks[0], 1));
}

static void more_than_a_page_is_collected(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id first, last, id;

    crig_open_session(f, 700);
    first = crig_put_chunk(f, 1);
    for (unsigned i = 0; i < 600; i++) {
        id = crig_fresh(f, VS_ID_CHUNK);
        crig_put_frag(f, 1 + i % CRIG_NODES, &id, 0, 1);
    }
    last = crig_put_chunk(f, 1);
    crig_abort_session(f);
    crig_drain(f);
    assert_false(crig_has_chunk(f, &first, 1));
    assert_false(crig_has_chunk(f, &last, 1));
    assert_false(crig_has_frag(f, 3, &id, 0, 1));
}

static void a_store_that_is_down_is_asked_later(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 1);
    crig_abort_session(f);
    store_mem_set_down(f->stores[0], true);
    crig_drain(f);
    assert_int_equal(crig_reg_state(f, &id), PLACE_TOMB);
    assert_false(crig_has_frag(f, 2, &id, 1, 1));
    store_mem_set_down(f->stores[0], false);
    assert_true(crig_has_frag(f, 1, &id, 0, 1));
    assert_int_equal(crig_audit(f, 1), 1);
    assert_false(crig_has_frag(f, 1, &id, 0, 1));
}

static void a_start_aborts_sessions_and_forgets_orphans(void **state)
{
    struct collect_rig *f = *state;
    struct rig_file file;
    struct vs_id half;
    uint64_t items[4];
    struct meta_req scan = { .op = META_SCAN, .scan_u64 = items, .scan_max = 4 };

    crig_put_file(f, &file, 2);
    crig_unlink_film(f); /* and the process ends before the last close */
    crig_open_session(f, 8);
    half = crig_put_chunk(f, 1);
    assert_int_equal(collect_at_start(f->collect, 0), 0);
    scan.scan = META_SCAN_SESSIONS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 0);
    scan.scan = META_SCAN_ORPHANS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 0);
    crig_drain(f);
    assert_false(crig_has_chunk(f, &half, 1));
    assert_false(crig_has_chunk(f, &file.chunks[0], 1));
    assert_false(crig_has_chunk(f, &file.chunks[1], 1));
}

/* With others at the same metadata, only what is ours is cleaned up. */
static void a_start_beside_other_mounts_leaves_what_is_theirs(void **state)
{
    struct collect_rig *f = *state;
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 1, .mount = 7 };
    struct ns_answer answer;
    struct rig_file file;
    uint64_t items[4], theirs;
    struct meta_req scan = { .op = META_SCAN, .scan_u64 = items, .scan_max = 4 };

    crig_put_file(f, &file, 2);
    crig_unlink_film(f); /* another mount may have it open */
    assert_int_equal(crig_change(f, &open, NULL), 0);
    open.mount = 8;
    assert_int_equal(crig_change(f, &open, &answer), 0);
    theirs = answer.session;
    open.mount = 7;
    assert_int_equal(crig_change(f, &open, NULL), 0);
    assert_int_equal(collect_at_start(f->collect, 7), 0);
    scan.scan = META_SCAN_SESSIONS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 1);
    assert_true(items[0] == theirs);
    scan.scan = META_SCAN_ORPHANS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 1);
    crig_drain(f);
    assert_true(crig_has_chunk(f, &file.chunks[0], 1));
}

static void audits_run_in_the_background_and_stop_when_told(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id;

    crig_open_session(f, 8);
    id = crig_put_chunk(f, 1);
    crig_put_frag(f, 1, &id, 3, 1);
    collect_audit(f->collect, 0);
    for (unsigned i = 0; crig_has_frag(f, 1, &id, 3, 1); i++) {
        assert_true(i < 5000);
        usleep(1000);
    }
    assert_true(crig_has_chunk(f, &id, 1));
    collect_audit(f->collect, 1); /* teardown stops it, wherever it is */
}

/* One that could not be asked is still to be asked; who knows which: the next start. */
static void an_audit_counts_when_it_has_ended_well(void **state)
{
    struct collect_rig *f = *state;

    crig_open_session(f, 8);
    crig_put_chunk(f, 1);
    assert_int_equal(collect_unaudited(f->collect), 0);
    store_mem_set_down(f->stores[0], true);
    collect_audit(f->collect, 0); /* the lower one is asked first */
    collect_audit(f->collect, 1);
    for (unsigned n = 0; n < 20000 && (collect_unaudited(f->collect) & 2) != 0; n++)
        usleep(1000);
    assert_int_equal(collect_unaudited(f->collect), 1);
    store_mem_set_down(f->stores[0], false);
    collect_audit(f->collect, 0);
    for (unsigned n = 0; n < 20000 && collect_unaudited(f->collect) != 0; n++)
        usleep(1000);
    assert_int_equal(collect_unaudited(f->collect), 0);
}

static void brake(struct collect_rig *f, const char *why)
{
    struct ns_entry e = { .kind = NS_E_BRAKE, .value = why, .value_len = strlen(why) };

    assert_int_equal(crig_change(f, &e, NULL), 0);
}

/* After a restore, say. An old life's fragment is nobody's: no register, another owner. */
static void the_brake_keeps_everything_until_a_person_lets_go(void **state)
{
    struct collect_rig *f = *state;
    struct vs_id id, old = vs_id_make(9999, 1, 7, VS_ID_CHUNK);
    uint64_t seen, doomed;
    struct meta_req stats = { .op = META_STATS };

    brake(f, "restored from a backup");
    brake(f, "another reason"); /* the first one stays */
    crig_open_session(f, 8);
    id = crig_put_chunk(f, 1);
    crig_put_frag(f, 3, &old, 0, 1);
    crig_abort_session(f);
    assert_int_equal(collect_drain(f->collect, VS_NS_PER_S), -EBUSY);
    for (unsigned i = 0; i < CRIG_NODES; i++)
        collect_audit(f->collect, i);
    usleep(100000); /* it had time to do wrong */
    assert_true(crig_has_chunk(f, &id, 1));
    assert_true(crig_has_frag(f, 3, &old, 0, 1));
    assert_int_equal(meta_call(f->meta, &stats), 0);
    assert_string_equal(stats.stats.brake, "restored from a backup");
    assert_int_equal(collect_look(f->collect, 2, &seen, &doomed), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(doomed, 1);
    assert_true(crig_has_frag(f, 3, &old, 0, 1)); /* only looked at */

    assert_int_equal(collect_let_go(f->collect), 0);
    crig_drain(f);
    for (unsigned n = 0; n < 20000 && collect_unaudited(f->collect) != 0; n++)
        usleep(1000);
    assert_false(crig_has_chunk(f, &id, 1));
    assert_false(crig_has_frag(f, 3, &old, 0, 1));
    assert_int_equal(meta_call(f->meta, &stats), 0);
    assert_string_equal(stats.stats.brake, "");
}

static void too_many_unknown_fragments_put_the_brake_on(void **state)
{
    struct collect_rig *f = *state;
    struct meta_req stats = { .op = META_STATS };
    struct vs_id id;

    crig_open_session(f, 2000);
    for (unsigned n = 0; n < 1100; n++) {
        id = crig_fresh(f, VS_ID_CHUNK);
        crig_put_frag(f, 3, &id, 0, 1);
    }
    brake(f, "");
    crig_abort_session(f); /* their session is closed: they would go */
    for (unsigned n = 0; n < 20000 && stats.stats.brake[0] == '\0'; n++) {
        collect_audit(f->collect, 2);
        usleep(1000);
        assert_int_equal(meta_call(f->meta, &stats), 0);
    }
    assert_non_null(strstr(stats.stats.brake, "n3"));
    assert_true(crig_has_frag(f, 3, &id, 0, 1));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_aborted_session_leaves_tombs_and_no_fragments),
        TEST(fragments_of_every_generation_go_with_their_chunk),
        TEST(a_removed_file_goes_with_all_its_chunks),
        TEST(a_segment_that_goes_alone_leaves_its_chunks),
        TEST(a_segment_that_cannot_be_read_stays),
        TEST(more_than_a_page_is_collected),
        TEST(a_store_that_is_down_is_asked_later),
        TEST(a_start_aborts_sessions_and_forgets_orphans),
        TEST(a_start_beside_other_mounts_leaves_what_is_theirs),
        TEST(audits_run_in_the_background_and_stop_when_told),
        TEST(an_audit_counts_when_it_has_ended_well),
        TEST(the_brake_keeps_everything_until_a_person_lets_go),
        TEST(too_many_unknown_fragments_put_the_brake_on),
    };

    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
