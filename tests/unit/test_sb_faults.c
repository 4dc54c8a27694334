/* A disk that fails twice within an hour is not given anything new. */
#include "common/assert.h"
#include "common/err.h"
#include "node/sb_format_state.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define FRAG      100000u
#define MINUTE_NS (60 * VS_NS_PER_S)

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

    hand_ns = 1000 * 3600 * VS_NS_PER_S;
    rig->config.clock = &hand;
    return r;
}

static enum store_state state_of(struct sb_rig *rig, struct store_health *ret)
{
    chunk_store_health(rig->ss.s, ret);
    return ret->state;
}

/* A run that ends with an I/O error; the store is closed afterwards. */
static void fail_a_run(struct sb_rig *rig)
{
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_UP);
    sim_io_fail_at(rig->sim, SIM_IO_SYNC, 0, -EIO, true);
    assert_int_equal(sb_rig_put(rig, 77, FRAG), -VS_EDOWN);
    assert_int_equal(state_of(rig, &h), STORE_DOWN);
    sb_rig_close(rig);
}

static void the_second_disk_error_within_an_hour_makes_the_store_read_only(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    assert_int_equal(sb_rig_put(rig, 2, FRAG), 0);
    sb_rig_close(rig);
    fail_a_run(rig);
    hand_ns += 59 * MINUTE_NS;
    fail_a_run(rig); /* asserts that it was up until then */
    for (unsigned start = 0; start < 3; start++) {
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(state_of(rig, &h), STORE_READONLY);
        assert_non_null(strstr(h.why, "failed twice within an hour"));
        assert_non_null(strstr(h.why, "'" SB_FAULTS_NAME "'")); /* what to do */
        assert_int_equal(sb_rig_put(rig, 10 + start, FRAG), -EROFS);
        assert_int_equal(sb_rig_check(rig, 10 + start, FRAG), -ENOENT);
        assert_int_equal(sb_rig_put(rig, 1, FRAG), 0); /* it is there */
        assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
        assert_int_equal(sb_rig_del(rig, 2), 0);
        assert_int_equal(sb_rig_check(rig, 2, FRAG), -ENOENT);
        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
        hand_ns += 600 * MINUTE_NS; /* it does not forgive by itself */
        sb_rig_close(rig);
    }
    {
        struct vs_io *io = sb_rig_io(rig);

        assert_int_equal(vs_io_unlink(io, SB_FAULTS_NAME), 0);
        vs_io_free(io);
    }
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_UP);
    assert_int_equal(sb_rig_put(rig, 10, FRAG), 0);
}

static void errors_more_than_an_hour_apart_are_forgiven(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    for (unsigned i = 0; i < SB_FAULTS_MAX + 4; i++) { /* the list is full on the way */
        fail_a_run(rig);
        hand_ns += 61 * MINUTE_NS;
    }
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_UP);
}

static void errors_of_an_open_count(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    sb_rig_crash(rig);
    for (unsigned i = 0; i < 2; i++) {
        sim_io_fail_at(rig->sim, SIM_IO_SYNC, 0, -EIO, false); /* of what is to be walked */
        assert_int_equal(sb_rig_open(rig), -EIO);
    }
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_READONLY);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
}

static int unlink_file(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return sb_name_parse(name) != 0 ? vs_io_unlink(arg, name) : 0;
}

static void crashes_and_removed_files_are_no_faults_of_the_disk(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(sb_rig_put(rig, i, FRAG), 0);
        if (i % 2 == 0) {
            sb_rig_crash(rig);
        } else { /* a file that was removed takes the store down as well */
            struct vs_io *io = sb_rig_io(rig);

            assert_int_equal(vs_io_list(io, unlink_file, io), 0);
            vs_io_free(io);
            assert_int_equal(sb_rig_put(rig, 100 + i, FRAG), -VS_EDOWN);
            sb_rig_close(rig);
        }
    }
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_UP);
    assert_int_equal(sb_rig_files(rig, SB_FAULTS_NAME, NULL), 0);
}

static void a_list_that_does_not_check_is_none(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    fail_a_run(rig);
    sb_rig_flip(rig, SB_FAULTS_NAME, 20, 3);
    fail_a_run(rig);
    assert_int_equal(sb_rig_open(rig), 0); /* the second one has written it anew */
    assert_int_equal(state_of(rig, &h), STORE_UP);
    sb_rig_close(rig);
    fail_a_run(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(state_of(rig, &h), STORE_READONLY);
}

/* With its threads, the store has written it down before anybody stops it: a daemon may be killed.
 */
static void it_is_written_down_while_the_store_still_runs(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io = sb_rig_io(rig);
    struct vs_file *f;
    unsigned waited_ms = 0;
    int r;

    rig->config.serial = false;
    assert_int_equal(sb_rig_open(rig), 0);
    sim_io_fail_at(rig->sim, SIM_IO_SYNC, 0, -EIO, true);
    assert_int_equal(sb_rig_put(rig, 77, FRAG), -VS_EDOWN);
    while ((r = vs_io_open(io, SB_FAULTS_NAME, VS_IO_READ, &f)) == -ENOENT && waited_ms++ < 5000)
        nanosleep(&(struct timespec){ .tv_nsec = VS_NS_PER_MS }, NULL);
    assert_int_equal(r, 0);
    vs_file_close(f);
    vs_io_free(io);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, setup, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(the_second_disk_error_within_an_hour_makes_the_store_read_only),
        ON_SIM(errors_more_than_an_hour_apart_are_forgiven),
        ON_SIM(errors_of_an_open_count),
        ON_SIM(crashes_and_removed_files_are_no_faults_of_the_disk),
        ON_SIM(a_list_that_does_not_check_is_none),
        ON_SIM(it_is_written_down_while_the_store_still_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
