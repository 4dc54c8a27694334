/* Scrub in the background: passes, newest first, at its pace, across restarts; it finds what rots
 * beside the files as well. */
#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_format_state.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define FRAG     100000u
#define PERIOD_S 1000

static int64_t hand_ns;

static int64_t hand_now(const struct vs_clock *c)
{
    (void)c;
    return hand_ns;
}

static const struct vs_clock hand = { hand_now, hand_now };

static int setup(void **state)
{
    int r = sb_rig_setup_sim(state);
    struct sb_rig *rig = *state;

    hand_ns = 5000 * VS_NS_PER_S;
    rig->config.clock = &hand;
    rig->config.scrub_period_s = PERIOD_S;
    rig->config.checkpoint_s = 1000000;
    return r;
}

static struct sb_scrub_progress progress(struct sb_rig *rig)
{
    struct sb_scrub_progress p;

    sb_store_scrub_progress(rig->ss.s, &p);
    return p;
}

/* Fragments first .. last - 1, about ten to a file. */
static void put_all(struct sb_rig *rig, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n < last; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
}

/* A bit of the payload of the first record of a file. */
static void rot(struct sb_rig *rig, uint64_t sb)
{
    char name[SB_NAME_BYTES];

    sb_name(sb, name);
    sb_rig_flip(rig, name, SB_RECORDS_OFFSET + SB_BLOCK_BYTES + 7, 1);
}

/* Steps until the pass has ended; their number. */
static unsigned run_pass(struct sb_rig *rig)
{
    unsigned steps = 0;

    while (sb_store_scrub_step(rig->ss.s) == 1)
        assert_true(++steps < 1000);
    assert_false(progress(rig).running);
    return steps;
}

static void a_pass_reads_every_file_once_and_the_next_comes_when_it_is_due(void **state)
{
    struct sb_rig *rig = *state;
    struct sb_scrub_progress p;
    unsigned files;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_store_scrub_step(rig->ss.s), 0); /* nothing there */
    put_all(rig, 0, 45);
    files = sb_rig_files(rig, "sb-", NULL);
    assert_true(files > 3);
    assert_int_equal(sb_store_scrub_step(rig->ss.s), 1);
    p = progress(rig);
    assert_true(p.running && p.pass == 1 && p.ended_ns == 0);
    assert_in_range(p.done_bytes, 1, p.total_bytes - 1);
    assert_true(p.total_bytes >= 45 * FRAG);
    assert_int_equal(run_pass(rig), files - 1);
    p = progress(rig);
    assert_int_equal(p.done_bytes, p.total_bytes);
    assert_int_equal(p.ended_ns, hand_ns);
    assert_int_equal(p.found, 0);
    hand_ns += PERIOD_S * VS_NS_PER_S - 1;
    assert_int_equal(sb_store_scrub_step(rig->ss.s), 0);
    hand_ns++;
    assert_int_equal(run_pass(rig), files);
    assert_int_equal(progress(rig).pass, 2);
}

static void what_rots_is_found_by_a_pass(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 25);
    rot(rig, 1);
    rot(rig, 2);
    run_pass(rig);
    assert_int_equal(progress(rig).found, 2);
    assert_int_equal(sb_store_known_bad(rig->ss.s, NULL, NULL), 2);
    chunk_store_health(rig->ss.s, &h);
    assert_int_equal(h.corrupt_records, 2);
}

static void a_pass_goes_on_after_a_restart_where_it_was(void **state)
{
    struct sb_rig *rig = *state;
    unsigned files, steps = 0;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 75);
    files = sb_rig_files(rig, "sb-", NULL);
    while (progress(rig).ended_ns == 0) { /* one file in each life */
        steps += (unsigned)sb_store_scrub_step(rig->ss.s);
        assert_int_equal(progress(rig).pass, 1);
        sb_rig_close(rig);
        assert_int_equal(sb_rig_open(rig), 0);
        assert_true(rig->recovery.clean);
        assert_true(steps <= files);
    }
    assert_int_equal(steps, files);
}

static void after_a_crash_what_is_new_comes_first_and_then_the_rest(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t before;
    unsigned files;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 75);
    assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
    files = sb_rig_files(rig, "sb-", NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sb_store_scrub_step(rig->ss.s), 1);
    put_all(rig, 75, 95); /* in files that no checkpoint knows, and the end of one that it does */
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    rot(rig, files + 1); /* new, and after the start that would have seen it */
    before = rig->recovery.files;
    assert_true(before > files);
    assert_int_equal(progress(rig).found, 0);
    for (unsigned i = 0; i <= before - files; i++)
        assert_int_equal(sb_store_scrub_step(rig->ss.s), 1);
    assert_int_equal(progress(rig).found, 1); /* found by the first steps */
    assert_int_equal(progress(rig).pass, 1);
    assert_int_equal(run_pass(rig), files - 3); /* and the pass went on where it had been */
    sb_rig_close(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_store_scrub_step(rig->ss.s), 0);
}

static void a_position_that_does_not_check_begins_a_pass_anew(void **state)
{
    struct sb_rig *rig = *state;
    unsigned files;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 35);
    files = sb_rig_files(rig, "sb-", NULL);
    assert_int_equal(sb_store_scrub_step(rig->ss.s), 1);
    sb_rig_close(rig);
    sb_rig_flip(rig, SB_SCRUB_NAME, 40, 2);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(run_pass(rig), files);
}

static void no_room_for_the_position_is_no_harm(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 25);
    sim_io_fail_at(rig->sim, SIM_IO_CREATE, 0, -ENOSPC, true);
    run_pass(rig);
    chunk_store_health(rig->ss.s, &h);
    assert_int_equal(h.state, STORE_UP);
    assert_int_equal(sb_rig_files(rig, SB_SCRUB_NAME, NULL), 0);
}

static int newest_one(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    if (strncmp(name, "idx-", 4) == 0 && strcmp(name, arg) > 0)
        snprintf(arg, 64, "%s", name);
    return 0;
}

/* The last two are good again after one pass, whichever of them rots, and so is store.id. */
static void rotten_checkpoints_and_identities_are_found_and_written_again(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 15);
    for (unsigned round = 0; round < 4; round++) {
        char newest[64] = "";
        struct vs_io *io = sb_rig_io(rig);

        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        assert_int_equal(vs_io_list(io, newest_one, newest), 0);
        vs_io_free(io);
        if (round >= 2)
            assert_int_equal(sb_store_checkpoint(rig->ss.s), 0); /* now it is the older one */
        sb_rig_flip(rig, newest, 4200, 1);
        sb_rig_flip(rig, "store.id", round % 2 * 4096 + 30, 1);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 2);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
        assert_int_equal(sb_rig_files(rig, "idx-", NULL), 2);
        assert_int_equal(sb_rig_put(rig, 100 + round, FRAG), 0); /* it is still up */
        hand_ns += PERIOD_S * VS_NS_PER_S;
    }
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_true(rig->recovery.from_checkpoint);
    for (uint64_t n = 0; n < 15; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), 0);
}

/* ---- with its thread --------------------------------------------------------------------------
 */

static void it_reads_no_faster_than_it_may_and_a_stop_does_not_wait_for_it(void **state)
{
    struct sb_rig *rig = *state;
    struct sb_scrub_progress p;
    int64_t began_ns, took_ns;

    rig->config.clock = &vs_clock_system;
    rig->config.file_bytes = 1u << 20;
    assert_int_equal(sb_rig_open(rig), 0);
    put_all(rig, 0, 20); /* 2 MB */
    sb_rig_close(rig);
    rig->config.scrub_bytes_s = 4 << 20;
    began_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(sb_rig_open(rig), 0);
    do {
        nanosleep(&(struct timespec){ .tv_nsec = 10 * VS_NS_PER_MS }, NULL);
        p = progress(rig);
        took_ns = vs_now_ns(&vs_clock_system) - began_ns;
    } while (p.ended_ns == 0 && took_ns < 20 * VS_NS_PER_S);
    assert_true(p.ended_ns != 0);
    /* the last records may still be owed for */
    assert_true(took_ns >= 20 * (int64_t)FRAG * VS_NS_PER_S / (4 << 20) - 60 * VS_NS_PER_MS);
    sb_rig_close(rig);

    rig->config.scrub_bytes_s = 1; /* days */
    rig->config.scrub_period_s = 0;
    sb_rig_flip(rig, SB_SCRUB_NAME, 40, 2);
    assert_int_equal(sb_rig_open(rig), 0);
    while (progress(rig).read_bytes == 0)
        nanosleep(&(struct timespec){ .tv_nsec = VS_NS_PER_MS }, NULL);
    began_ns = vs_now_ns(&vs_clock_system);
    sb_rig_close(rig);
    assert_true(vs_now_ns(&vs_clock_system) - began_ns < 5 * VS_NS_PER_S);
    rig->config.scrub_bytes_s = 0;
    assert_int_equal(sb_rig_open(rig), 0);
    assert_true(rig->recovery.clean);
}

/* Puts, deletes, removal of files, checkpoints beside it: nothing is called rotten. */
static void it_disturbs_nothing_that_goes_on_beside_it(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;
    struct vs_rand r;

    vs_rand_init(&r, 4);
    rig->config.file_bytes = 1u << 20;
    rig->config.scrub_bytes_s = UINT64_C(1) << 40;
    rig->config.scrub_period_s = 1;
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 60; n += 2)
        assert_int_equal(sb_rig_put(rig, n, 1000 + 1000 * n), 0);
    sb_rig_close(rig); /* its thread begins with what is there */
    assert_int_equal(sb_rig_open(rig), 0);
    while (progress(rig).read_bytes == 0) /* it runs; the limit of this program ends the wait */
        nanosleep(&(struct timespec){ .tv_nsec = VS_NS_PER_MS }, NULL);
    for (unsigned i = 0; i < 500; i++) {
        uint64_t n = vs_rand_below(&r, 60);

        if (sb_rig_check(rig, n, 1000 + 1000 * n) == 0)
            assert_int_equal(sb_rig_del(rig, n), 0);
        else
            assert_int_equal(sb_rig_put(rig, n, 1000 + 1000 * n), 0);
    }
    chunk_store_health(rig->ss.s, &h);
    assert_int_equal(h.state, STORE_UP);
    assert_int_equal(h.corrupt_records, 0);
    assert_int_equal(progress(rig).found, 0);
}

#define ON_SIM(test)  cmocka_unit_test_setup_teardown(test, setup, sb_rig_teardown)
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_disk, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_pass_reads_every_file_once_and_the_next_comes_when_it_is_due),
        ON_SIM(what_rots_is_found_by_a_pass),
        ON_SIM(a_pass_goes_on_after_a_restart_where_it_was),
        ON_SIM(after_a_crash_what_is_new_comes_first_and_then_the_rest),
        ON_SIM(a_position_that_does_not_check_begins_a_pass_anew),
        ON_SIM(no_room_for_the_position_is_no_harm),
        ON_SIM(rotten_checkpoints_and_identities_are_found_and_written_again),
        ON_DISK(it_reads_no_faster_than_it_may_and_a_stop_does_not_wait_for_it),
        ON_DISK(it_disturbs_nothing_that_goes_on_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
